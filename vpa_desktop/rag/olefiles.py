"""Streams of an old Office file or an Outlook message (Microsoft's compound file), in memory and counted."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vpa_desktop.rag.kinds import damaged

MAX_STREAM_BYTES = 64 * 2**20
# What olefile raises on files that are cut, looped or scribbled over.
_BROKEN = (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError, struct.error, RecursionError)


@contextmanager
def opened(data: bytes, path: Path) -> Iterator[Any]:
    """Opens a compound file. Raises DocumentUnreadable when it is damaged, inside the block too."""
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as file:
            yield file
    except _BROKEN as exc:
        raise damaged(path, "Its container cannot be opened") from exc


def stream_names(data: bytes, path: Path) -> set[str]:
    """Returns the names of the streams and storages at the top."""
    with opened(data, path) as file:
        return {entry[0] for entry in file.listdir(streams=True, storages=True)}


def read_stream(file: Any, *names: str) -> bytes:
    """Returns one stream; empty where there is none of that name."""
    where = list(names)
    if not file.exists(where) or file.get_type(where) != 2 or file.get_size(where) > MAX_STREAM_BYTES:
        return b""
    with file.openstream(where) as stream:
        return bytes(stream.read())
