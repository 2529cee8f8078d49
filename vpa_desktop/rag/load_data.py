"""JSON and JSON lines as text that keeps its structure: a section for each key at the top, a line for each record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpa_desktop.rag.load_text import decode, numbered_lines
from vpa_desktop.rag.loaders import LoadedDocument, Part, titled, within_limit

_MAX_DEPTH = 60
_MAX_KEY_CHARS = 120


def load_json(data: bytes, path: Path) -> LoadedDocument:
    """Reads a JSON file; as plain lines where it is none."""
    text = decode(data, path)
    try:
        parts = list(_parts(json.loads(text)))
    except (ValueError, RecursionError):
        parts = [numbered_lines(text)]
    return LoadedDocument(titled(path, path.name), within_limit(parts, path))


def load_json_lines(data: bytes, path: Path) -> LoadedDocument:
    """Reads a file with a record on each line; a line that is no JSON stays as it is."""
    numbers, lines = [], []
    for number, line in enumerate(decode(data, path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            shown = _record(json.loads(line))
        except (ValueError, RecursionError):
            shown = line
        numbers.append(number)
        lines.append(shown)
    part = Part("\n".join(lines), numbers=numbers)
    return LoadedDocument(titled(path, path.name), within_limit([part], path))


def _parts(value: Any) -> Iterator[Part]:
    if not isinstance(value, dict):
        yield Part("\n".join(_lines("", value, 0)))
        return
    loose = {key: inner for key, inner in value.items() if not isinstance(inner, dict | list)}
    yield Part("\n".join(_lines("", loose, 0)))
    for key, inner in value.items():
        if key not in loose:
            yield Part("\n".join(_lines("", inner, 0)), section=" ".join(key.split())[:_MAX_KEY_CHARS])


def _lines(name: str, value: Any, depth: int) -> Iterator[str]:
    """The records of a list on a line each; else a line for each value, behind the keys that lead to it."""
    if depth > _MAX_DEPTH:
        yield f"{name}: {json.dumps(value, ensure_ascii=False)[:2000]}"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _lines(f"{name}.{key}" if name else key, inner, depth + 1)
    elif isinstance(value, list):
        if all(not isinstance(inner, dict | list) for inner in value):
            yield f"{name}: {', '.join(map(_scalar, value))}" if name else "\n".join(map(_scalar, value))
            return
        for inner in value:
            yield from _lines(name, inner, depth + 1) if name else iter([_record(inner, depth + 1)])
    else:
        yield f"{name}: {_scalar(value)}" if name else _scalar(value)


def _record(value: Any, depth: int = 0) -> str:
    """One record on one line: ``name: Ada; born: 1815``."""
    if not isinstance(value, dict | list):
        return _scalar(value)
    return "; ".join(" ".join(line.split()) for line in _lines("", value, depth))


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
