"""Keys in one encrypted file, for machines without a keyring. Not for anything but keys.

Layout: a line naming the format, a line of JSON with the key derivation's parameters, a 12-byte nonce, and
the AES-256-GCM ciphertext of a JSON object (provider id to key). Both lines are authenticated with it, so that
nothing in the file can be changed unseen. The key comes from the passphrase by Argon2id, or by scrypt where
the library lacks it, with the parameters OWASP recommends or stronger; weaker ones in a file are refused.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from vpa_desktop.errors import SecretError, VaultLocked, VaultUnavailable
from vpa_desktop.security.redaction import register_secret
from vpa_desktop.storage.files import make_private, write_private

T = TypeVar("T")

UNLOCK = "Unlock it in Settings, Keys, or set VPA_VAULT_PASSPHRASE"

_MAGIC = b"VPA Desktop keys 1\n"
_NONCE_BYTES = 12
_KEY_BYTES = 32
_SALT_BYTES = 16
_MAX_FILE_BYTES = 4 * 1024 * 1024

_ARGON2ID = {"kdf": "argon2id", "memory_kib": 65536, "passes": 3, "lanes": 4}
_SCRYPT = {"kdf": "scrypt", "n": 131072, "r": 8, "p": 1}
# A file that asks for gigabytes or minutes was not written by this program either.
_HIGHEST = {"memory_kib": 1 << 20, "passes": 32, "lanes": 64, "n": 1 << 20, "r": 16, "p": 16}


@dataclass(frozen=True, slots=True)
class _Lock:
    """The header's bytes and the key that belongs to them."""

    header: bytes
    key: bytes


class FileVault:
    """An encrypted file. The passphrase is asked once; the derived key stays in memory while the program runs."""

    name = "encrypted file"

    def __init__(self, path: Path, passphrase: str | None) -> None:
        self._path = path
        self._passphrase = passphrase
        self._lock: _Lock | None = None
        self._one_at_a_time = threading.Lock()

    async def get(self, provider_id: str) -> str | None:
        """The key, None where none is stored."""
        key = (await self._run(self._read)).get(provider_id)
        if key:
            register_secret(key)
        return key

    async def set(self, provider_id: str, key: str) -> None:
        """Stores the key; returns only when it can be read back."""
        register_secret(key)

        def work() -> None:
            self._write({**self._read(), provider_id: key})
            if self._read().get(provider_id) != key:
                raise VaultUnavailable("The key was not stored", f"{self._path} does not give it back")

        await self._run(work)

    async def delete(self, provider_id: str) -> None:
        """Removes the key; no error where there is none."""

        def work() -> None:
            keys = self._read()
            if keys.pop(provider_id, None) is not None:
                self._write(keys)

        await self._run(work)

    async def look(self) -> None:
        """Raises VaultLocked where the passphrase is wrong or not there."""
        await self.ids()

    async def ids(self) -> list[str]:
        """The providers that have a key here, sorted."""
        return sorted(await self._run(self._read))

    @property
    def needs_passphrase(self) -> bool:
        """True until a passphrase was given."""
        return not self._passphrase

    async def unlock(self, passphrase: str) -> None:
        """Takes the passphrase if it opens the file, or for a file that is not there yet; raises VaultLocked."""
        before, self._passphrase, self._lock = self._passphrase, passphrase, None
        try:
            await self._run(self._read)
        except SecretError:
            self._passphrase = before
            raise

    async def _run(self, work: Callable[[], T]) -> T:
        def alone() -> T:
            with self._one_at_a_time:
                try:
                    return work()
                except OSError as error:
                    raise VaultUnavailable(
                        "The key file cannot be used",
                        f"{error.strerror or error}: {self._path}",
                        "Check the folder, its permissions and the space on the disk",
                    ) from error

        return await asyncio.to_thread(alone)

    def _read(self) -> dict[str, str]:
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            return {}
        make_private(self._path)
        data = self._path.read_bytes() if size <= _MAX_FILE_BYTES else b""
        header, nonce, sealed = _split(data, self._path)
        lock = self._lock
        if lock is None or lock.header != header:
            lock = _Lock(header, _derive(self._needed_passphrase(), _checked(header, self._path)))
        keys = _unseal(lock, nonce, sealed, self._path)
        self._lock = lock
        return keys

    def _write(self, keys: dict[str, str]) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if self._lock is None:
            self._lock = _new_lock(self._needed_passphrase())
        nonce = os.urandom(_NONCE_BYTES)
        plain = json.dumps(keys, ensure_ascii=False).encode()
        sealed = AESGCM(self._lock.key).encrypt(nonce, plain, self._lock.header)
        write_private(self._path, self._lock.header + nonce + sealed)

    def _needed_passphrase(self) -> str:
        if not self._passphrase:
            raise VaultLocked("The key file is locked", "Its passphrase was not given", UNLOCK)
        return self._passphrase


