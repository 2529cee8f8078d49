"""What choosing an embedding model means, in sentences: its price, what all documents would cost, where text goes.

For the command line and the window alike; the window translates the sentences' patterns.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from vpa_desktop.embedding import EmbeddingQuote

Translate = Callable[[str], str]

FREE: Final = "It costs nothing."
PRICE: Final = "${0} per million tokens."
NO_PRICE: Final = "Its price is not known: set input_cost_per_million of {0} in Settings, Providers."
COST: Final = "The {0} passages there are now have about {1} tokens. They cost {2}; what you add later comes on top."
UNKNOWN_COST: Final = "The {0} passages there are now have about {1} tokens. What they cost is not known."
KEPT: Final = "{0} passages of collections that never leave stay here; they are found by their words."
STAYS: Final = "No text leaves this computer."
LEAVES: Final = "The text of your documents, and every question to them, is sent to {0}."


def same(text: str) -> str:
    """The sentences as they are."""
    return text


def price_in_words(quote: EmbeddingQuote, tr: Translate = same) -> str:
    """Return the price of a model."""
    if quote.is_free:
        return tr(FREE)
    if quote.price_per_million is None:
        return tr(NO_PRICE).format(quote.provider)
    return tr(PRICE).format(f"{quote.price_per_million.normalize():f}")


def cost_in_words(quote: EmbeddingQuote, tr: Translate = same) -> str:
    """Return what the vectors of all passages would cost; nothing where that is nothing."""
    if quote.is_free:
        return ""
    passages, tokens = f"{quote.passages:,}", f"{quote.tokens:,}"
    if quote.cost_usd is None:
        return tr(UNKNOWN_COST).format(passages, tokens)
    return tr(COST).format(passages, tokens, amount(quote.cost_usd))


def privacy_in_words(quote: EmbeddingQuote, tr: Translate = same) -> str:
    """Return where text goes, and what stays here all the same."""
    if not quote.host:
        return tr(STAYS)
    said = tr(LEAVES).format(quote.host)
    return f"{said} {tr(KEPT).format(f'{quote.kept_here:,}')}" if quote.kept_here else said


def amount(usd: Decimal) -> str:
    """Return an amount as a person reads it: to the cent, or that it is less than one."""
    return f"about ${usd:,.2f}" if usd == 0 or usd >= Decimal("0.01") else "less than $0.01"
