"""``ask``: one question, one answer, with its sources."""

from __future__ import annotations

import argparse
import stat
import sys
from contextlib import aclosing
from dataclasses import fields
from pathlib import Path
from typing import Any

from vpa_desktop import evidence_words, receipts
from vpa_desktop.catalog import KINDS
from vpa_desktop.cli.output import Output, to_plain
from vpa_desktop.cli.scope import scope_of
from vpa_desktop.cli.session import opened
from vpa_desktop.config import Paths
from vpa_desktop.errors import AuthenticationFailed, BudgetExceeded, UsageError
from vpa_desktop.evidence import Evidence
from vpa_desktop.gateway.limits import NEXT_STEP
from vpa_desktop.messages import (
    LOCAL_USER,
    Citation,
    EnhancedLLMRequest,
    EnhancedLLMResponse,
    ImageData,
    Seam,
    TextDelta,
    TurnDone,
    TurnEvent,
    Usage,
)
from vpa_desktop.system import System

_MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".avif": "image/avif",
}
_CITATION_KEYS = ("n", "document", "path", "title", "page", "section", "score", "text")


async def ask(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print the answer as it comes, or one JSON document."""
    if options.temporary and options.conversation is not None:
        raise UsageError("--temporary and --conversation do not go together", "One keeps nothing", "Leave one out")
    text = _question(options.text)
    scope = scope_of(options)
    is_limited = bool(options.collection or scope) and options.docs is None
    request = EnhancedLLMRequest(
        user_query=text,
        use_rag=True if is_limited else options.docs,
        provider=options.provider,
        model=options.model,
        rag_top_k=options.top_k,
        conversation_id=options.conversation,
        collections=tuple(options.collection),
        images=tuple(_image(path) for path in options.image),
        system=options.system,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        local_only=options.local_only,
        fresh=options.fresh,
        temporary=options.temporary,
        over_limit=options.over_limit,
        documents_only=options.docs or is_limited,
        user_id=options.user or LOCAL_USER,
        scope=scope,
    )
    async with opened(paths, out) as system:
        system.policy.must_be_chosen_freely(options.user)
        _must_be_known(options.provider, system)
        await system.keys_ready()
        _must_be_ready(options.provider, system)
        said = system.integration.ending_warning(options.provider, options.model)
        if said:  # before it is sent: an answer may never come
            out.note(f"warning: {said}")
        try:
            async with aclosing(system.stream_turn(request)) as events:
                async for event in events:
                    _show(event, out, options.stream, said)
                    locked = system.setup.notices.get("vault")
                    if isinstance(event, TurnDone) and locked and _waits_for_a_key(system):
                        out.note(f"warning: {locked}")
        except BudgetExceeded as exc:
            if exc.next_step == NEXT_STEP:
                exc.next_step = f"{NEXT_STEP} (--over-limit)"
            raise
    return 0


def _must_be_known(provider: str | None, system: System) -> None:
    """Refuse a mistyped provider: the question must not go to another one unasked. A kind's own name is known."""
    known = system.setup.configs()
    if provider is not None and provider not in known and provider not in KINDS:
        raise UsageError(
            f"There is no provider {provider}", f"Known: {', '.join(known)}", "See: vpa-desktop providers list"
        )


def _must_be_ready(provider: str | None, system: System) -> None:
    """Refuse a provider that is there but cannot be asked: the question must not go to another company instead."""
    config = system.setup.configs().get(provider or "")
    if config is None or system.manager.get_provider(config.provider_id) is not None:
        return
    raise AuthenticationFailed(
        f"{provider} was not asked",
        system.setup.notices.get("vault")
        or system.setup.notices.get(config.provider_id)
        or "It has no key that can be read",
        f"Store one with: vpa-desktop keys set {provider}",
        provider=config.provider_id,
    )


def _waits_for_a_key(system: System) -> bool:
    """True where a provider in use is left out because its key cannot be read."""
    return any(c.enabled and system.manager.get_provider(i) is None for i, c in system.setup.configs().items())


def _show(event: TurnEvent, out: Output, streamed: bool, said: str) -> None:
    if isinstance(event, TextDelta) and streamed:
        out.piece(event.text)
    elif isinstance(event, Seam):
        how = "could not go on and begins anew" if event.restarts else "goes on"
        out.note(f"[{event.from_provider} broke off; {event.to_provider} {how}]")
    elif isinstance(event, TurnDone):
        _finish(event.response, out, streamed, said)


def _finish(response: EnhancedLLMResponse, out: Output, streamed: bool, said: str) -> None:
    out.line("" if streamed else response.content)
    if response.citations:
        out.line("\nSources:")
        for citation in response.citations:
            page = f", page {citation.page}" if citation.page is not None else ""
            out.line(f"  [{citation.n}] {citation.document}{page}")
    _grounds(response.evidence, out)
    for warning in response.warnings:
        if warning != said:
            out.note(f"warning: {warning}")
    if response.cached:
        out.note(f"[{response.attempts[0].reason}; --fresh asks anew]" if response.attempts else "[from the cache]")
    failed = [
        a for a in response.attempts if a.outcome in ("failed", "interrupted") and a.provider != response.provider
    ]
    if failed:
        reason = failed[0].reason.rstrip(".")
        out.note(f"warning: {failed[0].provider} failed and {response.provider} answered instead: {reason}.")
    if response.first_choice:
        _receipt(response, out)
    out.document(answer_document(response))


def _grounds(evidence: Evidence, out: Output) -> None:
    """Say what was searched for, and how well the passages carry the answer; --json has it in the document."""
    if out.as_json:
        return
    if evidence.searched_for:
        out.note(f"[searched for: {evidence.searched_for}]")
    if evidence.quality is not None:
        out.note(f"[{evidence_words.summary(evidence.quality)}]")
        for statement in evidence.quality.unsupported:
            out.note(f"warning: not in the passages: {statement}")
        for statement in evidence.quality.misattributed:
            out.note(f"warning: in another passage than the one it names: {statement}")


def _receipt(response: EnhancedLLMResponse, out: Output) -> None:
    """Say how an answer came from another provider than the first choice; --json has it in the document."""
    if out.as_json:
        return
    for attempt in response.attempts:
        parts = [receipts.outcome(attempt).lower(), *receipts.figures(attempt).split("  ·  ")]
        told = ", ".join(part for part in parts if part)
        because = f": {attempt.reason.rstrip('.')}" if attempt.reason else ""
        out.note(f"route: {attempt.provider} ({receipts.model_words(attempt.model)}) {told}{because}.")
    costs = receipts.comparison(response.provider, response.cost_usd, response.first_choice, response.first_choice_usd)
    out.note(f"route: {costs}")


def answer_document(response: EnhancedLLMResponse) -> dict[str, Any]:
    """Return the document ``ask --json`` prints."""
    document = {
        f.name: to_plain(getattr(response, f.name))
        for f in fields(response)
        if f.name not in ("citations", "usage", "reasoning", "evidence")
    }
    document |= to_plain(response.evidence)
    document["usage"] = _usage(response.usage)
    document["citations"] = [citation_document(c) for c in response.citations]
    return document


def citation_document(citation: Citation) -> dict[str, Any]:
    """Return one citation as the outside contract has it."""
    return {key: to_plain(getattr(citation, key)) for key in _CITATION_KEYS}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_input_tokens": usage.cached_input_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "estimated": usage.estimated,
    }


def _question(words: list[str]) -> str:
    parts = [" ".join(words).strip(), _piped()]
    text = "\n\n".join(part for part in parts if part)
    if not text:
        raise UsageError("There is no question", "Nothing was given or piped in", 'Try: vpa-desktop ask "Hello"')
    return text


def _piped() -> str:
    """What is piped in or redirected from a file; a terminal or the null device is not read."""
    try:
        mode = Path(f"/dev/fd/{sys.stdin.fileno()}").stat().st_mode if sys.platform != "win32" else 0
    except (OSError, ValueError):
        return ""
    if sys.platform == "win32":
        return "" if sys.stdin.isatty() else sys.stdin.read().strip()
    if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode)):
        return ""
    return sys.stdin.read().strip()


def _image(path: Path) -> ImageData:
    media_type = _MEDIA_TYPES.get(path.suffix.lower())
    if media_type is None:
        raise UsageError(
            f"{path} was not sent", "It is not a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF picture", "Convert it first"
        )
    try:
        return ImageData(media_type, path.read_bytes(), path.name)
    except OSError as exc:
        raise UsageError(f"{path} cannot be read", exc.strerror or str(exc), "Check the path") from exc
