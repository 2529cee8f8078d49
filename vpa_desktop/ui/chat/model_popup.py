"""The list that the provider-and-model button opens: a line to search with, the models, and what is to be said of them.

It stays quick with hundreds of models: only the rows that are seen are painted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListView, QVBoxLayout, QWidget

from vpa_desktop.ui.chat.model_rows import ROW_PX, ModelDelegate, ModelRows
from vpa_desktop.ui.widgets import PlainLabel, SearchLine, TintedButton

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpa_desktop.records import RouteChoice

WIDTH_PX, LIST_PX, REST_PX = 440, 380, 160
"""The popup's width, the list's most height, and what the lines around the list need of a small screen."""

SEARCH_FROM = 8
"""With fewer models than this there is nothing to search."""


class ModelView(QListView):
    """The list named "Models"; typing in it goes on in the search line."""

    typed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(self.tr("Models"))
        self.setItemDelegate(ModelDelegate(self))
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Letters are for the search line, Return chooses; the rest is the list's own."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.clicked.emit(self.currentIndex())
        elif event.key() == Qt.Key.Key_Escape:
            event.ignore()
        elif event.text().isprintable() and event.text().strip():
            self.typed.emit(event.text())
        else:
            super().keyPressEvent(event)


class ModelPopup(QFrame):
    """The popup. ``chosen`` carries the choice; it closes itself then, and on Escape."""

    chosen = Signal(object)
    add_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("models")
        self.setFixedWidth(WIDTH_PX)
        self._button = self._screen = QRect()
        self.setAccessibleName(self.tr("Provider and model"))
        self._rows = ModelRows(self)
        self.search = SearchLine(self.tr("Search models"), self.tr("Search models"), has_icon=True)
        self.view = ModelView()
        self.view.setModel(self._rows)
        self.note = PlainLabel("", "dim", wraps=True)
        self.none = PlainLabel(self.tr("No model has these words."), "dim")
        self.add = TintedButton("plus", self.tr("Add a provider…"))
        self.add.setProperty("ghost", True)
        column = self._column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        for widget in (self.search, self.view, self.none, self.note, self.add):
            column.addWidget(widget)
        self.none.hide()
        self.note.hide()
        self.search.textChanged.connect(self._seek)
        self.search.returnPressed.connect(lambda: self._choose(self._rows.first_ready()))
        self.search.installEventFilter(self)
        self.view.clicked.connect(self._choose)
        self.view.typed.connect(self._type)
        self.add.clicked.connect(self._add)

    @property
    def rows(self) -> ModelRows:
        """What is listed."""
        return self._rows

    def set_choices(self, choices: Sequence[RouteChoice], chosen: RouteChoice | None) -> None:
        """Lists these choices; the place in the list stays where it was while the popup is open."""
        was = self._rows.choice(self.view.currentIndex())
        at = self.view.verticalScrollBar().value()
        self._rows.set_choices(choices, chosen)
        self.search.setVisible(len(choices) >= SEARCH_FROM)
        self._fit()
        current = self._rows.index_of(was if self.isVisible() else chosen)
        if current.isValid():
            self.view.setCurrentIndex(current)
        if self.isVisible():
            self.view.verticalScrollBar().setValue(at)

    def set_note(self, text: str) -> None:
        """Says below the list what is to be said of it."""
        self.note.setText(text)
        self.note.setVisible(bool(text))
        if self.isVisible():
            self._place()

    def open_at(self, button: QRect, screen: QRect) -> None:
        """Opens above the button where there is room, else below it; both in the coordinates of the screen."""
        self.search.clear()
        self._button, self._screen = button, screen
        self._fit()
        self._place()
        self.show()
        (self.search if self.search.isVisible() else self.view).setFocus(Qt.FocusReason.PopupFocusReason)
        self._scroll_to_choice()

    def _scroll_to_choice(self) -> None:
        """Shows the choice in force in the middle, but never cuts the first row for it."""
        self.view.scrollTo(self.view.currentIndex(), QAbstractItemView.ScrollHint.PositionAtCenter)
        bar = self.view.verticalScrollBar()
        if not self.view.currentIndex().isValid() or bar.value() < ROW_PX:
            bar.setValue(0)

    def _place(self) -> None:
        """Stands on the button, as tall as what it says now."""
        button, screen = self._button, self._screen
        self._column.activate()
        wraps = self._column.hasHeightForWidth()  # asked for a width, a layout of which nothing wraps answers -1
        wanted = self._column.totalHeightForWidth(WIDTH_PX) if wraps else self._column.totalSizeHint().height()
        size = QSize(WIDTH_PX, wanted).boundedTo(screen.size())
        above = button.top() - size.height() - 4
        top = above if above >= screen.top() else button.bottom() + 4
        top = max(screen.top(), min(top, screen.bottom() + 1 - size.height()))
        left = max(screen.left(), min(button.left(), screen.right() + 1 - size.width()))
        self.setGeometry(QRect(QPoint(left, top), size))

    def _fit(self) -> None:
        """Makes the list as tall as what is in it, up to a limit; the window keeps its height while it is open."""
        if self.isVisible():
            return
        self.view.doItemsLayout()
        wanted = 12
        for row in range(min(self._rows.rowCount(), 12)):
            wanted += self.view.sizeHintForIndex(self._rows.index(row)).height()
        room = max(2 * ROW_PX, self._screen.height() - REST_PX) if self._screen.isValid() else LIST_PX
        self.view.setFixedHeight(min(LIST_PX, room, wanted))

    def _seek(self, words: str) -> None:
        self._rows.seek(words)
        first = self._rows.first_ready()
        self.none.setVisible(self._rows.rowCount() == 0)
        if words and first.isValid():
            self.view.setCurrentIndex(first)

    def _type(self, text: str) -> None:
        if self.search.isVisible():
            self.search.setFocus()
            self.search.insert(text)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Down and Up in the search line go into the list."""
        if watched is self.search and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step is not None and self._rows.rowCount():
                self._enter(step)
                return True
        return super().eventFilter(watched, event)

    def _enter(self, step: int) -> None:
        at = self.view.currentIndex()
        row = at.row() + (step if self.search.text() or at.isValid() else 0)
        wanted = self._rows.index(max(0, min(self._rows.rowCount() - 1, row)))
        self.view.setFocus(Qt.FocusReason.ShortcutFocusReason)
        ready = wanted.flags() & Qt.ItemFlag.ItemIsEnabled
        self.view.setCurrentIndex(wanted if ready else self._rows.first_ready())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes."""
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
            return
        super().keyPressEvent(event)

    def _choose(self, index: QModelIndex) -> None:
        choice = self._rows.choice(index)
        if choice is not None and choice.is_ready:
            self.hide()
            self.chosen.emit(choice)

    def _add(self) -> None:
        self.hide()
        self.add_wanted.emit()
