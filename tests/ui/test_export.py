"""Exporting a conversation from the window: by key, from the list's menu and from the header's, and when it fails."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLineEdit

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend
from tests.ui.test_chat import open_listed, titles
from vpa_desktop.errors import StorageError
from vpa_desktop.ui.main_window import MainWindow

CONTROL = Qt.KeyboardModifier.ControlModifier


async def named(window: MainWindow, path: Path, kind: str = "") -> None:
    """Name the file in the dialog that is open."""
    await until(lambda: window.findChild(QFileDialog))
    dialog = window.findChild(QFileDialog)
    assert dialog is not None
    if kind:
        chosen = next(each for each in dialog.nameFilters() if kind in each)
        dialog.selectNameFilter(chosen)
        dialog.filterSelected.emit(chosen)
    line = dialog.findChild(QLineEdit, "fileNameEdit")
    assert line is not None
    line.setText(str(path))
    dialog.done(QFileDialog.DialogCode.Accepted)


async def test_the_conversation_shown_is_exported_by_key(
    window: MainWindow, backend: FakeBackend, tmp_path: Path
) -> None:
    one = backend.add_conversation("Bud/get: 2027", ("user", "numbers"))
    window.desk.refresh()
    await until(lambda: bool(titles(window)))
    QTest.keyClick(window, Qt.Key.Key_E, CONTROL)  # nothing is stored yet: nothing happens
    assert window.findChild(QFileDialog) is None
    open_listed(window, "Bud/get: 2027")
    await until(lambda: window.presenter.chat.id == one)
    QTest.keyClick(window, Qt.Key.Key_E, CONTROL)
    await named(window, tmp_path / "talk.md", "Markdown")
    await until(lambda: backend.archive.exported)
    assert backend.archive.exported == [((one,), tmp_path / "talk.md", True)]


async def test_another_one_is_exported_from_the_list(window: MainWindow, backend: FakeBackend, tmp_path: Path) -> None:
    backend.add_conversation("Budget", ("user", "numbers"))
    other = backend.add_conversation("Holiday", ("user", "Vienna"))
    window.desk.refresh()
    await until(lambda: len(titles(window)) == 2)
    window.sidebar.conversations.export_wanted.emit(other)
    await named(window, tmp_path / "holiday")
    await until(lambda: backend.archive.exported)
    ((ids, path, _),) = backend.archive.exported
    assert ids == (other,)
    assert path.suffix == ".html"  # the kind that is chosen at first


async def test_what_went_wrong_is_said_above_the_page(window: MainWindow, backend: FakeBackend, tmp_path: Path) -> None:
    backend.archive.fails = StorageError("talk.md was not written", "There is no room left on that disk")
    one = backend.add_conversation("Budget", ("user", "numbers"))
    window.sidebar.conversations.export_wanted.emit(one)
    await named(window, tmp_path / "talk.md")
    await until(lambda: not window.notice.isHidden())
    assert window.notice.text() == "talk.md was not written. There is no room left on that disk."


async def test_cancelling_writes_nothing(window: MainWindow, backend: FakeBackend) -> None:
    one = backend.add_conversation("Budget", ("user", "numbers"))
    window.sidebar.conversations.export_wanted.emit(one)
    await until(lambda: window.findChild(QFileDialog))
    dialog = window.findChild(QFileDialog)
    assert dialog is not None
    dialog.reject()
    await until(lambda: not window.tasks.running("export"))
    assert backend.archive.exported == []
