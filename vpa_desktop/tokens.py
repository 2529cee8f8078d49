"""Token counts before a provider has counted. Says when a count is an estimate; exact counts come with the answer.

Two ways: a fast estimate from the text alone, for the hot path, and OpenAI's own tokenizer, whose tables come with
the program. The tokenizer costs 0.4 s and 80 MB the first time, so it is used only where a decision hangs on it, and
off the event loop. Nothing here ever asks the network.
"""

from __future__ import annotations

import base64
import hashlib
import json
import lzma
import math
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from vpa_desktop.config import resource_path
from vpa_desktop.image_tokens import image_tokens
from vpa_desktop.messages import Message

if TYPE_CHECKING:
    import tiktoken

_LATIN_CHARACTERS_PER_TOKEN: Final = 3.5
_MESSAGE_OVERHEAD: Final = 4
_REPLY_OVERHEAD: Final = 3
"""What a chat adds: four tokens a turn (its marks and its role), three before the answer. Later models may differ."""

_CHUNK_CHARACTERS: Final = 100_000
_LARGEST_PIECE: Final = 400_000
"""The tokenizer's time grows faster than the text where nothing divides it: longer texts are cut first."""

_SAFE_CUT: Final = re.compile(r"\n(?=[^\W_])")
_NEWER_THAN_THE_TABLE: Final = re.compile(r"(gpt-[6-9]|o[5-9])")
_SAME_TABLE: Final = {"o200k_harmony": "o200k_base"}
_SHIPPED: Final = ("o200k_base", "cl100k_base")

_lock = threading.Lock()
_encodings: dict[str, tiktoken.Encoding | None] = {}


@dataclass(frozen=True, slots=True)
class TokenCount:
    """A number of tokens; ``estimated`` is False only where the model's own tokenizer counted."""

    tokens: int
    estimated: bool


def estimate_tokens(text: str) -> TokenCount:
    """Estimate from the text alone: 3.5 characters a token in Latin scripts, one character a token elsewhere."""
    wide = 0 if text.isascii() else sum(1 for character in text if ord(character) > 0x2E7F)
    return TokenCount(math.ceil((len(text) - wide) / _LATIN_CHARACTERS_PER_TOKEN) + wide, True)


def estimate_prompt_tokens(messages: Iterable[Message], model: str = "") -> TokenCount:
    """Estimate a whole prompt, with each turn's overhead and its images; never loads a tokenizer."""
    total = 0
    for message in messages:
        pictures = sum(image_tokens(image, model) for image in message.images)
        total += estimate_tokens(message.content).tokens + _MESSAGE_OVERHEAD + pictures
    return TokenCount(total, True)


def count_tokens(text: str, model: str) -> TokenCount:
    """Count a text as the model does: exact for OpenAI's models, an estimate that says so for every other.

    May load a tokenizer (0.4 s, 80 MB the first time): call it off the event loop.
    """
    name, is_known = _encoding_name(model)
    encoding = _encoding(name) if name else None
    if encoding is None:
        return estimate_tokens(text)
    total, exact = 0, is_known
    for piece, was_cut in _pieces(text):
        total += len(encoding.encode_ordinary(piece))
        exact = exact and not was_cut
    return TokenCount(total, not exact)


def count_prompt_tokens(messages: Iterable[Message], model: str) -> TokenCount:
    """Count a whole prompt, its texts exactly where that is possible; what a chat adds to them is an estimate.

    May load a tokenizer: call it off the event loop.
    """
    total = _REPLY_OVERHEAD
    for message in messages:
        total += count_tokens(message.content, model).tokens + _MESSAGE_OVERHEAD
        total += sum(image_tokens(image, model) for image in message.images)
    return TokenCount(total, True)


def has_tokenizer(model: str) -> bool:
    """True where ``count_tokens`` counts with a tokenizer and does not estimate from the text's length."""
    return bool(_encoding_name(model)[0])


def _encoding_name(model: str) -> tuple[str, bool]:
    """The encoding of an OpenAI model, "" for any other; False where it is only likely to be this one."""
    name = model.rpartition("/")[2].lower()
    if not name.startswith(("gpt-", "chatgpt-", "o1", "o3", "o4", "o5", "ft:gpt-", "text-embedding-")):
        return "", False
    from tiktoken.model import encoding_name_for_model

    try:
        found = encoding_name_for_model(name)
    except KeyError:
        return ("o200k_base", False) if _NEWER_THAN_THE_TABLE.match(name) else ("", False)
    found = _SAME_TABLE.get(found, found)
    return (found, True) if found in _SHIPPED else ("", False)


def _encoding(name: str) -> tiktoken.Encoding | None:
    """A shipped encoding, loaded once; None where its table is missing or damaged."""
    with _lock:
        if name not in _encodings:
            _encodings[name] = _load(name)
        return _encodings[name]


def _load(name: str) -> tiktoken.Encoding | None:
    """Build an encoding from our own table: tiktoken's loader would delete a bad file and ask the network."""
    folder = resource_path("tokenizers")
    try:
        facts = json.loads((folder / "encodings.json").read_text("utf-8"))[name]
        table = lzma.decompress((folder / f"{name}.tiktoken.xz").read_bytes())
    except (OSError, ValueError, KeyError, lzma.LZMAError):
        return None
    if hashlib.sha256(table).hexdigest() != facts["sha256"]:
        return None
    from tiktoken.core import Encoding

    lines = (line.split() for line in table.splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    return Encoding(name, pat_str=facts["pat_str"], mergeable_ranks=ranks, special_tokens=facts["special_tokens"])


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces; True with one that was cut where a token may have been.

    Between a line's end and a letter or digit no token spans: a cut there changes no count.
    """
    start = 0
    while len(text) - start > _CHUNK_CHARACTERS:
        found = _SAFE_CUT.search(text, start + _CHUNK_CHARACTERS, start + _LARGEST_PIECE)
        end = found.end() if found else start + _CHUNK_CHARACTERS
        yield text[start:end], found is None
        start = end
    yield text[start:], False
