"""Opens a document at a passage: a PDF's page as a picture, of everything else the text as it was read.

Reads the database and, for a PDF, has the page drawn in a process of its own. Where the file is gone or cannot be
drawn, its text is shown, with the reason.
"""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from vpa_desktop.errors import DocumentUnreadable, KnowledgeError
from vpa_desktop.locate import find_passage
from vpa_desktop.page_views import DocumentView, PageView, Place, TextRun, TextView
from vpa_desktop.rag.page_process import PageDrawer
from vpa_desktop.rag.positions import without_position
from vpa_desktop.records import DocumentRecord
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.documents import DocumentStore, Passage

PIECE_PASSAGES = 150
_JOINED_AT_MOST = 12
_PICTURED = "The passage cannot be marked on this page. Its text is in a picture, or is drawn in another order."


class DocumentViewer:
    """Makes the views of documents. Safe to ask from the window's loop: nothing here blocks it."""

    def __init__(self, db: Database, drawer: PageDrawer | None = None) -> None:
        self._store = DocumentStore(db)
        self._drawer = drawer or PageDrawer()

    async def show(self, place: Place, number: int | None = None, width_px: int = 1_000) -> DocumentView:
        """Returns the page or piece that holds the place, or page or piece ``number`` (from 1) of the document.

        Raises KnowledgeError when the document is no longer there or holds no text.
        """
        stored = await self._store.get(place.document_id)
        if stored is None:
            raise KnowledgeError(
                "This document is no longer there", "It was removed from your documents", "Add it again to open it"
            )
        note = ""
        if await asyncio.to_thread(_is_pdf, Path(stored.record.path)):
            try:
                return await self._page(stored.record, stored.facts.modified_ns, place, number, width_px)
            except DocumentUnreadable as unreadable:
                note = f"{unreadable} This is its text as it was read."
        elif stored.record.path and not await asyncio.to_thread(Path(stored.record.path).exists):
            note = f"{stored.record.name} is not where it was. This is its text as it was read."
        return await self._text(stored.record, place, number, note)

    async def _page(
        self, record: DocumentRecord, modified_ns: int, place: Place, number: int | None, width_px: int
    ) -> PageView:
        path, at = Path(record.path), number or place.page or 1
        passage = place.passage if at == (place.page or 1) else ""
        drawn = await asyncio.to_thread(self._drawer.draw, path, at, width_px, passage, place.start)
        note = _PICTURED if passage and not drawn.marks else ""
        if modified_ns and await asyncio.to_thread(_modified_ns, path) != modified_ns:
            note = f"{record.name} was changed after it was read. {note}".strip()
        return PageView(
            record.name, at, drawn.pages, drawn.width, drawn.height, drawn.stride, drawn.pixels, drawn.marks,
            drawn.text, note,
        )  # fmt: skip

    async def _text(self, record: DocumentRecord, place: Place, number: int | None, note: str) -> TextView:
        count = max(1, -(-record.chunks // PIECE_PASSAGES))
        marked = await self._marked(record, place)
        at = min(count, number or (marked.ordinal // PIECE_PASSAGES + 1 if marked else 1))
        first = (at - 1) * PIECE_PASSAGES
        passages = await self._store.passages_of(record.id, first, first + PIECE_PASSAGES - 1)
        if not passages:
            why = record.reason or "There is nothing in it to show"
            raise KnowledgeError(f"{record.name} cannot be shown", why, "Open the file in its own program")
        return TextView(record.name, at, count, tuple(runs_of(passages, marked)), note)

    async def _marked(self, record: DocumentRecord, place: Place) -> Passage | None:
        """The passage of the place, also where the document was cut anew since then."""
        if not place.passage and not place.chunk_id:
            return None
        found = (await self._store.passages([place.chunk_id])).get(place.chunk_id)
        if found is not None and found.document_id == record.id:
            is_joined = place.start <= found.start < found.end <= place.end
            return replace(found, start=place.start, end=place.end) if is_joined else found
        everything = await self._store.passages_of(record.id, 0, record.chunks)
        holding = (p for p in everything if place.passage and find_passage(p.text, place.passage))
        return next(holding, None)

    async def aclose(self) -> None:
        """Ends the drawing process."""
        await asyncio.to_thread(self._drawer.close)


def runs_of(passages: Sequence[Passage], marked: Passage | None) -> Iterator[TextRun]:
    """Puts passages that overlap together again, with headings where a page or section begins."""
    at, before = 0, None
    for passage in passages:
        if before is None or _begins_part(before, passage):
            if before is not None:
                yield TextRun("text", "\n\n")
            if heading := _heading(passage):
                yield TextRun("heading", f"{heading}\n")
            at = passage.start
        elif passage.start > at:
            yield TextRun("text", "\n")
        yield from _split(passage, max(at, passage.start), marked)
        at, before = max(at, passage.end), passage


def _begins_part(before: Passage, passage: Passage) -> bool:
    return _part(before) != _part(passage) or passage.start < before.start


def _part(passage: Passage) -> tuple[int | None, str]:
    return passage.page, without_position(passage.section)


def _heading(passage: Passage) -> str:
    page = f"Page {passage.page}" if passage.page is not None else ""
    return "  ·  ".join(part for part in (page, without_position(passage.section)) if part)


def _split(passage: Passage, start: int, marked: Passage | None) -> Iterator[TextRun]:
    """What is new of a passage, cut where the marked one begins and ends."""
    shares_part = marked is not None and not _begins_elsewhere(passage, marked)
    first = marked.start if marked is not None and shares_part else passage.end
    last = marked.end if marked is not None and shares_part else passage.end
    cuts = sorted({start, passage.end, *(c for c in (first, last) if start < c < passage.end)})
    for begin, end in pairwise(cuts):
        text = passage.text[begin - passage.start : end - passage.start]
        yield TextRun("mark" if first <= begin < last else "text", text)


def _begins_elsewhere(passage: Passage, marked: Passage) -> bool:
    near = abs(passage.ordinal - marked.ordinal) <= _JOINED_AT_MOST
    return not near or _part(passage) != _part(marked)


def _is_pdf(path: Path) -> bool:
    try:
        if not path.parts or not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return b"%PDF-" in file.read(1024)
    except OSError:
        return False


def _modified_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
