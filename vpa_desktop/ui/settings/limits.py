"""The settings page Limits: what may be spent, beside what is spent and where the month leads. It reckons nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QGridLayout, QLineEdit, QWidget

from vpa_desktop.ui.settings.form import FormPage, Row, Saver
from vpa_desktop.ui.widgets import Card, Meter, PlainLabel
from vpa_desktop.ui.wording import usd

if TYPE_CHECKING:
    from decimal import Decimal

    from PySide6.QtGui import QShowEvent

    from vpa_desktop.analytics import Dashboard
    from vpa_desktop.config import Settings
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.tasks import TaskOwner

LARGEST_PERCENT = 1000


class LimitsPage(FormPage):
    """What may be spent."""

    def __init__(self, save: Saver) -> None:
        super().__init__(
            self.tr("Limits"),
            self.tr("A request that could pass a limit is not sent. Amounts are US dollars. Saved at once."),
            save,
        )
        self._backend: Backend | None = None
        self._tasks: TaskOwner | None = None
        self._figures = QWidget()
        self.column.addWidget(self._figures)
        self.daily = self.money(
            "budget.daily_limit_usd",
            self.tr("Limit per day"),
            self.tr("Empty is no limit. A day begins at midnight here."),
            lambda s: s.budget.daily_limit_usd,
        )
        self.money(
            "budget.monthly_limit_usd",
            self.tr("Limit per month"),
            self.tr("Empty is no limit. A month begins on the 1st."),
            lambda s: s.budget.monthly_limit_usd,
        )
        self.choice(
            "budget.on_limit",
            self.tr("When a limit is reached"),
            self.tr("What answers instead says so."),
            (
                ("block", self.tr("Say so and send nothing")),
                ("cheapest", self.tr("Ask the cheapest that fits")),
                ("local", self.tr("Ask the local model")),
            ),
            lambda s: s.budget.on_limit,
        )
        self.choice(
            "budget.unknown_price",
            self.tr("When a price is not known"),
            self.tr("Counts where a limit is set."),
            (
                ("block", self.tr("Say so and send nothing")),
                ("allow", self.tr("Send it, with a warning")),
            ),
            lambda s: s.budget.unknown_price,
        )
        self._shares()
        self.switch(
            "budget.cost_tracking",
            self.tr("Keep what answers cost"),
            self.tr("Off: the dashboard shows no money. Where a limit is set, costs are kept all the same."),
            lambda s: s.budget.cost_tracking,
        )
        self.end()

    def attach(self, backend: Backend, tasks: TaskOwner) -> None:
        """From now on what is spent can be shown."""
        self._backend, self._tasks = backend, tasks

    def remember(self, settings: Settings) -> None:
        """Keeps what is in force, and shows what is spent against it."""
        super().remember(settings)
        if self.isVisible():
            self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Loads the figures anew."""
        super().showEvent(event)
        self.refresh()

    def refresh(self) -> None:
        """Loads what is spent, and the forecast."""
        if self._backend is not None and self._tasks is not None:
            self._tasks.spawn("limits", self._load(self._backend))

    async def _load(self, backend: Backend) -> None:
        board = await backend.dashboard()
        figures = QWidget()
        grid = QGridLayout(figures)
        grid.setContentsMargins(0, 4, 0, 8)
        grid.setSpacing(12)
        forecast = self.tr("too early to say") if board.forecast_month_usd is None else usd(board.forecast_month_usd)
        cards = (
            self._card(self.tr("Spent today"), usd(board.spent_today_usd), _of(self, board.daily_limit_usd)),
            self._card(self.tr("Spent this month"), usd(board.spent_month_usd), _of(self, board.monthly_limit_usd)),
            self._card(self.tr("Forecast for the month"), forecast, self._outlook(board)),
        )
        shares = ((board.spent_today_usd, board.daily_limit_usd), (board.spent_month_usd, board.monthly_limit_usd))
        for card, (spent, limit) in zip(cards, shares, strict=False):
            if limit is not None:
                _add_meter(card, self.tr("Share of the limit used"), spent, limit)
        for n, card in enumerate(cards):
            card.column.addStretch()
            grid.addWidget(card, 0, n)
            grid.setColumnStretch(n, 1)
        self.column.replaceWidget(self._figures, figures)
        self._figures.hide()
        self._figures.deleteLater()
        self._figures = figures

    def _card(self, name: str, figure: str, note: str) -> Card:
        card = Card(margins=12, spacing=2)
        card.setAccessibleName(f"{name}: {figure} {note}".strip())
        card.column.addWidget(PlainLabel(name, "dim", wraps=True))
        card.column.addWidget(PlainLabel(figure, "heading"))
        card.column.addWidget(PlainLabel(note or " ", "dim", wraps=True))
        return card

    def _outlook(self, board: Dashboard) -> str:
        limit, forecast = board.monthly_limit_usd, board.forecast_month_usd
        if limit is None or forecast is None:
            return self.tr("at the pace so far")
        return self.tr("over the limit") if forecast > limit else self.tr("within the limit")

    def _shares(self) -> None:
        """The row of the shares at which a warning comes, in percent."""
        line = QLineEdit()
        line.setFixedWidth(160)
        hint = self.tr("Percent of a limit, separated by commas; each is said once. Empty is no warning.")
        row = self._add("budget.warn_at", Row(self.tr("Warn at"), hint, line))

        def take() -> None:
            try:
                shares = tuple(sorted({_share(part) for part in line.text().split(",") if part.strip(" %")}))
            except ValueError:
                words = self.tr("“{0}” is no list of percentages. Write it like 50, 80, 100.")
                row.tell(words.format(line.text().strip()))
                return
            self._put_changed(row, "budget.warn_at", shares, lambda s: s.budget.warn_at)

        line.editingFinished.connect(take)
        self._readers.append(lambda s: line.setText(", ".join(f"{share * 100:g}" for share in s.budget.warn_at)))


def _of(page: QWidget, limit: Decimal | None) -> str:
    return page.tr("no limit set") if limit is None else page.tr("of {0}").format(usd(limit))


def _add_meter(card: Card, name: str, spent: Decimal, limit: Decimal) -> None:
    share = float(spent / limit) if limit else 1.0
    meter = Meter(name)
    meter.set_share(share, "over" if share >= 1 else "warn" if share >= 0.8 else "")
    card.column.addWidget(meter)


def _share(text: str) -> float:
    """A percentage as a share; raises ValueError."""
    percent = float(text.strip(" %"))
    if not 0 < percent <= LARGEST_PERCENT:
        raise ValueError
    return percent / 100
