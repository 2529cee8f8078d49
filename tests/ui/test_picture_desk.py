"""Pictures in a conversation: small in their bubble, whole in a window of their own, stepped through and saved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest_asyncio
from PySide6.QtCore import QBuffer, QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QPushButton

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend
from vpa_desktop.messages import ImageData
from vpa_desktop.ui.chat.picture_window import PictureWindow
from vpa_desktop.ui.main_window import MainWindow


def painted(colour: str, name: str, width: int = 600, height: int = 200) -> ImageData:
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(colour))
    buffer = QBuffer()
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return ImageData("image/png", bytes(buffer.data().data()), name)


@pytest_asyncio.fixture
async def shown(window: MainWindow, backend: FakeBackend) -> MainWindow:
    """A stored conversation whose question has two pictures and a broken one."""
    conversation = backend.add_conversation("With pictures", ("user", "What are these?"), ("assistant", "Colours."))
    broken = ImageData("image/png", b"cut off", "broken.png")
    pictures = (painted("#d02030", "red.png"), painted("#2040d0", "blue.png"), broken)
    question, answer = backend.stored[conversation]
    backend.stored[conversation] = [replace(question, pictures=tuple(each.name for each in pictures)), answer]
    backend.pictures_stored[question.id] = pictures
    window.presenter.open(backend.conversations[conversation])
    await until(lambda: window.chat.transcript.flow.thumbs.get(question.id))
    return window


def point_of(window: MainWindow, number: int) -> QPoint:
    transcript = window.chat.transcript
    zone = [each for each in transcript.row(0).zones if each.action == "picture"][number]
    return zone.rect.center().toPoint() + QPoint(0, transcript.row_top(0))


def opened(window: MainWindow) -> PictureWindow | None:
    return next((each for each in window.findChildren(PictureWindow) if each.isVisible()), None)


async def test_the_bubble_shows_the_pictures_themselves(shown: MainWindow) -> None:
    image = shown.chat.transcript.viewport().grab().toImage()
    red, blue = (image.pixelColor(point_of(shown, n)) for n in (0, 1))
    assert red.red() > 150 > 80 > red.blue()
    assert blue.blue() > 150 > 80 > blue.red()
    labels = [zone.label for zone in shown.chat.transcript.row(0).zones]
    assert labels == ["Picture red.png", "Picture blue.png", "Picture broken.png"]


async def test_a_click_shows_a_picture_whole_and_the_arrows_the_others(shown: MainWindow, tmp_path: Path) -> None:
    QTest.mouseClick(shown.chat.transcript.viewport(), Qt.MouseButton.LeftButton, pos=point_of(shown, 1))
    await until(lambda: opened(shown))
    dialog = opened(shown)
    assert dialog is not None
    assert dialog.windowTitle() == "blue.png"
    QTest.keyClick(dialog, Qt.Key.Key_Left)
    assert dialog.windowTitle() == "red.png"
    QTest.keyClick(dialog, Qt.Key.Key_Left)
    assert dialog.windowTitle() == "red.png"
    next(each for each in dialog.findChildren(QPushButton) if each.text() == "Save…").click()
    chooser = dialog.findChild(QFileDialog)
    assert chooser is not None
    chooser.fileSelected.emit(str(tmp_path / "kept.png"))
    assert (tmp_path / "kept.png").read_bytes() == painted("#d02030", "red.png").data
    chooser.fileSelected.emit(str(tmp_path / "nowhere" / "kept.png"))
    assert "was not saved. No such file or directory" in dialog._said.text()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    await until(lambda: opened(shown) is None)


async def test_a_picture_is_reached_and_opened_by_keys(shown: MainWindow) -> None:
    transcript = shown.chat.transcript
    transcript.setFocus(Qt.FocusReason.TabFocusReason)
    transcript.make_current(0)
    QTest.keyClick(transcript, Qt.Key.Key_Right)
    QTest.keyClick(transcript, Qt.Key.Key_Return)
    await until(lambda: opened(shown))
    dialog = opened(shown)
    assert dialog is not None
    assert dialog.windowTitle() == "red.png"
    dialog.reject()


async def test_many_pictures_stand_in_rows_within_the_column(window: MainWindow, backend: FakeBackend) -> None:
    conversation = backend.add_conversation("Many", ("user", "Look"), ("assistant", "Yes."))
    question, answer = backend.stored[conversation]
    names = tuple(f"{n}.png" for n in range(10))
    backend.stored[conversation] = [replace(question, pictures=names), answer]
    window.presenter.open(backend.conversations[conversation])
    transcript = window.chat.transcript
    await until(lambda: transcript.messages)
    row = transcript.row(0)
    rects = [zone.rect for zone in row.zones]
    assert len(rects) == 10
    assert all(row.bubble.contains(rect) for rect in rects)
    assert not any(a.intersects(b) for n, a in enumerate(rects) for b in rects[n + 1 :])