def _damaged(path: Path) -> VaultUnavailable:
    return VaultUnavailable(
        "The key file cannot be read",
        f"{path} is damaged or was not written by this program",
        "Move it away and enter your keys again",
    )


def _split(data: bytes, path: Path) -> tuple[bytes, bytes, bytes]:
    end = data.find(b"\n", len(_MAGIC)) + 1
    if not data.startswith(_MAGIC) or end == 0 or len(data) < end + _NONCE_BYTES:
        raise _damaged(path)
    return data[:end], data[end : end + _NONCE_BYTES], data[end + _NONCE_BYTES :]


def _checked(header: bytes, path: Path) -> dict[str, Any]:
    try:
        parameters = json.loads(header[len(_MAGIC) :])
        floor = {"argon2id": _ARGON2ID, "scrypt": _SCRYPT}[parameters["kdf"]]
        lowest = {name: value for name, value in floor.items() if isinstance(value, int)}
        fit = all(value <= int(parameters[name]) <= _HIGHEST[name] for name, value in lowest.items())
        salt = bytes.fromhex(parameters["salt"])
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path) from error
    if not fit or len(salt) != _SALT_BYTES:
        raise _damaged(path)
    return {**parameters, "salt": salt}


def _new_lock(passphrase: str) -> _Lock:
    from cryptography.exceptions import UnsupportedAlgorithm

    salt = os.urandom(_SALT_BYTES)
    for parameters in (_ARGON2ID, _SCRYPT):
        try:
            key = _derive(passphrase, {**parameters, "salt": salt})
        except UnsupportedAlgorithm:
            continue
        text = json.dumps({**parameters, "salt": salt.hex()}, separators=(",", ":"))
        return _Lock(_MAGIC + text.encode() + b"\n", key)
    raise VaultUnavailable("No key file can be made", "The cryptography library lacks Argon2id and scrypt")


def _derive(passphrase: str, parameters: dict[str, Any]) -> bytes:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    secret = passphrase.encode()
    if parameters["kdf"] == "scrypt":
        n, r, p = parameters["n"], parameters["r"], parameters["p"]
        return Scrypt(salt=parameters["salt"], length=_KEY_BYTES, n=n, r=r, p=p).derive(secret)
    return Argon2id(
        salt=parameters["salt"],
        length=_KEY_BYTES,
        iterations=parameters["passes"],
        lanes=parameters["lanes"],
        memory_cost=parameters["memory_kib"],
    ).derive(secret)


def _unseal(lock: _Lock, nonce: bytes, sealed: bytes, path: Path) -> dict[str, str]:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        keys = json.loads(AESGCM(lock.key).decrypt(nonce, sealed, lock.header))
    except InvalidTag as error:
        raise VaultLocked(
            "The key file cannot be opened",
            f"The passphrase is wrong, or {path} is damaged",
            "Try the passphrase again; if it is right, move the file away and enter your keys again",
        ) from error
    except ValueError as error:
        raise _damaged(path) from error
    return {str(name): str(value) for name, value in keys.items()}
