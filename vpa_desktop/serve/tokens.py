"""Who may ask: one bearer token for each user, in a file that only its owner can read.

Not in the vault of provider keys: that one may be locked, or forget everything at the end of a session, and what a
token opens is this machine's loopback, to people who can read the same folder anyway.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from pathlib import Path
from typing import Final

from vpa_desktop.errors import StorageError, UsageError
from vpa_desktop.messages import LOCAL_USER
from vpa_desktop.security.redaction import register_secret
from vpa_desktop.storage.files import make_private, write_private

USER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class TokenFile:
    """The tokens, a line for each user. A change of the file counts at the next request."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._users: dict[str, str] = {}
        self._digests: list[tuple[bytes, str]] = []

    def token_of(self, user: str = LOCAL_USER) -> str:
        """Return the user's token, made where there is none yet; raises StorageError, UsageError."""
        self._read()
        return self._users.get(user) or self.renew(user)

    def renew(self, user: str = LOCAL_USER) -> str:
        """Give the user another token and return it; the old one is worth nothing at once."""
        if not USER.fullmatch(user):
            raise UsageError(
                f"“{user}” cannot be a user's name", "Letters, digits and . _ @ - can stand in one", "Choose another"
            )
        self._read()
        token = "vpa-" + secrets.token_urlsafe(32)
        lines = "".join(f"{name} {value}\n" for name, value in sorted({**self._users, user: token}.items()))
        try:
            write_private(self._path, lines.encode())
        except OSError as exc:
            raise StorageError(
                "The token was not stored", exc.strerror or str(exc), "Make the folder writable"
            ) from exc
        self._read()
        return token

    def owner_of(self, presented: str) -> str | None:
        """Return whose token this is, None where it is nobody's; takes as long either way."""
        self._read()
        digest = _digest(presented)
        found = None
        for known, user in self._digests:
            if hmac.compare_digest(known, digest):
                found = user
        return found

    def _read(self) -> None:
        """Read the file where it has changed since; one that is not there has no tokens."""
        try:
            facts = self._path.stat()
            seen = (facts.st_mtime_ns, facts.st_ino, facts.st_size)
            if seen == self._seen:
                return
            make_private(self._path)
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            seen, lines = None, []
        except OSError as exc:
            raise StorageError("The tokens cannot be read", exc.strerror or str(exc), "Mend the permissions") from exc
        pairs = [line.split() for line in lines]
        self._users = {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
        self._digests = [(_digest(token), user) for user, token in self._users.items()]
        self._seen = seen
        for token in self._users.values():
            register_secret(token)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
