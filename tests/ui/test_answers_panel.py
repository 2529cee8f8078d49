"""The quality of answers over time on the dashboard: charts read by keys and by screen reader, and a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QTreeWidget, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend, busy_month, month_of_answers
from vpa_desktop.evidence import NO_ANSWERS, AnswerFigures, AnswerTrend
from vpa_desktop.ui.dashboard.answers import AnswersPanel
from vpa_desktop.ui.dashboard.trend_line import TrendLine
from vpa_desktop.ui.main_window import MainWindow
from vpa_desktop.ui.pages import DASHBOARD

pytestmark = pytest.mark.ui

TODAY = date(2026, 3, 30)


def words(widget: QWidget) -> list[str]:
    return [each.text() for each in widget.findChildren(QLabel) if each.isVisibleTo(widget) and each.text()]


@pytest.fixture
def panel(qtbot: QtBot) -> AnswersPanel:
    made = AnswersPanel()
    qtbot.addWidget(made)
    made.resize(1000, 300)
    made.show()
    return made


def three_days() -> AnswerTrend:
    first = AnswerFigures(4, 1, 0.5, 0.75, 0.6, 1, 1)
    last = AnswerFigures(1, 0, 1.0, None, 0.9)
    days = [(TODAY - timedelta(days=2 - n), each) for n, each in enumerate((first, AnswerFigures(), last))]
    return AnswerTrend(AnswerFigures(5, 1, 0.6, 0.75, 0.66, 1, 1), tuple(days))


def test_without_answers_it_says_what_will_be_here(panel: AnswersPanel) -> None:
    panel.show_trend(NO_ANSWERS)
    assert any("Ask something about your documents" in each for each in words(panel))
    assert not panel.findChildren(TrendLine)
    assert not panel.by_day.isVisible()


def test_each_measure_has_its_mean_and_a_chart_that_is_told_in_words(panel: AnswersPanel, qtbot: QtBot) -> None:
    panel.show_trend(three_days())
    assert "The last 3 days: 5 answers, 1 of them not in your documents, you judged 2." in panel.accessibleName()
    lines = panel.findChildren(TrendLine)
    assert [line.accessibleName() for line in lines] == [
        "Groundedness, statements that are in the passages: 60 % on average",
        "Citation coverage, statements that name their source: 75 % on average",
        "Retrieval confidence, how well the passages fit: 66 % on average",
        "Feedback, answers you said were right: 50 % on average",
    ]
    assert lines[0].accessibleDescription() == "28 Mar: 50 % (4 answers); 30 Mar: 100 % (1 answer)"
    assert lines[1].accessibleDescription() == "28 Mar: 75 % (4 answers)"
    qtbot.waitUntil(lambda: {"60 %", "75 %", "66 %", "50 %"} <= set(words(panel)))


def test_the_days_of_a_chart_are_reached_by_keys_and_mouse(panel: AnswersPanel, qtbot: QtBot) -> None:
    panel.show_trend(three_days())
    line = panel.findChildren(TrendLine)[0]
    heard = []
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Left, Qt.Key.Key_Left, Qt.Key.Key_End, Qt.Key.Key_Home):
        QTest.keyClick(line, key)
        heard.append(line.said())
    old, new = "28 Mar: 50 % (4 answers)", "30 Mar: 100 % (1 answer)"
    assert heard == [new, old, old, new, old]
    QTest.mouseMove(line, line.point(1).toPoint())
    QTest.mouseMove(line, line.point(2).toPoint())
    qtbot.waitUntil(lambda: line.said() == new)
    assert line.point(2).y() == line.plot().top()
    assert line.point(0) == QPointF(line.plot().left(), line.plot().center().y())


def test_the_table_has_the_days_with_answers_the_newest_first(panel: AnswersPanel) -> None:
    panel.show_trend(three_days())
    table = panel.findChildren(QTreeWidget)[0]
    assert not table.isVisible()
    panel.by_day.click()
    assert table.isVisible()
    items = [table.topLevelItem(n) for n in range(table.topLevelItemCount())]
    rows = [[item.text(column) for column in range(table.columnCount())] for item in items if item is not None]
    assert rows == [
        ["30 Mar", "1", "0", "100 %", "–", "90 %", "–"],
        ["28 Mar", "4", "1", "50 %", "75 %", "60 %", "50 %"],
    ]
    panel.show_trend(replace(three_days(), days=three_days().days[:1]))
    assert table.topLevelItemCount() == 1
    assert table.isVisible()


def test_the_charts_stand_in_two_rows_where_there_is_little_room(panel: AnswersPanel, qtbot: QtBot) -> None:
    panel.show_trend(month_of_answers(TODAY))
    qtbot.waitUntil(lambda: len({line.mapTo(panel, QPointF(0, 0)).y() for line in panel.findChildren(TrendLine)}) == 1)
    panel.resize(560, 600)
    qtbot.waitUntil(lambda: len({line.mapTo(panel, QPointF(0, 0)).y() for line in panel.findChildren(TrendLine)}) == 2)


async def test_the_dashboard_shows_the_trend(window: MainWindow, backend: FakeBackend) -> None:
    backend.board = busy_month(TODAY)
    window.go(DASHBOARD)
    await until(lambda: "300 answers" in window.dashboard.answers.accessibleName(), 20)
