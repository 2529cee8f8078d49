"""The dashboard tab: money, latency and success, how well answers stand on documents, and each provider's health.

It shows figures and computes none. The fire drill (``drill``) takes the place of the figures while it is open.

The chart library loads in idle time after the window is there, or with the first visit.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QScrollArea,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from vpa_desktop.ui.chat.wording import duration
from vpa_desktop.ui.dashboard import charts
from vpa_desktop.ui.dashboard.answers import AnswersPanel
from vpa_desktop.ui.dashboard.health import HealthPanel
from vpa_desktop.ui.widgets import Card, IconButton, IconLabel, Meter, PlainLabel, theme_now
from vpa_desktop.ui.wording import milliseconds, usd, whole

if TYPE_CHECKING:
    from vpa_desktop.analytics import Dashboard, Savings
    from vpa_desktop.ui.dashboard.drill import DrillPanel
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.tasks import TaskOwner
    from vpa_desktop.ui.theme import Theme

IDLE_S = 2.0
HEALTH_EVERY_MS = 3_000


class DashboardPage(QScrollArea):
    """Figures as cards, two charts, and a table that says the same in text."""

    def __init__(self, tasks: TaskOwner) -> None:
        super().__init__()
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._tasks = tasks
        self._backend: Backend | None = None
        self._shown: Dashboard | None = None
        self.health = HealthPanel()
        self.health.drill_wanted.connect(self.open_drill)
        self._drill: DrillPanel | None = None
        self._figures = QWidget()
        self._column = QVBoxLayout(self._figures)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(14)
        self._column.addLayout(self._head())
        self._content, self._table = QWidget(), QWidget()
        self.answers = AnswersPanel()
        for part in (self._content, self.answers, self.health, self._table):
            self._column.addWidget(part)
        self._column.addStretch(1)
        body = QWidget()
        self._parts = QVBoxLayout(body)
        self._parts.setContentsMargins(28, 20, 28, 20)
        self._parts.addWidget(self._figures)
        self.setWidget(body)
        self._timer = QTimer(self)
        self._timer.setInterval(HEALTH_EVERY_MS)
        self._timer.timeout.connect(self._look_again)
        self._timer.start()

    def attach(self, backend: Backend) -> None:
        """From now on figures can be loaded; the chart library follows when nothing else is to do."""
        self._backend = backend
        if self._drill is not None:
            self._drill.attach(backend.drills)
        self._tasks.spawn("chart library", self._preload())

    @property
    def drill(self) -> DrillPanel:
        """The fire drill, built when it is first asked for."""
        if self._drill is None:
            from vpa_desktop.ui.dashboard.drill import DrillPanel

            self._drill = DrillPanel(self._tasks)
            self._drill.closed.connect(self._close_drill)
            self._drill.hide()
            self._parts.addWidget(self._drill)
            if self._backend is not None:
                self._drill.attach(self._backend.drills)
        return self._drill

    def open_drill(self) -> None:
        """Shows the fire drill in the place of the figures."""
        self._figures.hide()
        self.drill.open()
        self.verticalScrollBar().setValue(0)

    def step_back(self) -> bool:
        """Stops a drill under way, else leads back from it; False where none is open."""
        return self._drill is not None and self._drill.isVisible() and self._drill.step_back()

    def _close_drill(self) -> None:
        self.drill.hide()
        self._figures.show()
        self.health.drill_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def _look_again(self) -> None:
        """Health changes by itself: a breaker is tried again, a request ends."""
        if self._backend is not None and self.health.isVisible() and not self._tasks.running("dashboard"):
            self._tasks.spawn("health", self._load_health(self._backend))

    async def _load_health(self, backend: Backend) -> None:
        self.health.show_figures(await backend.health.figures())

    async def _preload(self) -> None:
        await asyncio.sleep(IDLE_S)
        await asyncio.to_thread(charts.preload_numbers)
        await asyncio.sleep(0.2)
        charts.load_library()

    def refresh(self) -> None:
        """Loads the figures again."""
        if self._backend is not None:
            self._tasks.spawn("dashboard", self._load(self._backend))

    async def _load(self, backend: Backend) -> None:
        await self._load_health(backend)
        board = await backend.dashboard()
        if board != self._shown:
            await asyncio.to_thread(charts.preload_numbers)
            self._show(board)

    def set_theme(self, theme: Theme) -> None:
        """Draws the charts in the new colours."""
        if self._shown is not None:
            self._show(self._shown)

    def _show(self, board: Dashboard) -> None:
        self._shown = board
        self.answers.show_trend(board.answers)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(14)
        if board.requests:
            column.addLayout(self._cards(board))
            column.addLayout(self._charts(board))
        else:
            column.addWidget(self._empty())
        self._content = self._replaced(self._content, content)
        self._table = self._replaced(self._table, self._in_figures(board) if board.requests else QWidget())

    def _replaced(self, old: QWidget, new: QWidget) -> QWidget:
        self._column.replaceWidget(old, new)
        old.hide()
        old.deleteLater()
        return new

    def _head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(PlainLabel(self.tr("Dashboard"), "heading"), 1)
        drill = IconButton("shield-check", self.tr("Open the fire drill"))
        drill.clicked.connect(self.open_drill)
        row.addWidget(drill)
        again = IconButton("refresh-cw", self.tr("Load the figures again"))
        again.clicked.connect(self.refresh)
        row.addWidget(again)
        return row

    def _empty(self) -> Card:
        card = Card(margins=36)
        card.column.addWidget(IconLabel("chart-no-axes-column", 36, "accent"), 0, Qt.AlignmentFlag.AlignHCenter)
        lines = (
            (self.tr("No requests yet"), "heading"),
            (self.tr("Ask something: cost, latency and success of each provider are shown here from then on."), "dim"),
        )
        for text, look in lines:
            label = PlainLabel(text, look, wraps=True)
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            card.column.addWidget(label)
        return card

    def _cards(self, board: Dashboard) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(12)
        none = self.tr("no limit set")
        day_note = none if board.daily_limit_usd is None else self.tr("of {0}").format(usd(board.daily_limit_usd))
        month_note = none if board.monthly_limit_usd is None else self.tr("of {0}").format(usd(board.monthly_limit_usd))
        forecast = self.tr("too early to say") if board.forecast_month_usd is None else usd(board.forecast_month_usd)
        told = [self.tr("{0} without a known price").format(whole(board.unpriced))] if board.unpriced else []
        told += [self.tr("{0} estimated").format(whole(board.estimated))] if board.estimated else []
        cards = (
            self._card(self.tr("Today"), usd(board.spent_today_usd), day_note),
            self._card(self.tr("This month"), usd(board.spent_month_usd), month_note),
            self._card(self.tr("Forecast for the month"), forecast, self.tr("at the pace so far")),
            self._card(self.tr("Requests"), whole(board.requests), " · ".join(told)),
        )
        shares = ((board.spent_today_usd, board.daily_limit_usd), (board.spent_month_usd, board.monthly_limit_usd))
        for card, (spent, limit) in zip(cards, shares, strict=False):
            if limit:
                meter = Meter(self.tr("Share of the limit used"))
                share = float(spent / limit)
                meter.set_share(share, "over" if share >= 1 else "warn" if share >= 0.8 else "")
                card.column.addWidget(meter)
        for n, card in enumerate(cards):
            card.column.addStretch()
            grid.addWidget(card, 0, n)
        grid.addWidget(self._saved(board.savings), 1, 0, 1, len(cards))
        return grid

    def _saved(self, savings: Savings) -> Card:
        """What caches have spared, on one line."""
        figure, note = usd(max(Decimal(), savings.total_usd)), self._savings_note(savings)
        card = Card(margins=16)
        card.setAccessibleName(self.tr("Saved: {0} {1}").format(figure, note))
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(PlainLabel(self.tr("Saved"), "dim"))
        row.addWidget(PlainLabel(figure, "strong"))
        row.addWidget(PlainLabel(note, "dim", wraps=True), 1)
        card.column.addLayout(row)
        return card

    def _savings_note(self, savings: Savings) -> str:
        told = self.tr("{0} of {1} answers from the cache").format(
            whole(savings.hits), whole(savings.hits + savings.misses)
        )
        waits = [self.tr("{0} of waiting").format(duration(savings.saved_ms))] if savings.saved_ms >= 1000 else []
        prompts = savings.prompt_cache_saved_usd
        theirs = [self.tr("{0} by providers' own caches").format(usd(prompts))] if prompts > 0 else []
        return " · ".join([told, *waits, *theirs])

    def _card(self, name: str, figure: str, note: str) -> Card:
        card = Card(margins=16, spacing=4)
        card.setAccessibleName(f"{name}: {figure} {note}".strip())
        card.column.addWidget(PlainLabel(name, "dim"))
        card.column.addWidget(PlainLabel(figure, "figure"))
        card.column.addWidget(PlainLabel(note or " ", "dim", wraps=True))
        return card

    def _charts(self, board: Dashboard) -> QHBoxLayout:
        theme = theme_now()
        row = QHBoxLayout()
        row.setSpacing(12)
        costs = self.tr("Cost per day, the last {0} days").format(len(board.days))
        names = charts.providers_of(board.days)
        keys = [(name, charts.series_color(theme, n)) for n, name in enumerate(names)]
        chart = charts.cost_chart(board.days, theme, costs) if names else self._no_costs(board)
        row.addWidget(self._chart(costs, keys, chart), 3)
        latency = self.tr("Time to the whole answer, by provider")
        pace = [(self.tr("half are faster"), theme.accent), (self.tr("95 of 100 are faster"), theme.edge)]
        row.addWidget(self._chart(latency, pace, charts.latency_chart(board.providers, theme, latency)), 2)
        return row

    def _no_costs(self, board: Dashboard) -> PlainLabel:
        words = self.tr("No costs yet")
        if board.unpriced:
            words += "\n" + self.tr("Requests without a known price: {0}").format(whole(board.unpriced))
        label = PlainLabel(words, "dim")
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        label.setFixedHeight(charts.HEIGHT_PX)
        return label

    def _chart(self, title: str, keys: list[tuple[str, str]], chart: QWidget) -> Card:
        card = Card(margins=16)
        card.column.addWidget(PlainLabel(title, "strong"))
        legend = QHBoxLayout()
        legend.setSpacing(6)
        for name, color in keys:
            spot = PlainLabel()
            spot.setFixedSize(10, 10)
            spot.setStyleSheet(f"background: {color}; border-radius: 3px")
            legend.addWidget(spot)
            legend.addWidget(PlainLabel(name, "dim"))
            legend.addSpacing(8)
        legend.addStretch()
        card.column.addLayout(legend)
        chart.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        card.column.addWidget(chart, 1)
        return card

    def _in_figures(self, board: Dashboard) -> Card:
        card = Card(margins=16)
        card.column.addWidget(
            PlainLabel(self.tr("Providers in figures, the last {0} days").format(len(board.days)), "strong")
        )
        table = QTreeWidget()
        table.setAccessibleName(self.tr("Providers in figures"))
        table.setRootIsDecorated(False)
        table.setIndentation(0)
        heads = ("Provider", "Requests", "Success", "Median", "95 %", "First word", "Cost", "State")
        table.setHeaderLabels([self.tr(head) for head in heads])
        for figures in board.providers:
            rate = "–" if figures.success_rate is None else f"{figures.success_rate:.1%}"
            cost = usd(figures.cost_usd) + (" +" if figures.unpriced and figures.cost_usd else "")
            times = [milliseconds(ms) for ms in (figures.p50_ms, figures.p95_ms, figures.ttft_p50_ms)]
            item = QTreeWidgetItem(
                [figures.provider, whole(figures.requests), rate, *times, cost, self._breaker(figures.breaker)]
            )
            for column in range(1, 7):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                table.headerItem().setTextAlignment(column, Qt.AlignmentFlag.AlignRight)
            table.addTopLevelItem(item)
        head = table.header()
        head.setStretchLastSection(False)
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        table.setFixedHeight(46 + 34 * len(board.providers))
        card.column.addWidget(table)
        return card

    def _breaker(self, state: str) -> str:
        return {
            "closed": self.tr("in use"),
            "open": self.tr("left alone after failures"),
            "half-open": self.tr("being tried again"),
            "half_open": self.tr("being tried again"),
        }.get(state, state)
