"""Pictures for a question: chosen, dropped and pasted, removed again, sent, and refused where they are broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QAccessible, QColor, QDragEnterEvent, QDropEvent, QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend
from tests.ui.test_chat import answered, open_listed, shown, titles
from tests.ui.test_window import seen
from vpa_desktop.errors import ProviderUnavailable, VPAError
from vpa_desktop.ui.chat import attachments
from vpa_desktop.ui.chat.attachment_strip import AttachmentChip
from vpa_desktop.ui.main_window import MainWindow
from vpa_desktop.ui.pages import DOCUMENTS

pytestmark = pytest.mark.ui


def picture(folder: Path, name: str = "a.png", size: tuple[int, int] = (300, 200)) -> Path:
    """A picture file, in the format of its suffix."""
    image = QImage(*size, QImage.Format.Format_RGB32)
    image.fill(QColor("teal"))
    path = folder / name
    assert image.save(str(path))
    return path


def chips(window: MainWindow) -> list[AttachmentChip]:
    """The chips above the text."""
    return window.chat.composer.pictures.chips


def names(window: MainWindow) -> list[str]:
    """The names on the chips."""
    return [chip.attachment.name for chip in chips(window)]


async def settled(window: MainWindow) -> None:
    """Waits until every picture has been read or refused."""
    await until(lambda: not window.chat.composer.pictures.is_reading)


async def attached(window: MainWindow, *paths: Path) -> None:
    """Attaches files as the file dialog does."""
    window.files.take_files(paths)
    await settled(window)


def of_files(*paths: Path) -> QMimeData:
    """Files as a file manager hands them over."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def drop(window: MainWindow, data: QMimeData) -> None:
    """Drags data onto the window and lets go."""
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(window, QDragEnterEvent(QPointF(300, 300).toPoint(), copy, data, left, none))
    assert window.overlay.isVisible()
    QApplication.sendEvent(window, QDropEvent(QPointF(300, 300), copy, data, left, none))
    assert not window.overlay.isVisible()


def paste(window: MainWindow, data: QMimeData) -> None:
    """Puts data on the clipboard and presses Ctrl+V in the message."""
    QGuiApplication.clipboard().setMimeData(data)
    QTest.keyClick(window.chat.composer.edit, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.png", "image/png"),
        ("b.JPG", "image/jpeg"),
        ("c.webp", "image/webp"),
        ("d.bmp", "image/bmp"),
        ("e.tiff", "image/tiff"),
    ],
)
async def test_a_picture_goes_along_with_the_question_once(
    window: MainWindow, backend: FakeBackend, tmp_path: Path, name: str, media_type: str
) -> None:
    path = picture(tmp_path, name)
    await attached(window, path)
    assert names(window) == [name]
    preview = chips(window)[0].preview.pixmap()
    assert 0 < max(preview.deviceIndependentSize().width(), preview.deviceIndependentSize().height()) <= 64
    await answered(window, "What is this?")
    sent = backend.requests[0].images
    assert [(i.media_type, i.data, i.name) for i in sent] == [(media_type, path.read_bytes(), name)]
    assert not names(window)
    assert window.chat.composer.pictures.isHidden()
    assert [zone.label for zone in window.chat.transcript.row(0).zones] == [f"Picture {name}"]
    await answered(window, "And now?")
    assert backend.requests[1].images == ()


async def test_a_gif_is_a_picture_and_one_with_a_wrong_suffix_is_sent_as_what_it_is(
    window: MainWindow, backend: FakeBackend, tmp_path: Path
) -> None:
    gif = tmp_path / "dot.gif"
    gif.write_bytes(
        b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
    )
    await attached(window, gif, picture(tmp_path, "x.jpg").rename(tmp_path / "really-a-jpeg.png"))
    await answered(window, "These?")
    assert [i.media_type for i in backend.requests[0].images] == ["image/gif", "image/jpeg"]


