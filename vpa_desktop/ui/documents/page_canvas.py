"""One page of a document as a picture with the passage marked, scrolled and enlarged by mouse and keys.

It draws what it is given and says what it would like to have: another page, another width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from vpa_desktop.ui.widgets import theme_now

if TYPE_CHECKING:
    from vpa_desktop.page_views import Mark, PageView

MARKER: Final = "#ffe27a"
"""The colour of a text marker on paper, which is white in every theme."""

MARGIN_PX: Final = 12
SMALLEST, LARGEST, STEP = 0.5, 4.0, 1.25
REDRAW_MS: Final = 120


class Sheet(QWidget):
    """The paper: the picture at the size asked for, marks over it."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = QPixmap()
        self.marks: tuple[Mark, ...] = ()

    def show_picture(self, picture: QPixmap, marks: tuple[Mark, ...]) -> None:
        """Shows another page."""
        self.picture, self.marks = picture, marks
        self.update()

    def paper(self) -> QRectF:
        """Returns where the page lies."""
        return QRectF(self.rect()).adjusted(MARGIN_PX, MARGIN_PX, -MARGIN_PX, -MARGIN_PX)

    def mark_rects(self) -> list[QRectF]:
        """Returns where the marks lie."""
        paper = self.paper()
        wide, high = paper.width(), paper.height()
        return [
            QRectF(paper.left() + m.left * wide, paper.top() + m.top * high, m.width * wide, m.height * high)
            for m in self.marks
        ]

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints page, marks and edge."""
        if self.picture.isNull():
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(self.paper(), self.picture, QRectF(self.picture.rect()))
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Multiply)
        for rect in self.mark_rects():
            painter.fillRect(rect.adjusted(-2, -1, 2, 1), QColor(MARKER))
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        painter.setPen(QPen(QColor(theme_now().line), 1))
        painter.drawRect(self.paper())
        painter.end()


class PageCanvas(QScrollArea):
    """Shows a page. ``turned`` asks for the page so many on, ``width_wanted`` for the page drawn anew."""

    turned = Signal(int)
    width_wanted = Signal()
    zoom_changed = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.sheet = Sheet()
        self.zoom = 1.0
        self._shape = 1.414
        self._seen: tuple[str, int] | None = None
        self._from_below = False
        self.setWidget(self.sheet)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(REDRAW_MS)
        self._redraw.timeout.connect(self.width_wanted)

    def paper_px(self) -> int:
        """Returns how many real pixels wide the page should be drawn."""
        return max(1, round(self._paper_width() * self.devicePixelRatioF()))

    def show_page(self, view: PageView) -> None:
        """Shows a page; a new one at its first mark, else at its top (or its end, where it was reached from below)."""
        image = QImage(view.pixels, view.width, view.height, view.stride, QImage.Format.Format_RGB32)
        self._shape = view.height / max(1, view.width)
        self.sheet.show_picture(QPixmap.fromImage(image), view.marks)
        self._fit()
        page = (view.document, view.number)
        if page != self._seen:
            self._seen = page
            QTimer.singleShot(0, self, self._scroll_to_start)  # how far it can be scrolled is known then

    def forget(self) -> None:
        """Scrolls to the mark of the next page that is shown, also where it is the same page again."""
        self._seen = None

    def set_zoom(self, zoom: float) -> None:
        """Enlarges the page: 1 fits its width."""
        zoom = min(LARGEST, max(SMALLEST, zoom))
        if zoom != self.zoom:
            self.zoom = zoom
            self._fit()
            self._redraw.start()
            self.zoom_changed.emit(zoom)

    def _paper_width(self) -> float:
        return max(80.0, (self.viewport().width() - 2 * MARGIN_PX) * self.zoom)

    def _fit(self) -> None:
        wide = self._paper_width()
        before = self.verticalScrollBar().value() / max(1, self.sheet.height())
        self.sheet.resize(QSize(round(wide) + 2 * MARGIN_PX, round(wide * self._shape) + 2 * MARGIN_PX))
        self.verticalScrollBar().setValue(round(before * self.sheet.height()))

    def _scroll_to_start(self) -> None:
        bar = self.verticalScrollBar()
        if rects := self.sheet.mark_rects():
            top = min(rect.top() for rect in rects)
            bar.setValue(round(top - self.viewport().height() / 4))
            self.horizontalScrollBar().setValue(round(min(rect.left() for rect in rects) - 2 * MARGIN_PX))
        else:
            bar.setValue(bar.maximum() if self._from_below else 0)
        self._from_below = False

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fits the page to the new width, and asks for it to be drawn anew when the width stays."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width() and not self.sheet.picture.isNull():
            self._fit()
            self._redraw.start()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scrolls; with Ctrl it enlarges."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.set_zoom(self.zoom * (STEP if event.angleDelta().y() > 0 else 1 / STEP))
            event.accept()
        else:
            super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Pages, scrolls and enlarges by keys; at the end of a page the next one follows."""
        key = event.key()
        if key in (Qt.Key.Key_PageDown, Qt.Key.Key_Space):
            self._page_on(1)
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_Backspace):
            self._page_on(-1)
        elif key in (Qt.Key.Key_Right, Qt.Key.Key_Left) and not self.horizontalScrollBar().maximum():
            self.turned.emit(1 if key == Qt.Key.Key_Right else -1)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.set_zoom(self.zoom * STEP)
        elif key == Qt.Key.Key_Minus:
            self.set_zoom(self.zoom / STEP)
        elif key == Qt.Key.Key_0:
            self.set_zoom(1.0)
        else:
            super().keyPressEvent(event)

    def _page_on(self, step: int) -> None:
        bar = self.verticalScrollBar()
        end = bar.maximum() if step > 0 else 0
        if bar.value() == end:
            self._from_below = step < 0
            self.turned.emit(step)
        else:
            bar.setValue(bar.value() + step * round(self.viewport().height() * 0.9))

    def first_mark(self) -> QPoint | None:
        """Returns where the first mark begins in what is visible; None without marks."""
        rects = self.sheet.mark_rects()
        return self.sheet.mapTo(self.viewport(), rects[0].topLeft().toPoint()) if rects else None
