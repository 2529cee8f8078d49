"""What a provider's refusal means: status and code in, one of our errors with its sentences out. No network.

Classification reads the HTTP status and the vendor's code fields, never the prose of a message, with two exceptions
that have no code: a prompt that is too long at Anthropic, Gemini, Ollama and older vLLM, and a model that is not there
at OpenRouter and LM Studio.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from vpa_desktop.catalog import split_address
from vpa_desktop.errors import (
    AuthenticationFailed,
    BadReply,
    ContentBlocked,
    ContextTooLong,
    ErrorClass,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    StreamInterrupted,
)
from vpa_desktop.providers._options import Options
from vpa_desktop.providers._retry_after import retry_after_s

E = TypeVar("E", bound=ProviderError)

RETRYABLE: Final[frozenset[ErrorClass]] = frozenset(
    ("rate_limit", "overloaded", "server", "timeout", "truncated", "malformed", "network")
)
EXCEPTIONS: Final[dict[ErrorClass, type[ProviderError]]] = {
    "auth": AuthenticationFailed,
    "permission": AuthenticationFailed,
    "not_found": RequestRejected,
    "invalid_request": RequestRejected,
    "context_length": ContextTooLong,
    "content_filter": ContentBlocked,
    "rate_limit": RateLimited,
    "quota": RateLimited,
    "overloaded": ProviderUnavailable,
    "server": ProviderUnavailable,
    "network": ProviderUnavailable,
    "timeout": ProviderTimeout,
    "malformed": BadReply,
    "truncated": StreamInterrupted,
}
STATUS: Final[dict[int, ErrorClass]] = {
    401: "auth",
    402: "quota",
    403: "permission",
    404: "not_found",
    405: "not_found",
    407: "network",
    408: "timeout",
    409: "server",
    410: "not_found",
    413: "context_length",
    425: "server",
    429: "rate_limit",
    451: "permission",
    498: "overloaded",
    503: "overloaded",
    504: "timeout",
    522: "timeout",
    524: "timeout",
    529: "overloaded",
}
CODES: Final[dict[str, ErrorClass]] = {
    "invalid_api_key": "auth",
    "authentication_error": "auth",
    "permission_error": "permission",
    "insufficient_quota": "quota",
    "credit_balance_exhausted": "quota",
    "organization_spend_limit_exceeded": "quota",
    "project_spend_limit_exceeded": "quota",
    "organization_usage_limit_exceeded": "quota",
    "enforced_spend_limit_reached": "quota",
    "contract_spend_limit_reached": "quota",
    "billing_hard_limit_reached": "quota",
    "billing_not_active": "quota",
    "billing_error": "quota",
    "context_length_exceeded": "context_length",
    "exceed_context_size_error": "context_length",
    "request_too_large": "context_length",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
    "ResponsibleAIPolicyViolation": "content_filter",
    "moderation_blocked": "content_filter",
    "model_not_found": "not_found",
    "DeploymentNotFound": "not_found",
    "model_decommissioned": "not_found",
    "model_not_available": "not_found",
    "invalid_model": "not_found",
    "not_found_error": "not_found",
    "rate_limit_exceeded": "rate_limit",
    "rate_limit_error": "rate_limit",
    "slow_down": "rate_limit",
    "server_is_overloaded": "overloaded",
    "overloaded_error": "overloaded",
    "capacity_exceeded": "overloaded",
    "over_capacity": "overloaded",
    "timeout_error": "timeout",
    "API_KEY_INVALID": "auth",
    "FAILED_PRECONDITION": "permission",
    "BILLING_DISABLED": "quota",
    "daily_quota": "quota",
    "wants_https": "network",
}
"""Codes and types that say more than the status they come with."""

TOO_LONG: Final = (
    "prompt is too long",
    "prompt too long",
    "maximum context length",
    "exceeds the maximum number of tokens",
    "exceeds the context length",
    "exceeds the available context size",
)
"""Anthropic, Ollama, vLLM, Gemini, and Ollama's two runners."""

TOO_LARGE: Final = "is too large to process"
"""llama.cpp, of a text whose vector is wanted, as a fault of its own."""

NO_MODEL_CODES: Final = frozenset(
    {"model_not_found", "DeploymentNotFound", "model_decommissioned", "model_not_available", "invalid_model"}
)
NO_MODEL: Final = re.compile(r"is not a valid model ID\.?$|^Model unloaded\.?$")
"""OpenRouter and LM Studio say it with a 400 and in words only."""

