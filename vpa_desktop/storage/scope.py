"""Which documents a search is limited to, as conditions for SQL and for names. Not the words that say so: ``rag``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime

from vpa_desktop.records import SearchScope
from vpa_desktop.storage.rows import marks

# When the file was changed, as the file system says; a text that came without a file, when it was added.
_DATED = "CASE WHEN modified_ns > 0 THEN modified_ns / 1000000000.0 ELSE CAST(strftime('%s', added_at) AS REAL) END"
_APART = re.compile(r"[\W_]+")


def conditions(scope: SearchScope) -> tuple[str, list[str | float]]:
    """Returns what to put behind WHERE for the table of documents, and its values; names are left to ``is_named``."""
    wheres: list[str] = ["1"]
    values: list[str | float] = []
    if scope.collections:
        wheres.append(f"collection IN ({marks(scope.collections)})")
        values += scope.collections
    if scope.types:
        wheres.append("(" + " OR ".join(["lower(path) LIKE ?"] * len(scope.types)) + ")")
        values += [f"%.{kind}" for kind in scope.types]
    if scope.after is not None:
        wheres.append(f"{_DATED} >= ?")
        values.append(_begins(scope.after))
    if scope.before is not None:
        wheres.append(f"{_DATED} < ?")
        values.append(_begins(scope.before))
    return " AND ".join(wheres), values


def is_named(names: Sequence[str], path: str, title: str) -> bool:
    """Whether a document's file name or title has one of these names in it; True where no name is asked for.

    Case, accents, and what stands between words do not count.
    """
    if not names:
        return True
    own = [_folded(path.replace("\\", "/").rsplit("/", 1)[-1]), _folded(title)]
    return any(f" {_folded(name).strip()}" in place for name in names for place in own)


def _folded(name: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    return f" {_APART.sub(' ', plain)} "


def _begins(day: date) -> float:
    """The local midnight that begins a day, in seconds."""
    return datetime(day.year, day.month, day.day).astimezone().timestamp()
