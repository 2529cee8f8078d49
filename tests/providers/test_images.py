"""Pictures on their way out: upright, within the limits, without metadata, and a plain sentence for one no good."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.providers.rawserver import GOOD, STREAM_HEAD, serving
from tests.wire import outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import RequestRejected
from vpa_desktop.messages import ImageData, LLMRequest, Message
from vpa_desktop.providers import _images, build_provider
from vpa_desktop.providers._failures import Peer
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers._images import ImageLimits, fitted

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
LIMITS = ImageLimits()
PEER = Peer("p", "P", "m", "https://p.example", True, 5.0)
GPS, ORIENTATION = 0x8825, 0x0112


def encoded(picture: Any, kind: str, **options: Any) -> bytes:
    sink = io.BytesIO()
    picture.save(sink, kind, **options)
    return sink.getvalue()


def noise(width: int, height: int) -> Any:
    return Image.effect_noise((width, height), 90).convert("RGB")


def asking(*pictures: bytes) -> LLMRequest:
    images = tuple(ImageData("image/png", data, f"{n}.png") for n, data in enumerate(pictures))
    return LLMRequest((Message("user", "What is this?", images),))


async def made(data: bytes, limits: ImageLimits = LIMITS) -> ImageData:
    request = await fitted(asking(data), limits, PEER)
    return request.messages[0].images[0]


def opened(image: ImageData) -> Any:
    picture = Image.open(io.BytesIO(image.data))
    picture.load()
    return picture


async def test_a_photograph_is_turned_scaled_and_loses_where_it_was_taken() -> None:
    photo = Image.new("RGB", (3000, 1500), "blue")
    photo.paste("red", (0, 0, 1500, 1500))
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # the camera was held upright: turn right
    exif[0x010F] = "Camera"
    exif.get_ifd(GPS)[1] = "N"
    data = encoded(photo, "JPEG", exif=exif, comment=b"my garden")
    assert b"Camera" in data
    image = await made(data, ImageLimits(longest_px=1000))
    picture = opened(image)
    assert image.media_type == "image/jpeg"
    assert picture.size == (500, 1000)
    red, green, blue = picture.getpixel((250, 50))
    assert red > 200 > green + blue
    assert not dict(picture.getexif())
    assert not any(word in image.data for word in (b"Exif", b"Camera", b"garden"))


async def test_text_in_a_png_does_not_go_along() -> None:
    from PIL.PngImagePlugin import PngInfo

    notes = PngInfo()
    notes.add_text("Author", "Somebody")
    image = await made(encoded(noise(20, 20), "PNG", pnginfo=notes, dpi=(300, 300)))
    assert b"Somebody" not in image.data
    assert opened(image).info == {}


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGBA"), ("WEBP", "RGBA"), ("GIF", "P"), ("PNG", "LA")])
async def test_transparency_stays(kind: str, mode: str) -> None:
    picture = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, 4, 8))
    options = {"transparency": 0} if kind == "GIF" else {}
    source = picture.convert(mode) if mode != "P" else Image.new("P", (8, 8), 0)
    image = await made(encoded(source, kind, **options))
    assert image.media_type == "image/png"
    assert opened(image).getpixel((7, 7))[3] == 0


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "GIF", "PNG", "WEBP", "JPEG"])
async def test_every_usual_kind_becomes_one_that_every_provider_takes(kind: str) -> None:
    image = await made(encoded(Image.new("RGB", (30, 20), "green"), kind))
    assert image.media_type in ("image/png", "image/jpeg")
    assert opened(image).size == (30, 20)


@pytest.mark.parametrize("mode", ["CMYK", "L", "1", "I;16"])
async def test_unusual_colours_become_usual_ones(mode: str) -> None:
    picture = Image.new(mode, (10, 10)) if mode != "I;16" else Image.new(mode, (10, 10), 32768)
    image = await made(encoded(picture, "TIFF"))
    found = opened(image)
    assert found.mode == "RGB"
    if mode == "I;16":
        assert 120 < found.getpixel((5, 5))[0] < 136


async def test_the_first_picture_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    image = await made(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert opened(image).getpixel((1, 1)) == (255, 0, 0)


async def test_what_is_too_many_bytes_becomes_smaller_until_it_fits() -> None:
    clear = noise(400, 400).convert("RGBA")
    clear.putalpha(128)
    for data in (encoded(noise(600, 600), "JPEG", quality=95), encoded(clear, "PNG")):
        image = await made(data, ImageLimits(bytes_each=40_000))
        assert len(image.data) <= 40_000
        assert max(opened(image).size) > 60


async def test_many_pictures_share_what_a_request_may_hold() -> None:
    data = [encoded(noise(300, 300 + n), "JPEG", quality=95) for n in range(4)]
    request = await fitted(asking(*data), ImageLimits(bytes_in_all=60_000), PEER)
    assert sum(len(image.data) for image in request.messages[0].images) <= 60_000
    with pytest.raises(RequestRejected, match="too many"):
        await fitted(asking(*data), ImageLimits(most=3), PEER)


def bomb() -> bytes:
    """A PNG of 40,000 by 40,000 pixels that says so in its header and holds next to nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bomb(), "too large"),
        (encoded(Image.new("1", (9_000, 9_000)), "PNG"), "too large"),
        (b"", "no picture"),
        (b"%PDF-1.7 not a picture", "no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(40), "no picture"),
        (encoded(noise(200, 200), "PNG")[:5000], "damaged"),
        (encoded(noise(200, 200), "JPEG")[:3000], "damaged"),
        (encoded(noise(50, 50), "WEBP")[:-200], "damaged"),
    ],
    ids=["bomb", "huge", "empty", "pdf", "postscript", "heic", "cut png", "cut jpeg", "cut webp"],
)
async def test_what_is_no_good_is_said_before_anything_is_sent(data: bytes, words: str, http: HttpSession) -> None:
    async with serving(GOOD) as server:
        config = LLMProviderConfig("openai_compatible", "m", api_endpoint=server.url)
        seen = await outcome(build_provider(config, http), asking(data))
        assert server.requests == []
    assert isinstance(seen.error, RequestRejected)
    assert words in str(seen.error)
    assert "0.png" in str(seen.error)
    assert seen.error.next_step


