"""Where provider keys are kept: the system keyring, an encrypted file, or this session only. Never a plain file.

The only file that imports keyring. A keyring may degrade in silence (a null or plain-text backend), may be
locked, and may never answer; so its backend is chosen from a list of safe ones, what is stored is read
back, and every call has a deadline.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from vpa_desktop.errors import ConfigError, VaultLocked, VaultUnavailable
from vpa_desktop.security.deadline import DaemonCaller
from vpa_desktop.security.redaction import register_secret

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")
VaultChoice = Literal["keyring", "file", "memory"]

SERVICE = "VPA Desktop"
TIMEOUT_S = 10.0
INTERACTIVE_TIMEOUT_S = 60.0
INSTEAD = (
    "Unlock or set up the system keyring, or start with VPA_VAULT=file (an encrypted file) or VPA_VAULT=memory "
    "(this session only)"
)

# A keyring cannot list what it holds, so the ids are an entry of their own. No provider id has a "#".
_INDEX = "#ids"
_SAFE_BACKENDS = {f"keyring.backends.{name}" for name in ("SecretService", "libsecret", "kwallet", "macOS", "Windows")}
_BACKEND_ERRORS = (
    ("keyring.errors", "KeyringError"),
    ("secretstorage.exceptions", "SecretStorageException"),
    ("jeepney.wrappers", "DBusErrorResponse"),
    ("dbus.exceptions", "DBusException"),
    ("gi.repository.GLib", "Error"),
    ("win32ctypes.pywin32.pywintypes", "error"),
)


class KeyVault(Protocol):
    """A safe place for keys, by provider id. Every method may raise SecretError."""

    @property
    def name(self) -> str:
        """What the place is called in the window."""

    async def get(self, provider_id: str) -> str | None:
        """The key, None where none is stored."""

    async def set(self, provider_id: str, key: str) -> None:
        """Stores the key; returns only when it can be read back."""

    async def delete(self, provider_id: str) -> None:
        """Removes the key; no error where there is none."""

    async def ids(self) -> list[str]:
        """The entries that have a key here, sorted: a provider's id, with # and more for its further keys."""

    async def look(self) -> None:
        """Raises SecretError where there is no such place here; nobody is asked for a password."""

    @property
    def needs_passphrase(self) -> bool:
        """True where a passphrase has to be typed before it can be used."""

    async def unlock(self, passphrase: str) -> None:
        """Opens it with a passphrase, where it needs one; raises VaultLocked for a wrong one."""


class _NoPassphrase:
    """A vault that this program does not lock."""

    needs_passphrase = False

    async def unlock(self, passphrase: str) -> None:
        """Nothing is to be done."""

    async def look(self) -> None:
        """It is there."""


class MemoryVault(_NoPassphrase):
    """Keys for this session only; they are gone when the program ends."""

    name = "this session only"

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}

    async def get(self, provider_id: str) -> str | None:
        """The key, None where none is stored."""
        return self._keys.get(provider_id)

    async def set(self, provider_id: str, key: str) -> None:
        """Keeps the key in memory."""
        register_secret(key)
        self._keys[provider_id] = key

    async def delete(self, provider_id: str) -> None:
        """Forgets the key."""
        self._keys.pop(provider_id, None)

    async def ids(self) -> list[str]:
        """The providers that have a key here, sorted."""
        return sorted(self._keys)


