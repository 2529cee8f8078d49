"""PPTX to parts: one a slide, with its title as section, tables as rows, diagrams, and the speaker's notes."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpa_desktop.rag.loaders import LoadedDocument, Part, titled, within_limit
from vpa_desktop.rag.tables import table_lines
from vpa_desktop.rag.xmlguard import attribute, local, tree
from vpa_desktop.rag.zipguard import Container

_MAIN = "ppt/presentation.xml"
_TITLES = ("title", "ctrTitle")
# What stands on every slide and says nothing.
_PASSED_OVER = ("sldNum", "dt", "ftr", "sldImg")
_MAX_SLIDES = 5_000


def load_pptx(data: bytes, path: Path) -> LoadedDocument:
    """Reads every slide in the order in which they are shown. Raises DocumentUnreadable when the file is damaged."""
    container = Container(data, path)
    show = tree(container.read(_MAIN), path)
    links = _links(container, _MAIN, path)
    ids = [attribute(node, "id") for node in show.iter("{*}sldId")]
    names = [links[key][1] for key in _relation_ids(show) if key in links]
    names = (names or [target for kind, target in links.values() if kind == "slide"])[:_MAX_SLIDES]
    parts = within_limit((_slide(container, name, number, path) for number, name in enumerate(names, 1)), path)
    first = parts[0].section if parts else ""
    return LoadedDocument(titled(path, _core_title(container, path) or first), parts, len(ids) or len(names))


def _relation_ids(show: Any) -> list[str]:
    found: list[str] = []
    for node in show.iter("{*}sldId"):
        found.extend(str(value) for key, value in node.attrib.items() if key.startswith("{") and key.endswith("}id"))
    return found


def _links(container: Container, name: str, path: Path) -> dict[str, tuple[str, str]]:
    """A member's relations: id -> kind and name of the other member."""
    folder, file = posixpath.split(name)
    content = container.find(f"{folder}/_rels/{file}.rels")
    if content is None:
        return {}
    found: dict[str, tuple[str, str]] = {}
    for node in tree(content, path).iter("{*}Relationship"):
        if node.get("TargetMode") == "External":
            continue
        target = posixpath.normpath(posixpath.join("/" + folder, node.get("Target", "")))[1:]
        found[node.get("Id", "")] = (node.get("Type", "").rpartition("/")[2], target)
    return found


def _slide(container: Container, name: str, number: int, path: Path) -> Part:
    content = container.find(name)
    if content is None:
        return Part("", page=number)
    title, lines = _shapes(tree(content, path))
    for kind, target in _links(container, name, path).values():
        if kind in ("notesSlide", "diagramData", "chart") and (more := container.find(target)) is not None:
            root = tree(more, path)
            _, found = _shapes(root) if kind == "notesSlide" else ("", list(_paragraphs(root)))
            if kind == "notesSlide" and found:
                lines.append("Notes:")
            lines.extend(dict.fromkeys(found))
    return Part("\n".join(filter(None, (title, *lines))), page=number, section=title)


def _shapes(root: Any) -> tuple[str, list[str]]:
    """The title on one line, and the other lines of text in the order of the file."""
    title, lines = "", list[str]()
    for shape in root.iter("{*}sp", "{*}graphicFrame", "{*}cxnSp"):
        placeholder = next(shape.iter("{*}ph"), None)
        kind = placeholder.get("type", "") if placeholder is not None else ""
        if kind in _PASSED_OVER:
            continue
        found = list(_paragraphs(shape))
        if kind in _TITLES and not title:
            title = " ".join(" ".join(found).split())
        else:
            lines.extend(found)
    return title, lines


def _paragraphs(shape: Any) -> Iterator[str]:
    for node in shape.iter("{*}tbl", "{*}p", "{*}v"):
        name = local(node)
        if name == "tbl":
            yield from table_lines(
                [[" ".join(map(_text, cell.iter("{*}p"))) for cell in row.iter("{*}tc")] for row in node.iter("{*}tr")]
            )
        elif name == "v":
            yield from filter(None, [(node.text or "").strip()])
        elif not any(local(above) == "tc" for above in node.iterancestors()):
            yield from filter(None, [_text(node).strip()])


def _text(paragraph: Any) -> str:
    pieces = []
    for node in paragraph.iter("{*}t", "{*}br", "{*}tab"):
        name = local(node)
        pieces.append(node.text or "" if name == "t" else "\n" if name == "br" else "\t")
    return "".join(pieces)


def _core_title(container: Container, path: Path) -> str:
    content = container.find("docProps/core.xml")
    node = next(tree(content, path).iter("{http://purl.org/dc/elements/1.1/}title"), None) if content else None
    title = (node.text or "") if node is not None else ""
    return "" if title.lower().startswith(("powerpoint", "presentation", "slide 1")) else title
