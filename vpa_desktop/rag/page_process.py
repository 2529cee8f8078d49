"""The process that draws pages of PDFs, with limits on memory, computing time and the clock: both of its ends.

A PDF can take gigabytes or never end; it costs this child and one sentence, never the window.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.page_views import Mark
from vpa_desktop.rag.draw_pdf import DrawnPage, draw_page
from vpa_desktop.rag.process_limits import allow_cpu, limit_memory
from vpa_desktop.rag.worker import Handler, Worker, WorkerDied

MEMORY_BYTES = 1 << 30
CPU_S = 15
WALL_S = 30.0
_LENGTH = struct.Struct("!I")


class PageDrawer:
    """The parent's end. Blocking and thread-safe: call it from a worker thread."""

    def __init__(self, *, wall_s: float = WALL_S) -> None:
        self._wall_s = wall_s
        self._worker = Worker("pages", idle_s=60.0)

    def draw(self, path: Path, number: int, width_px: int, passage: str = "", start: int = 0) -> DrawnPage:
        """Draws one page, as ``draw_page`` does; raises DocumentUnreadable whatever the file did to its reader."""
        request = {"path": str(path), "number": number, "width_px": width_px, "passage": passage, "start": start}
        try:
            reply = self._worker.request(json.dumps(request).encode("utf-8", "surrogatepass"), self._wall_s)
        except WorkerDied as died:
            why = "It takes too long" if died.timed_out else "Its reader broke down on it"
            raise DocumentUnreadable(f"Page {number} of {path.name} cannot be drawn", why) from died
        (length,) = _LENGTH.unpack_from(reply)
        facts: dict[str, Any] = json.loads(reply[_LENGTH.size : _LENGTH.size + length])
        marks = tuple(Mark(**mark) for mark in facts.pop("marks"))
        return DrawnPage(pixels=reply[_LENGTH.size + length :], marks=marks, **facts)

    def close(self) -> None:
        """Ends the child, also in the middle of a page."""
        self._worker.close()


def make_handler(arguments: Sequence[str]) -> Handler:
    """Returns the child's end, after setting what the process may use for its whole life."""
    del arguments
    limit_memory(MEMORY_BYTES)
    return _handle


def _handle(payload: bytes) -> bytes:
    allow_cpu(CPU_S)
    request: dict[str, Any] = json.loads(payload.decode("utf-8", "surrogatepass"))
    drawn = draw_page(Path(request.pop("path")), **request)
    facts = {
        "pages": drawn.pages,
        "width": drawn.width,
        "height": drawn.height,
        "stride": drawn.stride,
        "marks": [asdict(mark) for mark in drawn.marks],
        "text": drawn.text,
    }
    head = json.dumps(facts).encode("utf-8", "surrogatepass")
    return _LENGTH.pack(len(head)) + head + drawn.pixels