FRAGMENT_CHARS: Final = 8
"""So much of a key at its beginning or end gives it away."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom a request goes to, as error sentences name it."""

    provider_id: str
    name: str
    model: str
    endpoint: str
    has_key: bool
    timeout_s: float
    secret: str = field(default="", repr=False)
    options: Options = field(default_factory=Options)

    @property
    def idle_s(self) -> float:
        """How long silence is allowed between two pieces of an answer."""
        return self.options.idle_s or self.timeout_s

    @property
    def host(self) -> str:
        """The endpoint's host and port."""
        return split_address(self.endpoint).netloc.rpartition("@")[2]

    @property
    def address(self) -> str:
        """The endpoint without a user name, password or query that may stand in it."""
        parts = split_address(self.endpoint)
        if not parts.netloc:
            return self.endpoint.rpartition("@")[2]
        return f"{parts.scheme}://{self.host}{parts.path}"

    def error(self, kind: type[E], what: str, why: str, next_step: str, **details: Any) -> E:
        """Return an error of this kind about this provider."""
        if what.startswith("the "):
            what = "T" + what[1:]
        return kind(what, why, next_step, provider=self.provider_id, model=self.model, **details)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as the wire carried it, still without a verdict.

    ``fields`` are the error's own; ``next_step`` is what this vendor's users do about it, where that is known.
    """

    status: int
    code: str | None = None
    kind: str | None = None
    param: str | None = None
    message: str = ""
    is_html: bool = False
    midstream: bool = False
    retry_after_s: float | None = None
    request_id: str | None = None
    should_retry: bool | None = None
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    next_step: str = ""

    def is_about_model(self, model: str) -> bool:
        """True where what was not found is the model, not the address."""
        if self.code in NO_MODEL_CODES or self.param == "model" or NO_MODEL.search(self.message):
            return True
        return bool(model) and re.search(rf"(?<![\w.-]){re.escape(model)}(?![\w-])", self.message) is not None

    def classify(self) -> ErrorClass:
        """Say what went wrong, from the codes first and the status after."""
        for word in (self.code, self.kind):
            if word in CODES:
                return CODES[word]
        status = self.status
        if status < 400:  # an error inside a 200: its code may be a status
            words = (word for word in (self.code, self.kind) if word)
            status = next((int(word) for word in words if re.fullmatch("[45][0-9][0-9]", word)), 0)
            if self.kind == "invalid_request_error" and not status:
                status = 400
        if status in (400, 422) and any(words in self.message for words in TOO_LONG):
            return "context_length"
        if status == 500 and TOO_LARGE in self.message:
            return "context_length"
        if status == 400 and NO_MODEL.search(self.message):
            return "not_found"
        if status == 403 and self._was_flagged():
            return "content_filter"
        if status == 413 and self.is_html:
            return "invalid_request"  # a server in between has a limit of its own
        if status in STATUS:
            return STATUS[status]
        return "invalid_request" if 400 <= status < 500 else "server"

    def _was_flagged(self) -> bool:
        """True for OpenRouter's moderation, which answers as if something were not allowed."""
        metadata = self.fields.get("metadata")
        return isinstance(metadata, Mapping) and bool(metadata.get("reasons") or metadata.get("flagged_input"))


def read_problem(payload: Any, status: int, headers: Mapping[str, str], *, midstream: bool = False) -> Problem:
    """Find the error fields in any of the shapes servers use: nested, flat, a bare string, or a one-element list."""
    if isinstance(payload, list) and payload:
        payload = payload[0]
    outer = payload if isinstance(payload, dict) else {}
    error = outer.get("error", outer)
    message = error if isinstance(error, str) else ""
    fields: dict[str, Any] = error if isinstance(error, dict) else {}
    details = fields.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    if code is None:
        code = fields.get("code")
    return Problem(
        status=status,
        code=None if code is None else str(code),
        kind=_text(fields.get("type")),
        param=_text(fields.get("param")) or _refused_field(fields.get("message")) or _refused_field(outer),
        message=message or _message(fields.get("message")) or _message(outer.get("detail")),
        midstream=midstream,
        retry_after_s=retry_after_s(headers),
        request_id=request_id(headers) or _text(outer.get("request_id")),
        should_retry={"true": True, "false": False}.get(headers.get("x-should-retry", "").lower()),
        fields=fields,
    )


def failure(peer: Peer, problem: Problem) -> ProviderError:
    """Turn a problem into the error to raise, with its three sentences."""
    error_class = problem.classify()
    if peer.secret:
        problem = _without_key(problem, peer.secret)
    retryable = error_class in RETRYABLE
    if problem.should_retry is False:
        retryable = False
    what, next_step = _sentences(peer, problem, error_class)
    return peer.error(
        EXCEPTIONS[error_class],
        what,
        _why(peer, problem, error_class),
        problem.next_step or next_step,
        error_class=error_class,
        retryable=retryable,
        status=problem.status,
        code=problem.code,
        param=problem.param,
        retry_after_s=problem.retry_after_s if error_class in RETRYABLE else None,
        request_id=problem.request_id,
        midstream=problem.midstream,
    )


