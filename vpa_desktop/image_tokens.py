"""How many tokens an image costs, by the vendors' rules, from the size in its first bytes. Decodes no picture."""

from __future__ import annotations

import math
from typing import Final

from vpa_desktop.messages import ImageData

UNKNOWN_SIZE: Final = 1_500
"""What is counted where the size or the vendor's rule is not known: about a full-size picture."""


def image_tokens(image: ImageData, model: str) -> int:
    """Estimate what an image costs with a model; a flat amount where its size or the vendor's rule is unknown."""
    size = image_size(image.data)
    name = model.rpartition("/")[2].lower()
    if size is None:
        return UNKNOWN_SIZE
    if name.startswith("claude"):
        return _by_area(*size)
    if name.startswith(("gpt-", "chatgpt-", "o1", "o3", "o4")):
        return _by_tiles(*size)
    return UNKNOWN_SIZE


def _by_area(width: int, height: int) -> int:
    """Anthropic: width x height / 750, after the long edge has been brought down to 1568."""
    scale = min(1.0, 1_568 / max(width, height))
    return max(1, math.ceil(width * scale * height * scale / 750))


def _by_tiles(width: int, height: int) -> int:
    """OpenAI: into 2048 x 2048, the short edge down to 768, then 85 and 170 for each tile of 512."""
    scale = min(1.0, 2_048 / max(width, height))
    width_scaled, height_scaled = width * scale, height * scale
    scale = min(1.0, 768 / min(width_scaled, height_scaled))
    tiles = math.ceil(width_scaled * scale / 512) * math.ceil(height_scaled * scale / 512)
    return 85 + 170 * tiles


def image_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a PNG, GIF, JPEG or WebP; None where its first bytes do not say."""
    size: tuple[int, int] | None = None
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        size = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    elif data[:6] in (b"GIF87a", b"GIF89a") and len(data) >= 10:
        size = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    elif data[:2] == b"\xff\xd8":
        size = _jpeg_size(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= 30:
        size = _webp_size(data)
    return size if size and size[0] > 0 and size[1] > 0 else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """The size in the first frame header; the segments before it are stepped over."""
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 1 if marker == 0xFF else 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """The size in the lossy, the lossless or the extended form."""
    kind = data[12:16]
    if kind == b"VP8 ":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return None
