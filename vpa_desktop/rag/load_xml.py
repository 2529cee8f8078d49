"""XML as text: the items of a news feed as sections, of other files a line for each element that holds words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.load_markup import html_sections
from vpa_desktop.rag.load_text import decode, without_tags
from vpa_desktop.rag.loaders import LoadedDocument, Part, titled, within_limit
from vpa_desktop.rag.xmlguard import local, tree

_FEED_ITEMS = ("item", "entry")
_FEED_BODIES = ("encoded", "content", "description", "summary")
_FEED_FACTS = ("pubDate", "published", "updated", "date", "creator", "category")
_MAX_NAME_CHARS = 60


def load_xml(data: bytes, path: Path) -> LoadedDocument:
    """Reads a feed or any other XML; broken ones and those whose words are in attributes as they are."""
    try:
        root = tree(data, path)
    except DocumentUnreadable:
        return LoadedDocument(titled(path, path.name), within_limit([Part(without_tags(decode(data, path)))], path))
    if local(root) in ("rss", "feed", "RDF"):
        title, parts = _feed(root, path)
        if kept := within_limit(parts, path):
            return LoadedDocument(titled(path, title or path.name), kept)
    text = "\n".join(_lines(root))
    if len(text) * 20 < len(data):
        text = without_tags(decode(data, path))
    return LoadedDocument(titled(path, path.name), within_limit([Part(text)], path))


def _feed(root: Any, path: Path) -> tuple[str, Iterator[Part]]:
    channel = next((node for node in root if local(node) == "channel"), root)
    title = _child(channel, ("title",))
    return title, _items(root, _child(channel, ("description", "subtitle")), path)


def _items(root: Any, about: str, path: Path) -> Iterator[Part]:
    yield Part(about)
    for item in root.iter("{*}item", "{*}entry"):
        heading = " ".join(_child(item, ("title",)).split())
        facts = [f"{name}: {', '.join(found)}" for name in _FEED_FACTS if (found := _texts(item, name))]
        body = _child(item, _FEED_BODIES)
        if "<" in body:
            body = "\n".join(part.text for part in html_sections(body.encode("utf-8", "replace"), path, "utf-8")[1])
        yield Part("\n".join(filter(None, (heading, *facts, body.strip()))), section=heading[:200])


def _child(element: Any, names: tuple[str, ...]) -> str:
    """The text of the first child of these names that has one, in the order of the names."""
    for name in names:
        for node in element:
            if local(node) == name and (text := "".join(node.itertext()).strip()):
                return text
    return ""


def _texts(element: Any, name: str) -> list[str]:
    return [node.text.strip() for node in element if local(node) == name and node.text and node.text.strip()]


def _lines(root: Any) -> Iterator[str]:
    """A line for each element without elements inside, behind its name; running text with tags in it stays together."""
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        above = element.getparent()
        if above is not None and _is_running_text(above):
            continue
        if _is_running_text(element):
            yield " ".join("".join(element.itertext()).split())
        elif len(element) == 0:
            text = " ".join((element.text or "").split())
            facts = "" if text else "; ".join(f"{key.rpartition('}')[2]}: {value}" for key, value in element.items())
            if text or facts:
                yield f"{local(element)[:_MAX_NAME_CHARS]}: {text or facts}"


def _is_running_text(element: Any) -> bool:
    if len(element) == 0:
        return False
    return bool((element.text or "").strip()) or any((child.tail or "").strip() for child in element)