async def test_the_paperclip_sorts_pictures_from_documents_and_gives_the_focus_back(
    window: MainWindow, backend: FakeBackend, tmp_path: Path
) -> None:
    text = tmp_path / "notes.md"
    text.write_text("# Notes")
    path = picture(tmp_path)
    window.chat.composer.attach.setFocus()
    window.chat.composer.attach.click()
    await until(lambda: window.findChild(QFileDialog))
    dialog = window.findChild(QFileDialog)
    assert dialog is not None
    dialog.selectedFiles = lambda: [str(path), str(text)]  # type: ignore[method-assign]
    dialog.done(QFileDialog.DialogCode.Accepted)
    await until(lambda: names(window) == ["a.png"])
    await until(lambda: [d.name for d in backend.documents.values()] == ["notes.md"])
    assert window.focusWidget() is window.chat.composer.edit
    await settled(window)


async def test_dropped_pictures_are_attached_on_the_chat_and_documents_elsewhere(
    window: MainWindow, backend: FakeBackend, tmp_path: Path
) -> None:
    path = picture(tmp_path)
    drop(window, of_files(path))
    await settled(window)
    assert names(window) == ["a.png"]
    assert not backend.documents
    window.go(DOCUMENTS)
    drop(window, of_files(picture(tmp_path, "b.png")))
    await until(lambda: [d.name for d in backend.documents.values()] == ["b.png"])
    assert names(window) == ["a.png"]


async def test_a_pasted_image_becomes_a_png(window: MainWindow, backend: FakeBackend) -> None:
    image = QImage(40, 30, QImage.Format.Format_ARGB32)
    image.fill(QColor(200, 10, 30))
    for _ in range(2):
        data = QMimeData()
        data.setImageData(image)
        paste(window, data)
        await settled(window)
    assert names(window) == ["Pasted picture.png", "Pasted picture 2.png"]
    await answered(window, "What colour?")
    sent = backend.requests[0].images[0]
    assert sent.media_type == "image/png"
    assert QImage.fromData(sent.data).pixelColor(5, 5) == QColor(200, 10, 30)


async def test_pasted_picture_files_are_attached_and_text_stays_text(window: MainWindow, tmp_path: Path) -> None:
    paste(window, of_files(picture(tmp_path)))
    await settled(window)
    assert names(window) == ["a.png"]
    data = QMimeData()
    data.setText("words of a letter")
    data.setImageData(QImage(5, 5, QImage.Format.Format_RGB32))
    paste(window, data)
    assert window.chat.composer.text() == "words of a letter"
    assert names(window) == ["a.png"]


async def test_pictures_are_removed_with_mouse_and_keys_and_have_names(window: MainWindow, tmp_path: Path) -> None:
    await attached(window, *(picture(tmp_path, f"{letter}.png") for letter in "abcd"))
    tree = seen(window)
    assert "Picture a.png" in {name for name, _ in tree}
    assert ("Remove a.png", QAccessible.Role.Button) in tree
    chips(window)[0].remove.click()
    assert names(window) == ["b.png", "c.png", "d.png"]
    assert window.focusWidget() is chips(window)[0]
    QTest.keyClick(chips(window)[0], Qt.Key.Key_Delete)
    assert names(window) == ["c.png", "d.png"]
    QTest.keyClick(chips(window)[1], Qt.Key.Key_Backspace)
    QTest.keyClick(chips(window)[0].remove, Qt.Key.Key_Delete)
    assert not names(window)
    assert window.focusWidget() is window.chat.composer.edit
    assert window.chat.composer.pictures.isHidden()


async def test_shift_tab_goes_from_the_message_to_the_pictures_and_tab_back(window: MainWindow, tmp_path: Path) -> None:
    await attached(window, picture(tmp_path, "a.png"), picture(tmp_path, "b.png"))
    edit = window.chat.composer.edit
    first, second = chips(window)
    edit.setFocus()
    for expected in (second.remove, second, first.remove, first):
        focused = window.focusWidget()
        assert focused is not None
        QTest.keyClick(focused, Qt.Key.Key_Backtab, Qt.KeyboardModifier.ShiftModifier)
        assert window.focusWidget() is expected
    edit.setFocus()
    QTest.keyClick(edit, Qt.Key.Key_Tab)
    assert window.focusWidget() is window.chat.composer.attach


