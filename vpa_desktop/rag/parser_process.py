"""The parser in a process of its own, with limits on memory, computing time and the clock: both of its ends.

A file that hangs, crashes or floods a library costs its own worker and one sentence; the next file gets a new one.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vpa_desktop.errors import DocumentUnreadable, KnowledgeError
from vpa_desktop.rag.chunks import Chunk, chunk_parts, tokenizer_from
from vpa_desktop.rag.loaders import LoadedDocument, Part, load
from vpa_desktop.rag.process_limits import allow_cpu, limit_memory
from vpa_desktop.rag.worker import Handler, Worker, WorkerDied

MEMORY_BYTES = 1 << 30
CPU_S = 20
WALL_S = 60.0


@dataclass(frozen=True, slots=True)
class ChunkSizes:
    """How to cut: sizes in tokens of the tokenizer in that file."""

    tokenizer: Path
    max_tokens: int = 200
    overlap_tokens: int = 40


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """What the window's process gets of a file."""

    title: str
    pages: int | None
    image_only: bool
    chunks: tuple[Chunk, ...]


class Parser:
    """The parent's end. Blocking and thread-safe: call it from a worker thread."""

    def __init__(self, sizes: ChunkSizes, *, wall_s: float = WALL_S) -> None:
        self._sizes = sizes
        self._wall_s = wall_s
        self._worker = Worker("parser", idle_s=20.0)

    def parse_file(self, path: Path) -> ParsedDocument:
        """Reads and cuts one file.

        Raises DocumentUnreadable with the sentence the person sees, whatever the file did to its reader.
        """
        return self._ask({"path": str(path)}, path.name)

    def cut_text(self, title: str, text: str) -> ParsedDocument:
        """Cuts a text that did not come from a file. Raises DocumentUnreadable when there is nothing in it."""
        return self._ask({"title": title, "text": text}, title)

    def close(self) -> None:
        """Ends the child, also in the middle of a file."""
        self._worker.close()

    def _ask(self, request: dict[str, str], name: str) -> ParsedDocument:
        sizes = self._sizes
        request |= {"tokenizer": str(sizes.tokenizer)}
        numbers = {"max_tokens": sizes.max_tokens, "overlap_tokens": sizes.overlap_tokens}
        payload = json.dumps(request | numbers).encode("utf-8", "surrogatepass")
        try:
            reply = self._worker.request(payload, self._wall_s)
        except WorkerDied as died:
            raise _sentence(name, died) from died
        except DocumentUnreadable:
            raise
        except KnowledgeError as refused:
            raise DocumentUnreadable(f"{name} could not be read", refused.what, "Split it or save it anew") from refused
        facts = json.loads(reply)
        chunks = tuple(Chunk(*row) for row in facts["chunks"])
        return ParsedDocument(facts["title"], facts["pages"], facts["image_only"], chunks)


def _sentence(name: str, died: WorkerDied) -> DocumentUnreadable:
    if died.timed_out or died.signal == getattr(signal, "SIGXCPU", -1):
        return DocumentUnreadable(f"{name} takes too long to read", "Its reader was stopped", "Split it")
    return DocumentUnreadable(
        f"{name} could not be read",
        "Its reader broke down on it, so the file is damaged or of a rare kind",
        "Open it in the program that made it and save it again",
    )


def make_handler(arguments: Sequence[str]) -> Handler:
    """Returns the child's end, after setting what the process may use for its whole life."""
    del arguments
    limit_memory(MEMORY_BYTES)
    return _handle


def _handle(payload: bytes) -> bytes:
    allow_cpu(CPU_S)
    request: dict[str, Any] = json.loads(payload.decode("utf-8", "surrogatepass"))
    if "path" in request:
        document = load(Path(request["path"]))
    else:
        document = LoadedDocument(request["title"], (Part(request["text"]),))
        if not request["text"].strip():
            raise DocumentUnreadable(f"{request['title'] or 'The document'} is empty", "There is no text in it")
    allow_cpu(CPU_S)
    chunks = chunk_parts(
        document.parts,
        tokenizer_from(Path(request["tokenizer"])),
        max_tokens=request["max_tokens"],
        overlap_tokens=request["overlap_tokens"],
    )
    if document.parts and not chunks:
        raise DocumentUnreadable(f"{document.title} holds no words", "It is one long run of characters without a blank")
    rows = [list(asdict(chunk).values()) for chunk in chunks]
    facts = {"title": document.title, "pages": document.pages, "image_only": document.image_only, "chunks": rows}
    return json.dumps(facts).encode()
