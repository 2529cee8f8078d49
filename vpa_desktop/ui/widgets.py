"""The window's own small widgets: tinted buttons and icons, plain-text labels, cards. Not pages, and no behaviour."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPaintEvent, QPalette, QPen, QWheelEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QLabel,
    QLineEdit,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from vpa_desktop.ui.theme import DARK, LIGHT, Theme, icon, icon_pixmap

_RETINT = (QEvent.Type.PaletteChange, QEvent.Type.ApplicationPaletteChange)


def theme_now() -> Theme:
    """Returns the theme the application's palette was made from."""
    return DARK if QGuiApplication.palette().color(QPalette.ColorRole.Window).lightness() < 128 else LIGHT


class IconButton(QToolButton):
    """A tool button with a tinted icon, an accessible name and, where wanted, a text beside it."""

    def __init__(self, icon_name: str, name: str, text: str = "", *, size: int = 18, tone: str = "dim") -> None:
        super().__init__()
        self._icon_name, self._tone, self._size = icon_name, tone, size
        self._shown = ("", "")
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setIconSize(QSize(size, size))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        if text:
            self.setText(text)
            self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._tint()

    def set_icon(self, icon_name: str, tone: str | None = None) -> None:
        """Shows another icon, or the same in another colour of the theme."""
        self._icon_name, self._tone = icon_name, tone or self._tone
        self._tint()

    def changeEvent(self, event: QEvent) -> None:
        """Tints the icon again when the theme changes."""
        super().changeEvent(event)
        if event.type() in _RETINT:
            self._tint()

    def _tint(self) -> None:
        wanted = (self._icon_name, getattr(theme_now(), self._tone))
        if wanted != self._shown:  # the palette "changes" at every new parent
            self._shown = wanted
            self.setIcon(icon(*wanted, self._size))


class MenuButton(IconButton):
    """A button that opens a menu above or below itself.

    Qt's own way to open a tool button's menu runs a nested event loop; ``popup`` does not.
    """

    def __init__(self, icon_name: str, name: str, text: str = "", *, size: int = 18) -> None:
        super().__init__(icon_name, name, text, size=size)
        self.choices = QMenu(self)
        self.choices.setToolTipsVisible(True)
        self.choices.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        self.clicked.connect(self.open_menu)

    def open_menu(self) -> None:
        """Opens the menu, above the button where there is no room below."""
        height = self.choices.sizeHint().height()
        below = self.mapToGlobal(QPoint(0, self.height() + 4))
        has_room = below.y() + height < self.screen().availableGeometry().bottom()
        self.choices.popup(below if has_room else self.mapToGlobal(QPoint(0, -height - 4)))


class IconLabel(QLabel):
    """A tinted icon without a function; assistive technology does not see it."""

    def __init__(self, icon_name: str, size: int = 16, tone: str = "dim") -> None:
        super().__init__()
        self._icon_name, self._tone, self._size = icon_name, tone, size
        self.setFixedSize(size, size)
        self._tint()

    def set_icon(self, icon_name: str, tone: str | None = None) -> None:
        """Shows another icon, or the same in another colour of the theme."""
        self._icon_name, self._tone = icon_name, tone or self._tone
        self._tint()

    def changeEvent(self, event: QEvent) -> None:
        """Tints the icon again when the theme changes."""
        super().changeEvent(event)
        if event.type() in _RETINT:
            self._tint()

    def _tint(self) -> None:
        self.setPixmap(icon_pixmap(self._icon_name, getattr(theme_now(), self._tone), self._size))


class PlainLabel(QLabel):
    """A label that shows its text literally, whatever stands in it; ``looks`` are properties of the style sheet."""

    def __init__(self, text: str = "", *looks: str, wraps: bool = False) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)
        self.setWordWrap(wraps)
        for look in looks:
            self.setProperty(look, True)
        if wraps:
            self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)

    def set_look(self, look: str, on: bool) -> None:
        """Switches one property of the style sheet."""
        if bool(self.property(look)) != on:
            self.setProperty(look, on)
            restyle(self)


class ElidedLabel(PlainLabel):
    """A one-line plain label that ends in an ellipsis where it is too long; the whole text is its accessible name."""

    def __init__(self, text: str = "", *looks: str) -> None:
        super().__init__("", *looks)
        self._whole = ""
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.set_whole(text)

    def set_whole(self, text: str) -> None:
        """Sets the text to show."""
        self._whole = " ".join(text.split())
        self.setAccessibleName(self._whole)
        self._fit()

    def whole(self) -> str:
        """Returns the text without the ellipsis."""
        return self._whole

    def resizeEvent(self, event: object) -> None:
        """Cuts the text to the new width."""
        self._fit()

    def _fit(self) -> None:
        self.setText(self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideRight, max(self.width(), 24)))

    def sizeHint(self) -> QSize:
        """Asks for the width of the whole text."""
        return QSize(self.fontMetrics().horizontalAdvance(self._whole) + 4, super().sizeHint().height())


