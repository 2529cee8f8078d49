"""Followed folders and pausing in the real window over a backend in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QMessageBox, QPushButton

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend
from tests.ui.test_pages import named, words
from vpa_desktop.records import FollowedFolder, IngestFailure, IngestProgress, IngestReport
from vpa_desktop.ui.documents.strip import IngestStrip
from vpa_desktop.ui.main_window import MainWindow
from vpa_desktop.ui.pages import DOCUMENTS
from vpa_desktop.ui.wording import time_left

pytestmark = pytest.mark.ui

FOLDER = FollowedFolder("/home/me/contracts", "", "1:2", datetime(2026, 11, 30, tzinfo=UTC), 12)


def strip_of(window: MainWindow) -> IngestStrip:
    window.go(DOCUMENTS)
    strip = window.documents.findChild(IngestStrip)
    assert strip is not None
    return strip


def button(strip: IngestStrip, name: str) -> QPushButton:
    found = named(strip, QPushButton, name)
    assert isinstance(found, QPushButton)
    return found


async def test_what_is_read_in_followed_folders_is_shown_with_its_pace(
    window: MainWindow, backend: FakeBackend
) -> None:
    strip = strip_of(window)
    (tell,) = backend.document_listeners
    tell(IngestProgress(2, 9, "lease.pdf", 40, 200, 8.0, 2.5, 20.0, 400.0))
    assert strip.isVisible()
    assert not button(strip, "Cancel adding").isVisible(), "nothing was added that could be cancelled"
    shown = words(strip)
    for word in ("2 of 9 files", "20 passages/s", "about 7 min left", "lease.pdf"):
        assert word in shown
    backend.add_document("lease.pdf")
    tell(IngestReport(1, 0, 8, (), 40, 9.0, moved=2, removed=3))
    assert "1 added, 40 passages, 9.0 s · 8 already there · 2 moved · 3 gone" in words(strip)
    await until(lambda: window.documents.list.model().rowCount() == 1)


async def test_an_addition_of_ones_own_is_shown_before_what_goes_on_behind(
    window: MainWindow, backend: FakeBackend
) -> None:
    strip, backend.pause_s = strip_of(window), 0.05
    window.ingestion.add([Path(f"/x/{n}.md") for n in range(20)])
    await until(lambda: "of 20 files" in words(strip))
    (tell,) = backend.document_listeners
    tell(IngestProgress(1, 900, "behind.md", 0, 0, 1.0))
    tell(IngestReport(900, 0, 0, (IngestFailure("/y", "It failed."),), 0, 1.0))
    assert "behind.md" not in words(strip)
    assert "900" not in words(strip)
    assert button(strip, "Cancel adding").isVisible()
    window.ingestion.cancel()


@pytest.mark.parametrize(
    ("held", "said"),
    [("paused", "paused"), ("battery", "the battery is low"), ("question", "waits for your question")],
)
async def test_what_the_work_waits_for_is_said(window: MainWindow, backend: FakeBackend, held: str, said: str) -> None:
    strip = strip_of(window)
    (tell,) = backend.document_listeners
    tell(IngestProgress(2, 9, "", 0, 0, 8.0, 2.5, held=held))  # type: ignore[arg-type]
    assert said in words(strip)
    assert "files/s" not in words(strip)


async def test_reading_can_be_paused_and_go_on_from_either_strip(window: MainWindow, backend: FakeBackend) -> None:
    strip = strip_of(window)
    (tell,) = backend.document_listeners
    tell(IngestProgress(2, 9, "", 0, 0, 8.0))
    button(strip, "Pause reading documents").click()
    in_chat = window.chat.findChild(IngestStrip)
    assert in_chat is not None
    button(in_chat, "Go on reading documents").click()
    assert backend.pauses == [True, False]
    assert button(strip, "Pause reading documents").text() == "Pause"


async def test_a_folder_is_followed_no_longer_after_a_question(window: MainWindow, backend: FakeBackend) -> None:
    window.go(DOCUMENTS)
    menu = window.documents.folders
    assert not menu.isVisible()
    backend.folders = [FOLDER]
    window.documents.refresh()
    await until(menu.isVisible)
    assert (menu.accessibleName(), menu.text().strip()) == ("Followed folders", "1")
    (action,) = menu.choices.actions()
    assert action.text() == "/home/me/contracts (12 documents)"
    action.trigger()
    await until(lambda: isinstance(QApplication.activeModalWidget(), QMessageBox))
    box = QApplication.activeModalWidget()
    assert isinstance(box, QMessageBox)
    assert "Its documents stay" in box.informativeText()
    next(b for b in box.buttons() if b.text() == "Stop following").click()
    await until(lambda: backend.folders == [])
    await until(lambda: not menu.isVisible())


def test_the_time_left_is_said_in_words() -> None:
    assert time_left(3) == "less than a minute left"
    assert time_left(600) == "about 10 min left"
    assert time_left(9_000) == "about 2 h left"
