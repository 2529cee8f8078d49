"""Keys in memory for the window's tests. Implements ui.ports.KeyBackend; the first key of each is in ``keys``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from vpa_desktop.errors import VaultLocked
from vpa_desktop.records import KeyInfo, ProviderVerdict


class FakeKeyDesk:
    """``facts`` change what is said of a key, by provider and label ("" for the first one)."""

    def __init__(self, keys: dict[str, str], verdict: Callable[[], ProviderVerdict]) -> None:
        self.keys = keys
        self.more: dict[tuple[str, str], str] = {}
        self.facts: dict[tuple[str, str], KeyInfo] = {}
        self.tested: list[tuple[str, str | None]] = []
        self.passphrase = ""
        self._verdict = verdict

    @property
    def is_locked(self) -> bool:
        return bool(self.passphrase)

    async def unlock(self, passphrase: str) -> None:
        if passphrase != self.passphrase:
            raise VaultLocked("The key file cannot be opened", "The passphrase is wrong", "Try the passphrase again")
        self.passphrase = ""

    def count(self, provider_id: str, state: str = "") -> int:
        """How many keys a provider has, of a state or all."""
        labels = [""] * (provider_id in self.keys) + [label for name, label in self.more if name == provider_id]
        states = [self.facts.get((provider_id, label), KeyInfo("", "", "")).state for label in labels]
        return len([each for each in states if state in ("", each)])

    async def list_keys(self) -> list[KeyInfo]:
        found = [((name, ""), key) for name, key in self.keys.items()]
        found = sorted([*found, *self.more.items()], key=lambda each: each[0][0])
        return [
            replace(
                self.facts.get(place, KeyInfo(place[0], "", "")),
                provider=place[0], label=place[1], source="system keyring", hint=f"…{key[-4:]}",
            )
            for place, key in found
        ]  # fmt: skip

    async def set_key(self, provider_id: str, key: str, label: str = "") -> None:
        if label in ("", "default"):
            self.keys[provider_id] = key
        else:
            self.more[provider_id, label] = key

    async def delete_key(self, provider_id: str, label: str | None = None) -> None:
        if label in (None, "", "default"):
            self.keys.pop(provider_id, None)
        else:
            del self.more[provider_id, str(label)]

    async def rotate_key(self, provider_id: str, key: str, label: str = "") -> ProviderVerdict:
        verdict = replace(self._verdict(), provider=provider_id)
        if verdict.ok:
            old = self.keys[provider_id] if label in ("", "default") else self.more[provider_id, label]
            await self.set_key(provider_id, key, label)
            self.more[provider_id, "old"] = old
            self.facts[provider_id, "old"] = KeyInfo(provider_id, "", "", state="old")
        return verdict

    async def test_keys(self, provider_id: str, label: str | None = None) -> list[ProviderVerdict]:
        self.tested.append((provider_id, label))
        return [replace(self._verdict(), provider=provider_id, key=label or "")]