def request_id(headers: Mapping[str, str]) -> str | None:
    """The id to quote to the provider's support."""
    return headers.get("x-request-id") or headers.get("request-id") or None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _message(value: Any) -> str:
    """The human part of an error, whatever it is wrapped in."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _message(value.get("detail") or value.get("msg") or "")
    if isinstance(value, list) and value:
        return _message(value[0])
    return ""


def _refused_field(value: Any) -> str | None:
    """The body field named by a validation error of the FastAPI kind (``loc: ["body", "stream_options"]``), dotted."""
    detail = value.get("detail") if isinstance(value, dict) else value
    first = detail[0] if isinstance(detail, list) and detail else None
    loc = first.get("loc") if isinstance(first, dict) else None
    if not isinstance(loc, list):
        return None
    return ".".join(str(part) for part in loc[loc[:1] == ["body"] :]) or None


def _without_key(problem: Problem, secret: str) -> Problem:
    """The problem without the key, or the beginning or end of it, wherever the server put it."""
    code, kind, param, request_id = (
        text and _masked(text, secret) for text in (problem.code, problem.kind, problem.param, problem.request_id)
    )
    message = _masked(problem.message, secret)
    return replace(problem, message=message, code=code, kind=kind, param=param, request_id=request_id)


def _masked(text: str, secret: str) -> str:
    text = text.replace(secret, "***")
    if len(secret) < FRAGMENT_CHARS:
        return text
    for start, forwards in ((secret[:FRAGMENT_CHARS], True), (secret[-FRAGMENT_CHARS:], False)):
        while (at := text.find(start)) >= 0:
            end = at + len(start)
            rest = secret[FRAGMENT_CHARS:] if forwards else secret[-FRAGMENT_CHARS - 1 :: -1]
            for char in rest:
                if forwards and text[end : end + 1] == char:
                    end += 1
                elif not forwards and at and text[at - 1] == char:
                    at -= 1
                else:
                    break
            text = f"{text[:at]}***{text[end:]}"
    return text


def _why(peer: Peer, problem: Problem, error_class: ErrorClass) -> str:
    answered = "The answer carried an error" if problem.midstream else f"It answered {problem.status}"
    if problem.code == "wants_https":
        return f"{peer.host} wants https:// and was asked without it"
    if problem.is_html:
        return f"{answered} with a web page instead of data"
    code = problem.code or problem.kind
    if code and code != str(problem.status):
        answered += f" ({code[:80]})"
    said = " ".join(problem.message.split())[:240]
    if not said or error_class == "auth":  # a vendor may echo the key it refuses
        return answered
    return f"{answered}: {said}"


def _sentences(peer: Peer, problem: Problem, error_class: ErrorClass) -> tuple[str, str]:
    """What happened, and what the person can do next."""
    name, model = peer.name, peer.model or "this model"
    settings = "Settings, Providers"
    wait = f"in {problem.retry_after_s:.0f} s" if problem.retry_after_s else "in a minute"
    if error_class == "auth":
        if peer.has_key:
            return f"{name} refused the key", "Check the key in Settings, Keys"
        return f"{name} asks for a key and none is stored for it", "Add one in Settings, Keys"
    if error_class == "not_found":
        if problem.is_about_model(peer.model):
            return f'{name} does not know the model "{model}"', f"Choose another model in {settings}"
        return f"{name} has nothing at {peer.address}", f"Check the endpoint and the model's name in {settings}"
    if problem.code == "wants_https":
        return f"{name} could not be reached", f"Write https:// before the endpoint in {settings}"
    if problem.status == 413 and error_class == "invalid_request":
        return (
            f"A server in front of {name} refuses a request this large",
            "Send less at once, with fewer or smaller pictures, or ask whoever runs that server to allow more",
        )
    return {
        "permission": (f"{name} does not allow this", "Check what the key may do at the provider, or choose another"),
        "invalid_request": (f"{name} did not accept the request", f"Choose another model, or check {settings}"),
        "context_length": (
            f"The conversation is too long for {model}",
            "Start a new conversation, or choose a model with a larger context window",
        ),
        "content_filter": (f"{name} blocked this with its content filter", "Put it in other words"),
        "rate_limit": (f"{name} takes no more requests for now", f"Try again {wait}, or choose another provider"),
        "quota": (
            f"There is no credit left at {name}",
            "Add credit or raise the limit at the provider, or choose another provider",
        ),
        "overloaded": (f"{name} is overloaded", f"Try again {wait}, or choose another provider"),
        "timeout": (f"{name} did not answer in time", f"Try again {wait}, or choose another provider"),
        "network": (f"{name} could not be reached", "Check the network and its proxy"),
    }.get(error_class, (f"{name} had a fault of its own", f"Try again {wait}, or choose another provider"))
