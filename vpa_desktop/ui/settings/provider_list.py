"""The cards in the order providers are asked, changed by drawing a card, by keyboard or by its menu. Stores nothing."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from vpa_desktop.ui.settings.provider_card import ProviderCard

if TYPE_CHECKING:
    from collections.abc import Sequence


class ProviderList(QWidget):
    """``reordered`` carries the ids after a change; ``travelled`` the card, for the page to keep it in sight."""

    reordered = Signal(list)
    travelled = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.cards: list[ProviderCard] = []
        self._numbered = True
        self._before: list[ProviderCard] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(12)

    def show_cards(self, cards: Sequence[ProviderCard], *, numbered: bool) -> None:
        """Shows other cards; the focus stays where it was, if that is still there."""
        focused, before = self._focused(), self.cards
        self.cards = list(cards)
        self._numbered = numbered
        self._before = []
        for card in self.cards:
            self._column.addWidget(card)
            card.show()
            card.moved.connect(partial(self.step, card))
            card.to_front.connect(partial(self._to_front, card))
            card.let_go.connect(self._put_back)
            card.grip.drawn.connect(partial(self._draw, card))
            card.grip.dropped.connect(partial(self._drop, card))
        self._renumber()
        if focused is not None:
            self._focus(*focused)
        for old in before:  # only now: hidden with the focus in it, a card would send it, and the page, elsewhere
            self._column.removeWidget(old)
            old.hide()
            old.deleteLater()

    def ids(self) -> list[str]:
        """Returns the ids from first to last."""
        return [card.status.id for card in self.cards]

    def card(self, provider_id: str) -> ProviderCard | None:
        """Returns a provider's card."""
        return next((card for card in self.cards if card.status.id == provider_id), None)

    def step(self, card: ProviderCard, by: int) -> None:
        """Moves a card up or down, and tells it to a screen reader."""
        to = self.cards.index(card) + by
        if 0 <= to < len(self.cards):
            self._put(card, to)
            self._settle(card)

    def _to_front(self, card: ProviderCard) -> None:
        self._put(card, 0)
        self._settle(card)

    def _settle(self, card: ProviderCard) -> None:
        card.setFocus()
        self._column.activate()
        place = self.tr("{0} is now {1} of {2}").format(card.status.id, self.cards.index(card) + 1, len(self.cards))
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(card, place))
        self.travelled.emit(card)
        self.reordered.emit(self.ids())

    def _put(self, card: ProviderCard, to: int) -> None:
        self.cards.remove(card)
        self.cards.insert(to, card)
        self._column.removeWidget(card)
        self._column.insertWidget(to, card)
        self._renumber()

    def _renumber(self) -> None:
        for n, card in enumerate(self.cards):
            card.set_place(n, len(self.cards), numbered=self._numbered)
            if n:
                self._chain(self.cards[n - 1], card)

    def _chain(self, above: ProviderCard, below: ProviderCard) -> None:
        """Tab goes from the last control of a card to the next card."""
        inside = [*above.controls(), below]
        for one, two in pairwise(inside):
            QWidget.setTabOrder(one, two)

    # By mouse

    def _draw(self, card: ProviderCard, at: QPoint) -> None:
        if not self._before:
            self._before = list(self.cards)
            card.setFocus()
            card.lift(True)
        y = self.mapFromGlobal(at).y()
        others = [other for other in self.cards if other is not card]
        to = sum(1 for other in others if other.geometry().center().y() < y)
        if to != self.cards.index(card):
            self._put(card, to)
            self._column.activate()
            self.travelled.emit(card)

    def _drop(self, card: ProviderCard) -> None:
        before, self._before = self._before, []
        card.lift(False)
        if before and before != self.cards:
            self._settle(card)

    def _put_back(self) -> None:
        before, self._before = self._before, []
        for n, card in enumerate(before):
            card.lift(False)
            self._put(card, n)

    # The focus

    def _focused(self) -> tuple[str, str] | None:
        widget = self.window().focusWidget()
        for card in self.cards:
            if widget is not None and (widget is card or card.isAncestorOf(widget)):
                return card.status.id, "" if widget is card else widget.accessibleName()
        return None

    def _focus(self, provider_id: str, name: str) -> None:
        card = self.card(provider_id)
        if card is None:
            return
        inside = [w for w in card.findChildren(QWidget) if name and w.accessibleName() == name]
        (inside[0] if inside else card).setFocus()
