"""The viewer alone: pages and text as they are given, the passage in sight, everything by keyboard."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QFontMetrics
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend
from vpa_desktop.errors import KnowledgeError
from vpa_desktop.page_views import Mark, PageView, Place, TextRun, TextView
from vpa_desktop.records import SearchResult, SearchWhy
from vpa_desktop.ui.dashboard.sparkline import Sparkline
from vpa_desktop.ui.documents.golden import GoldenPanel
from vpa_desktop.ui.documents.page_canvas import MARKER
from vpa_desktop.ui.documents.results import place, place_within
from vpa_desktop.ui.documents.viewer import ViewerPanel
from vpa_desktop.ui.main_window import MainWindow
from vpa_desktop.ui.pages import DOCUMENTS

pytestmark = pytest.mark.ui


def page(number: int = 2, *marks: Mark, note: str = "") -> PageView:
    pixels = bytes((255, 255, 255, 255)) * (400 * 1200)
    return PageView("a.pdf", number, 3, 400, 1200, 1600, pixels, marks, "All of the page.", note)


@pytest.fixture
def panel(qtbot: QtBot) -> ViewerPanel:
    made = ViewerPanel(Place("d", 2, 1, "the passage"), "Source 1")
    qtbot.addWidget(made)
    made.resize(500, 600)
    made.show()
    return made


def test_the_mark_is_in_sight_and_painted_over_the_page(panel: ViewerPanel) -> None:
    panel.show_view(page(2, Mark(0.2, 0.7, 0.5, 0.02)))
    QTest.qWait(1)
    at = panel.canvas.first_mark()
    assert at is not None
    assert 0 <= at.y() <= panel.canvas.viewport().height() / 2
    seen = panel.canvas.viewport().grab().toImage().pixelColor(at + QPoint(20, 4))
    assert seen == QColor(MARKER)


def test_pages_turn_by_buttons_keys_and_number(panel: ViewerPanel, qtbot: QtBot) -> None:
    panel.show_view(page(2))
    with qtbot.waitSignal(panel.page_wanted, timeout=500) as caught:
        panel.next.click()
    assert caught.args == [3]
    with qtbot.waitSignal(panel.page_wanted, timeout=500) as caught:
        QTest.keyClick(panel.canvas, Qt.Key.Key_Left)
    assert caught.args == [1]
    panel.number.selectAll()
    QTest.keyClicks(panel.number, "3")
    with qtbot.waitSignal(panel.page_wanted, timeout=500) as caught:
        QTest.keyClick(panel.number, Qt.Key.Key_Return)
    assert caught.args == [3]
    panel.show_view(page(3))
    assert not panel.next.isEnabled()


def test_page_down_scrolls_and_turns_only_at_the_end(panel: ViewerPanel, qtbot: QtBot) -> None:
    panel.show_view(page(2))
    turned: list[int] = []
    panel.page_wanted.connect(turned.append)
    QTest.keyClick(panel.canvas, Qt.Key.Key_PageDown)
    assert panel.canvas.verticalScrollBar().value() > 0
    assert turned == []
    for _ in range(5):
        QTest.keyClick(panel.canvas, Qt.Key.Key_PageDown)
    assert set(turned) == {3}
    QTest.keyClick(panel.canvas, Qt.Key.Key_PageUp)
    assert set(turned) == {3}


def test_larger_asks_for_a_finer_picture(panel: ViewerPanel, qtbot: QtBot) -> None:
    panel.show_view(page(2))
    before = panel.canvas.paper_px()
    with qtbot.waitSignal(panel.redraw_wanted, timeout=1000):
        QTest.keyClick(panel.canvas, Qt.Key.Key_Plus)
    assert panel.canvas.paper_px() > before
    QTest.keyClick(panel.canvas, Qt.Key.Key_0)
    assert panel.canvas.paper_px() == before


def test_the_sources_are_stepped_through_by_buttons_and_the_place_is_said(panel: ViewerPanel, qtbot: QtBot) -> None:
    panel.show_view(page(2, Mark(0.2, 0.7, 0.5, 0.02)))
    assert not panel.stepper.isVisible()
    panel.stepper.show_place(2, 5)
    assert panel.stepper.isVisible()
    assert "2 of 5" in labels(panel.stepper)
    for named, step in ((panel.stepper.next, 1), (panel.stepper.previous, -1)):
        assert named.accessibleName() in ("Next source", "Previous source")
        with qtbot.waitSignal(panel.step_wanted, timeout=500) as caught:
            named.click()
        assert caught.args == [step]


def test_another_passage_of_the_same_page_is_scrolled_to(panel: ViewerPanel) -> None:
    panel.show_view(page(2, Mark(0.2, 0.1, 0.5, 0.02)))
    QTest.qWait(1)
    panel.move_to(Place("d", 2, 2, "another passage"), "Source 2")
    panel.show_view(page(2, Mark(0.2, 0.9, 0.5, 0.02)))
    QTest.qWait(1)
    at = panel.canvas.first_mark()
    assert at is not None
    assert 0 <= at.y() < panel.canvas.viewport().height()
    assert panel.accessibleName() == "Source 2"
    assert panel.canvas.accessibleDescription() == "Marked: another passage"


def test_a_screen_reader_hears_the_page_and_the_passage(panel: ViewerPanel) -> None:
    panel.show_view(page(2, Mark(0.2, 0.7, 0.5, 0.02)))
    assert panel.canvas.accessibleName() == "Page 2 of 3, a.pdf"
    assert panel.canvas.accessibleDescription() == "Marked: the passage"
    panel.show_view(page(3))
    assert panel.canvas.accessibleDescription() == "All of the page."
    assert all(button.accessibleName() for button in panel.findChildren(QToolButton) if button.isVisible())


def test_text_is_shown_literally_with_the_passage_in_sight(panel: ViewerPanel) -> None:
    long = "Line of text.\n" * 200
    runs = (
        TextRun("heading", "<b>Head</b>\n"),
        TextRun("text", long),
        TextRun("mark", "The one."),
        TextRun("text", long),
    )
    panel.show_view(TextView("a.md", 1, 1, runs))
    QTest.qWait(1)
    assert panel.text.toPlainText().startswith("<b>Head</b>")
    cursor = panel.text.textCursor()
    cursor.movePosition(cursor.MoveOperation.NextCharacter, cursor.MoveMode.KeepAnchor, 8)
    assert cursor.selectedText() == "The one."
    assert 0 <= panel.text.cursorRect().top() <= panel.text.viewport().height() / 2
    assert not panel.number.isVisible()
    assert panel.text.accessibleDescription() == "Marked: the passage"


def test_a_document_that_is_gone_leaves_the_passage_and_the_reason(panel: ViewerPanel) -> None:
    panel.say_place("a.pdf", "Page 2")
    panel.show_only("the passage", "This document is no longer there.")
    assert panel.text.toPlainText() == "the passage"
    assert panel._note.text() == "This document is no longer there."


def test_escape_and_the_button_close_it(panel: ViewerPanel, qtbot: QtBot) -> None:
    panel.show_view(page(2))
    with qtbot.waitSignal(panel.closed, timeout=500):
        QTest.keyClick(panel.canvas, Qt.Key.Key_Escape)
    panel.show()
    with qtbot.waitSignal(panel.closed, timeout=500):
        panel.close_button.click()


def opened(window: MainWindow) -> ViewerPanel:
    panel = window.documents.preview.panel
    assert isinstance(panel, ViewerPanel)
    return panel


def labels(widget: QWidget) -> list[str]:
    return [each.text() for each in widget.findChildren(QLabel) if each.text()]


def button(widget: QWidget, kind: type[QAbstractButton], name: str) -> QAbstractButton:
    return next(b for b in widget.findChildren(kind) if name in (b.accessibleName(), b.text()))


async def test_a_document_of_the_list_opens_beside_it_and_escape_closes_it(
    window: MainWindow, backend: FakeBackend
) -> None:
    backend.add_document("contract.pdf")
    window.resize(900, 700)
    window.go(DOCUMENTS)
    window.documents.refresh()
    await until(lambda: window.documents.list.model().rowCount() == 1)
    window.documents.list.setCurrentIndex(window.documents.list.model().index(0, 0))
    assert window.documents.open.isVisible()
    QTest.keyClick(window.documents.list, Qt.Key.Key_Return)
    panel = opened(window)
    await until(lambda: panel.view is not None)
    assert backend.viewer.places[0] == (Place(next(iter(backend.documents))), None)
    assert not window.sidebar.isVisible()
    panel.next.click()
    await until(lambda: panel.view is not None and panel.view.number == 2)
    window._escape()
    assert window.documents.preview.panel is None
    assert window.sidebar.isVisible()
    assert window.pages.currentIndex() == DOCUMENTS


async def test_a_passage_that_was_found_opens_at_its_page(window: MainWindow, backend: FakeBackend) -> None:
    backend.add_document("contract.pdf")
    window.go(DOCUMENTS)
    QTest.keyClicks(window.documents.search, "penalty")
    await until(lambda: window.documents.passages.count() == 1)
    window.documents.passages.setCurrentRow(0)
    window.documents.open.click()
    await until(lambda: len(backend.viewer.places) == 1)
    place, number = backend.viewer.places[0]
    assert (place.document_id, place.page, place.chunk_id, number) == ("d1", 4, 1, None)


async def test_f3_leads_from_one_passage_found_to_the_next(window: MainWindow, backend: FakeBackend) -> None:
    backend.add_document("contract.pdf")
    backend.found_times = 3
    window.go(DOCUMENTS)
    QTest.keyClicks(window.documents.search, "penalty")
    await until(lambda: window.documents.passages.count() == 3)
    window._step_source(1)
    panel = opened(window)
    await until(lambda: len(backend.viewer.places) == 1)
    for by, row in ((1, 1), (1, 2), (1, 0), (-1, 2)):
        window._step_source(by)
        assert window.documents.passages.currentRow() == row
        assert panel.stepper.place() == f"{row + 1} of 3"
    panel.stepper.previous.click()
    await until(lambda: len(backend.viewer.places) > 1 and backend.viewer.places[-1][0].chunk_id == 2)
    assert opened(window) is panel


async def test_what_cannot_be_opened_says_why_and_keeps_the_passage(window: MainWindow, backend: FakeBackend) -> None:
    backend.viewer.fails = KnowledgeError("This document is no longer there", "It was removed", "Add it again")
    backend.add_document("contract.pdf")
    window.go(DOCUMENTS)
    QTest.keyClicks(window.documents.search, "penalty")
    await until(lambda: window.documents.passages.count() == 1)
    window.documents.passages.setCurrentRow(0)
    window.documents.open_chosen()
    panel = opened(window)
    await until(lambda: panel.view is not None)
    assert "The passage about penalty" in panel.text.toPlainText()
    assert "no longer there" in panel._note.text()


async def test_a_search_is_saved_as_a_golden_question_and_its_trend_is_shown(
    window: MainWindow, backend: FakeBackend
) -> None:
    backend.add_document("contract.pdf")
    window.go(DOCUMENTS)
    QTest.keyClicks(window.documents.search, "penalty")
    await until(lambda: window.documents.passages.count() == 1)
    assert not window.documents.must_find.isVisible()
    window.documents.passages.setCurrentRow(0)
    window.documents.must_find.click()
    panel = window.documents.preview.panel
    assert isinstance(panel, GoldenPanel)
    await until(lambda: "1 of 1 found" in labels(panel))
    assert (backend.golden.saved[0].document_id, backend.golden.saved[0].page) == ("d1", 4)
    assert {"penalty", "contract.pdf, page 4", "Found, in place 1"} <= set(labels(panel))
    backend.golden.lost.add("penalty")
    button(panel, QPushButton, "Ask them now").click()
    await until(lambda: "0 of 1 found (before: 1 of 1)" in labels(panel))
    assert "Not found" in labels(panel)
    assert panel.findChildren(Sparkline)[0].accessibleName() == "Found in the last runs: 1/1, 0/1"
    assert window.documents._golden_button.text() == " Golden questions 0/1"
    button(panel, QToolButton, "Remove this question: penalty").click()
    await until(lambda: not backend.golden.saved)


def test_the_page_of_a_passage_stays_whole_in_little_room(qapp: QApplication) -> None:
    section = "Annual Performance Report > Organizational Framework > Program Offices"
    result = SearchResult(
        "d", "KG-RAG-2022-annual-performance-report.pdf", "/r.pdf", "T", 117, section, 1, 0.9, "text", SearchWhy(1, 1)
    )
    metrics = QFontMetrics(QApplication.font())
    for width in (260, 340, 500, 2000):
        said = place_within(result, metrics, width)
        assert "  ·  p. 117  ·  " in said
        assert metrics.horizontalAdvance(said) <= width
    assert place_within(result, metrics, 5000) == place(result)
    assert place_within(replace(result, page=None, section=""), metrics, 150).endswith(".pdf")