class KeyringVault(_NoPassphrase):
    """The system's keyring: Secret Service, KWallet, macOS Keychain or Windows Credential Manager.

    ``interactive`` allows a person a minute to answer an unlock prompt; without it a call has ten seconds.
    """

    name = "system keyring"

    def __init__(self, *, interactive: bool = False, timeout_s: float | None = None) -> None:
        self._timeout_s = timeout_s or (INTERACTIVE_TIMEOUT_S if interactive else TIMEOUT_S)
        self._caller = DaemonCaller("keyring")
        self._backend: KeyringBackend | None = None

    async def get(self, provider_id: str) -> str | None:
        """The key, None where none is stored."""
        key = await self._call(lambda: self._found().get_password(SERVICE, provider_id))
        if key:
            register_secret(key)
        return key

    async def set(self, provider_id: str, key: str) -> None:
        """Stores the key; returns only when it can be read back."""
        register_secret(key)

        def work() -> None:
            self._store(provider_id, key)
            ids = self._read_index()
            if provider_id not in ids:
                self._store(_INDEX, json.dumps(sorted({*ids, provider_id})))

        await self._call(work)

    async def delete(self, provider_id: str) -> None:
        """Removes the key; no error where there is none."""

        def work() -> None:
            backend = self._found()
            if backend.get_password(SERVICE, provider_id) is not None:
                backend.delete_password(SERVICE, provider_id)
            ids = self._read_index()
            if provider_id in ids:
                self._store(_INDEX, json.dumps([known for known in ids if known != provider_id]))

        await self._call(work)

    async def ids(self) -> list[str]:
        """The providers that have a key here, sorted."""
        return await self._call(self._read_index)

    async def look(self) -> None:
        """Raises VaultUnavailable where there is none. Reading would ask a person who has no key for a password."""
        await self._call(self._found)

    def _read_index(self) -> list[str]:
        text = self._found().get_password(SERVICE, _INDEX)
        try:
            ids = json.loads(text or "[]")
        except ValueError:
            return []
        return sorted(str(each) for each in ids) if isinstance(ids, list) else []

    def _store(self, entry: str, value: str) -> None:
        backend = self._found()
        backend.set_password(SERVICE, entry, value)
        if backend.get_password(SERVICE, entry) != value:
            raise VaultUnavailable(
                "The key was not stored", "The system keyring accepted it but does not give it back", INSTEAD
            )

    def _found(self) -> KeyringBackend:
        if self._backend is None:
            self._backend = _choose_backend()
        return self._backend

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await self._caller.call(work, self._timeout_s)
        except TimeoutError as error:
            raise VaultUnavailable(
                "The system keyring does not answer",
                f"It gave no reply within {self._timeout_s:g} seconds; it may be waiting for its password somewhere",
                INSTEAD,
            ) from error
        except _foreign_errors() as error:
            if "Locked" in type(error).__name__:
                raise VaultLocked("The system keyring is locked", "It was not unlocked", INSTEAD) from error
            why = str(error) or type(error).__name__
            raise VaultUnavailable("The system keyring cannot be used", why, INSTEAD) from error


async def forget_everything(vault: KeyVault) -> list[str]:
    """Removes every key of ours from a vault; returns the entries there were. Raises SecretError."""
    entries = await vault.ids()
    for entry in entries:
        await vault.delete(entry)
    if isinstance(vault, KeyringVault):
        await vault.delete(_INDEX)
    return entries


def _choose_backend() -> KeyringBackend:
    """The best safe backend; raises VaultUnavailable where there is none or an unsafe one is set."""
    from keyring import core
    from keyring.backend import by_priority, get_all_keyring

    variable = os.environ.get("PYTHON_KEYRING_BACKEND")
    try:
        chosen = core.load_env() or core.load_config()
    except (ImportError, AttributeError, RuntimeError, ValueError) as error:
        raise _unsafe(variable or "the one in keyringrc.cfg") from error
    if chosen is not None:
        if type(chosen).__module__ not in _SAFE_BACKENDS:
            raise _unsafe(variable or f"{type(chosen).__module__}, set in keyringrc.cfg")
        return chosen
    # keyring itself may prefer a chain of all backends, with a plain-text one among them.
    safe = [each for each in get_all_keyring() if type(each).__module__ in _SAFE_BACKENDS]
    if not safe:
        raise VaultUnavailable("There is no system keyring here", "No keyring service is running", INSTEAD)
    return max(safe, key=by_priority)


def _unsafe(name: str) -> VaultUnavailable:
    return VaultUnavailable(
        "The system keyring is not used",
        f"The backend that is set ({name}) does not keep secrets safely",
        "Remove PYTHON_KEYRING_BACKEND or the entry in keyringrc.cfg, or choose another place for keys in Settings",
    )


def _foreign_errors() -> tuple[type[BaseException], ...]:
    """What a backend may raise. Not every one wraps what its own library raises, so those that are loaded count."""
    found: list[type[BaseException]] = [OSError, RuntimeError]
    for module, name in _BACKEND_ERRORS:
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type) and issubclass(kind, Exception):
            found.append(kind)
    return tuple(found)


def open_vault(choice: str, *, file: Path, passphrase: str | None = None, interactive: bool = False) -> KeyVault:
    """The vault for a setting (keyring, file or memory); raises ConfigError for any other word.

    Nothing is read yet; a FileVault without a passphrase raises VaultLocked when it is used.
    """
    if choice == "keyring":
        return KeyringVault(interactive=interactive)
    if choice == "memory":
        return MemoryVault()
    if choice == "file":
        from vpa_desktop.security.file_vault import FileVault

        return FileVault(file, passphrase)
    raise ConfigError(
        f"“{choice}” is no place for keys", "The setting is keyring, file or memory", "Set or unset VPA_VAULT"
    )
