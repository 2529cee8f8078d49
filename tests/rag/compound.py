"""Writes Microsoft compound files, the container of old Office files and Outlook messages, for tests."""

from __future__ import annotations

import struct
from collections.abc import Mapping

Storage = Mapping[str, "bytes | Storage"]
"""Names with their bytes, or with what lies in them."""

_SECTOR, _MINI, _CUTOFF = 512, 64, 4096
_FREE, _END, _FAT, _NONE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF


class _Sectors:
    def __init__(self, size: int) -> None:
        self.size = size
        self.data = bytearray()
        self.table: list[int] = []

    def add(self, content: bytes) -> int:
        """Appends a chain of sectors and returns its first one."""
        count = -(-len(content) // self.size)
        if not count:
            return _END
        first = len(self.table)
        self.table += [*range(first + 1, first + count), _END]
        self.data += content.ljust(count * self.size, b"\x00")
        return first


def compound_file(root: Storage) -> bytes:
    """Returns a compound file that holds these streams and storages."""
    sectors, mini = _Sectors(_SECTOR), _Sectors(_MINI)
    entries: list[bytes] = []
    child = _add(root, entries, sectors, mini, reserve_root=True)
    mini_table = sectors.add(struct.pack(f"<{len(mini.table)}I", *mini.table))
    entries[0] = _entry("Root Entry", 5, _NONE, child, sectors.add(bytes(mini.data)), len(mini.data))
    directory = sectors.add(b"".join(entries))
    count = 1
    while (len(sectors.table) + count) * 4 > count * _SECTOR:
        count += 1
    fat_at = [len(sectors.table) + number for number in range(count)]
    table = [*sectors.table, *[_FAT] * count]
    table += [_FREE] * (count * _SECTOR // 4 - len(table))
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6,
        0, count, directory, 0, _CUTOFF, mini_table, -(-len(mini.table) * 4 // _SECTOR), _END, 0, fat_at[0],
    )  # fmt: skip
    header += struct.pack("<108I", *fat_at[1:], *[_FREE] * (109 - count))
    return header + bytes(sectors.data) + struct.pack(f"<{len(table)}I", *table)


def _add(
    storage: Storage, entries: list[bytes], sectors: _Sectors, mini: _Sectors, *, reserve_root: bool = False
) -> int:
    """Adds what lies in a storage, each linked to the next one, and returns the first one's number."""
    if reserve_root:
        entries.append(b"")
    following = _NONE
    for name, content in reversed(list(storage.items())):
        number = len(entries)
        entries.append(b"")
        if isinstance(content, bytes):
            target = mini if len(content) < _CUTOFF else sectors
            entries[number] = _entry(name, 2, following, _NONE, target.add(content), len(content))
        else:
            child = _add(content, entries, sectors, mini)
            entries[number] = _entry(name, 1, following, child, 0, 0)
        following = number
    return following


def _entry(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
    raw = name.encode("utf-16-le")
    head = struct.pack("<64sHBBIII", raw, len(raw) + 2, kind, 1, _NONE, right, child)
    return head + bytes(36) + struct.pack("<IQ", start, size)
