"""Importing conversations in the window: the file, how far it is, what came of it, a refusal, a stop."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QProgressBar, QPushButton

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend
from tests.ui.test_chat import titles
from tests.ui.test_export import named
from vpa_desktop.errors import UsageError
from vpa_desktop.ui.import_dialog import ImportDialog
from vpa_desktop.ui.main_window import MainWindow

pytestmark = pytest.mark.ui


def action(window: MainWindow, words: str) -> QAction:
    return next(each for each in window.sidebar.more.choices.actions() if each.text().startswith(words))


async def started(window: MainWindow, file: Path) -> ImportDialog:
    action(window, "Import conversations").trigger()
    await named(window, file)
    await until(lambda: window.findChild(ImportDialog))
    dialog = window.findChild(ImportDialog)
    assert dialog is not None
    return dialog


async def test_an_export_is_taken_in_and_the_count_is_said(
    window: MainWindow, backend: FakeBackend, tmp_path: Path
) -> None:
    file = tmp_path / "chatgpt.zip"
    file.touch()
    backend.archive.may_go_on.clear()
    dialog = await started(window, file)
    bar = dialog.findChild(QProgressBar)
    assert bar is not None
    await until(lambda: "1 of 3 conversations" in dialog.text())
    assert (bar.value(), bar.maximum()) == (1, 3)
    backend.add_conversation("Taken in", ("user", "Hello"))
    backend.archive.may_go_on.set()
    await until(lambda: "Conversations imported" in dialog.text())
    assert backend.archive.taken_in == [file]
    assert dialog.text().splitlines()[1:] == [
        "2 new conversations from ChatGPT, 9 messages added.",
        "1 was here already.",
        "1 conversation has no words in it and stayed out.",
    ]
    assert not bar.isVisible()
    assert dialog.accessibleDescription().startswith("2 new conversations")
    await until(lambda: "Taken in" in titles(window))
    next(b for b in dialog.findChildren(QPushButton) if b.text() == "Close").click()
    await until(lambda: window.findChild(ImportDialog) is None)


async def test_a_file_that_is_no_export_is_refused_in_words(
    window: MainWindow, backend: FakeBackend, tmp_path: Path
) -> None:
    file = tmp_path / "letter.json"
    file.touch()
    backend.archive.fails = UsageError("letter.json was not taken in", "It is no export", "Choose another file")
    dialog = await started(window, file)
    await until(lambda: "Nothing was imported" in dialog.text())
    assert "letter.json was not taken in. It is no export. Choose another file." in dialog.text()


async def test_a_stop_ends_it_and_the_list_shows_what_came(
    window: MainWindow, backend: FakeBackend, tmp_path: Path
) -> None:
    file = tmp_path / "export.json"
    file.touch()
    backend.archive.may_go_on.clear()
    dialog = await started(window, file)
    await until(lambda: "1 of 3 conversations" in dialog.text())
    backend.add_conversation("The first", ("user", "Hello"))
    next(b for b in dialog.findChildren(QPushButton) if b.text() == "Cancel").click()
    await until(lambda: not window.tasks.running("import"))
    await until(lambda: "The first" in titles(window))
    assert window.findChild(ImportDialog) is None or not window.isModal()
    backend.archive.may_go_on.set()
    again = await started(window, file)
    await until(lambda: "Conversations imported" in again.text())


async def test_all_conversations_are_exported_from_the_same_menu(
    window: MainWindow, backend: FakeBackend, tmp_path: Path
) -> None:
    backend.add_conversation("One", ("user", "Hello"))
    action(window, "Export all").trigger()
    await named(window, tmp_path / "all.json", "JSON")
    await until(lambda: backend.archive.exported)
    assert backend.archive.exported == [((), tmp_path / "all.json", True)]
