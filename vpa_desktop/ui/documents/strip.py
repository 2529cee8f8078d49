"""The strip that shows an ingestion: progress with Pause and Cancel, then the result with what failed and why."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QPushButton, QSizePolicy

from vpa_desktop.ui.widgets import Card, ElidedLabel, IconButton, IconLabel, Meter
from vpa_desktop.ui.wording import reason_alone, time_left, whole

if TYPE_CHECKING:
    from vpa_desktop.errors import VPAError
    from vpa_desktop.records import IngestProgress, IngestReport
    from vpa_desktop.ui.documents.ingestion import Ingestion

SHOWN_MS = 8_000
READING_SHARE = 0.2
"""How much of the work reading is; embedding is the rest (measured on a folder of a hundred files)."""


class IngestStrip(Card):
    """Hidden until something is added; shows one ingestion at a time.

    ``is_brief`` is for a place where something else is read: of several failures it says only where they stand.
    """

    def __init__(self, ingestion: Ingestion, *, is_brief: bool = False) -> None:
        super().__init__("notice", True, margins=10, spacing=6)
        self.setAccessibleName(self.tr("Adding documents"))
        self._is_brief = is_brief
        self._icon = IconLabel("file-plus", 16, "accent")
        self._line = ElidedLabel()
        self._cancel = QPushButton(self.tr("Cancel"))
        self._cancel.setProperty("ghost", True)
        self._cancel.setAccessibleName(self.tr("Cancel adding"))
        self._cancel.clicked.connect(ingestion.cancel)
        self._pause = QPushButton(self.tr("Pause"))
        self._pause.setProperty("ghost", True)
        self._pause.setAccessibleName(self.tr("Pause reading documents"))
        self._pause.setCheckable(True)
        self._pause.clicked.connect(ingestion.pause)
        self._close = IconButton("x", self.tr("Close this message"), size=14)
        self._close.clicked.connect(ingestion.read)
        self._meter = Meter(self.tr("Progress of adding"))
        self._failures = QListWidget()
        self._failures.setAccessibleName(self.tr("Files that could not be read"))
        self._failures.setMaximumHeight(110)
        self._failures.setWordWrap(True)
        self._failures.setTextElideMode(Qt.TextElideMode.ElideNone)
        self._failures.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self._icon)
        row.addWidget(self._line, 1)
        row.addWidget(self._pause)
        row.addWidget(self._cancel)
        row.addWidget(self._close)
        self.column.addLayout(row)
        self.column.addWidget(self._meter)
        self.column.addWidget(self._failures)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._leave = QTimer(self)
        self._leave.setSingleShot(True)
        self._leave.setInterval(SHOWN_MS)
        self._leave.timeout.connect(self.hide)
        self.hide()
        ingestion.started.connect(self._started)
        ingestion.progressed.connect(self._progressed)
        ingestion.finished.connect(self._finished)
        ingestion.failed.connect(self._failed)
        ingestion.cancelled.connect(self._cancelled)
        ingestion.paused.connect(self._show_paused)
        ingestion.read.connect(self.hide)

    def _started(self, count: int) -> None:
        said = self.tr("Reading what you added…") if count else self.tr("Reading what is new in your folders…")
        self._show(said, "file-plus", "accent", busy=True)
        self._cancel.setVisible(count > 0)
        self._meter.setRange(0, 0)

    def _progressed(self, step: IngestProgress) -> None:
        self._meter.setRange(0, 1000)
        files = step.files_done / step.files_total if step.files_total else float(step.chunks_total > 0)
        passages = step.chunks_done / step.chunks_total if step.chunks_total else 0.0
        self._meter.set_share(READING_SHARE * files + (1 - READING_SHARE) * passages)
        parts = []
        if step.files_total or not step.chunks_total:  # else vectors are made of what was read before
            parts.append(self.tr("{0} of {1} files").format(whole(step.files_done), whole(step.files_total)))
        if step.chunks_total:
            parts.append(self.tr("{0} passages").format(whole(step.chunks_done)))
        if step.held:
            parts.append(self._held_words()[step.held])
        elif step.elapsed_s > 0.5:
            parts += self._pace(step)
        if step.current:
            parts.append(PurePath(step.current).name)
        self._line.set_whole(" · ".join(parts))

    def _pace(self, step: IngestProgress) -> list[str]:
        """How fast it goes, and how long it still takes."""
        if step.chunks_per_s:
            found = [self.tr("{0:.0f} passages/s").format(step.chunks_per_s)]
        else:
            found = [self.tr("{0:.1f} files/s").format(step.files_per_s)] if step.files_done else []
        return found if step.left_s is None else [*found, time_left(step.left_s)]

    def _held_words(self) -> dict[str, str]:
        return {
            "paused": self.tr("paused"),
            "battery": self.tr("waits because the battery is low"),
            "question": self.tr("waits for your question"),
        }

    def _show_paused(self, paused: bool) -> None:
        self._pause.setChecked(paused)
        self._pause.setText(self.tr("Go on") if paused else self.tr("Pause"))
        self._pause.setAccessibleName(
            self.tr("Go on reading documents") if paused else self.tr("Pause reading documents")
        )

    def _finished(self, report: IngestReport) -> None:
        new = report.added + report.updated
        said = self.tr("{0} added, {1} passages, {2:.1f} s").format(whole(new), whole(report.chunks), report.seconds)
        if report.unchanged:
            said += self.tr(" · {0} already there").format(whole(report.unchanged))
        if report.moved:
            said += self.tr(" · {0} moved").format(whole(report.moved))
        if report.removed:
            said += self.tr(" · {0} gone").format(whole(report.removed))
        if report.failed:
            said += self.tr(" · {0} could not be read").format(whole(len(report.failed)))
        good, is_elsewhere = not report.failed, self._is_brief and len(report.failed) > 1
        if is_elsewhere:
            said += self.tr("; Documents says why")
        self._show(said, "circle-check" if good else "triangle-alert", "ok" if good else "warn", busy=False)
        for failure in () if is_elsewhere else report.failed:
            name = PurePath(failure.path).name
            self._failures.addItem(f"{name}: {reason_alone(failure.reason, name)}")
        self._failures.setVisible(not good and not is_elsewhere)
        if good:
            self._leave.start()

    def _failed(self, error: VPAError) -> None:
        self._show(str(error), "triangle-alert", "danger", busy=False)

    def _cancelled(self) -> None:
        self._show(self.tr("Stopped. What was already added stays."), "circle-stop", "dim", busy=False)

    def _show(self, text: str, icon_name: str, tone: str, *, busy: bool) -> None:
        self._leave.stop()
        self._line.set_whole(text)
        self._line.setToolTip("")
        self._icon.set_icon(icon_name, tone)
        self._meter.setVisible(busy)
        self._cancel.setVisible(busy)
        self._pause.setVisible(busy)
        self._close.setVisible(not busy)
        self._failures.clear()
        self._failures.setVisible(False)
        self.show()
