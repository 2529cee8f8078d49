"""How well answers stand on the documents, over time: four charts, and day by day. It computes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QHeaderView, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from vpa_desktop.ui.dashboard.trend_line import TrendLine
from vpa_desktop.ui.widgets import Card, PlainLabel, TintedButton
from vpa_desktop.ui.wording import whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from PySide6.QtGui import QResizeEvent

    from vpa_desktop.evidence import AnswerFigures, AnswerTrend

WIDE_PX = 820
MOST_ROWS = 8


def tr(text: str) -> str:
    """Translates a text of this panel."""
    return QCoreApplication.translate("AnswersPanel", text)


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of answers: its name, a word for it in a table, what it counts, and its value among the figures."""

    name: str
    short: str
    counts: str
    value: Callable[[AnswerFigures], float | None]


def measures() -> tuple[Measure, ...]:
    """Returns the four measures, in the order they are shown."""
    return (
        Measure(
            tr("Groundedness"), tr("Grounded"), tr("statements that are in the passages"), lambda f: f.groundedness
        ),
        Measure(
            tr("Citation coverage"), tr("Cited"), tr("statements that name their source"), lambda f: f.citation_coverage
        ),
        Measure(
            tr("Retrieval confidence"), tr("Fit"), tr("how well the passages fit"), lambda f: f.retrieval_confidence
        ),
        Measure(tr("Feedback"), tr("Right"), tr("answers you said were right"), lambda f: f.said_right),
    )


class AnswersPanel(Card):
    """Shows an AnswerTrend. Its accessible name says the figures of the whole time in a sentence."""

    def __init__(self) -> None:
        super().__init__(margins=16, spacing=10)
        self._shown: AnswerTrend | None = None
        self._cells: list[QWidget] = []
        self._summary = PlainLabel("", "dim", wraps=True)
        self.by_day = TintedButton("menu", tr("Day by day"))
        self.by_day.setCheckable(True)
        titles = QVBoxLayout()
        titles.setSpacing(2)
        titles.addWidget(PlainLabel(tr("Answers from your documents"), "strong"))
        titles.addWidget(self._summary)
        head = QHBoxLayout()
        head.addLayout(titles, 1)
        head.addWidget(self.by_day, 0, Qt.AlignmentFlag.AlignTop)
        self.column.addLayout(head)
        self._body, self._table = QWidget(), QTreeWidget()
        self.by_day.toggled.connect(self._table.setVisible)
        self.column.addWidget(self._body)
        self.column.addWidget(self._table)
        self.show_trend(None)

    def show_trend(self, trend: AnswerTrend | None) -> None:
        """Shows the figures; without any answer, what will be shown here."""
        if trend is not None and trend == self._shown:
            return
        self._shown = trend
        has_any = trend is not None and trend.total.answers > 0
        said = summary(trend) if trend is not None and has_any else self._nothing()
        self._summary.setText(said)
        self.setAccessibleName(f"{tr('Answers from your documents')}: {said}")
        self.by_day.setVisible(has_any)
        body, self._cells = QWidget(), []
        if trend is not None and has_any:
            self._cells = [_cell(measure, trend) for measure in measures()]
        self._replace(body)
        self._place()
        self._fill(trend if has_any else None)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Puts the charts side by side, or in two rows where there is little room."""
        super().resizeEvent(event)
        if (event.size().width() >= WIDE_PX) != (event.oldSize().width() >= WIDE_PX):
            self._place()

    def _nothing(self) -> str:
        return tr(
            "None yet. Ask something about your documents: how well each answer stands on them is shown here over time."
        )

    def _replace(self, body: QWidget) -> None:
        grid = QGridLayout(body)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(14)
        self.column.replaceWidget(self._body, body)
        self._body.hide()
        self._body.deleteLater()
        self._body = body
        body.setVisible(bool(self._cells))

    def _place(self) -> None:
        grid = self._body.layout()
        columns = 4 if self.width() >= WIDE_PX else 2
        if isinstance(grid, QGridLayout):
            for n, cell in enumerate(self._cells):
                grid.addWidget(cell, n // columns, n % columns)
            for n in range(4):
                grid.setColumnStretch(n, 1 if n < columns else 0)

    def _fill(self, trend: AnswerTrend | None) -> None:
        table = self._table
        table.clear()
        table.setAccessibleName(tr("Answers from your documents, day by day"))
        table.setRootIsDecorated(False)
        table.setIndentation(0)
        heads = [tr("Day"), tr("Answers"), tr("Not in them"), *(m.short for m in measures())]
        table.setHeaderLabels(heads)
        days = [(day, figures) for day, figures in reversed(trend.days) if figures.answers] if trend else []
        for day, figures in days:
            shares = [_share(measure.value(figures)) for measure in measures()]
            item = QTreeWidgetItem([_day(day), whole(figures.answers), whole(figures.not_in_documents), *shares])
            for column in range(1, len(heads)):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                table.headerItem().setTextAlignment(column, Qt.AlignmentFlag.AlignRight)
            table.addTopLevelItem(item)
        head = table.header()
        head.setStretchLastSection(False)
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        table.setFixedHeight(46 + 34 * min(MOST_ROWS, len(days)))
        table.setVisible(bool(days) and self.by_day.isChecked())


def summary(trend: AnswerTrend) -> str:
    """Returns the figures of the whole time in a sentence."""
    total = trend.total
    answers = tr("1 answer") if total.answers == 1 else tr("{0} answers").format(whole(total.answers))
    said = [tr("The last {0} days: {1}").format(len(trend.days), answers)]
    if total.not_in_documents:
        said.append(tr("{0} of them not in your documents").format(whole(total.not_in_documents)))
    if total.said_right is not None:
        judged = total.feedback_good + total.feedback_bad
        said.append(tr("you judged {0}").format(whole(judged)))
    return f"{', '.join(said)}."


def _cell(measure: Measure, trend: AnswerTrend) -> QWidget:
    """One measure: its name and mean, its chart, and what it counts."""
    mean = _share(measure.value(trend.total))
    values = [measure.value(figures) for _, figures in trend.days]
    words = [
        f"{_day(day)}: {_share(value)}" + (f" ({_of(figures)})" if value is not None else "")
        for (day, figures), value in zip(trend.days, values, strict=True)
    ]
    cell = QWidget()
    column = QVBoxLayout(cell)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(2)
    head = QHBoxLayout()
    head.addWidget(PlainLabel(measure.name, "dim"), 1)
    head.addWidget(PlainLabel(mean, "strong"))
    column.addLayout(head)
    name = tr("{0}, {1}: {2} on average").format(measure.name, measure.counts, mean)
    column.addWidget(TrendLine(name, values, words, (_day(trend.days[0][0]), _day(trend.days[-1][0]))))
    column.addWidget(PlainLabel(measure.counts, "dim", wraps=True))
    return cell


def _of(figures: AnswerFigures) -> str:
    return tr("1 answer") if figures.answers == 1 else tr("{0} answers").format(whole(figures.answers))


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.0f} %"


def _day(day: date) -> str:
    return f"{day.day} {day.strftime('%b')}"