async def test_the_next_provider_gets_the_same_picture_without_making_it_again(
    http: HttpSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_anew = []
    real = _images.made
    monkeypatch.setattr(_images, "made", lambda *a: made_anew.append(a) or real(*a))  # type: ignore[func-returns-value]
    request = asking(encoded(noise(64, 65), "PNG"))
    async with serving(GOOD) as server:
        config = LLMProviderConfig("openai_compatible", "m", api_endpoint=server.url)
        for _ in range(2):
            assert (await outcome(build_provider(config, http), request)).error is None
    assert len(made_anew) == 1
    assert server.bodies[0] == server.bodies[1]


async def test_anthropic_gets_what_it_would_not_scale_down_itself(http: HttpSession) -> None:
    done = b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'
    async with serving(STREAM_HEAD + done) as server:
        config = LLMProviderConfig("anthropic", "m", api_key="k", api_endpoint=server.url)
        assert (await outcome(build_provider(config, http), asking(encoded(noise(3000, 900), "PNG")))).error is None
    source = server.bodies[0]["messages"][0]["content"][0]["source"]
    data = base64.b64decode(source["data"])
    assert Image.open(io.BytesIO(data)).size == (1568, 470)
    assert len(json.dumps(source)) < 5_000_000


def test_the_kinds_the_command_line_takes_are_the_ones_that_are_read(tmp_path: Path) -> None:
    from vpa_desktop.cli.ask import _MEDIA_TYPES

    assert {kind.removeprefix("image/").upper() for kind in _MEDIA_TYPES.values()} | {"MPO"} == set(_images.READ)
