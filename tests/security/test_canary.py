"""A key that went through everything here stands in no file afterwards, in no usual encoding."""

from __future__ import annotations

import base64
import logging
import urllib.parse
from pathlib import Path

from vpa_desktop.security.audit import AuditLog
from vpa_desktop.security.file_vault import FileVault
from vpa_desktop.security.redaction import RedactingFilter, redact, register_secret
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database

CANARY = "sk-" + "proj-CANARY/4f9c2d7be1+a8305"


def encodings(secret: str) -> list[bytes]:
    raw = secret.encode()
    quoted = urllib.parse.quote(secret, safe="").encode()
    return [raw, base64.b64encode(raw), raw.hex().encode(), quoted, secret.encode("utf-16-le")]


def files_with(secret: str, folder: Path) -> tuple[int, list[str]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return len(files), [path.name for path in files for form in encodings(secret) if form in path.read_bytes()]


async def test_the_canary_is_in_no_file(tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "vpa.log", encoding="utf-8")
    handler.addFilter(RedactingFilter())
    logger = logging.Logger("canary")
    logger.addHandler(handler)
    db = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    vault = FileVault(tmp_path / "keys.vault", "a passphrase")
    register_secret(CANARY)

    await vault.set("openai", CANARY)
    await AuditLog(db).append("key.set", "openai", f"stored {CANARY}", url=f"https://x/?key={CANARY}")
    store = ConversationStore(db)
    chat = await store.create(redact(f"my key is {CANARY}"))
    await store.begin_turn(chat.id, redact(CANARY))
    logger.error("refused: %s", {"authorization": f"Bearer {CANARY}"})
    await vault.delete("openai")
    await vault.set("openai", CANARY)
    await db.backup()

    handler.close()
    files, found = files_with(CANARY, tmp_path)
    await db.aclose()
    assert files >= 5
    assert found == []
    assert await vault.get("openai") == CANARY