async def test_a_broken_file_is_named_with_its_reason_and_not_attached(window: MainWindow, tmp_path: Path) -> None:
    cut = picture(tmp_path, "cut.png")
    cut.write_bytes(cut.read_bytes()[:40])
    text = tmp_path / "text.jpg"
    text.write_text("not a picture")
    await attached(window, cut, text, tmp_path / "gone.png", picture(tmp_path, "good.png"))
    assert names(window) == ["good.png"]
    note = window.chat.composer.pictures.note
    assert note.isVisible()
    for name in ("cut.png", "text.jpg", "gone.png"):
        assert f"{name} was not attached. " in note.text()
    await attached(window, picture(tmp_path, "fine.png"))
    assert not note.isVisible()


async def test_too_many_and_too_large_pictures_are_refused_in_words(
    window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await attached(window, *(picture(tmp_path, f"{n}.png", (8, 8)) for n in range(12)))
    assert names(window) == [f"{n}.png" for n in range(10)]
    note = window.chat.composer.pictures.note
    assert note.text() == (
        "Not all pictures were attached. One message takes 10 at most. Send these first, then the others."
    )
    chips(window)[0].remove.click()
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(20_000_001)
    await attached(window, large)
    assert len(names(window)) == 9
    assert "large.png was not attached. It has 20.0 MB" in note.text()


async def test_send_waits_for_words_and_for_the_picture(window: MainWindow, tmp_path: Path) -> None:
    send = window.chat.composer.send
    await attached(window, picture(tmp_path))
    assert not send.isEnabled()
    QTest.keyClicks(window.chat.composer.edit, "What is in it?")
    assert send.isEnabled()
    window.files.take_files([picture(tmp_path, "b.png")])
    assert not send.isEnabled()
    QTest.keyClick(window.chat.composer.edit, Qt.Key.Key_Return)
    assert window.chat.composer.text() == "What is in it?"
    await settled(window)
    assert send.isEnabled()


async def test_pictures_not_sent_yet_stay_with_their_conversation(
    window: MainWindow, backend: FakeBackend, tmp_path: Path
) -> None:
    backend.add_conversation("Old", ("user", "old question"))
    window.desk.refresh()
    await until(lambda: titles(window) == ["Old"])
    await attached(window, picture(tmp_path))
    open_listed(window, "Old")
    await until(lambda: bool(shown(window)))
    assert not names(window)
    QTest.keyClick(window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert names(window) == ["a.png"]


async def test_a_failed_answer_is_tried_again_with_its_pictures(
    window: MainWindow, backend: FakeBackend, tmp_path: Path
) -> None:
    backend.fails = ProviderUnavailable("OpenAI does not answer", "The connection was refused", "Try again later")
    await attached(window, picture(tmp_path))
    await answered(window, "What is this?")
    assert shown(window)[1].state == "failed"
    backend.fails = None
    window.chat.transcript.regenerate_requested.emit(shown(window)[1].id)
    await until(lambda: len(backend.requests) == 2 and not window.presenter.chat.busy)
    assert [i.name for i in backend.requests[1].images] == ["a.png"]


async def test_a_sound_picture_too_large_to_unpack_is_attached_without_a_preview(
    window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "HUGE_PIXELS", 1)
    path = picture(tmp_path)
    path.write_bytes(path.read_bytes()[:40])  # Qt refuses to unpack it, as it does with a sound one past its limit
    await attached(window, path)
    assert names(window) == ["a.png"]
    assert chips(window)[0].preview.text() == "No preview"


def test_a_pasted_image_past_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "MOST_BYTES", 20)
    with pytest.raises(VPAError, match=r"p\.png was not attached"):
        attachments.read_image("p.png", QImage(9, 9, QImage.Format.Format_RGB32))
