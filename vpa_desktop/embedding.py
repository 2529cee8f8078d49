"""Embeddings as values: a request for vectors and its answer, and how the settings name a provider's model.

What is offered and what it costs is here too, since the window and the command line show it. Asks nobody.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, NamedTuple

Purpose = Literal["passage", "query"]

DEFAULT_CHOICE: Final = "default"
"""What the setting says for the model that comes with the program."""

_SHORTENED: Final = re.compile(r"(?P<model>.+)@(?P<dimensions>[1-9]\d{1,4})")


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts whose vectors are wanted. ``dimensions`` None leaves their length to the model."""

    texts: tuple[str, ...]
    model: str
    purpose: Purpose = "passage"
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector a text, in the order of the texts. ``input_tokens`` None where the provider has not counted.

    ``key_label`` names which of several keys it went with, never the key.
    """

    vectors: tuple[Sequence[float], ...]
    model: str = ""
    input_tokens: int | None = None
    key_label: str = ""


class ModelFacts(NamedTuple):
    """How long a model's vectors are, how many tokens a text may have, and whether vectors can be had shorter."""

    dimensions: int
    max_tokens: int
    can_be_shorter: bool = False


USUAL_TOKENS: Final = 512
"""How long a text may be for a model that nobody here knows: most take at least that."""

KNOWN_MODELS: Final[Mapping[str, ModelFacts]] = {
    "text-embedding-3-small": ModelFacts(1536, 8192, True),
    "text-embedding-3-large": ModelFacts(3072, 8192, True),
    "text-embedding-ada-002": ModelFacts(1536, 8192),
    "gemini-embedding-001": ModelFacts(3072, 2048, True),
    "gemini-embedding-2": ModelFacts(3072, 8192, True),
    "mistral-embed": ModelFacts(1024, 8192),
}
"""From the vendors' documentation; what is not here is asked for one vector first."""

SUGGESTED: Final[Mapping[str, tuple[str, ...]]] = {
    "openai": ("text-embedding-3-small", "text-embedding-3-large"),
    "azure": ("text-embedding-3-small", "text-embedding-3-large"),
    "google": ("gemini-embedding-001", "gemini-embedding-2"),
    "ollama": ("nomic-embed-text", "mxbai-embed-large", "bge-m3"),
    "openai_compatible": (),
}
"""The kinds that can make vectors, with models to offer where their own list is not known."""

_EMBEDS: Final = re.compile(r"embed|(?:^|[/:-])(?:bge|gte|e5|minilm|arctic)(?:[-:]|$)|all-minilm", re.IGNORECASE)


class ProviderChoice(NamedTuple):
    """A provider's model as the setting names it; ``dimensions`` None is the model's own length."""

    provider_id: str
    model: str
    dimensions: int | None = None

    def __str__(self) -> str:
        shortened = f"@{self.dimensions}" if self.dimensions else ""
        return f"{self.provider_id}/{self.model}{shortened}"


def provider_choice(choice: str, provider_ids: Collection[str], *, agreed_host: str = "") -> ProviderChoice | None:
    """Return what ``provider/model`` or ``provider/model@dimensions`` names; None where no provider is meant.

    A folder and a name on the hub look alike: the part before the first slash has to be a provider's id. Where the
    person has agreed to a host it was one, though it may be gone now.
    """
    provider_id, slash, rest = choice.partition("/")
    if not slash or not provider_id or not rest or not (provider_id in provider_ids or agreed_host):
        return None
    found = _SHORTENED.fullmatch(rest)
    if found is None:
        return ProviderChoice(provider_id, rest)
    return ProviderChoice(provider_id, found["model"], int(found["dimensions"]))


def facts_of(model: str) -> ModelFacts | None:
    """Return what is known of a model, under its plain name or a broker's (``openai/text-embedding-3-small``)."""
    return KNOWN_MODELS.get(model.removeprefix("models/").rpartition("/")[2])


def makes_embeddings(model: str) -> bool:
    """True where a model's name says that it makes vectors."""
    return _EMBEDS.search(model) is not None


@dataclass(frozen=True, slots=True)
class EmbeddingOffer:
    """A model that can be chosen. ``choice`` is what the setting would say, ``host`` is where texts would go.

    It is empty where they stay here. ``note`` says why it cannot be used now, ``is_current`` that it is used.
    """

    choice: str
    name: str
    host: str = ""
    note: str = ""
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class EmbeddingQuote:
    """What choosing a model means, said before it is chosen.

    ``host`` is where the texts go, empty where they stay here. Prices are US dollars, None where unknown; ``tokens``
    is an estimate for the ``passages`` that would be sent; ``kept_here`` are passages of collections that never leave.
    """

    choice: str
    name: str
    host: str = ""
    provider: str = ""
    passages: int = 0
    tokens: int = 0
    kept_here: int = 0
    price_per_million: Decimal | None = None
    cost_usd: Decimal | None = None
    dimensions: int | None = None

    @property
    def is_free(self) -> bool:
        """True where nothing has to be paid."""
        return self.price_per_million == 0

    @property
    def needs_consent(self) -> bool:
        """True where texts would leave this computer, or money would be spent."""
        return bool(self.host) or not self.is_free


__all__ = [
    "DEFAULT_CHOICE",
    "EmbeddingOffer",
    "EmbeddingQuote",
    "EmbeddingRequest",
    "Embeddings",
    "ModelFacts",
    "ProviderChoice",
    "Purpose",
    "facts_of",
    "makes_embeddings",
    "provider_choice",
]
