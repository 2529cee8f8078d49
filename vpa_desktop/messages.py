"""What travels between the layers during a conversation turn: pure values.

No ids of rows, no HTTP, no Qt. Token counts follow one convention: ``input_tokens`` is the whole
prompt including cached and cache-written parts, ``output_tokens`` includes reasoning tokens
(the convention of genai-prices and of the wire kit). ``None`` means "not reported", never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from vpa_desktop.evidence import Evidence

if TYPE_CHECKING:
    from vpa_desktop.records import SearchScope

Role = Literal["system", "user", "assistant", "tool"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
"""How much a model may think. A provider sends only what its model takes, the nearest where there is none equal."""
Priority = Literal["chat", "background"]
"""Whether somebody sits and waits: a request of the background never keeps a chat waiting."""

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "pause", "continue", "error"]


LOCAL_USER: Final = "local"
"""The person at the desk, where nobody else is named."""


@dataclass(frozen=True, slots=True)
class ImageData:
    """One image as bytes, with its media type (``image/png``, ``image/jpeg``, ``image/webp``)."""

    media_type: str
    data: bytes = field(repr=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function call the model asks for; ``arguments`` is the JSON text as sent.

    ``signature`` is what Gemini wants back on the same call, empty elsewhere.
    """

    id: str
    name: str
    arguments: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A function a model may ask for; ``parameters`` is a JSON schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Carry:
    """What a provider wants back, unread, with the results of the tool calls of the same answer.

    Reasoning that is bound to its conversation: sent back only to the same kind and model, only inside a running
    tool loop, and left out in every other request.
    """

    kind: str
    model: str
    items: tuple[Mapping[str, Any], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn as a provider sees it."""

    role: Role
    content: str
    images: tuple[ImageData, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    carry: Carry | None = None


@dataclass(frozen=True, slots=True)
class LLMRequest:
    """What is asked of a provider. ``None`` means "let the provider's settings decide".

    ``user_id`` is whose rules and limits count. ``over_limit`` is a person's leave to pass the spending limit this
    once. Requests of the priority "background" wait behind those of a chat.
    """

    messages: tuple[Message, ...]
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    effort: Effort | None = None
    conversation_id: str | None = None
    local_only: bool = False
    user_id: str = LOCAL_USER
    priority: Priority = "chat"
    over_limit: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one answer; see the module's convention."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of the model's reasoning, shown apart from the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class StreamDone:
    """The terminal signal was seen: the answer is complete. Always the last event of a provider's stream."""

    finish_reason: FinishReason
    usage: Usage | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    model: str | None = None
    request_id: str | None = None
    carry: Carry | None = None


StreamEvent = TextDelta | ReasoningDelta | StreamDone
"""What ``BaseLLMProvider.stream`` yields: deltas, then exactly one StreamDone, or an exception."""

AttemptOutcome = Literal["ok", "failed", "interrupted", "skipped", "cancelled", "cached"]


class Attempt(NamedTuple):
    """One line of the route receipt. Times in milliseconds; ``cost_usd`` None where the price is unknown."""

    provider: str
    model: str
    outcome: AttemptOutcome
    reason: str = ""
    ms: float = 0.0
    ttft_ms: float | None = None
    cost_usd: Decimal | None = None


class RouteStarted(NamedTuple):
    """The gateway sends the request to this provider now; with ``cached`` it gives an answer of it that was kept."""

    provider: str
    model: str
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Seam:
    """After this point another provider goes on with an answer that broke off; the text before it is kept.

    With ``restarts`` it could not go on from there: the answer begins anew, and what came before is no part of it.
    """

    from_provider: str
    to_provider: str
    reason: str
    restarts: bool = False


@dataclass(frozen=True, slots=True)
class LLMResponse:
    """A whole answer. ``cost_usd`` None means the price is unknown, never that it was free.

    ``first_choice`` is who stood first on the route where another one answered, and ``first_choice_usd`` what it would
    have taken for the same tokens.

    Of a ``cached`` one ``saved_usd`` and ``saved_ms`` are what it has spared.
    """

    content: str
    provider: str
    model: str
    finish_reason: FinishReason | None = None
    usage: Usage = field(default_factory=Usage)
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    cost_usd: Decimal | None = None
    ttft_ms: float | None = None
    latency_ms: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    first_choice: str = ""
    first_choice_usd: Decimal | None = None
    request_id: str | None = None
    cached: bool = False
    warnings: tuple[str, ...] = ()
    carry: Carry | None = None
    saved_usd: Decimal | None = None
    saved_ms: float | None = None


class RouteDone(NamedTuple):
    """The last event of the gateway's stream."""

    response: LLMResponse


GatewayEvent = RouteStarted | Seam | TextDelta | ReasoningDelta | RouteDone
"""What ``LLMProviderManager.stream`` yields."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that went into the prompt as source ``n`` (from 1). ``page`` is 1-based, None where there are none.

    ``also_in`` names the other documents that say the same.
    """

    n: int
    document: str
    path: str
    title: str
    page: int | None
    section: str
    score: float
    text: str
    document_id: str = ""
    chunk_id: int = 0
    start: int = 0
    end: int = 0
    also_in: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EnhancedLLMRequest:
    """What a person asks: one turn of a conversation, with the choices made in the window or on the command line.

    ``use_rag`` None means "when there are documents"; with ``documents_only`` no model is asked a question about which
    they hold nothing. ``provider`` and ``model`` override the route.
    ``conversation_id`` None starts no stored conversation; "new" starts one; else the turn is added to it.
    ``regenerates`` is the id of an answer to be given anew; the old one is kept aside. ``temporary`` keeps nothing of
    it, in no cache either; ``over_limit`` is the person's leave to pass the spending limit this once. ``scope`` limits
    the documents that are searched, as the question itself can.
    """

    user_query: str
    user_id: str = LOCAL_USER
    use_rag: bool | None = None
    provider: str | None = None
    model: str | None = None
    rag_top_k: int | None = None
    conversation_id: str | None = None
    regenerates: str | None = None
    collections: tuple[str, ...] = ()
    images: tuple[ImageData, ...] = ()
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    local_only: bool = False
    fresh: bool = False
    temporary: bool = False
    over_limit: bool = False
    documents_only: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    scope: SearchScope | None = None


@dataclass(frozen=True, slots=True)
class EnhancedLLMResponse:
    """The answer to an EnhancedLLMRequest, with its receipt; the fields ``ask --json`` prints."""

    content: str
    provider: str
    model: str
    finish_reason: str | None
    usage: Usage
    cost_usd: Decimal | None
    ttft_ms: float | None
    latency_ms: float
    cached: bool = False
    conversation_id: str | None = None
    message_id: str | None = None
    context_used: bool = False
    citations: tuple[Citation, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    first_choice: str = ""
    first_choice_usd: Decimal | None = None
    redactions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reasoning: str = ""
    saved_usd: Decimal | None = None
    saved_ms: float | None = None
    evidence: Evidence = field(default_factory=Evidence)

    @property
    def rag_context(self) -> tuple[Citation, ...]:
        """The passages that went into the prompt, under the source document's name."""
        return self.citations


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The person's message is stored; the answer will be stored under ``message_id``."""

    conversation_id: str | None
    user_message_id: str | None
    message_id: str | None


@dataclass(frozen=True, slots=True)
class ContextFound:
    """Retrieval is done; these passages go into the prompt (possibly none)."""

    citations: tuple[Citation, ...]
    ms: float
    evidence: Evidence = field(default_factory=Evidence)


@dataclass(frozen=True, slots=True)
class TurnDone:
    """The last event of a turn."""

    response: EnhancedLLMResponse


TurnEvent = TurnStarted | ContextFound | RouteStarted | Seam | TextDelta | ReasoningDelta | TurnDone
"""What ``EnhancedLLMIntegration.stream_turn`` yields."""
