"""How results are printed: text for people, or exactly one JSON document on stdout."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from vpa_desktop.errors import VPAError


def to_plain(value: Any) -> Any:
    """Return a value as JSON can hold it: dataclasses and named tuples as objects, money as numbers, ISO 8601."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_plain(v) for v in value]
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    return value


class Output:
    """Where a command prints. With ``as_json`` text is left out and ``document`` is printed once."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def document(self, value: Any) -> None:
        """Print the JSON document, if that is what was asked for."""
        if self.as_json:
            text = json.dumps(to_plain(value), ensure_ascii=False, indent=2)
            if not _can_print(text):
                text = json.dumps(to_plain(value), indent=2)
            print(text, flush=True)

    def line(self, text: str = "") -> None:
        """Print a line for people."""
        if not self.as_json:
            print(_safe(text), flush=True)

    def piece(self, text: str) -> None:
        """Print a piece of an answer as it comes."""
        if not self.as_json:
            print(_safe(text), end="", flush=True)

    def note(self, text: str) -> None:
        """Say something beside the result, on stderr."""
        print(_safe(text), file=sys.stderr, flush=True)

    def error(self, error: VPAError) -> None:
        """Say what, why and what next, in one line."""
        self.note("error: " + " ".join(str(error).split()))

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print columns as wide as they need to be."""
        if self.as_json:
            return
        body = [[_cell(value) for value in row] for row in rows]
        widths = [max(len(str(line[i])) for line in [list(head), *body]) for i in range(len(head))]
        for line in [list(head), *body]:
            self.line("  ".join(str(value).ljust(width) for value, width in zip(line, widths, strict=True)).rstrip())


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: ``1 message``, ``2 messages``, ``2 entries``."""
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count} {noun if count == 1 else many}"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, Decimal):
        return f"{value:.4f}"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M")
    return " ".join(str(value).split())


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def tolerate_foreign_letters() -> None:
    """Letters that the terminal's or the pipe's encoding does not have are printed as escapes, not as a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")


def _safe(text: str) -> str:
    """The text without control characters, which could drive a terminal; new lines and tabs stay."""
    return "".join(c for c in text if c in "\n\t" or (ord(c) >= 32 and ord(c) != 127 and not 0x80 <= ord(c) < 0xA0))
