"""What is kept, as values: conversations, messages, documents, usage. Storage writes them, the window shows them.

Times are aware UTC datetimes. Ids are text: 26-character sortable ids for conversations and messages,
the person's own or a content hash for documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from vpa_desktop.catalog import ModelInfo
from vpa_desktop.evidence import Evidence, Feedback
from vpa_desktop.messages import Attempt, Citation, Usage

MessageState = Literal["done", "streaming", "interrupted", "stopped", "failed"]
KeyStanding = Literal["in use", "waiting", "refused", "old", "held back"]
HeldBy = Literal["", "paused", "battery", "question"]
DocumentState = Literal["pending", "indexing", "ready", "image_only", "failed"]


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    """One conversation without its messages."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    message_count: int = 0


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """One stored message. ``error`` is the sentence shown when ``state`` is failed.

    ``pictures`` are the names of what was sent along.
    ``first_choice`` would have answered for ``first_choice_usd``; ``saved_usd`` is what the cache has spared.
    ``evidence`` is what the answer stands on, ``feedback`` what the person said of it.
    """

    id: str
    conversation_id: str
    role: Literal["user", "assistant"]
    content: str
    created_at: datetime
    state: MessageState = "done"
    provider: str = ""
    model: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    ttft_ms: float | None = None
    latency_ms: float | None = None
    citations: tuple[Citation, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    warnings: tuple[str, ...] = ()
    reasoning: str = ""
    error: str = ""
    pictures: tuple[str, ...] = ()
    first_choice: str = ""
    first_choice_usd: Decimal | None = None
    saved_usd: Decimal | None = None
    evidence: Evidence = field(default_factory=Evidence)
    feedback: Feedback = ""


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """One document in the knowledge base."""

    id: str
    title: str
    path: str
    collection: str
    content_hash: str
    state: DocumentState
    added_at: datetime
    size_bytes: int = 0
    pages: int | None = None
    chunks: int = 0
    reason: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's name, or the title where the document did not come from a file."""
        return self.path.replace("\\", "/").rsplit("/", 1)[-1] or self.title


@dataclass(frozen=True, slots=True)
class SearchScope:
    """What a search is limited to; what is empty limits nothing.

    ``names`` are parts of file names or titles, ``types`` file endings without the dot and in small letters. The date
    of a document is when its file was changed: ``after`` has that day in it, ``before`` has not.
    """

    collections: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    after: date | None = None
    before: date | None = None

    @property
    def is_everything(self) -> bool:
        """True where nothing is left out."""
        return self == SearchScope()


@dataclass(frozen=True, slots=True)
class OtherPlace:
    """Another document that says the same, or nearly the same, as a passage found."""

    document_id: str
    document: str
    path: str
    page: int | None


@dataclass(frozen=True, slots=True)
class SearchWhy:
    """Why a passage was found: its 1-based ranks on each side, None where it was not among the candidates."""

    dense_rank: int | None
    keyword_rank: int | None
    rerank_score: float | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One passage found: ``score`` is fused, 0 to 1; ``similarity`` the cosine with the question, if known.

    ``closeness`` is that cosine on the scale of the default model, since some models find everything close.
    ``left_out`` is the sentence why it would not go into a prompt; empty where it would.
    ``also_in`` names the other documents that say the same.
    """

    document_id: str
    document: str
    path: str
    title: str
    page: int | None
    section: str
    chunk_id: int
    score: float
    text: str
    why: SearchWhy
    similarity: float | None = None
    start: int = 0
    end: int = 0
    tokens: int = 0
    left_out: str = ""
    also_in: tuple[OtherPlace, ...] = ()
    closeness: float | None = None


@dataclass(frozen=True, slots=True)
class SearchReport:
    """The answer of ``search_knowledge``. ``notice`` says why only words were looked for, where that was not meant."""

    query: str
    ms: float
    results: tuple[SearchResult, ...]
    notice: str = ""


@dataclass(frozen=True, slots=True)
class FollowedFolder:
    """A folder whose files are followed. ``file_id`` tells it from another one that has its path later."""

    path: str
    collection: str
    file_id: str
    added_at: datetime
    documents: int = 0


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """Where an ingestion stands; sent after each file and while passages are embedded.

    ``left_s`` is about how long it still takes, None while nothing is known of that. ``held`` says what the work waits
    for: "paused", "battery", "question" or nothing.
    """

    files_done: int
    files_total: int
    current: str
    chunks_done: int
    chunks_total: int
    elapsed_s: float
    files_per_s: float = 0.0
    chunks_per_s: float = 0.0
    left_s: float | None = None
    held: HeldBy = ""


@dataclass(frozen=True, slots=True)
class IngestFailure:
    """A file that could not be read, with the reason as a sentence."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class IngestReport:
    """The result of ``docs add`` and ``docs sync``: counts of files, and of passages added.

    ``moved`` are those found at another place with the same content, ``removed`` those that are gone.
    """

    added: int
    updated: int
    unchanged: int
    failed: tuple[IngestFailure, ...]
    chunks: int
    seconds: float
    moved: int = 0
    removed: int = 0


class UsageRow(NamedTuple):
    """One attempt at a provider, as booked. ``outcome`` is ok, failed, interrupted or cancelled.

    ``key_label`` names which of several keys it went with, never the key. ``saved_usd`` and ``saved_ms`` are what the
    cache, ours or the provider's, has spared. A tuple, since every request makes one: a frozen dataclass with as many
    fields takes several times as long to make.
    """

    at: datetime
    provider: str
    model: str
    outcome: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    cost_usd: Decimal | None = None
    ttft_ms: float | None = None
    latency_ms: float | None = None
    error_class: str = ""
    conversation_id: str | None = None
    message_id: str | None = None
    estimated: bool = False
    cached: bool = False
    cache_write_tokens: int | None = None
    user_id: str = "local"
    key_label: str = ""
    saved_usd: Decimal | None = None
    saved_ms: float | None = None


@dataclass(frozen=True, slots=True)
class BreakerEvent:
    """One change of a breaker: ``state`` is closed, open or half_open, ``reason`` why, in words."""

    at: datetime
    provider: str
    model: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BreakerFacts:
    """The breaker of one model now; ``reopens_in_s`` is how long until it is tried again, 0 where it may be now."""

    model: str
    state: str
    reopens_in_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ProviderHealthFigures:
    """How one provider does: from what was booked, and how it stands now. Times in milliseconds.

    ``latencies_ms`` are the last answers' times, oldest first; ``events`` the last changes of its breakers, newest
    first; ``last_error`` why the last one that failed did, in words. None is "nothing to judge by yet".
    """

    provider: str
    requests: int
    success_rate: float | None
    p50_ms: float | None
    p95_ms: float | None
    ttft_p50_ms: float | None
    ttft_p95_ms: float | None = None
    tokens_per_s: float | None = None
    in_flight: int = 0
    breakers: tuple[BreakerFacts, ...] = ()
    last_error: str = ""
    events: tuple[BreakerEvent, ...] = ()
    latencies_ms: tuple[float, ...] = ()
    is_registered: bool = True


@dataclass(frozen=True, slots=True)
class Hold:
    """Money set aside for one attempt that is on its way, in US dollars: the most it can cost."""

    id: str
    at: datetime
    needed_usd: Decimal
    provider: str = ""
    model: str = ""
    user_id: str = "local"


@dataclass(frozen=True, slots=True)
class RouteChoice:
    """One line of the provider-and-model picker. An empty ``provider`` is "choose for me" by the routing settings.

    ``info`` is what is known of the model; ``is_configured`` False for the other models a provider offers;
    ``is_free`` True where it is certain that asking costs nothing.
    """

    provider: str
    model: str
    label: str
    is_local: bool
    is_ready: bool
    note: str = ""
    info: ModelInfo | None = None
    is_configured: bool = True
    is_free: bool = False


@dataclass(frozen=True, slots=True)
class ModelList:
    """A provider's models, the one it is set to first.

    ``fetched_at`` None where the provider never gave its list; ``stale`` where it is older than a day; ``error`` is
    the sentence why there is no newer one.
    """

    provider: str
    models: tuple[ModelInfo, ...]
    fetched_at: datetime | None = None
    stale: bool = True
    error: str = ""


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """One configured provider as settings show it. ``key_source`` is "environment", "vault" or "" where none is set.

    ``options`` are what stands in settings.toml beside kind, model, endpoint, enabled and weight. ``facts`` are what
    is known of its model. ``forbidden`` is the sentence why a policy does not allow it; ``keys_refused`` are those of
    its ``keys`` that cannot be used now. Statuses come in the order in which providers are asked.
    """

    id: str
    kind: str
    kind_label: str
    model: str
    endpoint: str
    enabled: bool
    is_local: bool
    is_default: bool
    needs_key: bool
    key_source: str
    weight: float = 1.0
    breaker: str = "closed"
    note: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    facts: ModelInfo | None = None
    forbidden: str = ""
    keys: int = 0
    keys_refused: int = 0


@dataclass(frozen=True, slots=True)
class ProviderDraft:
    """A provider as typed in, before it is saved. ``key`` is stored in the vault, never in settings.

    ``options`` change settings of settings.toml by their key there; None is back to the default, and what is not
    named stays as it is.
    """

    id: str
    kind: str
    model: str = ""
    endpoint: str = ""
    key: str | None = field(default=None, repr=False)
    enabled: bool = True
    weight: float = 1.0
    make_default: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProviderVerdict:
    """The result of Test, in words. ``models`` are the names the provider offers, where it says.

    ``headline`` is what happened and ``advice`` why and what to do next; ``sentence`` is both. ``reason`` is ok or
    the kind of failure: wrong_key, wrong_model, dead_host and so on. ``key`` names which of several keys was tested.
    """

    provider: str
    ok: bool
    sentence: str
    ms: float
    models: tuple[str, ...] = ()
    error_class: str = ""
    reason: str = ""
    headline: str = ""
    advice: str = ""
    model_facts: tuple[ModelInfo, ...] = ()
    key: str = ""


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """Where one of a provider's keys is and how it stands, never the key. ``hint`` is at most its last four characters.

    ``label`` is the person's name for it, empty for the one without. ``state`` is in use, waiting (it has reached its
    limit), refused, old (of a rotation: it only helps out) or held back (it was stored for another host); ``until`` is
    when that ends, ``reason`` why, as a sentence.
    """

    provider: str
    source: str
    hint: str
    label: str = ""
    state: KeyStanding = "in use"
    reason: str = ""
    until: datetime | None = None
    last_used: datetime | None = None


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """What the status line says. Money in US dollars; a limit is None where none is set."""

    route: str
    key_place: str
    passages: int
    spent_today_usd: Decimal
    limit_usd: Decimal | None
    offline: bool
    notices: tuple[str, ...] = ()
    spent_month_usd: Decimal = Decimal()
    monthly_limit_usd: Decimal | None = None
