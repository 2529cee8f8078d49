"""The viewer: a document at its page with the passage marked, beside an answer or in the documents tab.

It shows what it is given; which page comes next is asked of its desk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSpinBox, QStackedWidget, QVBoxLayout, QWidget

from vpa_desktop.page_views import PageView, TextRun, TextView
from vpa_desktop.ui.announcing import announce
from vpa_desktop.ui.chat.markdown import visible
from vpa_desktop.ui.chat.panel import SidePanel
from vpa_desktop.ui.documents.page_canvas import LARGEST, SMALLEST, STEP, PageCanvas
from vpa_desktop.ui.documents.stepper import Stepper
from vpa_desktop.ui.documents.text_pane import TextPane
from vpa_desktop.ui.widgets import ElidedLabel, IconButton, PlainLabel, theme_now

if TYPE_CHECKING:
    from vpa_desktop.page_views import DocumentView, Place

WIDE_SHARE = 0.53
LONGEST_SPOKEN = 4_000


class ViewerPanel(SidePanel):
    """A document. ``page_wanted`` asks for a page by its number, ``redraw_wanted`` for the same at another size."""

    page_wanted = Signal(int)
    redraw_wanted = Signal()
    sources_wanted = Signal()
    step_wanted = Signal(int)

    def __init__(self, place: Place, heading: str, *, from_sources: bool = False) -> None:
        self.place = place
        self.view: DocumentView | None = None
        self._is_moving = False
        super().__init__(heading, None, theme_now())
        self._name, self._where = ElidedLabel("", "strong"), PlainLabel("", "dim", wraps=True)
        self._note = PlainLabel("", "warn", wraps=True)
        self.stepper = Stepper()
        self.stepper.stepped.connect(self.step_wanted)
        self.head.insertWidget(1, self.stepper)
        if from_sources:
            self._add_way_back()
        self.canvas, self.text = PageCanvas(), TextPane()
        self.text.setPlaceholderText(self.tr("Opening…"))
        self._stack = QStackedWidget()
        self._stack.addWidget(self.text)
        self._stack.addWidget(self.canvas)
        self._bar = self._make_bar()
        self.show_content(self._body())
        for part in (self.canvas, self.text):
            part.turned.connect(self._turn)
        self.canvas.width_wanted.connect(self.redraw_wanted)
        self.canvas.zoom_changed.connect(self._say_zoom)
        self._bar.hide()
        self._note.hide()

    def wanted_px(self, room: int) -> int:
        """A page wants more room than a list of sources."""
        return max(super().wanted_px(room), round(room * WIDE_SHARE))

    def _add_way_back(self) -> None:
        back = IconButton("chevron-left", self.tr("All sources"), size=18)
        back.clicked.connect(self.sources_wanted)
        self.head.setContentsMargins(8, 10, 12, 6)
        self.head.insertWidget(0, back)

    def _body(self) -> QWidget:
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(12, 0, 12, 12)
        column.setSpacing(6)
        head = QVBoxLayout()
        head.setContentsMargins(8, 0, 8, 0)
        head.setSpacing(2)
        for widget in (self._name, self._where, self._note):
            head.addWidget(widget)
        column.addLayout(head)
        column.addWidget(self._bar)
        column.addWidget(self._stack, 1)
        return body

    def _make_bar(self) -> QWidget:
        bar = QWidget()
        row = QHBoxLayout(bar)
        row.setContentsMargins(4, 0, 4, 0)
        row.setSpacing(4)
        self.previous = IconButton("chevron-left", self.tr("Previous page"), size=18)
        self.previous.clicked.connect(lambda: self._turn(-1))
        self.next = IconButton("chevron-right", self.tr("Next page"), size=18)
        self.next.clicked.connect(lambda: self._turn(1))
        self.number = QSpinBox()
        self.number.setAccessibleName(self.tr("Page"))
        self.number.setKeyboardTracking(False)
        self.number.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.number.setFixedWidth(84)
        self.number.valueChanged.connect(self._go)
        self._count = PlainLabel("", "dim")
        self._zoom = PlainLabel("100 %", "dim")
        smaller = IconButton("minus", self.tr("Show smaller"), size=18)
        smaller.clicked.connect(lambda: self._zoom_by(1 / STEP))
        larger = IconButton("plus", self.tr("Show larger"), size=18)
        larger.clicked.connect(lambda: self._zoom_by(STEP))
        self._paging = (self.previous, self.number, self._count, self.next)
        for widget in self._paging:
            row.addWidget(widget)
        row.addStretch(1)
        for widget in (smaller, self._zoom, larger):
            row.addWidget(widget)
        return bar

    # What is shown

    def say_place(self, name: str, *lines: str) -> None:
        """Says which document this is, and where in it."""
        self._name.set_whole(visible(name))
        said = "  ·  ".join(visible(line) for line in lines if line)
        self._where.setText(said)
        self._where.setVisible(bool(said))

    def move_to(self, place: Place, heading: str) -> None:
        """Is about to show another place, whose view comes later; the size and the focus stay."""
        self.place, self._is_moving = place, True
        self.rename(heading)
        self.canvas.forget()

    def show_view(self, view: DocumentView) -> None:
        """Shows a page or a piece of text."""
        had_focus = self.view is None or self.canvas.hasFocus() or self.text.hasFocus()
        self.view = view
        shown = self.canvas if isinstance(view, PageView) else self.text
        self._stack.setCurrentWidget(shown)
        if isinstance(view, PageView):
            self.canvas.show_page(view)
        else:
            self.text.show_text(view)
        self._say(shown, view)
        self._show_bar(view)
        self._note.setText(visible(view.note))
        self._note.setVisible(bool(view.note))
        if had_focus:
            shown.setFocus(Qt.FocusReason.OtherFocusReason)
        if self._is_moving:
            self._is_moving = False
            said = (self.heading.text(), self.stepper.place(), shown.accessibleName(), shown.accessibleDescription())
            announce(self, ". ".join(part for part in said if part))

    def show_only(self, passage: str, note: str) -> None:
        """Shows the passage alone, where its document cannot be opened, and says why."""
        runs = (TextRun("mark", passage),) if passage else ()
        self.show_view(TextView(self._name.whole(), 1, 1, runs, note))

    def restyle(self) -> None:
        """Shows the same in the new colours."""
        if self.view is not None:
            self.text.restyle()
            self.canvas.sheet.update()

    def _say(self, part: QWidget, view: DocumentView) -> None:
        """Names what is shown for a screen reader, with the passage or, without one, the text of the page."""
        name = visible(view.document)
        piece = self.tr("Page {0} of {1}, {2}") if isinstance(view, PageView) else self.tr("Part {0} of {1}, {2}")
        part.setAccessibleName(piece.format(view.number, view.count, name) if view.count > 1 else name)
        whole = view.text if isinstance(view, PageView) else ""  # the text of the other pane is read as text
        said = self.tr("Marked: {0}").format(self.place.passage) if _is_marked(view) else whole
        part.setAccessibleDescription(visible(said[:LONGEST_SPOKEN]))

    def _show_bar(self, view: DocumentView) -> None:
        self._bar.show()
        for widget in self._paging:
            widget.setVisible(view.count > 1)
        self.number.blockSignals(True)
        self.number.setRange(1, view.count)
        self.number.setValue(view.number)
        self.number.blockSignals(False)
        self._count.setText(self.tr("of {0}").format(view.count))
        self.previous.setEnabled(view.number > 1)
        self.next.setEnabled(view.number < view.count)

    # What the person does

    def _turn(self, step: int) -> None:
        if self.view is not None:
            self._go(self.view.number + step)

    def _go(self, number: int) -> None:
        if self.view is not None and 1 <= number <= self.view.count and number != self.view.number:
            self.page_wanted.emit(number)

    def _zoom_by(self, factor: float) -> None:
        zoom = min(LARGEST, max(SMALLEST, self.canvas.zoom * factor))
        self.canvas.set_zoom(zoom)

    def _say_zoom(self, zoom: float) -> None:
        self._zoom.setText(f"{zoom * 100:.0f} %")
        self.text.set_zoom(zoom)


def _is_marked(view: DocumentView) -> bool:
    return bool(view.marks) if isinstance(view, PageView) else any(run.kind == "mark" for run in view.runs)
