"""Outlook's compressed RTF ([MS-OXRTFCP]): a window of 4,096 bytes that begins with words every RTF has."""

from __future__ import annotations

import struct

_DICTIONARY = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard"
    b"\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_WINDOW = 4096
_MAX_BYTES = 64 * 2**20


def decompressed(data: bytes) -> bytes:
    """Returns the RTF; what is there until it breaks off where the data is damaged."""
    if len(data) < 16:
        return b""
    kind = data[8:12]
    if kind == b"MELA":
        return data[16:]
    if kind != b"LZFu":
        return b""
    size = min(int(struct.unpack_from("<I", data, 4)[0]), _MAX_BYTES)
    window = bytearray(_DICTIONARY.ljust(_WINDOW, b"\x00"))
    written = bytearray()
    at, place = 16, len(_DICTIONARY)
    while at < len(data) and len(written) < size:
        flags = data[at]
        at += 1
        for bit in range(8):
            if flags >> bit & 1:
                if at + 2 > len(data):
                    return bytes(written)
                reference = data[at] << 8 | data[at + 1]
                at += 2
                begin, length = reference >> 4, (reference & 0xF) + 2
                if begin == place % _WINDOW:
                    return bytes(written)  # a reference to the place itself is the end
                for offset in range(length):
                    place = _put(window, written, place, window[(begin + offset) % _WINDOW])
            elif at < len(data):
                place = _put(window, written, place, data[at])
                at += 1
    return bytes(written)


def _put(window: bytearray, written: bytearray, place: int, byte: int) -> int:
    window[place % _WINDOW] = byte
    written.append(byte)
    return place + 1
