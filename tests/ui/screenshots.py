"""Grabs every page of the window over the backend in memory, light and dark, at two sizes.

Run: python -m tests.ui.screenshots FOLDER [light-1280 ...]
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import qasync
from PySide6.QtWidgets import QApplication

from tests.ui.fake_backend import FakeBackend, busy_month
from vpa_desktop.errors import ProviderUnavailable
from vpa_desktop.messages import Attempt, Citation, Usage
from vpa_desktop.records import ConversationRecord, IngestProgress, MessageRecord, ProviderDraft, SystemStatus
from vpa_desktop.ui.main_window import MainWindow
from vpa_desktop.ui.theme import DARK, LIGHT, Theme, apply_theme

ANSWER = """The contract sets **three dates**. Missing the second one is the expensive case: the penalty is `0.5 %` of \
the order value for each started week [1].

| Deadline | Date | If missed |
|:--|:--|:--|
| First delivery | 14 March | written notice, no cost |
| Acceptance test | 2 April | 0.5 % a week, capped at 5 % |

```python
def penalty(order_value: float, weeks: int) -> float:
    \"\"\"0.5 % for each started week, at most 5 %.\"\"\"
    return min(0.005 * weeks, 0.05) * order_value
```

> The cap in section 7.3 does not cover damage from gross negligence [2].
"""


def citation(n: int, name: str, page: int) -> Citation:
    """A passage of a made-up contract."""
    text = "The penalty is 0.5 % for each started week."
    return Citation(n, name, f"/home/me/{name}", "Supplier contract", page, "7.3", 0.9, text, "d1", n)


async def full_backend() -> FakeBackend:
    """A backend with a life in it."""
    backend = FakeBackend()
    for title, days in (
        ("CSV import with validation", 0.01),
        ("Trip to Vienna in March", 0.02),
        ("Quarterly report, first draft", 1),
        ("Explain attention in simple words", 1),
        ("German grammar: Konjunktiv II and everything that goes with it", 4),
        ("Notes from the design review", 40),
    ):
        backend.add_conversation(title, ("user", "Hello"), ("assistant", "Hello."), days_ago=days)
    first = backend.add_conversation("Supplier contract: risks and dates")
    now = datetime.now(UTC)
    cited = (citation(1, "supplier-contract.pdf", 4), citation(2, "annex-B.docx", 9))
    backend.stored[first] = [
        MessageRecord("q1", first, "user", "What are the deadlines in the supplier contract?", now),
        MessageRecord(
            "a1", first, "assistant", ANSWER, now, provider="openai_main", model="gpt-6-luna",
            usage=Usage(1700, 142), cost_usd=Decimal("0.0031"), ttft_ms=380, latency_ms=2400, citations=cited,
            attempts=(
                Attempt("mistral", "mistral-medium-3-5", "skipped", "left alone for 4 s after failures"),
                Attempt(
                    "anthropic_main", "claude-sonnet-5-5", "failed", "It answered 529: overloaded", 310, None, Decimal()
                ),
                Attempt("openai_main", "gpt-6-luna", "ok", "", 2400, 380.0, Decimal("0.0031")),
            ),
            first_choice="mistral", first_choice_usd=Decimal("0.0100"),
        ),
    ]  # fmt: skip
    backend.conversations[first] = ConversationRecord(first, "Supplier contract: risks and dates", now, now, 2)
    await backend.save_provider(
        ProviderDraft("openai_main", "openai", "gpt-6-luna", key="sk-example", make_default=True)
    )
    await backend.save_provider(ProviderDraft("anthropic_main", "anthropic", "claude-sonnet-5-5"))
    for n, name in enumerate(("supplier-contract.pdf", "annex-B.docx", "notes.md", "handbook.html")):
        backend.add_document(name, "work" if n < 2 else "", pages=12 if n == 0 else None)
    backend.add_document("scan.pdf", "work", reason="It is protected by a password")
    backend.board = busy_month(date.today())
    backend.report_status = SystemStatus("openai_main", "system keyring", 1284, Decimal("0.42"), Decimal(5), False)
    return backend


async def shoot(app: QApplication, folder: Path, theme: Theme, size: tuple[int, int]) -> None:
    """Grabs the pages in one theme and size."""
    apply_theme(app, theme)
    tag = f"{'dark' if theme.is_dark else 'light'}-{size[0]}"
    window = await opened(FakeBackend(), size)
    await grab(window, folder / f"{tag}-1-first-start.png")
    window.close()
    backend = await full_backend()
    window = await opened(backend, size)
    first = next(iter(r for r in await backend.list_conversations() if r.title.startswith("Supplier")))
    window.presenter.open(first)
    await grab(window, folder / f"{tag}-2-chat.png")
    window.chat.transcript.citation_clicked.emit("a1", 1)
    await grab(window, folder / f"{tag}-3-source.png")
    window.chat.transcript.receipt_requested.emit("a1")
    await grab(window, folder / f"{tag}-4-receipt.png")
    window.chat.set_panel(None)
    backend.pause_s, backend.reply = 0.02, "Half an answer, and then it breaks"
    backend.fails = ProviderUnavailable("OpenAI does not answer", "The connection was refused", "Try again later")
    window.presenter.send("And what is the cap?")
    window.chat.composer.set_text("A draft\nof two lines")
    await grab(window, folder / f"{tag}-5-streaming.png", 0.08)
    await grab(window, folder / f"{tag}-6-failed.png", 0.6)
    window.overlay.cover()
    await grab(window, folder / f"{tag}-7-drop.png")
    window.overlay.hide()
    window.go(1)
    window.ingestion.started.emit(3)
    window.ingestion.progressed.emit(IngestProgress(4, 12, "/home/me/contract.pdf", 120, 400, 1.4))
    await grab(window, folder / f"{tag}-8-documents.png")
    window.documents.search.setText("penalty")
    await grab(window, folder / f"{tag}-9-search.png", 0.6)
    window.go(2)
    await grab(window, folder / f"{tag}-a-dashboard.png", 2.0)
    window.go(3)
    for n in range(7):
        window.settings.tabs.setCurrentIndex(n)
        await grab(window, folder / f"{tag}-b{n}-settings.png")
    window.settings.start_adding()
    await grab(window, folder / f"{tag}-c-add-provider.png")
    await window.tasks.aclose()
    window.close()


async def opened(backend: FakeBackend, size: tuple[int, int]) -> MainWindow:
    """A window over a backend."""
    window = MainWindow()
    window.resize(*size)
    window.show()
    window.attach(backend)
    return window


async def grab(window: MainWindow, path: Path, pause_s: float = 0.25) -> None:
    """Saves what the window shows after a pause."""
    await asyncio.sleep(pause_s)
    window.grab().save(str(path))


def main(folder: Path, wanted: Callable[[Theme, int], bool] = lambda theme, width: True) -> None:
    """Grabs everything into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    app = QApplication(sys.argv[:1])
    app.setQuitOnLastWindowClosed(False)
    with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(app)) as runner:
        for theme in (LIGHT, DARK):
            for size in ((1280, 860), (900, 600)):
                if wanted(theme, size[0]):
                    runner.run(shoot(app, folder, theme, size))


if __name__ == "__main__":
    only = sys.argv[2:]
    main(Path(sys.argv[1]), lambda theme, width: not only or f"{'dark' if theme.is_dark else 'light'}-{width}" in only)
