"""``providers`` from the command line: the settings page Providers without the window."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from vpa_desktop.assistant.provider_setup import draft_of
from vpa_desktop.catalog import KINDS, LLMProvider, LLMProviderConfig, ModelInfo
from vpa_desktop.cli.health import print_health
from vpa_desktop.cli.output import Output, to_plain
from vpa_desktop.cli.session import opened, read_secret
from vpa_desktop.config import Paths
from vpa_desktop.errors import ConfigError, PolicyRefused, UsageError
from vpa_desktop.provider_fields import KEY, PRESETS, KindField, fields_of, read_text
from vpa_desktop.records import ModelList, ProviderDraft, ProviderStatus, ProviderVerdict
from vpa_desktop.system import System

ENABLED = KindField("enabled", "enabled", "whether it is used", "switch")


async def list_providers(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print the providers in the order they are asked."""
    async with opened(paths, out) as system:
        found = await system.list_providers()
    head = ("", "id", "kind", "model", "state", "key", "default", "note")
    rows = [
        (f"{n}.", p.id, p.kind, p.model or "-", state_in_words(p), p.key_source or "-", p.is_default, p.note)
        for n, p in enumerate(found, 1)
    ]
    out.table(head, rows)
    out.document({"providers": found, "order": [p.id for p in found]})
    return 0


def state_in_words(status: ProviderStatus) -> str:
    """Say in a word or two whether a provider can be asked."""
    if status.forbidden:
        return "not allowed"
    if not status.enabled:
        return "off"
    if status.needs_key and not status.key_source:
        return "no key"
    state = {"open": "failing", "half_open": "on trial"}.get(status.breaker, "ready")
    return f"{state}, {status.keys} keys" if status.keys > 1 else state


