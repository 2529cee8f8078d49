"""XML from files nobody vouches for: no entity is expanded, nothing is fetched, nothing grows past libxml2's limits."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpa_desktop.rag.kinds import damaged

_GUARDS = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


def events(content: bytes, path: Path, wanted: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yields (event, element) while the XML goes by. Raises DocumentUnreadable when it is damaged."""
    from lxml import etree

    try:
        yield from etree.iterparse(io.BytesIO(content), events=wanted, recover=False, **_GUARDS)
    except etree.XMLSyntaxError as exc:
        raise damaged(path) from exc


def tree(content: bytes, path: Path) -> Any:
    """Returns the root element of a small member. Raises DocumentUnreadable when it is damaged."""
    from lxml import etree

    try:
        root = etree.fromstring(content, etree.XMLParser(**_GUARDS))
    except (etree.XMLSyntaxError, ValueError) as exc:
        raise damaged(path) from exc
    if root is None:
        raise damaged(path)
    return root


def local(element: Any) -> str:
    """An element's name without its namespace; empty for what is no element, as an entity."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Any, name: str) -> str:
    """An attribute's value by its name without a namespace; empty where it is not there."""
    found = element.get(name)
    if found is not None:
        return str(found)
    return next((str(value) for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")
