"""What ``doctor`` looks at around the program: who may read its files, room on the disk, the clock, the endpoints."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from vpa_desktop.assistant.provider_setup import draft_of
from vpa_desktop.catalog import LLMProvider, LLMProviderConfig
from vpa_desktop.cli.checks import Finding
from vpa_desktop.config import Paths
from vpa_desktop.errors import VPAError
from vpa_desktop.storage.soundness import counts_of
from vpa_desktop.system import System, build_system

LEAST_BYTES: Final = 100_000_000
LITTLE_BYTES: Final = 1_000_000_000
CLOCK_MAY_BE_OFF: Final = timedelta(minutes=5)
FIRST_RELEASE: Final = datetime(2026, 1, 1, tzinfo=UTC)
ENDPOINT_S: Final = 12.0
HERE: Final = (LLMProvider.LLAMA_CPP, LLMProvider.TRANSFORMERS, LLMProvider.MOCK)
"""Kinds without an address."""


async def check_rights(paths: Paths) -> list[Finding]:
    """Whether others can read what is the person's alone. Before anything opens and mends them."""
    if os.name != "posix":
        return [Finding("Rights", True, "as the profile folder's")]
    open_ones = [path for path in _private(paths) if path.exists() and path.stat().st_mode & 0o077]
    foreign = [path for path in _private(paths) if path.exists() and path.stat().st_uid != os.geteuid()]
    if foreign:
        fix = f"Take them back: sudo chown -R {os.geteuid()} {paths.home}"
        return [Finding("Rights", False, f"belong to somebody else: {_names(foreign)}", fix)]
    fix = f"Close them: chmod -R go= {paths.home}"
    said = f"can be read by others: {_names(open_ones)}" if open_ones else "for you alone"
    return [Finding("Rights", not open_ones, said, fix)]


def _private(paths: Paths) -> Iterator[Path]:
    yield from (paths.index, paths.backups, paths.logs)
    yield from (paths.database, paths.settings_file, paths.key_file, paths.serve_tokens)
    yield from paths.backups.glob("*.db")


def _names(paths: list[Path]) -> str:
    return ", ".join(str(path) for path in paths[:5]) + (" and more" if len(paths) > 5 else "")


async def check_room(paths: Paths) -> list[Finding]:
    """Room where the data is, and where files stand for a moment."""
    found = []
    for name, place in (("Room for your data", paths.home), ("Room for temporary files", Path(tempfile.gettempdir()))):
        there = next((each for each in (place, *place.parents) if each.exists()), Path("/"))
        free = shutil.disk_usage(there).free
        said = f"{free / 1e9:.1f} GB free at {there}"
        fix = "Free some room there, or move the data: --home DIR or VPA_HOME."
        found.append(Finding(name, free >= LITTLE_BYTES, said, fix, needed=free < LEAST_BYTES))
    return found


async def check_outside(paths: Paths) -> list[Finding]:
    """The clock, then each provider that has an address; nothing is asked of a model, and nothing when offline."""
    try:
        async with _system(paths) as system:
            endpoints = [await _clock(paths, system), *await _endpoints(system)]
    except VPAError as exc:
        return [_clock_alone(paths), Finding("Providers", False, f"{exc.what}. {exc.why}", exc.next_step)]
    return endpoints


@asynccontextmanager
async def _system(paths: Paths) -> AsyncIterator[System]:
    system = await build_system(paths)
    try:
        await system.keys_ready()
        yield system
    finally:
        await system.aclose()


def _clock_alone(paths: Paths) -> Finding:
    """Without asking anybody: not before this program was written, and not before what it has written itself."""
    now = datetime.now(UTC)
    newest = paths.database.stat().st_mtime if paths.database.exists() and counts_of(paths.database) else 0.0
    is_sane = now > FIRST_RELEASE and newest < time.time() + 86_400
    said = now.astimezone().strftime("%Y-%m-%d %H:%M %Z")
    return Finding("Clock", is_sane, f"{said}; no provider was asked" if is_sane else f"{said} cannot be right", FIX)


FIX: Final = "Set the clock: limits count by day, and secure connections fail with a wrong one."


async def _clock(paths: Paths, system: System) -> Finding:
    from vpa_desktop.providers._http import HttpSession
    from vpa_desktop.providers.remote_clock import remote_time

    alone = _clock_alone(paths)
    asked = [config for config in _with_address(system) if _may_ask(system, config) and not config.is_local]
    if not alone.ok or not asked:
        return alone
    http = HttpSession(offline=system.settings.offline)
    try:
        found = await remote_time(asked[0], http)
    except VPAError as exc:
        return Finding("Clock", True, f"{alone.detail.split(';')[0]}; could not be compared. {exc.what}")
    finally:
        await http.aclose()
    seconds = found.ahead.total_seconds()
    said = f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} {found.host}"
    return Finding("Clock", abs(found.ahead) < CLOCK_MAY_BE_OFF, said, FIX)


async def _endpoints(system: System) -> list[Finding]:
    configs = _with_address(system)
    findings = list(await asyncio.gather(*(_endpoint(system, config) for config in configs)))
    return findings or [Finding("Providers", True, "none with an address is set up; the local model answers")]


async def _endpoint(system: System, config: LLMProviderConfig) -> Finding:
    name = f"Provider {config.provider_id}"
    if not _may_ask(system, config):
        why = "offline" if system.settings.offline else "the policy does not allow it"
        return Finding(name, True, f"not asked: {why}")
    try:
        async with asyncio.timeout(ENDPOINT_S):
            verdict = await system.test_provider(draft_of(config), ask=False)
    except TimeoutError:
        fix = f"Look at the address and the network: vpa-desktop providers test {config.provider_id}"
        return Finding(name, False, f"no answer within {ENDPOINT_S:.0f} s", fix, needed=False)
    said = verdict.headline or verdict.sentence
    return Finding(name, verdict.ok, said, verdict.advice, needed=False)


def _with_address(system: System) -> list[LLMProviderConfig]:
    return [config for config in system.setup.configs().values() if config.enabled and config.kind not in HERE]


def _may_ask(system: System, config: LLMProviderConfig) -> bool:
    is_refused = system.policy.book.refusal_here(config) is not None
    return not is_refused and (config.is_local or not system.settings.offline)
