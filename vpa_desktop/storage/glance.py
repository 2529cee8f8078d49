"""A quick look at what has which id, for completion in a shell. Not for anything that must be right: it waits for
nobody, needs no library, changes nothing, and says nothing where it cannot look.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

Named = tuple[str, str]
"""An id, and what it is called."""


def glance_conversations(path: Path, limit: int = 200) -> list[Named]:
    """Return the ids and titles of the conversations changed last."""
    return _look(path, "SELECT id, title FROM conversations ORDER BY updated_at DESC LIMIT ?", limit)


def glance_documents(path: Path, limit: int = 200) -> list[Named]:
    """Return the ids and titles of documents."""
    return _look(path, "SELECT id, title FROM documents ORDER BY title LIMIT ?", limit)


def glance_collections(path: Path, limit: int = 200) -> list[Named]:
    """Return the names of the collections, with the number of their documents."""
    query = """SELECT collection, count(*) || iif(count(*) = 1, ' document', ' documents') FROM documents
               WHERE collection <> '' GROUP BY collection ORDER BY collection LIMIT ?"""
    return _look(path, query, limit)


def _look(path: Path, query: str, limit: int) -> list[Named]:
    if not path.is_file():
        return []
    try:
        with _opened(path) as conn:
            return [(str(key), str(name)) for key, name in conn.execute(query, (limit,))]
    except sqlite3.Error:  # locked, damaged, of another version: a shell's TAB is no place to say so
        return []


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0.2)) as conn:
        yield conn
