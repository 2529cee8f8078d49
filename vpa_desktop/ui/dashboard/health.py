"""The providers' health on the dashboard: how each stands now, and how it did lately. It shows; it computes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from vpa_desktop.ui.dashboard.sparkline import Sparkline
from vpa_desktop.ui.settings.flow import FlowLayout
from vpa_desktop.ui.widgets import Card, IconLabel, PlainLabel, TintedButton
from vpa_desktop.ui.wording import day_and_time, milliseconds, whole

if TYPE_CHECKING:
    from vpa_desktop.records import BreakerEvent, BreakerFacts, ProviderHealthFigures

EVENTS_SHOWN = 3
FIGURE_PX = 60
MOSTLY = 0.5
"""Below this share of good requests a provider is not shown as well, though its breaker is closed."""


def tr(text: str) -> str:
    """Translates a text of the health panel."""
    return QCoreApplication.translate("HealthPanel", text)


class HealthPanel(Card):
    """One block for each provider, and the button that starts a fire drill."""

    drill_wanted = Signal()

    def __init__(self) -> None:
        super().__init__(margins=16, spacing=10)
        self.setAccessibleName(tr("Providers' health"))
        self._shown: tuple[ProviderHealthFigures, ...] | None = None
        self.drill_button = TintedButton("shield-check", tr("Run a fire drill"))
        self.drill_button.setToolTip(tr("Let a provider fail on purpose and see who answers; no key, no cost"))
        self.drill_button.clicked.connect(self.drill_wanted)
        titles = QVBoxLayout()
        titles.setSpacing(2)
        titles.addWidget(PlainLabel(tr("Providers' health"), "strong"))
        titles.addWidget(PlainLabel(tr("From your own requests of the last seven days"), "dim", wraps=True))
        head = QHBoxLayout()
        head.addLayout(titles, 1)
        head.addWidget(self.drill_button, 0, Qt.AlignmentFlag.AlignTop)
        self.column.addLayout(head)
        self._rows = QWidget()
        self.column.addWidget(self._rows)

    def show_figures(self, figures: tuple[ProviderHealthFigures, ...]) -> None:
        """Shows every provider; nothing is drawn anew where nothing changed."""
        if figures == self._shown:
            return
        self._shown = figures
        rows = QWidget()
        column = QVBoxLayout(rows)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        for each in figures:
            column.addWidget(_row(each))
        if not figures:
            column.addWidget(PlainLabel(tr("No provider is set up yet."), "dim", wraps=True))
        self.column.replaceWidget(self._rows, rows)
        self._rows.hide()
        self._rows.deleteLater()
        self._rows = rows


def state_of(figures: ProviderHealthFigures) -> tuple[str, str, str]:
    """Returns an icon, its colour and words for how a provider stands now; the worst of its models counts."""
    if not figures.is_registered:
        return "square", "dim", tr("not in use any more")
    breakers = figures.breakers
    if any(b.state == "open" for b in breakers):
        wait_s = max(b.reopens_in_s for b in breakers if b.state == "open")
        return "circle-x", "danger", tr("left alone after failures, tried again in {0} s").format(f"{wait_s:.0f}")
    if any(b.state == "half_open" for b in breakers):
        return "refresh-cw", "warn", tr("being tried again after failures")
    if paused := next((b for b in breakers if b.reason), None):
        return "clock", "warn", paused.reason
    if figures.success_rate is not None and figures.success_rate < MOSTLY:
        return "triangle-alert", "warn", tr("in use, but most of its requests fail")
    return "circle-check", "ok", tr("in use")


def spoken(figures: ProviderHealthFigures) -> str:
    """Returns one provider as a screen reader says it."""
    told = [f"{value} {name}" for name, value in _figures(figures)]
    return ". ".join([f"{figures.provider}: {state_of(figures)[2]}", ", ".join(told), *_notes(figures)])


def _row(figures: ProviderHealthFigures) -> Card:
    row = Card(margins=12, spacing=8)
    row.setAccessibleName(spoken(figures))
    picture, tone, words = state_of(figures)
    head = QHBoxLayout()
    head.setSpacing(8)
    head.addWidget(IconLabel(picture, 18, tone), 0, Qt.AlignmentFlag.AlignTop)
    names = QVBoxLayout()
    names.setSpacing(1)
    names.addWidget(PlainLabel(figures.provider, "strong"))
    state = PlainLabel(words, "dim", wraps=True)
    for look in ("ok", "warn", "error"):
        state.set_look(look, look == {"danger": "error"}.get(tone, tone))
    names.addWidget(state)
    head.addLayout(names, 1)
    if len(figures.latencies_ms) > 1:
        head.addWidget(Sparkline(figures.latencies_ms, _latencies(figures)), 0, Qt.AlignmentFlag.AlignTop)
    row.column.addLayout(head)
    row.column.addWidget(_mini_figures(figures))
    for note in _notes(figures):
        row.column.addWidget(PlainLabel(note, "dim", wraps=True))
    return row


def _latencies(figures: ProviderHealthFigures) -> str:
    last = milliseconds(figures.latencies_ms[-1])
    return tr("The last {0} answers, the latest after {1}").format(len(figures.latencies_ms), last)


def _mini_figures(figures: ProviderHealthFigures) -> QWidget:
    """Each figure over its name."""
    holder = QWidget()
    flow = FlowLayout(holder, 10)
    for name, value in _figures(figures):
        cell = QWidget()
        cell.setMinimumWidth(FIGURE_PX)
        column = QVBoxLayout(cell)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(PlainLabel(value, "strong"))
        column.addWidget(PlainLabel(name, "dim"))
        flow.addWidget(cell)
    return holder


def _figures(figures: ProviderHealthFigures) -> list[tuple[str, str]]:
    """Returns names and values; what was not measured is a dash."""
    rate = "–" if figures.success_rate is None else f"{figures.success_rate:.1%}"
    pace = "–" if figures.tokens_per_s is None else f"{figures.tokens_per_s:.0f}"
    return [
        (tr("requests"), whole(figures.requests)),
        (tr("success"), rate),
        (tr("median"), milliseconds(figures.p50_ms)),
        (tr("95 %"), milliseconds(figures.p95_ms)),
        (tr("first token"), milliseconds(figures.ttft_p50_ms)),
        (tr("tokens/s"), pace),
        (tr("in flight"), whole(figures.in_flight)),
    ]


def _notes(figures: ProviderHealthFigures) -> list[str]:
    notes = [_breaker(b) for b in figures.breakers if len(figures.breakers) > 1 and b.state != "closed"]
    if figures.last_error:
        notes.append(tr("Last error: {0}").format(figures.last_error.rstrip(".")))
    if figures.events:
        notes.append(tr("Breaker: {0}").format("; ".join(_event(e) for e in figures.events[:EVENTS_SHOWN])))
    return notes


def _breaker(facts: BreakerFacts) -> str:
    return tr("{0}: breaker {1}").format(facts.model, breaker_word(facts.state))


def _event(event: BreakerEvent) -> str:
    told = f"{breaker_word(event.state)} {day_and_time(event.at)}"
    return f"{told} ({event.reason.rstrip('.')})" if event.reason else told


def breaker_word(state: str) -> str:
    """Returns a breaker's state as a word."""
    return {"closed": tr("closed"), "open": tr("open"), "half_open": tr("half-open")}.get(state, state)
