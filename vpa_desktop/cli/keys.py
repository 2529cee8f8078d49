"""``keys`` from the command line. Keys come from a prompt or standard input, and are never arguments or printed."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace

from vpa_desktop.assistant.provider_setup import draft_of
from vpa_desktop.cli.output import Output
from vpa_desktop.cli.providers import known, say_verdicts
from vpa_desktop.cli.session import opened, read_secret
from vpa_desktop.config import Paths
from vpa_desktop.errors import ConfigError


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


async def test_keys(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Say in words whether keys are accepted; exit code 4 when one is not."""
    async with opened(paths, out) as system:
        ids = [options.id] if options.id else [key.provider for key in await system.list_keys()]
        drafts = [draft_of(known(system, provider_id)) for provider_id in ids]
        verdicts = list(await asyncio.gather(*(system.test_provider(draft) for draft in drafts)))
    if not verdicts:
        out.note("There is no key to test. Store one with: vpa-desktop keys set ID")
    return say_verdicts(verdicts, out)


async def rotate_key(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Put a new key in the place of the old one, but only if the provider accepts it."""
    key = read_secret(f"New API key of {options.id}: ")
    async with opened(paths, out) as system:
        config = known(system, options.id)
        if (await system.setup.find_key(config)).source == "environment":
            raise ConfigError(
                f"The key of {options.id} was not changed",
                "It comes from the environment, which wins over a stored one",
                "Change its variable where you set it",
            )
        verdict = await system.test_provider(replace(draft_of(config), key=key))
        if verdict.ok:
            await system.set_key(options.id, key)
    if verdict.ok:
        out.line(f"The new key of {options.id} is accepted and stored. {verdict.sentence}")
    else:
        out.note(f"error: The key of {options.id} was not changed. The new one failed the test. {verdict.sentence}")
    out.document({"provider": options.id, "rotated": verdict.ok, "verdict": verdict})
    return 0 if verdict.ok else verdict_code(verdict.reason)


def verdict_code(reason: str) -> int:
    """Return the exit code of a failed rotation: 3 where the key cannot be one, 4 where the provider refused."""
    return 3 if reason == "settings" else 4


async def delete_key(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Delete a key."""
    async with opened(paths, out) as system:
        await system.delete_key(options.id)
    out.line(f"The key of {options.id} is deleted.")
    out.document({"deleted": options.id})
    return 0
