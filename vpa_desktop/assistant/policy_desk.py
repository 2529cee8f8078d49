"""The policies in force in one program: read at the start and with the settings, shown, and audited where they refuse.

What they forbid is ``security.policy``; who enforces it is the gateway.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import Paths, Settings
from vpa_desktop.errors import PolicyRefused, StorageError
from vpa_desktop.messages import LLMRequest
from vpa_desktop.records import ProviderStatus, RouteChoice
from vpa_desktop.security.audit import AuditLog
from vpa_desktop.security.policy import LimitRule, PolicyBook
from vpa_desktop.security.policy_file import policies_in_force, read_policy, system_policy_file
from vpa_desktop.security.tightening import taken_at_its_word, tightened
from vpa_desktop.storage.database import Database

LOOKS_EVERY_S: Final = 20.0
SETTLES_S: Final = 1.0

log = logging.getLogger(__name__)


class PolicyDesk:
    """Keeps the book of policies. ``db`` None keeps no audit; ``system_file`` stands for the administrator's place."""

    def __init__(self, paths: Paths, db: Database | None = None, system_file: Path | None = None) -> None:
        self.book = PolicyBook()
        self._paths = paths
        self._system_file = system_file
        self._seen = self._marks()
        self._audit = None if db is None or db.read_only else AuditLog(db)

    def applied(self, settings: Settings) -> Settings:
        """Read the policies anew and return the settings as they count under them."""
        self._seen = self._marks()
        self.book = policies_in_force(settings, read_policy(self._paths, self._system_file))
        return tightened(settings, self.book)

    def _marks(self) -> list[tuple[int, int, int] | None]:
        """What shows that a policy's file is another one than before, or has gone or come."""
        places = (self._system_file or system_policy_file(), self._paths.policy_file)
        return [_mark(place) for place in places]

    async def watch(
        self,
        reload: Callable[[], Awaitable[None]],
        every_s: float = LOOKS_EVERY_S,
        settings_file: Path | None = None,
    ) -> None:
        """Call ``reload`` when a policy's file has changed, until cancelled: a window may stay open for weeks.

        With ``settings_file`` that one counts too: for a program in which nobody changes settings himself.
        """
        own = settings_file and _mark(settings_file)
        while True:
            await asyncio.sleep(every_s)
            now = settings_file and _mark(settings_file)
            if self._marks() == self._seen and now == own:
                continue
            await asyncio.sleep(min(every_s, SETTLES_S))
            if now == (settings_file and _mark(settings_file)):  # else somebody is still writing it
                own = now
                await reload()

    @property
    def problems(self) -> tuple[str, ...]:
        """Why a policy cannot be read, as sentences for everybody to see."""
        return tuple(policy.broken for policy in self.book.policies if policy.broken)

    def limits(self) -> tuple[LimitRule, ...]:
        """Return the limits that count for the person at this machine."""
        return self.book.limits_for(self.book.login) if self.book else ()

    def must_be_chosen_freely(self, user: str | None) -> None:
        """Raise PolicyRefused where somebody names a user and the policy goes by the account instead."""
        if user and user != self.book.user_of(user):
            raise PolicyRefused(
                f"The question was not asked as {user}",
                f"A policy is in force that goes by the account you are logged in with, {self.book.login}",
                "Leave out --user",
                rule="users.may_choose",
            )

    async def note_refusal(self, refusal: PolicyRefused, request: LLMRequest) -> None:
        """Write a refused request into the audit: who and by which rule, nothing of what was asked."""
        if self._audit is None:
            return
        facts = {"rule": refusal.rule, "model": request.model or "", "why": refusal.why}
        try:
            await self._audit.append("request", request.user_id, "refused", **facts)
        except StorageError as exc:
            log.warning("A refused request could not be written into the audit: %s", exc)

    # What the person sees

    def marked_providers(
        self, found: Iterable[ProviderStatus], configs: Mapping[str, LLMProviderConfig]
    ) -> list[ProviderStatus]:
        """Return providers with the reason where a policy forbids them, or the model they are set to."""
        if not self.book:
            return list(found)
        return [self._marked(status, configs[status.id]) for status in found]

    def _marked(self, status: ProviderStatus, config: LLMProviderConfig) -> ProviderStatus:
        config = taken_at_its_word(config, self.book)
        refusal = self.book.refusal_here(config, str(config.model) or None)
        said = f"Not allowed. {refusal.why}." if refusal else ""
        return replace(status, is_local=config.is_local, forbidden=said, note=said or status.note)

    def marked_choices(
        self, choices: Sequence[RouteChoice], configs: Mapping[str, LLMProviderConfig]
    ) -> list[RouteChoice]:
        """Return what the picker offers, with the reason at each model that a policy forbids."""
        if not self.book:
            return list(choices)
        found = []
        for choice in choices:
            config = configs.get(choice.provider)
            refusal = None
            if config is not None:
                refusal = self.book.refusal_here(taken_at_its_word(config, self.book), choice.model or None)
            said = f"Not allowed. {refusal.why}." if refusal else choice.note
            found.append(replace(choice, is_ready=choice.is_ready and refusal is None, note=said))
        return found


def _mark(place: Path) -> tuple[int, int, int] | None:
    try:
        facts = place.stat()
    except OSError:
        return None
    return facts.st_ino, facts.st_mtime_ns, facts.st_size
