"""The file that conversations travel in: our own JSON, written piece by piece, and read with suspicion.

Its shape is public: an object with ``format``, ``version``, ``program``, ``exported_at`` and ``conversations``; each of
these has ``id``, ``title``, ``created_at``, ``updated_at`` and ``messages``, whose fields are those of the database.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from vpa_desktop import __version__
from vpa_desktop.errors import StorageError, UsageError
from vpa_desktop.storage.conversation_archive import problem_of

FORMAT: Final = "vpa-desktop conversations"
VERSION: Final = 1
MOST_BYTES: Final = 1_000_000_000
_HEAD_BYTES: Final = 2_000


async def write_conversations(file: IO[bytes], conversations: AsyncIterator[dict[str, Any]]) -> int:
    """Write the conversations one by one, so that only one is in memory; returns how many there were."""
    head = {"format": FORMAT, "version": VERSION, "program": __version__, "exported_at": datetime.now(UTC).isoformat()}
    file.write(json.dumps(head, indent=1)[:-2].encode() + b',\n "conversations": [')
    count = 0
    async for conversation in conversations:
        text = json.dumps(conversation, ensure_ascii=False, indent=1)
        file.write((",\n" if count else "\n").encode() + text.encode())
        count += 1
    file.write(b"\n ]\n}\n")
    return count


def is_ours(path: Path) -> bool:
    """Whether a file begins like one of ours; False also for a folder, and for what is not there or cannot be read."""
    try:
        with path.open("rb") as file:
            return FORMAT.encode() in file.read(_HEAD_BYTES)
    except OSError:
        return False


def read_conversations(path: Path) -> list[dict[str, Any]]:
    """Return the conversations of a file, each looked at; raises UsageError for a file that is not ours or is damaged.

    Nothing is taken in where one of them is not right: half an import is harder to mend than none.
    """
    found = _document(path)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise _not_ours(path, "It is no export of conversations from VPA Desktop")
    version = found.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise UsageError(
            f"{path.name} was not taken in",
            f"It was written by a newer version of VPA Desktop (its format is {version}, this program knows {VERSION})",
            "Install the newer version here too",
        )
    conversations = found.get("conversations")
    if not isinstance(conversations, list):
        raise _not_ours(path, "It has no list of conversations")
    for number, conversation in enumerate(conversations, 1):
        if problem := problem_of(conversation):
            raise _not_ours(path, f"Conversation {number} cannot be read: {problem}")
    return conversations


def _document(path: Path) -> Any:
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder", "An export is one file", "Name the file")
        if path.stat().st_size > MOST_BYTES:
            raise _not_ours(path, f"It is larger than {MOST_BYTES // 1_000_000} MB")
        return json.loads(path.read_bytes())
    except FileNotFoundError as exc:
        raise UsageError(f"There is no file {path}", "It was moved, or the name is mistyped", "Name the file") from exc
    except OSError as exc:
        raise StorageError(f"{path} cannot be read", exc.strerror or str(exc), "Mend its permissions") from exc
    except (ValueError, RecursionError) as exc:
        raise _not_ours(path, "It is not whole JSON text in UTF-8") from exc


def _not_ours(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path.name} was not taken in", why, "Export it again with: vpa-desktop chats export -o FILE.json"
    )
