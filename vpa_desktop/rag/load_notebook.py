"""Notebooks: the cells in their order, text and code with what it printed, under the headings of the text cells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpa_desktop.rag.load_markup import Headings, markdown_sections
from vpa_desktop.rag.load_text import decode, numbered_lines
from vpa_desktop.rag.loaders import LoadedDocument, Part, titled, within_limit
from vpa_desktop.rag.positions import with_position

_MAX_OUTPUT_CHARS = 20_000


def load_notebook(data: bytes, path: Path) -> LoadedDocument:
    """Reads a notebook; as plain lines where it is none."""
    text = decode(data, path)
    try:
        facts = json.loads(text)
        cells = facts["cells"] if "cells" in facts else [c for sheet in facts["worksheets"] for c in sheet["cells"]]
        parts = list(_parts(cells))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        parts = [numbered_lines(text)]
    kept = within_limit(parts, path)
    first = next((part.section.split(" > ")[0] for part in kept if " > " in part.section), "")
    return LoadedDocument(titled(path, first or path.name), kept)


def _parts(cells: list[dict[str, Any]]) -> Iterator[Part]:
    headings = Headings()
    for number, cell in enumerate(cells, 1):
        source = _joined(cell.get("source", cell.get("input", "")))
        if cell.get("cell_type") == "markdown":
            for text, section in markdown_sections(source, headings):
                yield Part(text, section=with_position(section, "cell", number, number))
            continue
        pieces = [source, *(_shown(output) for output in cell.get("outputs", ()))]
        text = "\n\n".join(piece.strip("\n") for piece in pieces if piece.strip())
        yield Part(text, section=with_position(headings.path, "cell", number, number))


def _shown(output: dict[str, Any]) -> str:
    """What an output shows as text: printed lines, a value, an error; no pictures."""
    data = output.get("data", {})
    text = _joined(output.get("text") or data.get("text/markdown") or data.get("text/plain") or "")
    if not text and "evalue" in output:
        text = f"{output.get('ename', '')}: {output['evalue']}"
    return text[:_MAX_OUTPUT_CHARS]


def _joined(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)
