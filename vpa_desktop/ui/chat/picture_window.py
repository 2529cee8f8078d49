"""One picture of a conversation as large as there is room, its neighbours, and a way to save it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QImage, QKeySequence, QPainter, QShortcut
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PySide6.QtGui import QPaintEvent

    from vpa_desktop.messages import ImageData


class PictureWindow(QDialog):
    """Shows the pictures of one message, one at a time. Left and Right step, Esc closes."""

    def __init__(self, pictures: Sequence[ImageData], number: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pictures, self._number = list(pictures), number
        self._canvas = _Canvas()
        self._place = QLabel()
        self._place.setTextFormat(Qt.TextFormat.PlainText)
        self._said = QLabel()
        self._said.setTextFormat(Qt.TextFormat.PlainText)
        self._said.setWordWrap(True)
        self._said.hide()
        self._before = self._button(self.tr("Previous"), lambda: self._step(-1), "Left")
        self._after = self._button(self.tr("Next"), lambda: self._step(1), "Right")
        save = self._button(self.tr("Save…"), self._save, QKeySequence(QKeySequence.StandardKey.Save).toString())
        close = self._button(self.tr("Close"), self.accept, "")
        close.setDefault(True)
        foot = QHBoxLayout()
        for each in (self._before, self._after, self._place):
            foot.addWidget(each)
        foot.addStretch(1)
        foot.addWidget(save)
        foot.addWidget(close)
        column = QVBoxLayout(self)
        column.addWidget(self._canvas, 1)
        column.addWidget(self._said)
        column.addLayout(foot)
        self._fit(parent)
        self._step(0)

    def _button(self, text: str, work: Callable[[], object], key: str) -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)
        button.clicked.connect(lambda: work())
        if key:
            button.setToolTip(f"{text} ({key})")
            QShortcut(QKeySequence(key), self).activated.connect(button.click)
        return button

    def _fit(self, parent: QWidget | None) -> None:
        room = parent.size() * 0.85 if parent is not None else QSize(900, 640)
        self.resize(room.boundedTo(self.screen().availableSize() * 0.9))

    def _step(self, by: int) -> None:
        self._number = min(len(self._pictures) - 1, max(0, self._number + by))
        picture = self._pictures[self._number]
        name = picture.name or self.tr("Picture")
        self.setWindowTitle(name)
        self._canvas.show_image(QImage.fromData(picture.data), name)
        several = len(self._pictures) > 1
        self._before.setVisible(several)
        self._after.setVisible(several)
        self._before.setEnabled(self._number > 0)
        self._after.setEnabled(self._number < len(self._pictures) - 1)
        place = self.tr("{0} of {1}").format(self._number + 1, len(self._pictures))
        self._place.setText(place if several else "")
        self._said.hide()

    def _save(self) -> None:
        picture = self._pictures[self._number]
        ending = "." + picture.media_type.partition("/")[2].replace("jpeg", "jpg")
        dialog = QFileDialog(self, self.tr("Save the picture"))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.selectFile((Path(picture.name).stem or "picture") + ending)
        dialog.fileSelected.connect(lambda path: self._write(Path(path), picture.data))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _write(self, path: Path, data: bytes) -> None:
        try:
            path.write_bytes(data)
        except OSError as failed:
            reason = failed.strerror or str(failed)
            self._said.setText(self.tr("{0} was not saved. {1}. Choose another place.").format(path.name, reason))
        else:
            self._said.setText(self.tr("Saved as {0}").format(path.name))
        self._said.show()


class _Canvas(QWidget):
    """A picture in the middle, never larger than it is."""

    def __init__(self) -> None:
        super().__init__()
        self._image = QImage()
        self.setMinimumSize(240, 160)

    def show_image(self, image: QImage, name: str) -> None:
        """Shows another picture."""
        self._image = image
        self.setAccessibleName(name)
        self.update()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draws the picture."""
        size = self._image.size() / self.devicePixelRatioF()
        if size.width() > self.width() or size.height() > self.height():
            size.scale(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QRect(QPoint(), size)
        place.moveCenter(self.rect().center())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(place, self._image)
        painter.end()
