"""What the viewer draws: a page of a PDF as a picture with its marks, or a piece of a document's text. Pure values.

Made by ``rag.viewer``, drawn by the window; neither knows the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Place:
    """Where to open a document: the passage that was found, or only a page. An empty ``passage`` marks nothing.

    ``start`` and ``end`` are where the passage stands in the text of its page or section; it may be several of those
    that are stored, joined. ``end`` 0 where that is not known.
    """

    document_id: str
    page: int | None = None
    chunk_id: int = 0
    passage: str = ""
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """One line of a marked passage, as shares (0 to 1) of the page's width and height."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class PageView:
    """One page as a picture: ``pixels`` are rows of ``stride`` bytes, four bytes (blue, green, red, unused) a pixel.

    ``number`` counts from 1; ``text`` is what can be read on the page; ``note`` is said above it.
    """

    document: str
    number: int
    count: int
    width: int
    height: int
    stride: int
    pixels: bytes = field(repr=False)
    marks: tuple[Mark, ...] = ()
    text: str = field(default="", repr=False)
    note: str = ""


@dataclass(frozen=True, slots=True)
class TextRun:
    """A run of a document's text: its heading, plain text, or the marked passage."""

    kind: Literal["heading", "text", "mark"]
    text: str


@dataclass(frozen=True, slots=True)
class TextView:
    """A document's text as it was read, or one of ``count`` pieces of it where it is long."""

    document: str
    number: int
    count: int
    runs: tuple[TextRun, ...]
    note: str = ""


DocumentView = PageView | TextView
