"""Every error the program raises on purpose, as one tree. Not a place for handling them.

    VPAError
      ConfigError
        UsageError
      SecretError
        KeyMissing, VaultLocked, VaultUnavailable
      ProviderError
        AuthenticationFailed, RateLimited
        RequestRejected
          ContextTooLong, ContentBlocked
        ProviderUnavailable
          ProviderTimeout
        BadReply
        StreamInterrupted
      AllProvidersFailed
      BudgetExceeded
      PolicyRefused
      KnowledgeError
        DocumentUnreadable, IndexCorrupt
      StorageError
        DatabaseCorrupt, DiskFull

Each carries three plain sentences: what happened, why, and what the person can do next.
Foreign exceptions are translated at the boundary that meets them, with ``raise ... from exc``.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from vpa_desktop.messages import Attempt, Usage

ErrorClass = Literal[
    "auth",
    "permission",
    "not_found",
    "invalid_request",
    "context_length",
    "content_filter",
    "rate_limit",
    "quota",
    "overloaded",
    "server",
    "timeout",
    "truncated",
    "malformed",
    "network",
]
"""What went wrong at a provider, finer than the exception type; drives failover."""


class VPAError(Exception):
    """The base of every error the program raises on purpose.

    ``what``, ``why`` and ``next_step`` are sentences without a final full stop;
    ``str(error)`` joins the ones that are there.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, why: str = "", next_step: str = "") -> None:
        self.what = what.strip().rstrip(".")
        self.why = why.strip().rstrip(".")
        self.next_step = next_step.strip().rstrip(".")
        super().__init__(self.what)

    def __str__(self) -> str:
        return " ".join(f"{part}." for part in (self.what, self.why, self.next_step) if part)


class ConfigError(VPAError):
    """Settings, environment or arguments that cannot be used."""

    exit_code = 3


class UsageError(ConfigError):
    """A command or a request names something that is not there, or lacks what it needs."""

    exit_code = 2


class SecretError(VPAError):
    """A key could not be read, stored or removed."""

    exit_code = 1


class KeyMissing(SecretError):
    """No key is stored for this provider."""

    exit_code = 4


class VaultLocked(SecretError):
    """The place where keys are kept is there but locked."""


class VaultUnavailable(SecretError):
    """There is no safe place to keep keys, or it does not answer."""


class ProviderError(VPAError):
    """One attempt at one provider failed.

    ``error_class`` is the finer kind, ``retryable`` says whether the same request may work later,
    ``midstream`` that the HTTP status had been 200, ``usage`` what was counted before it broke.
    """

    exit_code = 4
    default_class: ClassVar[ErrorClass] = "server"
    default_retryable: ClassVar[bool] = False

    def __init__(
        self,
        what: str,
        why: str = "",
        next_step: str = "",
        *,
        provider: str = "",
        model: str = "",
        error_class: ErrorClass | None = None,
        retryable: bool | None = None,
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
        request_id: str | None = None,
        midstream: bool = False,
        usage: Usage | None = None,
    ) -> None:
        super().__init__(what, why, next_step)
        self.provider = provider
        self.model = model
        self.error_class: ErrorClass = error_class or self.default_class
        self.retryable = self.default_retryable if retryable is None else retryable
        self.status = status
        self.code = code
        self.param = param
        self.retry_after_s = retry_after_s
        self.request_id = request_id
        self.midstream = midstream
        self.usage = usage


class AuthenticationFailed(ProviderError):
    """The key is wrong, or may not do this (classes auth, permission)."""

    default_class: ClassVar[ErrorClass] = "auth"


class RateLimited(ProviderError):
    """Too many requests for now (rate_limit), or no money left there (quota)."""

    default_class: ClassVar[ErrorClass] = "rate_limit"
    default_retryable: ClassVar[bool] = True


class RequestRejected(ProviderError):
    """The request itself was refused; another provider would not help (invalid_request, not_found)."""

    default_class: ClassVar[ErrorClass] = "invalid_request"


class ContextTooLong(RequestRejected):
    """The conversation does not fit the model's context window."""

    default_class: ClassVar[ErrorClass] = "context_length"


class ContentBlocked(RequestRejected):
    """A content filter refused the request or the answer."""

    default_class: ClassVar[ErrorClass] = "content_filter"


class ProviderUnavailable(ProviderError):
    """The provider cannot be reached or cannot answer now (overloaded, server, network)."""

    default_class: ClassVar[ErrorClass] = "server"
    default_retryable: ClassVar[bool] = True


class ProviderTimeout(ProviderUnavailable):
    """Nothing came within the time allowed."""

    default_class: ClassVar[ErrorClass] = "timeout"


class BadReply(ProviderError):
    """What came back is not what the protocol says."""

    default_class: ClassVar[ErrorClass] = "malformed"
    default_retryable: ClassVar[bool] = True


class StreamInterrupted(ProviderError):
    """The answer broke off before its terminal signal; ``partial`` is the text until then."""

    default_class: ClassVar[ErrorClass] = "truncated"
    default_retryable: ClassVar[bool] = True

    def __init__(self, what: str, why: str = "", next_step: str = "", *, partial: str = "", **details: object) -> None:
        super().__init__(what, why, next_step, **details)  # type: ignore[arg-type]
        self.partial = partial


class AllProvidersFailed(VPAError):
    """Every provider that could have answered was tried; ``attempts`` says how each ended."""

    exit_code = 4

    def __init__(self, what: str, why: str = "", next_step: str = "", *, attempts: Sequence[Attempt] = ()) -> None:
        super().__init__(what, why, next_step)
        self.attempts = tuple(attempts)


class BudgetExceeded(VPAError):
    """The request could pass the person's limit; amounts are in US dollars.

    ``period`` is whose limit it is: daily or monthly. ``needed`` is the most the answer can cost, None where its price
    is not known; ``reserved`` is set aside for other answers that are on their way. ``whose`` is the policy that set
    the limit, empty for the person's own: only that one may be passed once or changed.
    """

    exit_code = 5

    def __init__(
        self,
        what: str,
        why: str = "",
        next_step: str = "",
        *,
        limit: Decimal,
        spent: Decimal,
        needed: Decimal | None,
        reserved: Decimal | None = None,
        period: str = "daily",
        whose: str = "",
    ) -> None:
        super().__init__(what, why, next_step)
        self.limit = limit
        self.spent = spent
        self.needed = needed
        self.reserved = reserved
        self.period = period
        self.whose = whose


class PolicyRefused(VPAError):
    """A privacy or administrator's rule forbids it; ``rule`` names which."""

    exit_code = 6

    def __init__(self, what: str, why: str = "", next_step: str = "", *, rule: str = "") -> None:
        super().__init__(what, why, next_step)
        self.rule = rule


class KnowledgeError(VPAError):
    """Documents or their index."""

    exit_code = 7


class DocumentUnreadable(KnowledgeError):
    """No text could be had from a file."""


class IndexCorrupt(KnowledgeError):
    """The vector index does not match the database; it is rebuilt."""

    exit_code = 8


class StorageError(VPAError):
    """The database or a file of ours cannot be read or written."""

    exit_code = 8


class DatabaseCorrupt(StorageError):
    """The database file is damaged."""


class DiskFull(StorageError):
    """There is no room left to write."""
