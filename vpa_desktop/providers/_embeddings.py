"""Vectors over HTTP: what the dialects that can make them share, and how the answers are read. Knows no vendor's path.

What comes back is checked before anybody uses it: one vector for each text, all of one length, nothing but numbers.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import math
import sys
from abc import abstractmethod
from array import array
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, NamedTuple

from vpa_desktop.embedding import EmbeddingRequest, Embeddings
from vpa_desktop.providers._broken import malformed
from vpa_desktop.providers._dialect import Ask, HttpProvider
from vpa_desktop.providers._failures import Peer
from vpa_desktop.providers._payloads import web_page
from vpa_desktop.providers._values import count, dict_of, dicts_of, text_of

_FLOAT_BYTES: Final = 4


class Read(NamedTuple):
    """What stood in an answer: vectors in the order of the texts, None where one is none; tokens where counted."""

    vectors: Sequence[Sequence[float] | None]
    model: str = ""
    input_tokens: int | None = None


class EmbeddingProvider(HttpProvider):
    """A dialect in which vectors can be asked for."""

    @abstractmethod
    def embedding_ask(self, request: EmbeddingRequest) -> Ask:
        """Where vectors are asked for, and with what."""

    @abstractmethod
    def read_embeddings(self, payload: Mapping[str, Any]) -> Read:
        """What stands in the answer."""

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Return one vector a text; raises ProviderError."""
        peer = self.peer(request.model)
        async with AsyncExitStack() as stack:
            reply, _ = await self._send(stack, peer, [self.embedding_ask(request)])
            if await reply.shape() == "html":
                raise web_page(peer, reply)
            payload = await reply.json()
            problem = self.find_problem(dict_of(payload), reply, midstream=False)
            if problem is not None:
                raise self.fail(peer, problem)
            status = reply.status
        # A batch is a million numbers: the window would stand still meanwhile.
        read = await asyncio.to_thread(self.read_embeddings, dict_of(payload))
        vectors = await asyncio.to_thread(_checked, peer, read, len(request.texts), status)
        counted = read.input_tokens or None  # no text has no tokens: a server that says 0 does not count
        return Embeddings(vectors, read.model or request.model, counted, self.key_label)


def openai_body(request: EmbeddingRequest, model: str, *, encoded: bool) -> dict[str, Any]:
    """The request in OpenAI's form; ``encoded`` asks for bytes, which are a third as long as written numbers."""
    body: dict[str, Any] = {"model": model, "input": list(request.texts)}
    if encoded:
        body["encoding_format"] = "base64"
    if request.dimensions:
        body["dimensions"] = request.dimensions
    return body


def read_openai(payload: Mapping[str, Any]) -> Read:
    """OpenAI's answer: rows with an index, whose vectors are lists of numbers or base64 of them."""
    rows = dicts_of(payload.get("data"))
    ordered = sorted(
        enumerate(rows), key=lambda at: place if (place := count(at[1].get("index"))) is not None else at[0]
    )
    usage = dict_of(payload.get("usage"))
    tokens = count(usage.get("prompt_tokens"))
    if not tokens:  # a server that fills in nothing says 0
        tokens = count(usage.get("total_tokens")) or None
    return Read([vector_of(row.get("embedding")) for _, row in ordered], text_of(payload.get("model")) or "", tokens)


def vector_of(value: Any) -> Sequence[float] | None:
    """A vector as it is written: a list of numbers, or base64 of 32-bit ones; None where it is neither."""
    if isinstance(value, str):
        return _decoded(value)
    if not isinstance(value, list) or not value:
        return None
    if isinstance(value[0], list):  # llama.cpp's own path gives one row a token, or one for all
        value = value[0]
    try:
        return array("f", value)
    except (TypeError, OverflowError):
        return None


def _decoded(text: str) -> Sequence[float] | None:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not data or len(data) % _FLOAT_BYTES:
        return None
    numbers = array("f")
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _checked(peer: Peer, read: Read, wanted: int, status: int) -> tuple[Sequence[float], ...]:
    """The vectors; raises BadReply where they are not one for each text, or no vectors."""
    vectors = [vector for vector in read.vectors if vector is not None]
    if len(vectors) != wanted or len(read.vectors) != wanted:
        raise malformed(peer, f"{len(vectors)} vectors came for {wanted} texts", status=status)
    if len({len(vector) for vector in vectors}) > 1:
        raise malformed(peer, "The vectors are not all of one length", status=status)
    if not all(_is_direction(vector) for vector in vectors):
        raise malformed(peer, "A vector has no direction: it is all zeros, or not made of numbers", status=status)
    return tuple(vectors)


def _is_direction(vector: Sequence[float]) -> bool:
    length = math.fsum(number * number for number in vector)
    return math.isfinite(length) and length > 0
