"""EPUB to sections: the chapters in their reading order, each under its headings or its name in the contents."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.load_markup import html_sections, without_bare_headings
from vpa_desktop.rag.loaders import LoadedDocument, Part, titled, within_limit
from vpa_desktop.rag.xmlguard import tree
from vpa_desktop.rag.zipguard import Container

_CONTAINER, _LOCKS = "META-INF/container.xml", "META-INF/encryption.xml"
_FONT_LOCKS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_MAX_CHAPTERS = 5_000


def load_epub(data: bytes, path: Path) -> LoadedDocument:
    """Reads a book. Raises DocumentUnreadable when it is damaged or locked to one reader."""
    book = Container(data, path)
    _refuse_locked(book, path)
    root = next(tree(book.read(_CONTAINER), path).iter("{*}rootfile"), None)
    package_name = root.get("full-path", "") if root is not None else ""
    package = tree(book.find(package_name) or b"", path)
    folder = posixpath.dirname(package_name)
    items = {item.get("id", ""): item for item in package.iter("{*}item")}
    chapters = [_inside(folder, items[ref.get("idref")].get("href", "")) for ref in package.iter("{*}itemref")
                if ref.get("idref") in items]  # fmt: skip
    names = _names(book, folder, items.values(), path)
    parts = within_limit(_chapters(book, chapters[:_MAX_CHAPTERS], names, path), path)
    title = next(package.iter("{http://purl.org/dc/elements/1.1/}title"), None)
    return LoadedDocument(titled(path, (title.text or "") if title is not None else ""), without_bare_headings(parts))


def _refuse_locked(book: Container, path: Path) -> None:
    locks = book.find(_LOCKS)
    if locks is None:
        return
    methods = [node.get("Algorithm", "") for node in tree(locks, path).iter("{*}EncryptionMethod")]
    if any(method not in _FONT_LOCKS for method in methods):
        raise DocumentUnreadable(
            f"{path.name} is copy-protected", "Only the shop's own reader can open it", "Add a copy without protection"
        )


def _chapters(book: Container, chapters: list[str], names: dict[str, str], path: Path) -> Iterator[Part]:
    for chapter in chapters:
        content = book.find(chapter)
        if content is None:
            continue
        for part in html_sections(content, path, "utf-8")[1]:
            yield part if part.section else Part(part.text, section=names.get(chapter, ""))


def _names(book: Container, folder: str, items: Any, path: Path) -> dict[str, str]:
    """What the contents call each chapter: of the book's nav page, or of the older ncx."""
    found: dict[str, str] = {}
    for item in items:
        is_nav = "nav" in item.get("properties", "").split()
        if not is_nav and item.get("media-type") != "application/x-dtbncx+xml":
            continue
        name = _inside(folder, item.get("href", ""))
        content = book.find(name)
        if content is None:
            continue
        try:
            root = tree(content, path)
        except DocumentUnreadable:
            continue  # broken contents are no reason to lose the text
        base = posixpath.dirname(name)
        for node in root.iter("{*}a", "{*}navPoint"):
            target, label = _entry(node)
            if target and label:
                found.setdefault(_inside(base, target), label)
    return found


def _entry(node: Any) -> tuple[str, str]:
    if node.get("href") is not None:
        return node.get("href"), " ".join("".join(node.itertext()).split())
    content, label = node.find("{*}content"), node.find("{*}navLabel")
    if content is None or label is None:
        return "", ""
    return content.get("src", ""), " ".join("".join(label.itertext()).split())


def _inside(folder: str, href: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(href.split("#")[0])))
