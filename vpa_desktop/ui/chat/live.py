"""The answers that are coming in: pieces are collected, and shown a few times a second.

Tokens arrive faster than a screen shows them, so pieces wait for a timer. Its interval follows the cost of the
last update: one stream never takes more than a quarter of the window's thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer

from vpa_desktop.ui.chat.markdown import StreamReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from vpa_desktop.records import MessageRecord
    from vpa_desktop.ui.chat.rows import Row

FASTEST_MS = 33
SLOWEST_MS = 250
SHARE = 4


@dataclass
class LiveAnswer:
    """One answer while it streams: what has not been shown yet, and the reader of what has."""

    reader: StreamReader = field(default_factory=StreamReader)
    pieces: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    shown_stable: int = 0

    def take(self, record: MessageRecord) -> MessageRecord:
        """Moves the waiting pieces into the record and the reader."""
        text, thoughts = "".join(self.pieces), "".join(self.thoughts)
        self.pieces.clear()
        self.thoughts.clear()
        self.reader.feed(text)
        return replace(record, content=record.content + text, reasoning=record.reasoning + thoughts)

    def show(self, row: Row) -> None:
        """Shows what the reader makes of the text, keeping the segments that can no longer change."""
        self.reader.advance()
        row.show_blocks(self.shown_stable, [*self.reader.stable[self.shown_stable :], *self.reader.tail])
        self.shown_stable = len(self.reader.stable)

    @property
    def last_block(self) -> int:
        """The number of the block being written."""
        return max(0, len(self.reader.stable) + len(self.reader.tail) - 1)


class Pulse(QObject):
    """Calls ``work`` some time after ``wake``, at most every 33 ms and less often when the work is expensive.

    ``beaten`` is called with the cost of each beat in milliseconds.
    """

    def __init__(self, work: Callable[[], None], parent: QObject) -> None:
        super().__init__(parent)
        self._work = work
        self.interval_ms = float(FASTEST_MS)
        self.beaten: Callable[[float], object] = lambda cost_ms: None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.beat)

    def wake(self) -> None:
        """Asks for a beat soon; asking again before it changes nothing."""
        if not self._timer.isActive():
            self._timer.start(int(self.interval_ms))

    def stop(self) -> None:
        """Forgets a waiting beat."""
        self._timer.stop()

    def beat(self) -> None:
        """Does the work now and adapts the interval to what it cost."""
        self._timer.stop()
        start = time.perf_counter()
        self._work()
        cost_ms = (time.perf_counter() - start) * 1_000
        self.interval_ms = min(SLOWEST_MS, max(FASTEST_MS, SHARE * cost_ms))
        self.beaten(cost_ms)
