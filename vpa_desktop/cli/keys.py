"""``keys`` from the command line. Keys come from a prompt or standard input, and are never arguments or printed."""

from __future__ import annotations

import argparse
import asyncio

from vpa_desktop.cli.output import Output
from vpa_desktop.cli.providers import known, say_verdicts
from vpa_desktop.cli.session import opened, read_secret
from vpa_desktop.config import Paths
from vpa_desktop.records import KeyInfo


async def set_key(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Store a key, beside the others where it has a label of its own."""
    key = read_secret(f"API key of {_named(options)}: ")
    async with opened(paths, out) as system:
        await system.key_desk.set_key(options.id, key, options.label or "")
        place = system.vault.name
    out.line(f"The key of {_named(options)} is stored: {place}.")
    out.document({"stored": options.id, "label": options.label or "", "place": place})
    return 0


def _named(options: argparse.Namespace) -> str:
    return f"{options.id} ({options.label})" if options.label else str(options.id)


async def list_keys(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Say where keys are and how they stand."""
    async with opened(paths, out) as system:
        await system.keys_ready()  # what earlier commands met is read with them
        found = await system.key_desk.list_keys()
        notices = [system.setup.notices.get("vault"), *(k.reason for k in found if k.state == "held back")]
    head = ("provider", "label", "where", "key", "state", "last used")
    out.table(head, [(k.provider, k.label or "-", k.source, k.hint, _state(k), k.last_used) for k in found])
    for notice in dict.fromkeys(notices):
        if notice:
            out.note(f"warning: {notice}")
    out.document({"keys": found})
    return 0


def _state(info: KeyInfo) -> str:
    until = f" until {info.until.astimezone():%Y-%m-%d %H:%M}" if info.until else ""
    why = f": {info.reason[:1].lower()}{info.reason[1:]}" if info.state in ("waiting", "refused") else ""
    return f"{info.state}{until}{why}"


async def test_keys(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Say in words whether keys are accepted; exit code 4 when one is not."""
    async with opened(paths, out) as system:
        await system.keys_ready()
        if options.id:
            known(system, options.id)
        ids = [options.id] if options.id else [key.provider for key in await system.key_desk.list_keys()]
        tests = (system.key_desk.test_keys(provider_id, options.label) for provider_id in dict.fromkeys(ids))
        verdicts = [verdict for several in await asyncio.gather(*tests) for verdict in several]
    if not verdicts:
        out.note("There is no key to test. Store one with: vpa-desktop keys set ID")
    return say_verdicts(verdicts, out)


async def rotate_key(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Put a new key in front, if the provider accepts it; the old one helps out for a while."""
    key = read_secret(f"New API key of {_named(options)}: ")
    async with opened(paths, out) as system:
        known(system, options.id)
        verdict = await system.key_desk.rotate_key(options.id, key, options.label or "")
        old = [k for k in await system.key_desk.list_keys() if k.provider == options.id and k.state == "old"]
    if verdict.ok:
        stays = "".join(
            f" The old one ({k.hint}) helps out until {k.until.astimezone():%H:%M}." for k in old if k.until
        )
        out.line(f"The new key of {_named(options)} is accepted and stored.{stays} {verdict.sentence}")
    else:
        out.note(
            f"error: The key of {_named(options)} was not changed. The new one failed the test. {verdict.sentence}"
        )
    out.document({"provider": options.id, "rotated": verdict.ok, "verdict": verdict, "old": old})
    return 0 if verdict.ok else verdict_code(verdict.reason)


def verdict_code(reason: str) -> int:
    """Return the exit code of a failed rotation: 3 where the key cannot be one, 4 where the provider refused."""
    return 3 if reason == "settings" else 4


async def delete_key(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Delete a key."""
    async with opened(paths, out) as system:
        await system.key_desk.delete_key(options.id, options.label, every=options.all)
    what = "Every key" if options.all else "The key"
    out.line(f"{what} of {_named(options)} is deleted.")
    out.document({"deleted": options.id, "label": options.label or ""})
    return 0