async def add(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Add or change a provider; what is not said stays as it is."""
    values = _options(options)
    key = read_secret(f"API key of {options.id}: ") if options.key_from_stdin else None
    async with opened(paths, out) as system:
        old = system.setup.configs().get(options.id)
        draft = ProviderDraft(options.id, options.kind)
        if old is not None and old.kind == options.kind:
            draft = draft_of(old)
        draft = _with_fields(replace(draft, key=key, make_default=options.default), values)
        _require(options.kind, draft, old)
        await system.save_provider(draft)
    out.line(f"Saved {options.id}. Test it with: vpa-desktop providers test {options.id}")
    out.document({"saved": options.id})
    return 0


def _options(options: argparse.Namespace) -> dict[str, Any]:
    """The fields given as options, read; raises UsageError for one the kind does not have."""
    own = {field.key: field for field in fields_of(options.kind) if field.key != KEY}
    given = {key: text for key, text in vars(options).items() if text is not None and key in _every_field()}
    if options.preset:
        if options.kind != LLMProvider.OPENAI_COMPATIBLE:
            raise UsageError(
                f"--preset is not for the kind {options.kind}",
                "The known services speak OpenAI's protocol",
                "Use --kind openai_compatible",
            )
        given.setdefault("api_endpoint", next(p.endpoint for p in PRESETS if p.id == options.preset))
    for key in given:
        if key not in own:
            has = ", ".join(field.option for field in own.values())
            raise UsageError(
                f"The kind {options.kind} has no {_every_field()[key].option}", f"It has: {has}", "Leave it out"
            )
    return {key: read_text(own[key], text) for key, text in given.items()}


def _every_field() -> Mapping[str, KindField]:
    return {field.key: field for kind in KINDS for field in fields_of(kind) if field.key != KEY}


def _with_fields(draft: ProviderDraft, values: Mapping[str, Any]) -> ProviderDraft:
    """The draft with fields changed; None is the default."""
    if "api_endpoint" in values:
        draft = replace(draft, endpoint=values["api_endpoint"] or "")
    return replace(draft, options={k: v for k, v in values.items() if k != "api_endpoint"})


def _require(kind: str, draft: ProviderDraft, old: LLMProviderConfig | None) -> None:
    """Raise UsageError where a field without which the kind cannot work is empty."""
    kept = old if old is not None and old.kind == kind else None
    for field in fields_of(kind):
        if not field.required or field.key == KEY:
            continue
        given = draft.endpoint if field.key == "api_endpoint" else draft.options.get(field.key)
        if not given and not (kept and getattr(kept, field.key)):
            raise UsageError(f"{draft.id} was not saved", f"The kind {kind} needs {field.option}", field.hint)


async def set_fields(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Change settings of a provider by their names in settings.toml."""
    async with opened(paths, out) as system:
        config = known(system, options.id)
        own = {field.key: field for field in fields_of(config.kind) if field.key != KEY} | {"enabled": ENABLED}
        values: dict[str, Any] = {}
        for change in options.changes:
            name, is_change, text = change.partition("=")
            name = {"endpoint": "api_endpoint"}.get(name, name.replace("-", "_"))
            if not is_change or name not in own:
                raise UsageError(
                    f"“{change}” is not a change of {options.id}",
                    f"The kind {config.kind} has: {', '.join(own)}",
                    "Write FIELD=VALUE; a key is stored with: vpa-desktop keys set",
                )
            values[name] = read_text(own[name], text)
        draft = _with_fields(draft_of(config), values)
        await system.save_provider(draft)
    out.line(f"Saved {options.id}.")
    out.document({"saved": options.id, "changed": values})
    return 0


async def order(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Change the order in which providers are asked, or print it."""
    async with opened(paths, out) as system:
        found = await system.set_provider_order(options.ids) if options.ids else system.setup.order()
    for n, provider_id in enumerate(found, 1):
        out.line(f"{n}. {provider_id}")
    out.document({"order": found})
    return 0


async def remove(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Remove a provider and its key."""
    async with opened(paths, out) as system:
        await system.remove_provider(options.id)
    out.line(f"Removed {options.id}.")
    out.document({"removed": options.id})
    return 0


async def test(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Say in words whether providers answer; exit code 4 when one does not, 6 when it may not be asked."""
    if options.model and options.id is None:
        raise UsageError(
            "--model was not used", "It belongs to one provider", "Name it: providers test ID --model NAME"
        )
    async with opened(paths, out) as system:
        if options.id is None:
            verdicts = await system.setup.test_all()
        else:
            draft = draft_of(known(system, options.id))
            verdicts = [await system.test_provider(replace(draft, model=options.model or draft.model))]
    return say_verdicts(verdicts, out)


def say_verdicts(verdicts: list[ProviderVerdict], out: Output) -> int:
    """Print verdicts; returns 4 where one is bad, 6 where all that are bad are forbidden by a policy."""
    for verdict in verdicts:
        key = f", key {verdict.key}" if verdict.key else ""
        out.line(f"{'ok  ' if verdict.ok else 'FAIL'} {verdict.provider}{key}: {verdict.sentence}")
    out.document({"providers": verdicts})
    bad = [verdict for verdict in verdicts if not verdict.ok]
    if bad and all(verdict.error_class == "policy" for verdict in bad):
        return PolicyRefused.exit_code
    return 4 if bad else 0


async def models(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print the models a provider offers and what is known of them; exit code 4 where there never was a list."""
    async with opened(paths, out) as system:
        await system.keys_ready()
        ids = [options.id] if options.id else [i for i in system.setup.order() if system.manager.get_provider(i)]
        lists = [await system.models(i, options.refresh) for i in ids]
    for found in lists:
        _print_models(found, out)
    documents = [{**to_plain(f), "models": [m.id for m in f.models], "details": f.models} for f in lists]
    out.document(documents[0] if options.id else {"providers": documents})
    return 4 if all(found.fetched_at is None and found.error for found in lists) else 0


def _print_models(found: ModelList, out: Output) -> None:
    head = ("id", "context", "answer", "images", "tools", "thinking", "chat", "$/M in", "$/M out", "retires")
    out.table(head, [_model_row(model) for model in found.models])
    if found.fetched_at is not None:
        out.line(f"{len(found.models)} models, as {found.provider} listed them {_ago(found.fetched_at)}.")
    if found.error:
        out.note(f"warning: {found.error}")


async def health(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print how each provider did lately and how it stands: success, times, pace, breakers and their history."""
    async with opened(paths, out) as system:
        await system.keys_ready()
        figures = await system.health.figures()
        booked = (await system.integration.get_system_stats())["providers"]
    print_health(figures, booked, out)
    return 0


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


def known(system: System, provider_id: str) -> LLMProviderConfig:
    """Return a provider's configuration; raises ConfigError where there is none of that name."""
    configs = system.setup.configs()
    if provider_id not in configs:
        raise ConfigError(
            f"There is no provider {provider_id}",
            f"Known: {', '.join(configs)}",
            "Add it with: vpa-desktop providers add",
        )
    return configs[provider_id]
