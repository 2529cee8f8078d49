"""The result of Test beside its button: waiting with its seconds and a way to stop, then an icon, words and advice."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout

from vpa_desktop.ui.widgets import IconLabel, PlainLabel, restyle

if TYPE_CHECKING:
    from datetime import datetime

    from vpa_desktop.records import ProviderVerdict

NEARLY = ("rate_limited", "overloaded", "timeout", "offline", "untested_key")
"""Failures that may pass by themselves, and what is nearly right."""


def tone_of(verdict: ProviderVerdict) -> str:
    """Returns ok, warn (may pass, or is nearly right) or error."""
    if verdict.ok:
        return "ok"
    return "warn" if verdict.reason in NEARLY else "error"


class VerdictLine(QFrame):
    """Hidden while there is nothing to say. ``stop_wanted`` comes from its button."""

    stop_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._icon = IconLabel("info", 18)
        self._headline = PlainLabel("", "strong", wraps=True)
        self._advice = PlainLabel("", "dim", wraps=True)
        self.stop = QPushButton(self.tr("Stop"))
        self.stop.setProperty("ghost", True)
        self.stop.setAccessibleName(self.tr("Stop the test"))
        self.stop.clicked.connect(self.stop_wanted)
        for label in (self._headline, self._advice):
            label.setMinimumWidth(64)  # a model's long name does not widen the page
        words = QVBoxLayout()
        words.setContentsMargins(0, 0, 0, 0)
        words.setSpacing(2)
        words.addWidget(self._headline)
        words.addWidget(self._advice)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 12, 8)
        row.setSpacing(10)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addLayout(words, 1)
        row.addWidget(self.stop, 0, Qt.AlignmentFlag.AlignVCenter)
        self._whom, self._since = "", 0.0
        self._ticks = QTimer(self)
        self._ticks.setInterval(1000)
        self._ticks.timeout.connect(self._tick)
        self.clear()

    def clear(self) -> None:
        """Says nothing."""
        self._ticks.stop()
        self.hide()

    def wait_for(self, whom: str) -> None:
        """Says who is being asked, and for how long already."""
        self._whom, self._since = whom, time.monotonic()
        self._show("", "clock", "", "")
        self.stop.show()
        self._tick()
        self._ticks.start()

    def _tick(self) -> None:
        seconds = int(time.monotonic() - self._since)
        words = self.tr("Asking {0}…").format(self._whom)
        self._headline.setText(f"{words} {seconds} s" if seconds else words)

    def show_verdict(self, verdict: ProviderVerdict, at: datetime | None = None) -> None:
        """Says what came of it, and when that was where it is not just now."""
        tone = tone_of(verdict)
        advice = verdict.advice
        if at is not None:
            tested = self.tr("Tested at {0}.").format(at.strftime("%H:%M"))
            advice = f"{advice} {tested}".strip()
        icon = {"ok": "circle-check", "warn": "triangle-alert", "error": "circle-x"}[tone]
        self._show(tone, icon, verdict.headline or verdict.sentence, advice)

    def say(self, words: str, *, good: bool | None = None) -> None:
        """Says something else about what was done: a mistake in the form, or that it was stored."""
        if not words:
            self.clear()
            return
        tone, icon = {True: ("ok", "circle-check"), False: ("error", "circle-x"), None: ("", "info")}[good]
        self._show(tone, icon, words, "")

    def _show(self, tone: str, icon: str, headline: str, advice: str) -> None:
        self._ticks.stop()
        self.stop.hide()
        self._icon.set_icon(icon, {"error": "danger", "": "dim"}.get(tone, tone))
        self._headline.setText(headline)
        self._advice.setText(advice)
        self._advice.setVisible(bool(advice))
        self.setProperty("verdict", tone or "wait")
        restyle(self)
        self.setAccessibleName(f"{headline} {advice}".strip())
        self.show()
