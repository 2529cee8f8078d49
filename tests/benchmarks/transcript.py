"""What the transcript costs the window's thread. Run it by hand: ``python -m tests.benchmarks.transcript``.

Prints the milliseconds of each update while a 500-token answer streams at 100 tokens/s into 1,000 messages, and the
time to open 10,000 messages against one QTextBrowser that holds them all.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence

from PySide6.QtCore import QCoreApplication, QElapsedTimer, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication, QTextBrowser, QWidget

from tests.ui.chat.sample import DATES, LONG, PENALTY, conversation, message
from vpa_desktop.records import MessageRecord
from vpa_desktop.ui.chat.markdown import parse
from vpa_desktop.ui.chat.markup import MarkupWriter
from vpa_desktop.ui.chat.transcript import Transcript
from vpa_desktop.ui.theme import LIGHT, apply_theme

TOKENS = 500
TOKENS_PER_S = 100


def tokens() -> list[str]:
    """Returns a Markdown answer in 500 pieces of about four characters."""
    text = "\n\n".join((LONG, PENALTY, DATES, LONG, PENALTY, DATES))
    pieces = [text[at : at + 4] for at in range(0, len(text), 4)]
    return pieces[:TOKENS]


def percentile(values: Sequence[float], share: float) -> float:
    """Returns the value below which ``share`` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def opened_ms(make: Callable[[], QWidget]) -> float:
    """Returns the CPU milliseconds of this thread until a widget is made, shown and painted."""
    start = time.thread_time()
    widget = make()
    widget.resize(900, 700)
    widget.show()
    QCoreApplication.processEvents()
    widget.grab()
    spent = (time.thread_time() - start) * 1_000
    widget.close()
    return spent


class Stream:
    """Feeds a transcript in real time and keeps the cost of every update and paint."""

    def __init__(self, view: Transcript) -> None:
        self.view = view
        self.updates: list[float] = []
        self.gaps: list[float] = []
        self._pieces = tokens()
        self._clock = QElapsedTimer()
        self._last = time.perf_counter()
        self._loop = QEventLoop()

    def run(self) -> float:
        """Streams the whole answer; returns the share of one core that the thread used."""
        self.view.pulse.beaten = self.updates.append
        self.view.begin_answer(message(100_000, "assistant", "", state="streaming"))
        timer = QTimer(interval=4)
        timer.timeout.connect(self._tick)
        self._clock.start()
        start, cpu = time.perf_counter(), time.thread_time()
        timer.start()
        self._loop.exec()
        return (time.thread_time() - cpu) / (time.perf_counter() - start)

    def _tick(self) -> None:
        now = time.perf_counter()
        self.gaps.append((now - self._last) * 1_000)
        self._last = now
        due = min(TOKENS, self._clock.elapsed() * TOKENS_PER_S // 1_000)
        sent = TOKENS - len(self._pieces)
        for piece in self._pieces[: due - sent]:
            self.view.feed("m100000", piece)
        del self._pieces[: due - sent]
        if not self._pieces:
            self._loop.quit()


def streaming() -> None:
    """Prints the figures of the stream."""
    view = Transcript()
    view.resize(900, 700)
    view.set_messages(conversation(1_000))
    view.show()
    QCoreApplication.processEvents()
    stream = Stream(view)
    share = stream.run()
    costs = stream.updates
    print(f"stream into 1,000 messages: {len(costs)} updates of {TOKENS} tokens")
    print(f"  update ms   p50 {statistics.median(costs):.2f}  p95 {percentile(costs, 0.95):.2f}  max {max(costs):.2f}")
    gaps = stream.gaps
    print(f"  4 ms timer  p50 {statistics.median(gaps):.1f}  p95 {percentile(gaps, 0.95):.1f}  max {max(gaps):.1f}")
    print(f"  main thread {share:.0%} of a core")
    view.close()


def opening(count: int) -> None:
    """Prints how long opening takes here and in one QTextBrowser."""
    records = conversation(count)

    def transcript() -> QWidget:
        view = Transcript()
        view.set_messages(records)
        return view

    def browser() -> QWidget:
        view = QTextBrowser()
        view.setHtml("".join(_html(record) for record in records))
        return view

    ours, theirs = opened_ms(transcript), opened_ms(browser)
    print(
        f"open {count:,} messages, CPU ms: transcript {ours:.0f}, one QTextBrowser {theirs:.0f}, {theirs / ours:.0f} x"
    )


def _html(record: MessageRecord) -> str:
    writer = MarkupWriter(LIGHT)
    return "".join(writer.write(block) for block in parse(record.content))


def main() -> None:
    """Runs both."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    app = QApplication([])
    apply_theme(app, LIGHT)
    streaming()
    opening(10_000)


if __name__ == "__main__":
    main()
