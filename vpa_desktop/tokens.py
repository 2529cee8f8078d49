"""Token counts before a provider has counted. Says when a count is an estimate; exact counts come with the answer."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vpa_desktop.messages import Message

_LATIN_CHARACTERS_PER_TOKEN: Final = 3.5
_MESSAGE_OVERHEAD: Final = 4
_IMAGE_TOKENS: Final = 1_500


@dataclass(frozen=True, slots=True)
class TokenCount:
    """A number of tokens; ``estimated`` is False only where the model's own tokenizer counted."""

    tokens: int
    estimated: bool


def estimate_tokens(text: str) -> TokenCount:
    """Estimate from the text alone: 3.5 characters a token in Latin scripts, one character a token elsewhere."""
    wide = sum(1 for character in text if ord(character) > 0x2E7F)
    return TokenCount(math.ceil((len(text) - wide) / _LATIN_CHARACTERS_PER_TOKEN) + wide, True)


def estimate_prompt_tokens(messages: Iterable[Message]) -> TokenCount:
    """Estimate a whole prompt, with each turn's overhead and a flat amount per image."""
    total = 0
    for message in messages:
        total += estimate_tokens(message.content).tokens + _MESSAGE_OVERHEAD + _IMAGE_TOKENS * len(message.images)
    return TokenCount(total, True)
