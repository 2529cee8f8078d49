"""Files inside files: members of an archive, attachments of a message. Each is read by its own kind, within one budget.

The name of the inner file is the beginning of its sections. What cannot be read is left out and remarked on.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.folders import could_be_document
from vpa_desktop.rag.loaders import MAX_DEPTH, LoadedDocument, Part, Reading, load_bytes

_MAX_REMARKS = 20


class Packed:
    """Collects what the files in one file hold."""

    def __init__(self, reading: Reading) -> None:
        self.parts: list[Part] = []
        self.pictures = 0
        self._reading = reading
        self._remarks: list[str] = []
        self._left_out = 0

    @property
    def remarks(self) -> tuple[str, ...]:
        """A sentence for each file that was left out, as far as they are few."""
        more = self._left_out - len(self._remarks)
        return (*self._remarks, *([f"{more} more files in it could not be read"] if more else ()))

    def add(self, name: str, data: bytes) -> None:
        """Reads one inner file. Names that never hold text (programs, sound, ...) are passed over."""
        name = " ".join(name.split()) or "unnamed"
        if not could_be_document(PurePosixPath(name)):
            return
        try:
            document = self._load(name, data)
        except DocumentUnreadable as unreadable:
            self.leave_out(f"{unreadable.what}: {unreadable.why}")
            return
        self.pictures += document.pictures
        for remark in document.remarks:
            self.leave_out(remark)
        for part in document.parts:
            section = f"{name} > {part.section}" if part.section else name
            self.parts.append(Part(part.text, part.page, section, part.numbers, part.numbered))

    def leave_out(self, remark: str) -> None:
        """Counts an inner file that is not read, and keeps the reason."""
        self._left_out += 1
        if len(self._remarks) < _MAX_REMARKS:
            self._remarks.append(remark)

    def _load(self, name: str, data: bytes) -> LoadedDocument:
        reading = self._reading
        reading.bytes_left -= len(data)
        if reading.bytes_left < 0:
            raise DocumentUnreadable(f"{name} is not read", "What is packed in the file is too much altogether")
        if reading.depth >= MAX_DEPTH:
            raise DocumentUnreadable(f"{name} is not read", "It is packed in a file in a file in a file")
        reading.depth += 1
        try:
            return load_bytes(data, Path(name), reading)
        finally:
            reading.depth -= 1