class TintedButton(QPushButton):
    """A push button with a text and a tinted icon."""

    def __init__(self, icon_name: str, text: str, tone: str = "dim") -> None:
        super().__init__(f" {text}")  # the style leaves no room between the two
        self.setAccessibleName(text)
        self._icon_name, self._tone = icon_name, tone
        self._tint()

    def changeEvent(self, event: QEvent) -> None:
        """Tints the icon again when the theme changes."""
        super().changeEvent(event)
        if event.type() in _RETINT:
            self._tint()

    def _tint(self) -> None:
        self.setIcon(icon(self._icon_name, getattr(theme_now(), self._tone), 16))


class SearchLine(QLineEdit):
    """A line to search with: a name, a button to clear it that has a name too, and a painted magnifier."""

    def __init__(self, name: str, hint: str, *, has_icon: bool = False) -> None:
        super().__init__()
        self._has_icon = has_icon
        self.setAccessibleName(name)
        self.setPlaceholderText(hint)
        self.setAcceptDrops(False)
        self.textChanged.connect(self._offer_to_clear)
        if has_icon:
            self.setTextMargins(24, 0, 0, 0)

    def _offer_to_clear(self) -> None:
        """Adds the button with the first text: an empty line has nothing to clear, and the start need not wait."""
        if not self.isClearButtonEnabled():
            self.setClearButtonEnabled(True)
            for button in self.findChildren(QToolButton):
                button.setAccessibleName(self.tr("Clear the search"))
                button.setToolTip(self.tr("Clear the search"))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints the line, then the magnifier in the colour of the theme."""
        super().paintEvent(event)
        if self._has_icon:
            painter = QPainter(self)
            painter.drawPixmap(9, (self.height() - 16) // 2, icon_pixmap("search", theme_now().faint, 16))
            painter.end()


class ChoiceBox(QComboBox):
    """A combo box with a tinted chevron: the style sheet takes Fusion's arrow away."""

    def showPopup(self) -> None:
        """Opens the list, tall enough for all its entries: Qt forgets the list's own padding and cuts the last."""
        super().showPopup()
        view = self.view()
        missing = view.verticalScrollBar().maximum() if self.count() <= self.maxVisibleItems() else 0
        missing = view.sizeHintForRow(0) * self.count() + 14 - view.height() if missing else 0
        if missing > 0:
            box = view.window()
            box.resize(box.width(), box.height() + missing)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints the box, then the chevron."""
        super().paintEvent(event)
        painter = QPainter(self)
        tint = theme_now().dim if self.isEnabled() else theme_now().edge
        painter.drawPixmap(self.width() - 26, (self.height() - 16) // 2, icon_pixmap("chevron-down", tint, 16))
        painter.end()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leaves the wheel to the page: scrolling past must not change a setting."""
        event.ignore()


DISABLED: Final = 0.45
"""How much of a control shows that can only be read."""


class Switch(QCheckBox):
    """A check box that looks like a switch; its name is the accessible one."""

    def sizeHint(self) -> QSize:
        """Room for the track and its focus ring."""
        return QSize(46, 28)

    def hitButton(self, pos: QPoint) -> bool:
        """The whole switch can be clicked."""
        return self.rect().contains(pos)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints track, knob and focus ring."""
        theme = theme_now()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        track = QRectF(4, (self.height() - 20) / 2, 36, 20)
        if self.hasFocus():
            painter.setPen(QPen(QColor(theme.accent), 2))
            painter.drawRoundedRect(track.adjusted(-3, -3, 3, 3), 13, 13)
        painter.setOpacity(1 if self.isEnabled() else DISABLED)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.accent if self.isChecked() else theme.edge))
        painter.drawRoundedRect(track, 10, 10)
        painter.setBrush(QColor(theme.on_accent if self.isChecked() else theme.card))
        painter.drawEllipse(
            QRectF(track.right() - 18 if self.isChecked() else track.left() + 2, track.top() + 2, 16, 16)
        )
        painter.end()


class Card(QFrame):
    """A rounded frame with a vertical layout."""

    def __init__(self, look: str = "card", value: object = True, *, margins: int = 16, spacing: int = 8) -> None:
        super().__init__()
        self.setProperty(look, value)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(margins, margins, margins, margins)
        self.column.setSpacing(spacing)


class Meter(QProgressBar):
    """A thin bar without text: how much of a whole is used. Levels: "" (fine), "warn", "over"."""

    def __init__(self, name: str, width: int = 0) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setTextVisible(False)
        self.setRange(0, 1000)
        if width:
            self.setFixedWidth(width)

    def set_share(self, share: float, level: str = "") -> None:
        """Fills the bar to ``share`` (0 to 1) in the colour of ``level``."""
        self.setValue(round(1000 * max(0.0, min(1.0, share))))
        if self.property("level") != level:
            self.setProperty("level", level)
            restyle(self)


def restyle(widget: QWidget) -> None:
    """Applies the style sheet again after a property changed."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)
