"""A stand-in for a provider: a server on loopback that speaks its dialect, and commits the fault a drill asks for.

It is no model and no gateway: it says one sentence, or fails. Nothing but this machine can reach it.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from vpa_desktop.drills import DrillFault
from vpa_desktop.gateway.attempt import CONTINUE

SENTENCE: Final = "This answer is a drill: one provider of the chain may fail and it still arrives whole."
PIECES: Final = tuple(re.findall(r"\S+\s*", SENTENCE))
CUT_AFTER: Final = 6
"""How many words come before the stream is cut."""

RETRY_AFTER_S: Final = 2
LONGEST_SILENCE_S: Final = 30.0
COUNTS: Final = (24, len(PIECES))
"""Tokens in and out, as every stand-in reports them."""


class StandIn:
    """One server. ``fault`` may be set and lifted while it runs; "refuse" counts from ``open`` until ``recover``."""

    def __init__(self, model: str, fault: DrillFault | None = None) -> None:
        self.fault = fault
        self._model = model
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._answers: set[asyncio.Task[None]] = set()

    async def open(self) -> str:
        """Take a port and return the address; one that is taken but does not listen refuses connections."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.bind(("127.0.0.1", 0))
        if self.fault != "refuse":
            await self._listen()
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    async def recover(self) -> None:
        """Be well from now on."""
        self.fault = None
        if self._server is None:
            await self._listen()

    async def aclose(self) -> None:
        """Close every connection and give the port back."""
        if self._server is not None:
            self._server.close()
        for answer in list(self._answers):
            answer.cancel()
        await asyncio.gather(*self._answers, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._met, sock=self._socket)

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._answers.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._answer(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._answers.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
        length = re.search(r"^content-length: *(\d+)", head, re.IGNORECASE | re.MULTILINE)
        body = await reader.readexactly(int(length[1])) if length else b""
        path = head.split(" ", 2)[1]
        if self.fault == "429":
            writer.write(_refusal("429 Too Many Requests", f"retry-after: {RETRY_AFTER_S}\r\n"))
        elif self.fault == "500":
            writer.write(_refusal("500 Internal Server Error"))
        elif self.fault == "timeout":
            await asyncio.sleep(LONGEST_SILENCE_S)
        else:
            goes_on = CONTINUE.encode() in body
            begin, events, end = stream_of(path, self._model, PIECES[CUT_AFTER if goes_on else 0 :])
            cut = self.fault == "cut"
            writer.write(_head(path) + begin + b"".join(events[:CUT_AFTER] if cut else events) + (b"" if cut else end))
        await writer.drain()


def _head(path: str) -> bytes:
    kind = "application/x-ndjson" if path.endswith("/api/chat") else "text/event-stream"
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n".encode()


def _refusal(status: str, header: str = "") -> bytes:
    body = json.dumps({"error": {"message": "a drill"}}).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n{header}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


Stream = tuple[bytes, list[bytes], bytes]
"""What comes before the words, one event for each, and what says that the answer is whole."""


def stream_of(path: str, model: str, pieces: Iterable[str]) -> Stream:
    """Return these words in the dialect that is spoken at a path."""
    place = path.partition("?")[0]
    if place.endswith("/responses"):
        return _responses(model, pieces)
    if place.endswith("/messages"):
        return _anthropic(model, pieces)
    if place.endswith(":streamGenerateContent"):
        return _gemini(model, pieces)
    return _ollama(model, pieces) if place.endswith("/api/chat") else _chat(model, pieces)


def _event(payload: dict[str, Any]) -> bytes:
    name = f"event: {payload['type']}\n" if "type" in payload else ""
    return f"{name}data: {json.dumps(payload)}\n\n".encode()


def _chat(model: str, pieces: Iterable[str]) -> Stream:
    def told(delta: dict[str, str], finish: str | None = None) -> bytes:
        return _event({"model": model, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    usage = {"prompt_tokens": COUNTS[0], "completion_tokens": COUNTS[1]}
    end = told({}, "stop") + _event({"model": model, "choices": [], "usage": usage}) + b"data: [DONE]\n\n"
    return told({"role": "assistant"}), [told({"content": piece}) for piece in pieces], end


def _responses(model: str, pieces: Iterable[str]) -> Stream:
    place = {"output_index": 0, "item_id": "msg_drill", "content_index": 0}
    usage = {"input_tokens": COUNTS[0], "output_tokens": COUNTS[1]}
    whole = {"object": "response", "id": "resp_drill", "model": model, "status": "completed", "usage": usage}
    return (
        _event({"type": "response.created", "response": {"object": "response", "id": "resp_drill", "model": model}}),
        [_event({"type": "response.output_text.delta", **place, "delta": piece}) for piece in pieces],
        _event({"type": "response.completed", "response": {**whole, "output": []}}),
    )


def _anthropic(model: str, pieces: Iterable[str]) -> Stream:
    counted = {"input_tokens": COUNTS[0], "output_tokens": 1}
    message = {"id": "msg_drill", "type": "message", "role": "assistant", "model": model, "content": []}
    begin = _event({"type": "message_start", "message": {**message, "usage": counted}})
    begin += _event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    deltas = [
        _event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}})
        for piece in pieces
    ]
    end = _event({"type": "content_block_stop", "index": 0})
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    end += _event({"type": "message_delta", "delta": stop, "usage": {"output_tokens": COUNTS[1]}})
    return begin, deltas, end + _event({"type": "message_stop"})


def _gemini(model: str, pieces: Iterable[str]) -> Stream:
    def told(text: str, **facts: object) -> bytes:
        candidate = {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}, **facts}
        counted = {"promptTokenCount": COUNTS[0], "candidatesTokenCount": COUNTS[1]}
        return _event({"candidates": [candidate], "modelVersion": model, "usageMetadata": counted})

    return b"", [told(piece) for piece in pieces], told("", finishReason="STOP")


def _ollama(model: str, pieces: Iterable[str]) -> Stream:
    def told(text: str, **facts: object) -> bytes:
        line = {"model": model, "message": {"role": "assistant", "content": text}, "done": False, **facts}
        return json.dumps(line).encode() + b"\n"

    end = told("", done=True, done_reason="stop", prompt_eval_count=COUNTS[0], eval_count=COUNTS[1])
    return b"", [told(piece) for piece in pieces], end
