"""What a client is told when there is no answer: our errors as OpenAI's statuses, codes and bodies.

A status says what the official clients do next: they ask again after 408, 409, 429 and 5xx, never after 402 or 403.
No key and no path of this machine is in a sentence.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vpa_desktop.errors import (
    AllProvidersFailed,
    BudgetExceeded,
    ErrorClass,
    PolicyRefused,
    ProviderError,
    StreamInterrupted,
    VPAError,
)
from vpa_desktop.messages import Attempt
from vpa_desktop.security.redaction import redact

Header = tuple[bytes, bytes]
NOT_AGAIN: Final[Header] = (b"x-should-retry", b"false")
"""What the official clients heed before they ask again."""

BY_CLASS: Final[Mapping[ErrorClass, tuple[int, str, str]]] = {
    "auth": (502, "server_error", "provider_key_refused"),
    "permission": (502, "server_error", "provider_key_refused"),
    "not_found": (404, "invalid_request_error", "model_not_found"),
    "invalid_request": (400, "invalid_request_error", "invalid_request"),
    "context_length": (400, "invalid_request_error", "context_length_exceeded"),
    "content_filter": (400, "invalid_request_error", "content_filter"),
    "rate_limit": (429, "rate_limit_error", "rate_limit_exceeded"),
    "quota": (429, "insufficient_quota", "insufficient_quota"),
    "overloaded": (503, "server_error", "overloaded"),
    "timeout": (504, "server_error", "timeout"),
}
"""Status, type and code for what went wrong at a provider; everything else is a 502.

A key that a provider refused is no 401: the client would take it for its own.
"""

IN_VAIN: Final[frozenset[ErrorClass]] = frozenset({"auth", "permission", "quota"})
_A_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""A provider may write anything for a code, also the question; only a word goes to the client and into the audit."""

_A_PATH: Final = re.compile(
    r"(?<![\w:/.~-])(?!/v1/)(?:~|[A-Za-z]:)?[\\/](?:[^\s\\/:*?\"<>|,;]+[\\/])+[^\s\\/:*?\"<>|,;)]*"
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is an error, in OpenAI's shape."""

    status: int
    type: str
    code: str
    message: str
    param: str | None = None
    headers: tuple[Header, ...] = ()
    attempts: tuple[Attempt, ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        """The body; the attempts of a route that failed stand beside the error."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        if not self.attempts:
            return {"error": error}
        return {"error": error, "vpa": {"attempts": attempts_of(self.attempts)}}

    @property
    def body(self) -> bytes:
        """The body as bytes."""
        return json.dumps(self.document).encode()


def bad_request(message: str, code: str = "invalid_value", param: str | None = None, status: int = 400) -> Refusal:
    """A refusal of what was sent."""
    return Refusal(status, "invalid_request_error", code, message, param)


def refusal_of(error: VPAError) -> Refusal:
    """The refusal for an error of ours."""
    if isinstance(error, BudgetExceeded):
        return Refusal(402, "insufficient_quota", "budget_exceeded", _sentence(error), headers=(NOT_AGAIN,))
    if isinstance(error, PolicyRefused):
        return Refusal(403, "permission_error", "policy_refused", _sentence(error), error.rule or None, (NOT_AGAIN,))
    if isinstance(error, AllProvidersFailed):
        tried = any(attempt.outcome != "skipped" for attempt in error.attempts)
        status, code = (502, "all_providers_failed") if tried else (503, "no_provider")
        return Refusal(status, "server_error", code, _sentence(error), attempts=error.attempts)
    if isinstance(error, ProviderError):
        return _of_provider(error)
    # Keys, settings, storage: what is wrong there is for the person at the machine, not for a client.
    message = "The request could not be answered. Something is wrong where it is served. See: vpa-desktop doctor."
    return Refusal(500, "server_error", "server_error", message)


def _of_provider(error: ProviderError) -> Refusal:
    status, kind, code = BY_CLASS.get(error.error_class, (502, "server_error", "provider_error"))
    if isinstance(error, StreamInterrupted):
        status, kind, code = 502, "server_error", "answer_interrupted"
    if error.error_class == "invalid_request" and error.code and _A_CODE.fullmatch(error.code):
        code = redact(error.code)
    headers: list[Header] = []
    if error.error_class in IN_VAIN:
        headers.append(NOT_AGAIN)
    elif error.retry_after_s is not None and status in (429, 503):
        headers.append((b"retry-after", str(max(1, math.ceil(error.retry_after_s))).encode()))
    param = redact(error.param) if error.param and status in (400, 404) else None
    return Refusal(status, kind, code, _sentence(error), param, tuple(headers))


def attempts_of(attempts: Sequence[Attempt]) -> list[dict[str, Any]]:
    """The route receipt as JSON."""
    return [
        {
            "provider": a.provider,
            "model": a.model,
            "outcome": a.outcome,
            "reason": without_secrets(a.reason),
            "ms": round(a.ms, 1),
            "ttft_ms": a.ttft_ms,
            "cost_usd": None if a.cost_usd is None else float(a.cost_usd),
        }
        for a in attempts
    ]


def _sentence(error: VPAError) -> str:
    return without_secrets(str(error))


def without_secrets(text: str) -> str:
    """The text without keys and without paths of this machine."""
    home = str(Path.home())
    if len(home) > 1:
        text = text.replace(home, "~")
    return _A_PATH.sub("(a file)", redact(text))
