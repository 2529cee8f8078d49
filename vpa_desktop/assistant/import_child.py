"""Reads an export of conversations in a process of its own, so that a large one holds up nothing else here.

Python parses JSON without letting any other thread run: 100 MB in this process would be a second in which the window
does not move. The child reads everything, looks at it, and then hands it over line by line: a head, then one
conversation a line. What it refuses is a head too, in our own three sentences.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from vpa_desktop.assistant.conversation_file import is_ours, read_conversations
from vpa_desktop.children import child_command, child_environment
from vpa_desktop.errors import StorageError, UsageError
from vpa_desktop.importing.exports import Export, read_export

OURS: Final = "VPA Desktop"
MOST_AT_ONCE: Final = 50
MOST_BYTES_AT_ONCE: Final = 1_000_000
_REFUSALS: Final = {"UsageError": UsageError, "StorageError": StorageError}


class ExportReader:
    """An export that is being read; ``close`` ends that at any time. Only starting it does not wait.

    ``program`` is where it comes from, ``count`` how many conversations it has, ``empty`` how many had no words.
    """

    def __init__(self, path: Path) -> None:
        self.program, self.count, self.empty = "", 0, 0
        self._path, self._left = path, 0
        self._child = subprocess.Popen(
            child_command("importer", [str(path)]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
        )

    def look(self) -> None:
        """Returns when everything was looked at. Raises UsageError, StorageError."""
        text = self._text()
        head: dict[str, Any] = json.loads(text) if text else {}
        if refused := _REFUSALS.get(head.get("refused", "")):
            raise refused(head["what"], head["why"], head["next_step"])
        if "program" not in head:
            raise self._ended()
        self.program, self.count, self.empty = str(head["program"]), int(head["count"]), int(head["empty"])
        self._left = self.count

    def some(self) -> list[dict[str, Any]]:
        """Returns the next conversations, none at the end. Raises StorageError where the child ended too early."""
        found: list[dict[str, Any]] = []
        size = 0
        while self._left and len(found) < MOST_AT_ONCE and size < MOST_BYTES_AT_ONCE:
            text = self._text()
            if not text:
                raise self._ended()
            found.append(json.loads(text))
            size += len(text)
            self._left -= 1
        return found

    def close(self) -> None:
        """Ends the child."""
        self._child.kill()
        self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()

    def _text(self) -> bytes:
        assert self._child.stdout is not None
        return self._child.stdout.readline()

    def _ended(self) -> StorageError:
        return StorageError(
            f"{self._path.name} was not taken in whole",
            "The process that reads it ended early, for want of memory perhaps",
            "Close other programs and try again, or export fewer conversations at once",
        )


def main(arguments: Sequence[str]) -> int:
    """Is the child: reads the export that is named, and writes it to standard output."""
    path = Path(arguments[0])
    try:
        export = Export(OURS, read_conversations(path)) if is_ours(path) else read_export(path)
    except (UsageError, StorageError) as error:
        told = {"what": error.what, "why": error.why, "next_step": error.next_step}
        kind = "UsageError" if isinstance(error, UsageError) else "StorageError"
        _write({"refused": kind, **told})
        return error.exit_code
    _write({"program": export.program, "count": len(export.conversations), "empty": export.empty})
    for conversation in export.conversations:
        _write(conversation)
    sys.stdout.buffer.flush()
    return 0


def _write(value: Any) -> None:
    sys.stdout.buffer.write(json.dumps(value).encode() + b"\n")
