"""Pictures made fit to be sent: upright, small enough, in a form every provider reads, and without a word about where
and by whom they were taken. Not how a dialect wraps them. The only place that imports Pillow.

Everything is encoded anew from the bare pixels, so no metadata (place, device, thumbnail, comments) goes along.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import struct
import zlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from vpa_desktop.errors import RequestRejected
from vpa_desktop.messages import ImageData, LLMRequest

if TYPE_CHECKING:
    from PIL import Image

    from vpa_desktop.providers._failures import Peer

READ: Final[tuple[str, ...]] = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""What is read, by Pillow's names. Its other formats are rare, and some of them start other programs."""

LOSSLESS: Final = ("PNG", "GIF", "BMP", "TIFF")
MOST_PIXELS: Final = 80_000_000
"""Larger ones would take hundreds of megabytes to unpack; read from the header, before anything is."""

QUALITY: Final = 85
SHARP_BYTES: Final = 1_000_000
"""Screenshots and drawings stay exact up to this size; JPEG would blur their letters."""

SHRINK: Final = 0.75
KEPT: Final = 4

_kept: OrderedDict[tuple[bytes, ImageLimits], ImageData] = OrderedDict()
"""The last results: the next provider of a route gets the same pictures. Touched on the event loop only."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What a provider takes: the longest edge, bytes of one picture and of all of a request, and how many.

    The defaults suit every protocol: 15 MB become 20 MB in base64.
    """

    longest_px: int = 2_048
    bytes_each: int = 10_000_000
    bytes_in_all: int = 15_000_000
    most: int = 50


def blind(peer: Peer) -> RequestRejected:
    """The error for a picture sent to a model that reads only text; another provider may well take it."""
    return peer.error(
        RequestRejected,
        f"{peer.model or peer.name} cannot look at pictures",
        "It reads only text, so nothing was sent",
        "Choose a model that can, or take the picture out of the question",
        error_class="not_found",
    )


async def fitted(request: LLMRequest, limits: ImageLimits, peer: Peer) -> LLMRequest:
    """The request with every picture within the limits; raises RequestRejected for one that cannot be read."""
    images = [image for message in request.messages for image in message.images]
    if len(images) > limits.most:
        raise _refused(peer, f"{len(images)} pictures are too many", f"{peer.name} takes {limits.most} at once")
    limits = replace(limits, bytes_each=min(limits.bytes_each, limits.bytes_in_all // max(1, len(images))))
    ready = {id(image): await _ready(image, limits, peer) for image in images}
    messages = tuple(replace(m, images=tuple(ready[id(i)] for i in m.images)) for m in request.messages)
    return replace(request, messages=messages)


async def _ready(image: ImageData, limits: ImageLimits, peer: Peer) -> ImageData:
    digest = await asyncio.to_thread(lambda: hashlib.sha256(image.data).digest())
    found = _kept.get((digest, limits))
    if found is None:
        found = _kept[digest, limits] = await asyncio.to_thread(made, image, limits, peer)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return found


def made(image: ImageData, limits: ImageLimits, peer: Peer) -> ImageData:
    """Decode, turn, scale and encode one picture; runs in a worker thread."""
    from PIL import Image, UnidentifiedImageError

    Image.init()  # without it only the most usual kinds are known
    known = [kind for kind in READ if kind in Image.OPEN]
    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        with Image.open(io.BytesIO(image.data), formats=known) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise _refused(peer, f"{_name(image)} is too large", f"It has {opened.width} x {opened.height} pixels")
            return _encoded(_upright(opened, limits.longest_px), opened.format or "", limits, image.name)
    except bombs as exc:
        raise _refused(peer, f"{_name(image)} is too large", "It has more pixels than can be unpacked safely") from exc
    except UnidentifiedImageError as exc:
        why = "It is no picture of a kind that can be read (PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF)"
        raise _refused(peer, f"{_name(image)} was not sent", why) from exc
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, struct.error, zlib.error) as exc:
        raise _refused(peer, f"{_name(image)} was not sent", "The file is damaged or incomplete") from exc


def _upright(opened: Image.Image, longest_px: int) -> Image.Image:
    """The picture the right way up, in RGB or RGBA, no longer than it may be."""
    from PIL import Image, ImageOps

    opened.draft("RGB", (longest_px, longest_px))  # JPEG: decoded at a fraction of its size, still large enough
    opened.load()
    picture = ImageOps.exif_transpose(opened)
    if picture.mode.startswith("I"):  # 16 and 32 bit greys would be clipped to white
        picture = picture.convert("I").point(lambda grey: grey / 256).convert("L")
    picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    scale = longest_px / max(picture.size)
    return _scaled(picture, scale, Image.Resampling.LANCZOS) if scale < 1 else picture


def _scaled(picture: Image.Image, scale: float, method: Image.Resampling) -> Image.Image:
    width, height = (max(1, round(edge * scale)) for edge in picture.size)
    return picture.resize((width, height), method)


def _encoded(picture: Image.Image, source: str, limits: ImageLimits, name: str) -> ImageData:
    """PNG where there is transparency, or a small picture without loss; else JPEG. Smaller until it fits."""
    from PIL import Image

    clear = picture.mode == "RGBA"
    if clear or source in LOSSLESS:
        data = _saved(picture, "PNG", optimize=False)
        if len(data) <= (limits.bytes_each if clear else min(SHARP_BYTES, limits.bytes_each)):
            return ImageData("image/png", data, name)
    while True:
        kind = "PNG" if clear else "JPEG"
        data = _saved(picture, kind, **({} if clear else {"quality": QUALITY}))
        if len(data) <= limits.bytes_each or max(picture.size) < 64:
            return ImageData(f"image/{kind.lower()}", data, name)
        picture = _scaled(picture, SHRINK, Image.Resampling.LANCZOS)


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    bare = picture.copy()
    bare.info = {}  # what Pillow would write along: comments, profiles, EXIF
    sink = io.BytesIO()
    bare.save(sink, kind, **options)
    return sink.getvalue()


def _name(image: ImageData) -> str:
    return image.name or "The picture"


def _refused(peer: Peer, what: str, why: str) -> RequestRejected:
    return peer.error(RequestRejected, what, why, "Take it out, or open it in a picture program and save it as PNG")
