"""Several keys of one provider in a vault, each with the host it was stored for. Not a vault: it needs one.

The key without a label stands under the provider's own id, where it always stood; one with a label under
``ID#LABEL``. What is known of them (order, host, until when an old one helps out) is an entry of its own in the same
vault, so that whoever can edit settings.toml cannot send a key to another host.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from vpa_desktop.errors import ConfigError
from vpa_desktop.security.vault import KeyVault

LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
FIRST: Final = "default"
"""What a person calls the key without a label."""
OLD: Final = "old"
GRACE: Final = timedelta(minutes=10)
"""How long the old key of a rotation stays: answers under way end with it, and it helps out where the new one fails."""

_ABOUT = ".about"  # no label begins with a dot


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key. ``host`` is where it may be sent ("https://api.openai.com"), empty where that was never recorded."""

    label: str
    key: str = field(repr=False)
    host: str = ""
    retires_at: datetime | None = None


def check_label(label: str) -> str:
    """Return a label, "" for none or "default"; raises ConfigError for what cannot be one."""
    label = "" if label.strip() == FIRST else label.strip()
    if label and not LABEL.fullmatch(label):
        raise ConfigError(
            f"“{label[:40]}” cannot be the name of a key",
            "It may have up to 32 letters, digits, - and _, and begins with a letter or digit",
            "Choose another name",
        )
    return label


class Noted(Protocol):
    """Hears of each change: what was done, for which provider, and facts about it, never a key."""

    async def __call__(self, action: str, target: str, result: str, **facts: object) -> None: ...


async def _nobody(action: str, target: str, result: str, **facts: object) -> None:
    """Nobody hears of it."""


class KeyStore:
    """The keys of every provider in one vault. Every method may raise SecretError; ``now`` returns the date.

    ``noted`` hears of every change, after it was made.
    """

    def __init__(self, vault: KeyVault, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.vault = vault
        self.noted: Noted = _nobody
        self._now = now
        self._one_at_a_time = asyncio.Lock()

    async def keys(self, provider_id: str) -> list[StoredKey]:
        """A provider's keys in their order. Old ones whose time is over are removed for good."""
        async with self._one_at_a_time:
            return await self._keys(provider_id)

    async def _keys(self, provider_id: str) -> list[StoredKey]:
        known = await self._about(provider_id)
        if "" not in [each.label for each in known]:
            known.append(StoredKey("", ""))  # stored before there were labels, or by an earlier version
        found = []
        is_stale = False
        for each in known:
            if each.retires_at is not None and each.retires_at <= self._now():
                await self.vault.delete(_entry(provider_id, each.label))
                is_stale = True
            elif key := await self.vault.get(_entry(provider_id, each.label)):
                found.append(replace(each, key=key))
        if is_stale:
            await self._remember(provider_id, found)
        return found

    async def put(self, provider_id: str, label: str, key: str, host: str) -> None:
        """Store a key, in the place of the one with this label where there is one."""
        async with self._one_at_a_time:
            await self._put(provider_id, StoredKey(check_label(label), key, host))
        await self.noted("key stored", provider_id, "done", label=check_label(label) or FIRST, host=host)

    async def _put(self, provider_id: str, mine: StoredKey) -> None:
        keys = await self._keys(provider_id)
        labels = [each.label for each in keys]
        if mine.label in labels:
            keys[labels.index(mine.label)] = mine
        else:
            keys.append(mine)
        await self.vault.set(_entry(provider_id, mine.label), mine.key)
        await self._remember(provider_id, keys)

    async def rotate(self, provider_id: str, label: str, key: str, host: str) -> StoredKey | None:
        """Put a new key in the place of the one with this label and in front; returns the old one, which stays a while.

        The old one is called ``old`` (``NAME-old`` of a named one). Where there is none it is stored like a first.
        """
        mine = StoredKey(check_label(label), key, host)
        aside = await self._rotate(provider_id, mine)
        kept = aside.label if aside is not None else ""
        await self.noted("key rotated", provider_id, "done", label=mine.label or FIRST, host=host, old_kept_as=kept)
        return aside

    async def _rotate(self, provider_id: str, mine: StoredKey) -> StoredKey | None:
        async with self._one_at_a_time:
            keys = await self._keys(provider_id)
            old = next((each for each in keys if each.label == mine.label), None)
            if old is None or old.key == mine.key:
                await self._put(provider_id, mine)
                return None
            aside = replace(old, label=_old_label(mine.label), retires_at=self._now() + GRACE)
            others = [each for each in keys if each.label not in (mine.label, aside.label)]
            await self.vault.set(_entry(provider_id, aside.label), aside.key)
            await self.vault.set(_entry(provider_id, mine.label), mine.key)
            await self._remember(provider_id, [mine, *others, aside])
            return aside

    async def remove(self, provider_id: str, label: str | None = None) -> list[str]:
        """Remove the key with a label, without one all of them; returns the labels of those that were there."""
        gone = await self._remove(provider_id, label)
        for each in gone:
            await self.noted("key deleted", provider_id, "done", label=each or FIRST)
        return gone

    async def _remove(self, provider_id: str, label: str | None) -> list[str]:
        async with self._one_at_a_time:
            keys = await self._keys(provider_id)
            gone = [each.label for each in keys if label is None or each.label == label]
            for each in gone:
                await self.vault.delete(_entry(provider_id, each))
            if label is None:  # and what a crash between two entries, or a damaged list of labels, has left
                for entry in await self.vault.ids():
                    if entry.startswith(f"{provider_id}#"):
                        await self.vault.delete(entry)
            await self._remember(provider_id, [each for each in keys if each.label not in gone])
            return gone

    async def record_host(self, provider_id: str, host: str) -> None:
        """Note at their first use where keys may be sent that were stored before this was remembered."""
        async with self._one_at_a_time:
            keys = await self._keys(provider_id)
            await self._remember(provider_id, [each if each.host else replace(each, host=host) for each in keys])

    async def _about(self, provider_id: str) -> list[StoredKey]:
        text = await self.vault.get(_entry(provider_id, _ABOUT))
        try:
            rows = json.loads(text) if text else []
            return [_from_row(row) for row in rows]
        except (ValueError, TypeError, KeyError, AttributeError):
            return []

    async def _remember(self, provider_id: str, keys: Iterable[StoredKey]) -> None:
        rows = [_to_row(each) for each in keys]
        if rows:
            await self.vault.set(_entry(provider_id, _ABOUT), json.dumps(rows, separators=(",", ":")))
        else:
            await self.vault.delete(_entry(provider_id, _ABOUT))


def _entry(provider_id: str, label: str) -> str:
    return f"{provider_id}#{label}" if label else provider_id


def _old_label(label: str) -> str:
    return f"{label[:28]}-{OLD}" if label else OLD


def _to_row(key: StoredKey) -> dict[str, Any]:
    row = {"label": key.label, "host": key.host}
    return row if key.retires_at is None else {**row, "retires_at": key.retires_at.isoformat()}


def _from_row(row: dict[str, Any]) -> StoredKey:
    label, until = str(row["label"]), row.get("retires_at")
    if label and not LABEL.fullmatch(label):
        raise ValueError("not a label")
    return StoredKey(label, "", str(row["host"]), datetime.fromisoformat(until) if until else None)
