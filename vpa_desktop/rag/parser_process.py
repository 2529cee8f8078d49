"""The parser in a process of its own, with limits on memory, computing time and the clock: both of its ends.

A file that hangs, crashes or floods a library costs its own worker and one sentence; the next file gets a new one.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vpa_desktop.errors import DocumentUnreadable, KnowledgeError
from vpa_desktop.rag import recognition
from vpa_desktop.rag.chunks import Chunk, chunk_parts, tokenizer_from
from vpa_desktop.rag.loaders import LoadedDocument, Part, Reading, load
from vpa_desktop.rag.process_limits import allow_cpu, limit_memory
from vpa_desktop.rag.worker import Handler, Worker, WorkerDied

MEMORY_BYTES = 1 << 30
CPU_S = 20
WALL_S = 60.0
PICTURE_S = 15.0
PICTURES_S = 900.0


@dataclass(frozen=True, slots=True)
class ChunkSizes:
    """How to cut: sizes in tokens of the tokenizer in that file."""

    tokenizer: Path
    max_tokens: int = 200
    overlap_tokens: int = 40


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """What the window's process gets of a file. ``remark`` says what in it could not be read, and why."""

    title: str
    pages: int | None
    image_only: bool
    chunks: tuple[Chunk, ...]
    remark: str = ""


class Parser:
    """The parent's end. Blocking and thread-safe: call it from a worker thread."""

    def __init__(self, sizes: ChunkSizes, *, wall_s: float = WALL_S) -> None:
        self._sizes = sizes
        self._wall_s = wall_s
        self._worker = Worker("parser", idle_s=20.0)

    def parse_file(self, path: Path) -> ParsedDocument:
        """Reads and cuts one file.

        Pages that are pictures are read in a second go, with more time, where text recognition is installed.

        Raises DocumentUnreadable with the sentence the person sees, whatever the file did to its reader.
        """
        facts = self._ask({"path": str(path)}, path.name, self._wall_s)
        if facts["pictures"] and recognition.is_installed():
            seconds = min(PICTURE_S * facts["pictures"], PICTURES_S)
            facts = self._ask({"path": str(path), "recognise_s": seconds}, path.name, self._wall_s + seconds)
        return _document(path.name, facts)

    def cut_text(self, title: str, text: str) -> ParsedDocument:
        """Cuts a text that did not come from a file. Raises DocumentUnreadable when there is nothing in it."""
        return _document(title, self._ask({"title": title, "text": text}, title, self._wall_s))

    def close(self) -> None:
        """Ends the child, also in the middle of a file."""
        self._worker.close()

    def _ask(self, request: Mapping[str, str | float], name: str, seconds: float) -> dict[str, Any]:
        sizes = self._sizes
        cut = {
            "tokenizer": str(sizes.tokenizer),
            "max_tokens": sizes.max_tokens,
            "overlap_tokens": sizes.overlap_tokens,
        }
        payload = json.dumps({**request, **cut}).encode("utf-8", "surrogatepass")
        try:
            reply = self._worker.request(payload, seconds)
        except WorkerDied as died:
            raise _sentence(name, died) from died
        except DocumentUnreadable:
            raise
        except KnowledgeError as refused:
            raise DocumentUnreadable(f"{name} could not be read", refused.what, "Split it or save it anew") from refused
        facts: dict[str, Any] = json.loads(reply)
        return facts


def _document(name: str, facts: dict[str, Any]) -> ParsedDocument:
    chunks = tuple(Chunk(*row) for row in facts["chunks"])
    left_out = [*facts["remarks"], *_unread(facts["pictures"], facts["pages"], bool(chunks))]
    remark = ""
    if facts["image_only"]:
        next_steps = [] if recognition.is_installed() else [recognition.NEXT_STEP]
        remark = ". ".join([f"{name} has no text", *left_out, *next_steps]) + "."
    elif left_out:
        remark = f"{'. '.join(left_out)}."
    return ParsedDocument(facts["title"], facts["pages"], facts["image_only"], chunks, remark)


def _unread(pictures: int, pages: int | None, has_text: bool) -> Iterator[str]:
    """Says how many pages are pictures whose text could not be read."""
    if not pictures:
        return
    if has_text:
        counted = "One page in it is a picture" if pictures == 1 else f"{pictures} pages in it are pictures"
    else:
        counted = "Its only page is a picture" if pages == 1 else f"Its {pages or pictures} pages are pictures"
    if recognition.is_installed():
        yield f"{counted} in which text recognition found no words in its time"
    else:
        yield f"{counted} without text behind, as a camera or a scanner makes them"


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
        document = _read(Path(request["path"]), request.get("recognise_s", 0.0))
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
    facts = {
        "title": document.title,
        "pages": document.pages,
        "image_only": document.image_only,
        "pictures": document.pictures,
        "remarks": document.remarks,
        "chunks": rows,
    }
    return json.dumps(facts).encode()


def _read(path: Path, recognise_s: float) -> LoadedDocument:
    if not recognise_s:
        return load(path)
    allow_cpu(CPU_S + int(recognise_s))  # for drawing the pages; tesseract has limits of its own
    return load(path, Reading(recognition.Tesseract(recognise_s)))
