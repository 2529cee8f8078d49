"""What an attempt's failure means for the route: try again, go on to the next, or stop. Keeps nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from vpa_desktop.errors import (
    AllProvidersFailed,
    ContentBlocked,
    ErrorClass,
    PolicyRefused,
    ProviderError,
    StreamInterrupted,
    VPAError,
)
from vpa_desktop.gateway.attempt import CALLERS_FAULT, AttemptRun
from vpa_desktop.messages import Attempt

LONGEST_WAIT_S: Final = 30.0
"""A provider that asks for more patience than this is not waited for."""

CALLERS_CODES: Final = frozenset(
    {
        "invalid_value",
        "invalid_type",
        "unknown_parameter",
        "missing_required_parameter",
        "invalid_json",
        "invalid_image",
        "invalid_image_format",
        "invalid_image_url",
        "invalid_base64",
        "image_parse_error",
        "image_too_large",
        "invalid_function_parameters",
        "string_above_max_length",
        "array_above_max_length",
        "array_below_min_length",
        "integer_above_max_value",
        "integer_below_min_value",
        "decimal_above_max_value",
        "decimal_below_min_value",
        "empty_array",
        "empty_string",
    }
)
"""Codes of a 400 that are about what was asked. Without one it may as well be about the provider or its model."""

MODELS_CODES: Final = frozenset({"unsupported_parameter", "unsupported_value"})
"""Codes that name a field and are about the model: another one may take it."""

PASSES_BY_ITSELF: Final[frozenset[ErrorClass]] = frozenset(
    {"rate_limit", "overloaded", "timeout", "server", "truncated", "malformed"}
)
"""Failures against which a person can do nothing but wait."""


def in_receipt(error: VPAError | None) -> str:
    """Returns what an attempt's line says of its failure: advice to wait is for where nobody else answered."""
    if isinstance(error, ProviderError) and error.error_class in PASSES_BY_ITSELF:
        return " ".join(f"{part}." for part in (error.what, error.why) if part)
    return str(error or "")


def stops_the_route(error: VPAError | None) -> bool:
    """True for the caller's own mistake, which another provider would repeat, and for a filter."""
    if not isinstance(error, ProviderError) or error.error_class not in CALLERS_FAULT:
        return False
    if error.error_class != "invalid_request" or error.code in CALLERS_CODES:
        return True
    return error.status == 400 and error.param not in (None, "model") and error.code not in MODELS_CODES


def may_retry(error: VPAError | None) -> bool:
    """True where the same provider may be asked the same again."""
    if not isinstance(error, ProviderError) or not error.retryable or isinstance(error, ContentBlocked):
        return False
    return error.retry_after_s is None or error.retry_after_s <= LONGEST_WAIT_S


def pause_s(error: VPAError | None, retry: int) -> float:
    """As long as the provider asked for, else half a second doubling up to 8 s, less up to a quarter of jitter."""
    if isinstance(error, ProviderError) and error.retry_after_s is not None:
        return error.retry_after_s
    return float(min(8.0, 0.5 * 2 ** (retry - 1)) * (1 - 0.25 * random.random()))


def gave_up(run: AttemptRun) -> StreamInterrupted:
    """The provider ended the stream in good order but said that it had not finished (out of capacity, say)."""
    return StreamInterrupted(
        f"{run.provider.provider_id} gave up on the answer",
        "It ended the stream without finishing",
        "Ask again, or choose another provider",
        provider=run.provider.provider_id,
        model=run.model,
        midstream=True,
        usage=run.done.usage if run.done else None,
    )


def nobody_answered(attempts: Sequence[Attempt], failed: Sequence[VPAError], refused: Sequence[VPAError]) -> VPAError:
    """The error to show after the last provider: ``failed`` of those asked, ``refused`` of those passed over."""
    if failed and all(isinstance(e, ProviderError) and e.error_class == "invalid_request" for e in failed):
        return failed[0]
    if len(failed) == 1:
        return failed[0]
    if not failed and refused:
        return refused[-1]
    tried = "; ".join(f"{a.provider}: {a.reason.rstrip('.')}" for a in attempts)
    return AllProvidersFailed(
        "No provider could answer",
        f"Tried in order: {tried}",
        "Test your providers in Settings, Providers, or with: vpa-desktop providers test",
        attempts=attempts,
    )


def nobody_to_ask(*, local_only: bool) -> VPAError:
    """The error where the route is empty."""
    if local_only:
        return PolicyRefused(
            "The question was not sent",
            "It may only be answered on this machine and no local model is set up",
            "Install the local model (vpa-desktop doctor says how) or lift the restriction",
            rule="local_only",
        )
    return AllProvidersFailed(
        "There is no provider to ask",
        "None is set up and the local model is not there",
        "Add one in Settings, Providers, or with: vpa-desktop providers add",
    )
