"""Tells of a newer release, where the person asked for that: one small answer a day, nothing is ever downloaded.

The address answers with JSON: ``{"version": "1.2.0", "page": "https://..."}``; ``page`` may be left out. What was
learned is kept in a file, so that a restart does not ask again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from vpa_desktop import __version__
from vpa_desktop.catalog import LLMProviderConfig, split_address
from vpa_desktop.config import Settings, UpdateSettings
from vpa_desktop.errors import BadReply, StorageError, VPAError
from vpa_desktop.security.policy import PolicyBook
from vpa_desktop.settings_file import write_atomically

EVERY: Final = timedelta(days=1)
LOOK_EVERY_S: Final = 60.0
MOST_BYTES: Final = 16_384
TIMEOUT_S: Final = 20.0
NAME: Final = "updates"

log = logging.getLogger(__name__)

_VERSION: Final = re.compile(r"v?(\d{1,6}(?:\.\d{1,6}){0,3})")

Fetch = Callable[[UpdateSettings], Awaitable[Any]]
Note = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Known:
    """When which address was asked last, and what it said."""

    asked_at: datetime
    address: str
    version: str = ""
    page: str = ""


class UpdateNotice:
    """Looks once a day at most, and puts one sentence into ``notices`` while there is a newer release.

    ``fetch`` asks the address; ``note`` writes into the audit, as ``AuditLog.append`` does.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        file: Path,
        notices: MutableMapping[str, str],
        book: Callable[[], PolicyBook],
        note: Note,
        *,
        fetch: Fetch | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._file = file
        self._notices = notices
        self._book = book
        self._note = note
        self._fetch = fetch or fetch_release
        self._now = now

    async def run(self) -> None:
        """Look again and again, until cancelled; a full disk is logged and waited out."""
        while True:
            try:
                await self.look()
            except StorageError as exc:
                log.warning("Newer releases could not be looked for: %s", exc)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Ask, where the person wants it, nothing forbids it and a day has passed; say what is known."""
        settings = self._settings()
        chosen = settings.updates
        if not chosen.check or settings.offline:
            self._notices.pop(NAME, None)
            return
        if problem := self._problem(chosen):
            self._notices[NAME] = problem
            return
        known = self._read()
        if known is None or known.address != chosen.address or not self._is_fresh(known):
            known = await self._ask(chosen)
        self._say(known)

    def _problem(self, chosen: UpdateSettings) -> str:
        if not chosen.address:
            return "Newer releases are not looked for: no address is set. Set address under [updates] in settings.toml"
        config = LLMProviderConfig("openai_compatible", provider_id=NAME, api_endpoint=chosen.address)
        refusal = self._book().refusal_here(config) if self._book() else None
        return f"Newer releases are not looked for. {refusal.why}" if refusal else ""

    def _is_fresh(self, known: _Known) -> bool:
        """Whether it was asked within a day; a time in the future is a clock that was set back."""
        return timedelta() <= self._now() - known.asked_at < EVERY

    async def _ask(self, chosen: UpdateSettings) -> _Known:
        asked_at = self._now()
        host = split_address(chosen.address).netloc
        # Written before: an address that makes the program fall must not be asked again at each start.
        self._write(_Known(asked_at, chosen.address))
        try:
            found = _release(await self._fetch(chosen))
        except VPAError as exc:
            await self._note("update check", host, "failed", why=str(exc))
            return _Known(asked_at, chosen.address)
        known = _Known(asked_at, chosen.address, *found)
        self._write(known)
        await self._note("update check", host, "done", version=known.version)
        return known

    def _say(self, known: _Known) -> None:
        if _parts(known.version) > _parts(__version__):
            where = f" See {known.page}" if known.page else ""
            self._notices[NAME] = f"VPA Desktop {known.version} is out; you have {__version__}.{where}"
        else:
            self._notices.pop(NAME, None)

    def _read(self) -> _Known | None:
        try:
            held = json.loads(self._file.read_text(encoding="utf-8"))
            return _Known(datetime.fromisoformat(held["asked_at"]), held["address"], held["version"], held["page"])
        except (OSError, ValueError, KeyError, TypeError):  # never asked, or a file that somebody changed: ask
            return None

    def _write(self, known: _Known) -> None:
        held = {
            "asked_at": known.asked_at.isoformat(),
            "address": known.address,
            "version": known.version,
            "page": known.page,
        }
        write_atomically(self._file, json.dumps(held).encode())


async def fetch_release(chosen: UpdateSettings) -> Any:
    """Return what the address says, as JSON; raises VPAError. No key, no cookie, no redirect, a small answer only."""
    from vpa_desktop.providers._failures import Peer
    from vpa_desktop.providers._http import HttpSession
    from vpa_desktop.providers._options import Options

    peer = Peer(
        NAME,
        "the address for updates",
        "",
        chosen.address,
        False,
        TIMEOUT_S,
        options=Options(total_s=TIMEOUT_S, ca_file=chosen.ca_file or None),
    )
    if split_address(chosen.address).scheme != "https":
        raise BadReply(f"{chosen.address} was not asked", "Only https:// addresses are", "Correct it in settings.toml")
    session = HttpSession()
    try:
        async with session.open(peer, "GET", chosen.address, headers={"Accept": "application/json"}) as reply:
            if reply.status != 200:
                raise BadReply(f"The address for updates answered {reply.status}", "", "")
            return await reply.json(MOST_BYTES)
    finally:
        await session.aclose()


def _release(answer: Any) -> tuple[str, str]:
    """The version and the page that an answer names; raises BadReply where it names no version."""
    version = answer.get("version") if isinstance(answer, dict) else None
    found = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if found is None:
        raise BadReply("The address for updates names no version", "Its answer has no “version” such as 1.2.0", "")
    page = answer.get("page")
    is_page = isinstance(page, str) and len(page) <= 200 and page.isprintable() and page.startswith("https://")
    return found[1], page if is_page else ""


def _parts(version: str) -> tuple[int, ...]:
    found = _VERSION.match(version)
    numbers = [int(part) for part in found[1].split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
