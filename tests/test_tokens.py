"""Counting before sending: exact with OpenAI's own tokenizer and no network, an estimate that says so elsewhere."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vpa_desktop import tokens
from vpa_desktop.config import resource_path
from vpa_desktop.image_tokens import UNKNOWN_SIZE, image_size, image_tokens
from vpa_desktop.messages import ImageData, Message
from vpa_desktop.tokens import (
    TokenCount,
    count_prompt_tokens,
    count_tokens,
    estimate_prompt_tokens,
    estimate_tokens,
    has_tokenizer,
)

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("model", "text", "count"),
    [
        # Known counts of the two tables.
        ("gpt-4o", "tiktoken is great!", 6),
        ("gpt-4", "tiktoken is great!", 6),
        ("gpt-4", "antidisestablishmentarianism", 6),
        ("gpt-4", "お誕生日おめでとう", 9),
        ("gpt-4o", "お誕生日おめでとう", 8),
        ("gpt-4o-2024-08-06", "<|endoftext|>", 7),
        ("openai/gpt-4o", "", 0),
    ],
)
def test_openais_models_are_counted_exactly(model: str, text: str, count: int) -> None:
    assert count_tokens(text, model) == TokenCount(count, False)


def test_a_model_newer_than_the_table_is_counted_with_the_latest_and_called_an_estimate() -> None:
    assert count_tokens("tiktoken is great!", "gpt-6-luna") == TokenCount(6, True)


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "gemini-3.8-flash", "llama3.1:8b", "", "davinci"])
def test_every_other_model_is_estimated_and_says_so(model: str) -> None:
    assert not has_tokenizer(model)
    assert count_tokens("a" * 35, model) == TokenCount(10, True)


def test_an_estimate_of_ordinary_prose_is_within_a_third_of_the_count() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert 0.66 < estimate_tokens(text).tokens / count_tokens(text, "gpt-4o").tokens < 1.5


def test_a_long_text_is_counted_in_pieces_that_change_nothing() -> None:
    text = "".join(f"Line {n} of a long text, with some words; and more.\n" for n in range(6_000))
    encoding = tokens._encoding("o200k_base")
    assert encoding is not None
    assert len(text) > 2 * tokens._CHUNK_CHARACTERS
    assert count_tokens(text, "gpt-4o") == TokenCount(len(encoding.encode_ordinary(text)), False)


@pytest.mark.parametrize("piece", ["a", "^", " ", "\n", "🎉", "\ud800"])
@pytest.mark.alone
def test_a_million_of_one_character_takes_no_time_to_speak_of(piece: str) -> None:
    count_tokens("warm", "gpt-4o")
    started = time.perf_counter()
    found = count_tokens(piece * 1_000_000, "gpt-4o")
    assert time.perf_counter() - started < 20
    assert found.tokens > 1_000
    assert found.estimated


def test_the_tokenizer_needs_no_network_and_leaves_no_trace(tmp_path: Path) -> None:
    code = """
import os, socket, sys
def refused(*args, **kwargs):
    raise AssertionError("the network was asked")
socket.socket.connect = refused
socket.getaddrinfo = refused
before = dict(os.environ)
from vpa_desktop.tokens import count_tokens
assert count_tokens("tiktoken is great!", "gpt-4o").tokens == 6
assert count_tokens("tiktoken is great!", "gpt-4").tokens == 6
assert dict(os.environ) == before
assert "requests" not in sys.modules
"""
    environ = {**os.environ, "TMPDIR": str(tmp_path), "TIKTOKEN_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"not a table", None])
def test_a_damaged_or_missing_table_is_an_estimate_and_not_a_download(
    damage: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was asked"))
    monkeypatch.setattr(tokens, "_encodings", {})
    monkeypatch.setattr(tokens, "resource_path", lambda *parts: tmp_path)
    (tmp_path / "encodings.json").write_bytes(resource_path("tokenizers", "encodings.json").read_bytes())
    if damage is not None:
        (tmp_path / "o200k_base.tiktoken.xz").write_bytes(damage)
    assert count_tokens("a" * 35, "gpt-4o") == TokenCount(10, True)


def test_a_prompt_has_the_overhead_of_its_turns_and_its_images() -> None:
    said = [Message("system", "Be brief."), Message("user", "tiktoken is great!")]
    words = count_tokens("Be brief.", "gpt-4o").tokens + 6
    assert count_prompt_tokens(said, "gpt-4o") == TokenCount(words + 2 * 4 + 3, True)
    seen = [Message("user", "", (ImageData("image/png", png(1024, 1024)),))]
    assert estimate_prompt_tokens(seen, "gpt-4o").tokens == 4 + 765
    assert estimate_prompt_tokens(seen, "claude-sonnet-5-5").tokens == 4 + 1_399


@pytest.mark.parametrize(
    ("size", "model", "count"),
    [
        ((1024, 1024), "gpt-4o", 765),
        ((2048, 4096), "gpt-4o", 1_105),
        ((200, 200), "gpt-4o", 255),
        ((200, 200), "claude-sonnet-5-5", 54),
        ((1092, 1092), "anthropic/claude-sonnet-4.5", 1_590),
        ((30_000, 10), "claude-sonnet-5-5", 2),
        ((1024, 1024), "gemini-3.8-flash", UNKNOWN_SIZE),
    ],
)
def test_images_are_counted_by_the_vendors_rules(size: tuple[int, int], model: str, count: int) -> None:
    assert image_tokens(ImageData("image/png", png(*size)), model) == count


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG", "WEBP"])
def test_the_size_is_read_from_the_first_bytes(kind: str) -> None:
    pictures = pytest.importorskip("PIL.Image")
    for mode in ("RGB", "RGBA") if kind in ("PNG", "WEBP") else ("RGB",):
        for options in ({}, {"lossless": True}) if kind == "WEBP" else ({},):
            file = io.BytesIO()
            pictures.new(mode, (321, 123)).save(file, kind, **options)
            assert image_size(file.getvalue()) == (321, 123)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\x00\x00" * 9, b"RIFF....WEBPVP8?" + bytes(20)])
def test_what_is_no_image_has_no_size_and_costs_the_flat_amount(data: bytes) -> None:
    assert image_size(data) is None
    assert image_tokens(ImageData("image/png", data), "gpt-4o") == UNKNOWN_SIZE


def png(width: int, height: int) -> bytes:
    """The first bytes of a PNG of this size."""
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes(5)
