"""The chain of a fire drill, drawn: one card for each provider in the order they are asked, with its state now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from vpa_desktop.ui.dashboard.health import breaker_word
from vpa_desktop.ui.settings.flow import FlowLayout
from vpa_desktop.ui.widgets import Card, ElidedLabel, IconLabel, PlainLabel

if TYPE_CHECKING:
    from vpa_desktop.drills import DrillPlace

CARD_PX = 160


def tr(text: str) -> str:
    """Translates a text of the chain."""
    return QCoreApplication.translate("ChainView", text)


def state_words(place: DrillPlace) -> tuple[str, str, str]:
    """Returns an icon, its colour and a word for what a provider does now."""
    return {
        "asked": ("clock", "accent", tr("is asked")),
        "failed": ("circle-x", "danger", tr("failed")),
        "skipped": ("chevron-right", "warn", tr("left out")),
        "answered": ("circle-check", "ok", tr("answered")),
    }.get(place.state, ("square", "dim", tr("waits")))


def health_words(place: DrillPlace) -> str:
    """Returns how its breaker stands and what became of its requests."""
    breaker = tr("Breaker {0}").format(breaker_word(place.breaker))
    if place.reopens_in_s:
        breaker += ", " + tr("{0} s").format(f"{place.reopens_in_s:.0f}")
    return breaker


def counts(place: DrillPlace) -> str:
    """Returns how many of its requests failed."""
    if not place.requests:
        return tr("Not asked yet")
    return tr("{0} of {1} failed").format(place.failed, place.requests)


class ChainView(QWidget):
    """The cards with arrows between them; they go on in the next row where there is no room."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("The chain"))
        self._flow = FlowLayout(self, 6)
        self._cards: list[_PlaceCard] = []

    def show_chain(self, chain: tuple[DrillPlace, ...]) -> None:
        """Shows these providers, in this order."""
        if len(chain) != len(self._cards):
            self._build(len(chain))
        for card, place in zip(self._cards, chain, strict=True):
            card.show_place(place)

    def _build(self, count: int) -> None:
        while (item := self._flow.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        self._cards = [_PlaceCard() for _ in range(count)]
        for n, card in enumerate(self._cards):
            self._flow.addWidget(_with_arrow(card) if n else card)


def _with_arrow(card: QWidget) -> QWidget:
    """A card that is reached from the one before it: the two stay together where the row is full."""
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(6)
    row.addWidget(IconLabel("chevron-right", 20, "faint"), 0, Qt.AlignmentFlag.AlignVCenter)
    row.addWidget(card)
    return holder


class _PlaceCard(Card):
    def __init__(self) -> None:
        super().__init__(margins=12, spacing=3)
        self.setFixedWidth(CARD_PX)
        self._icon = IconLabel("square", 18)
        self._name = ElidedLabel("", "strong")
        self._model = ElidedLabel("", "dim")
        self._state = PlainLabel()
        self._breaker = PlainLabel("", "dim")
        self._counts = PlainLabel("", "dim")
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(self._icon)
        head.addWidget(self._name, 1)
        self.column.addLayout(head)
        for line in (self._model, self._state, self._breaker, self._counts):
            self.column.addWidget(line)

    def show_place(self, place: DrillPlace) -> None:
        """Shows one provider."""
        picture, tone, word = state_words(place)
        added = tr("stand-in, not yours") if place.is_added else place.model
        self._icon.set_icon(picture, tone)
        self._name.set_whole(place.provider)
        self._model.set_whole(added)
        self._state.setText(word)
        for look in ("ok", "warn", "error", "dim"):
            self._state.set_look(look, look == {"danger": "error"}.get(tone, tone))
        self._breaker.setText(health_words(place))
        self._breaker.set_look("error", place.breaker == "open")
        self._counts.setText(counts(place))
        self.setAccessibleName(f"{place.provider}, {added}: {word}. {health_words(place)}. {counts(place)}")
