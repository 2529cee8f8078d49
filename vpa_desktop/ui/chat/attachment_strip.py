"""The pictures above the text in the composer: a chip for each, and what is said of one that was not attached.

It reads no files and sends nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from vpa_desktop.ui.chat.attachments import MOST, PREVIEW_PX, Attachment
from vpa_desktop.ui.widgets import ElidedLabel, IconButton, PlainLabel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QKeyEvent

CHIP_PX = 208


class AttachmentChip(QFrame):
    """One picture: preview, name, and a button to remove it; Delete or Backspace does the same."""

    removed = Signal(object)

    def __init__(self, attachment: Attachment) -> None:
        super().__init__()
        self.attachment = attachment
        self.setProperty("attachment", True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Picture {0}").format(attachment.name))
        self.setToolTip(attachment.name)
        self.setFixedSize(CHIP_PX, PREVIEW_PX + 12)
        self.preview = PlainLabel()
        self.preview.setFixedSize(PREVIEW_PX, PREVIEW_PX)
        self.preview.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.remove = IconButton("x", self.tr("Remove {0}").format(attachment.name), size=14)
        self.remove.clicked.connect(self._remove)
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 6, 4, 6)
        row.setSpacing(8)
        row.addWidget(self.preview)
        row.addWidget(ElidedLabel(attachment.name), 1)
        row.addWidget(self.remove, 0, Qt.AlignmentFlag.AlignTop)
        self.refresh()

    def refresh(self) -> None:
        """Shows the preview as soon as there is one."""
        image = self.attachment.preview
        if self.attachment.is_reading:
            self.preview.setText("…")
        elif image.isNull():
            self.preview.setText(self.tr("No preview"))
        else:
            ratio = self.devicePixelRatioF()
            size = QSize(PREVIEW_PX, PREVIEW_PX) * ratio
            if image.width() > size.width() or image.height() > size.height():
                keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
                image = image.scaled(size, keep, smooth)
            pixmap = QPixmap.fromImage(image)
            pixmap.setDevicePixelRatio(ratio)
            self.preview.setPixmap(pixmap)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Removes the picture with Delete or Backspace."""
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._remove()
        else:
            super().keyPressEvent(event)

    def _remove(self) -> None:
        self.removed.emit(self)


class AttachmentStrip(QWidget):
    """The chips in a row that scrolls, with words above it where a picture was refused. Hidden while empty."""

    changed = Signal()

    def __init__(self, before: QWidget) -> None:
        """``before`` is the field that the keyboard reaches after the chips."""
        super().__init__()
        self._before = before
        self._chips: list[AttachmentChip] = []
        self._area: QScrollArea | None = None
        self.note = PlainLabel("", "error", wraps=True)
        self.note.setStyleSheet("font-size: 12px")
        self.note.hide()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        self._column.addWidget(self.note)
        self.hide()

    @property
    def chips(self) -> list[AttachmentChip]:
        """The chips, in order."""
        return list(self._chips)

    @property
    def attachments(self) -> list[Attachment]:
        """The pictures, in order."""
        return [chip.attachment for chip in self._chips]

    @property
    def is_reading(self) -> bool:
        """Whether a picture is not there yet, so that sending has to wait."""
        return any(attachment.is_reading for attachment in self.attachments)

    @property
    def room(self) -> int:
        """How many more pictures the message takes."""
        return MOST - len(self._chips)

    def add(self, attachment: Attachment) -> None:
        """Adds a picture at the end, at first as a name."""
        chip = AttachmentChip(attachment)
        chip.removed.connect(self._remove)
        row = self._row()
        row.insertWidget(len(self._chips), chip)
        self._chips.append(chip)
        previous = self._before.previousInFocusChain()
        while previous is not None and previous.focusPolicy() == Qt.FocusPolicy.NoFocus:  # Qt orders no others
            previous = previous.previousInFocusChain()
        if previous is not None:
            QWidget.setTabOrder(previous, chip)
        QWidget.setTabOrder(chip, chip.remove)
        self._refresh()

    def settle(self, attachment: Attachment) -> None:
        """Shows what became of a picture: its preview, or nothing where it could not be read."""
        for chip in self.chips:
            if chip.attachment is attachment:
                if attachment.failed:
                    self._drop(chip)
                else:
                    chip.refresh()
        self._refresh()

    def show_all(self, attachments: Sequence[Attachment]) -> None:
        """Shows other pictures in the place of these."""
        self.say("")
        for chip in self.chips:
            self._drop(chip)
        for attachment in attachments:
            if not attachment.failed:
                self.add(attachment)
        self._refresh()

    def take(self) -> list[Attachment]:
        """Returns the pictures and forgets them."""
        taken = self.attachments
        self.show_all(())
        return taken

    def say(self, words: str) -> None:
        """Says why something was not attached, on the screen and to a screen reader; nothing takes it back."""
        self.note.setText(words)
        self.note.setVisible(bool(words))
        self.setVisible(bool(words or self._chips))
        if words:
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, words))

    def _row(self) -> QHBoxLayout:
        if self._area is None:
            self._area = QScrollArea(self)
            self._area.setFrameShape(QFrame.Shape.NoFrame)
            self._area.setWidgetResizable(True)
            self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            self._area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            self._area.setFixedHeight(PREVIEW_PX + 12 + 14)
            self._area.setAccessibleName(self.tr("Pictures"))
            self._area.setStyleSheet("QScrollArea, #pictures { background: transparent; }")
            inner = QWidget(self._area)
            inner.setObjectName("pictures")
            row = self._chip_row = QHBoxLayout(inner)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(8)
            row.setAlignment(Qt.AlignmentFlag.AlignTop)
            row.addStretch()
            self._area.setWidget(inner)
            self._column.addWidget(self._area)
        return self._chip_row

    def _remove(self, chip: AttachmentChip) -> None:
        place = self._chips.index(chip)
        self.say("")
        self._drop(chip)
        after = self._chips[min(place, len(self._chips) - 1)] if self._chips else self._before
        after.setFocus(Qt.FocusReason.OtherFocusReason)
        self._refresh()

    def _drop(self, chip: AttachmentChip) -> None:
        self._chips.remove(chip)
        self._row().removeWidget(chip)
        chip.hide()
        chip.deleteLater()

    def _refresh(self) -> None:
        if self._area is not None:
            self._area.setVisible(bool(self._chips))
        self.setVisible(bool(self._chips) or not self.note.isHidden())
        self.changed.emit()
