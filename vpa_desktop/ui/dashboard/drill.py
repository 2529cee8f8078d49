"""The fire drill in the window: choose a fault and a provider, start, and see the chain act. The backend drills.

It replaces the dashboard's figures while it is open; Esc or its button leads back, and a drill under way ends then.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from vpa_desktop.drills import FAULT_WORDS, FAULTS, DrillFault, DrillReport, DrillStep
from vpa_desktop.ui.dashboard.chain import ChainView
from vpa_desktop.ui.dashboard.steps import StepList
from vpa_desktop.ui.widgets import Card, ChoiceBox, IconButton, IconLabel, PlainLabel, TintedButton

if TYPE_CHECKING:
    from vpa_desktop.ui.ports import Drills
    from vpa_desktop.ui.tasks import TaskOwner

PAUSE_S = 0.4
"""Between two steps: on loopback a drill is over before anybody has read its first line."""

TASK = "drill"
STEP_ICONS = {
    "note": ("info", "dim"),
    "fault": ("zap", "warn"),
    "asked": ("clock", "accent"),
    "failed": ("circle-x", "danger"),
    "answered": ("circle-check", "ok"),
    "breaker": ("shield", "warn"),
    "request": ("circle-check", "ok"),
    "time": ("clock", "dim"),
    "back": ("circle-check", "ok"),
    "lost": ("circle-x", "danger"),
}


class DrillPanel(QWidget):
    """The controls, the chain as cards, and the steps as a list."""

    closed = Signal()

    def __init__(self, tasks: TaskOwner) -> None:
        super().__init__()
        self._tasks = tasks
        self._drills: Drills | None = None
        self.setAccessibleName(self.tr("Fire drill"))
        self.fault = ChoiceBox()
        self.provider = ChoiceBox()
        self.start_button = QPushButton(self.tr("Start"))
        self.stop_button = TintedButton("circle-stop", self.tr("Stop"))
        self.chain = ChainView()
        self.steps = StepList(self.tr("Steps of the drill"))
        self._hint = PlainLabel(self.tr("Press Start: what happens is told here, step by step."), "dim", wraps=True)
        self._outcome = Card("verdict", "", margins=12)
        self._sign = IconLabel("info", 20)
        self._said = PlainLabel(wraps=True)
        self._build()

    def attach(self, drills: Drills) -> None:
        """From now on drills can be run."""
        self._drills = drills

    def open(self) -> None:
        """Shows the person's chain, ready to start."""
        self.show()
        self.start_button.setFocus(Qt.FocusReason.OtherFocusReason)
        if self._drills is not None and not self._tasks.running(TASK):
            self._tasks.spawn("drill chain", self._load(self._drills))

    def dismiss(self) -> None:
        """Ends a drill under way and leads back."""
        self.stop()
        self.closed.emit()

    def start(self) -> None:
        """Runs the chosen fault, or all of them one after another."""
        if self._drills is None or self._tasks.running(TASK):
            return
        chosen = self.fault.currentData()
        faults = [fault for fault in FAULTS if chosen in ("", fault)]
        self.steps.clear()
        self.steps.show()
        self._hint.hide()
        self._outcome.hide()
        self._busy(True)
        self._tasks.spawn(TASK, self._run(self._drills, faults, str(self.provider.currentData() or "")))

    def stop(self) -> None:
        """Ends the drill under way; what was seen of it stays."""
        if self._tasks.running(TASK):
            self._tasks.cancel(TASK)
            self._conclude("warn", self.tr("You stopped the drill."))

    def step_back(self) -> bool:
        """What Esc does: stops a drill, and leads back where none runs."""
        if self._tasks.running(TASK):
            self.stop()
        else:
            self.dismiss()
        return True

    async def _load(self, drills: Drills) -> None:
        chain = await drills.chain()
        chosen = self.provider.currentData()
        self.provider.clear()
        self.provider.addItem(self.tr("The first of the chain"), "")
        for place in chain:
            self.provider.addItem(place.provider, place.provider)
        self.provider.setCurrentIndex(max(0, self.provider.findData(chosen)))
        self.chain.show_chain(chain)

    async def _run(self, drills: Drills, faults: list[DrillFault], provider_id: str) -> None:
        reports = []
        try:
            for fault in faults:
                if len(faults) > 1:
                    self.steps.add("zap", "accent", _capital(FAULT_WORDS[fault]), is_title=True)
                async with aclosing(drills.run(fault, provider_id, PAUSE_S)) as events:
                    async for event in events:
                        if isinstance(event, DrillReport):
                            reports.append(event)
                            if len(faults) > 1:
                                self.steps.add(*_sign_of(event), event.summary)
                        else:
                            self._show(event)
        finally:
            self._busy(False)
        self._end(reports)

    def _end(self, reports: list[DrillReport]) -> None:
        held = [report for report in reports if report.passed]
        if len(reports) == 1:
            self._conclude("ok" if held else "error", reports[0].summary)
        elif len(held) == len(reports):
            self._conclude("ok", self.tr("The chain held against all {0} faults.").format(len(reports)))
        else:
            missed = ", ".join(FAULT_WORDS[r.fault] for r in reports if not r.passed)
            self._conclude("error", self.tr("The chain did not hold against: {0}.").format(missed))

    def _conclude(self, level: str, text: str) -> None:
        picture, tone = {"ok": ("circle-check", "ok"), "warn": ("info", "warn")}.get(level, ("circle-x", "danger"))
        self._outcome.setProperty("verdict", level)
        self._outcome.style().unpolish(self._outcome)
        self._outcome.style().polish(self._outcome)
        self._sign.set_icon(picture, tone)
        self._said.setText(text)
        self._outcome.setAccessibleName(text)
        self._outcome.show()
        self._busy(False)

    def _show(self, step: DrillStep) -> None:
        self.chain.show_chain(step.chain)
        self.steps.add(*STEP_ICONS[step.kind], step.text)

    def _busy(self, busy: bool) -> None:
        wanted, other = (self.stop_button, self.start_button) if busy else (self.start_button, self.stop_button)
        wanted.setEnabled(True)
        if other.hasFocus():  # before it is disabled: the focus would go elsewhere, and Esc must find the panel
            wanted.setFocus(Qt.FocusReason.OtherFocusReason)
        other.setEnabled(False)
        for choice in (self.fault, self.provider):
            choice.setEnabled(not busy)

    # How it is put together

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(14)
        column.addLayout(self._head())
        about = self.tr(
            "A provider of your chain fails on purpose, and you see who answers. Stand-ins on this computer take the "
            "place of all of them: no key is used, nothing is spent, and your statistics stay as they are."
        )
        column.addWidget(PlainLabel(about, "dim", wraps=True))
        column.addLayout(self._controls())
        column.addWidget(self.chain)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._said, 1)
        self._outcome.column.addLayout(row)
        self._outcome.hide()
        column.addWidget(self._outcome)
        self.steps.setMinimumHeight(168)
        self.steps.hide()
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        holder = Card(margins=8)
        holder.column.addWidget(self._hint)
        holder.column.addWidget(self.steps)
        column.addWidget(holder, 1)

    def _head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        back = IconButton("chevron-left", self.tr("Back to the dashboard"))
        back.clicked.connect(self.dismiss)
        row.addWidget(back)
        row.addWidget(PlainLabel(self.tr("Fire drill"), "heading"), 1)
        return row

    def _controls(self) -> QHBoxLayout:
        self.fault.addItem(self.tr("All, one after another"), "")
        for fault in FAULTS:
            self.fault.addItem(_capital(FAULT_WORDS[fault]), fault)
        self.provider.addItem(self.tr("The first of the chain"), "")
        self.start_button.setProperty("primary", True)
        self.start_button.clicked.connect(self.start)
        self.start_button.setAutoDefault(True)  # Enter presses it as Space does: it has the focus when the page opens
        self.stop_button.clicked.connect(self.stop)
        self.stop_button.setEnabled(False)
        row = QHBoxLayout()
        row.setSpacing(12)
        for name, box in ((self.tr("&Fault"), self.fault), (self.tr("&Provider that fails"), self.provider)):
            named = QVBoxLayout()
            named.setSpacing(4)
            label = QLabel(name)
            label.setProperty("dim", True)
            label.setBuddy(box)
            box.setAccessibleName(name.replace("&", ""))
            box.setMinimumWidth(120)
            named.addWidget(label)
            named.addWidget(box)
            row.addLayout(named, 1)
        for button in (self.start_button, self.stop_button):
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignBottom)
        return row


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _sign_of(report: DrillReport) -> tuple[str, str]:
    return ("circle-check", "ok") if report.passed else ("circle-x", "danger")
