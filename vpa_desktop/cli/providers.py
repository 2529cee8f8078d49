"""``providers`` and ``keys`` from the command line. Keys come from a prompt or standard input, never an argument."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from decimal import Decimal

from vpa_desktop.assistant.provider_setup import draft_of
from vpa_desktop.catalog import ModelInfo
from vpa_desktop.cli.output import Output, to_plain
from vpa_desktop.cli.session import opened, read_secret
from vpa_desktop.config import Paths
from vpa_desktop.errors import ConfigError
from vpa_desktop.records import ProviderDraft, ProviderVerdict
from vpa_desktop.system import System


async def list_providers(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print the providers."""
    async with opened(paths, out) as system:
        found = await system.list_providers()
    head = ("id", "kind", "model", "key", "default", "note")
    out.table(head, [(p.id, p.kind, p.model, p.key_source or "-", p.is_default, p.note) for p in found])
    out.document({"providers": found})
    return 0


async def add(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Add or change a provider."""
    key = read_secret(f"API key of {options.id}: ") if options.key_from_stdin else None
    draft = ProviderDraft(
        options.id, options.kind, options.model, options.endpoint, key=key, make_default=options.default
    )
    async with opened(paths, out) as system:
        await system.save_provider(draft)
    out.line(f"Saved {options.id}. Test it with: vpa-desktop providers test {options.id}")
    out.document({"saved": options.id})
    return 0


async def remove(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Remove a provider and its key."""
    async with opened(paths, out) as system:
        await system.remove_provider(options.id)
    out.line(f"Removed {options.id}.")
    out.document({"removed": options.id})
    return 0


async def test(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Say in words whether providers answer; exit code 4 when one does not."""
    async with opened(paths, out) as system:
        if options.id is None:
            verdicts = await system.setup.test_all()
        else:
            verdicts = [await _verdict(system, options.id)]
    for verdict in verdicts:
        out.line(f"{'ok  ' if verdict.ok else 'FAIL'} {verdict.provider}: {verdict.sentence}")
    out.document({"providers": verdicts})
    return 0 if all(v.ok for v in verdicts) else 4


async def models(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print the models a provider offers and what is known of them; exit code 4 where there never was a list."""
    async with opened(paths, out) as system:
        found = await system.models(options.id, options.refresh)
    head = ("id", "context", "answer", "images", "tools", "thinking", "chat", "$/M in", "$/M out", "retires")
    out.table(head, [_model_row(model) for model in found.models])
    if found.fetched_at is not None:
        out.line(f"{len(found.models)} models, as {options.id} listed them {_ago(found.fetched_at)}.")
    if found.error:
        out.note(f"warning: {found.error}")
    out.document({**to_plain(found), "models": [m.id for m in found.models], "details": found.models})
    return 4 if found.fetched_at is None and found.error else 0


def _model_row(model: ModelInfo) -> tuple[object, ...]:
    """One line of the table; a dash where nothing is known."""
    prices = [_dollars(model.input_cost_per_million), _dollars(model.output_cost_per_million)]
    return (
        model.id,
        model.context_tokens,
        model.max_output_tokens,
        model.images,
        model.tools,
        model.reasoning,
        model.chat is not False,
        *prices,
        model.retires_on,
    )


def _dollars(price: Decimal | None) -> str | None:
    return None if price is None else f"{price.normalize():f}"


def _ago(at: datetime) -> str:
    hours = (datetime.now(UTC) - at).total_seconds() / 3_600
    if hours < 1:
        return "within the last hour"
    return f"{hours:.0f} hours ago" if hours < 48 else f"{hours / 24:.0f} days ago"


async def _verdict(system: System, provider_id: str) -> ProviderVerdict:
    config = system.setup.configs().get(provider_id)
    if config is None:
        known = ", ".join(system.setup.configs())
        raise ConfigError(
            f"There is no provider {provider_id}", f"Known: {known}", "Add it with: vpa-desktop providers add"
        )
    return await system.test_provider(draft_of(config))


async def set_key(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Store a key."""
    key = read_secret(f"API key of {options.id}: ")
    async with opened(paths, out) as system:
        await system.set_key(options.id, key)
        place = system.vault.name
    out.line(f"The key of {options.id} is stored: {place}.")
    out.document({"stored": options.id, "place": place})
    return 0


async def list_keys(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Say where keys are."""
    async with opened(paths, out) as system:
        found = await system.list_keys()
        notice = system.setup.notices.get("vault")
    out.table(("provider", "where", "key"), [(k.provider, k.source, k.hint) for k in found])
    if notice:
        out.note(f"warning: {notice}")
    out.document({"keys": found})
    return 0


async def delete_key(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Delete a key."""
    async with opened(paths, out) as system:
        await system.delete_key(options.id)
    out.line(f"The key of {options.id} is deleted.")
    out.document({"deleted": options.id})
    return 0
