"""Streams as real servers send them: wrong labels, pings, events of megabytes, and what comes after the finish."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.providers.rawserver import GOOD, STREAM_HEAD, RawServer, chunk, reply, serving
from tests.wire import Outcome, outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import ProviderError
from vpa_desktop.messages import Usage
from vpa_desktop.providers import _dialect, build_provider
from vpa_desktop.providers._http import LINE_BYTES, HttpSession
from vpa_desktop.providers.base import BaseLLMProvider

JSON_HEAD = STREAM_HEAD.replace(b"text/event-stream", b"application/json")
WHOLE = b'{"choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}]}'


def provider(http: HttpSession, url: str, kind: str = "openai_compatible", **settings: Any) -> BaseLLMProvider:
    given = {"model": "m", "api_key": "k", "api_endpoint": url + "/v1", "timeout": 5, **settings}
    return build_provider(LLMProviderConfig(kind, **given), http)


async def read(http: HttpSession, answer: bytes, kind: str = "openai_compatible") -> Outcome:
    async with serving(answer) as server:
        return await outcome(provider(http, server.url, kind))


@pytest.mark.parametrize(
    "noise",
    [
        b"data:\n\n",
        b"data: \n\n",
        b"event: keep-alive\n\n",
        b"event: ping\ndata: ping\n\n",
        b"data: ping\n\n",
        b"event: heartbeat\ndata: 12:30:01\n\n",
    ],
)
async def test_what_only_keeps_a_stream_open_is_ignored(http: HttpSession, noise: bytes) -> None:
    end = chunk(" there", "stop") + b"data: [DONE]\n\n"
    seen = await read(http, STREAM_HEAD + noise + chunk("Hello") + noise + end)
    assert (seen.text, seen.error) == ("Hello there", None)


@pytest.mark.parametrize("name", [b"", b"event: message\n", b"event: response.output_text.delta\n"])
async def test_an_event_that_should_be_json_and_is_not_is_an_error(http: HttpSession, name: bytes) -> None:
    seen = await read(http, STREAM_HEAD + name + b"data: Hello\n\n" + chunk("Hello", "stop"))
    assert seen.error is not None
    assert seen.error.error_class == "malformed"


@pytest.mark.parametrize(
    "answer",
    [
        STREAM_HEAD + WHOLE,
        GOOD.replace(STREAM_HEAD, JSON_HEAD),
        GOOD.replace(STREAM_HEAD, JSON_HEAD + b": hello\n\n"),
        JSON_HEAD + b"[" + WHOLE + b"]",
    ],
)
async def test_a_wrong_label_does_not_matter(http: HttpSession, answer: bytes) -> None:
    seen = await read(http, answer)
    assert (seen.text, seen.error) == ("Hello", None)


@pytest.mark.parametrize("head", [STREAM_HEAD, JSON_HEAD])
@pytest.mark.parametrize("form", [b"%b", b"[%b]"])
async def test_an_error_in_place_of_a_stream_is_understood(http: HttpSession, head: bytes, form: bytes) -> None:
    seen = await read(http, head + form % b'{"error":{"message":"No money","code":402}}')
    assert seen.error is not None
    assert seen.error.error_class == "quota"


async def test_a_last_event_of_megabytes_ends_the_answer(http: HttpSession) -> None:
    reasoning = {"type": "reasoning", "id": "r", "encrypted_content": "A" * (3 << 20), "summary": []}
    said = {"type": "message", "id": "x", "content": [{"type": "output_text", "text": "Hello"}]}
    response = {"object": "response", "status": "completed", "output": [reasoning, said]}
    event = json.dumps({"type": "response.completed", "response": response}).encode()
    seen = await read(http, STREAM_HEAD + b"data: " + event + b"\n\n", "openai")
    assert (seen.text, seen.error) == ("Hello", None)


async def test_an_event_beyond_all_bounds_is_refused(http: HttpSession) -> None:
    seen = await read(http, STREAM_HEAD + b"data: " + b"x" * (LINE_BYTES + 1) + b"\n\n")
    assert seen.error is not None
    assert "a line of more than" in str(seen.error)


async def test_comments_do_not_hold_a_finished_answer(http: HttpSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_dialect, "AFTER_FINISH_S", 0.2)

    async def answer(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + chunk("Hello", "stop"))
        while not server.hung_up.is_set():
            writer.write(b": ping\n\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(answer) as server, asyncio.timeout(2):
        seen = await outcome(provider(http, server.url))
    assert (seen.text, seen.error) == ("Hello", None)


@pytest.mark.parametrize(
    ("kind", "pieces"), [("google", ["One ", "two ", "three"]), ("openai_compatible", ["One ", "two ", "three"])]
)
async def test_a_finish_on_every_event_does_not_end_the_answer(
    http: HttpSession, monkeypatch: pytest.MonkeyPatch, kind: str, pieces: list[str]
) -> None:
    monkeypatch.setattr(_dialect, "AFTER_FINISH_S", 0.1)

    def event(text: str) -> bytes:
        if kind != "google":
            return chunk(text, "stop")
        candidate = {"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}
        return b"data: " + json.dumps({"candidates": [candidate]}).encode() + b"\n\n"

    async def answer(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + event(pieces[0]))
        await writer.drain()
        await asyncio.sleep(0.25 if kind == "google" else 0)  # elsewhere the second piece is what tells
        writer.write(event(pieces[1]))
        await writer.drain()
        await asyncio.sleep(0.25)
        writer.write(event(pieces[2]))

    async with serving(answer) as server:
        seen = await outcome(provider(http, server.url.removesuffix("/v1"), kind))
    assert (seen.text, seen.error) == ("".join(pieces), None)


async def test_an_error_in_place_of_the_model_list_is_one(http: HttpSession) -> None:
    body = b'{"error":{"code":401,"message":"User not found."}}'
    async with serving(reply("200 OK", "application/json", body)) as server:
        with pytest.raises(ProviderError) as raised:
            await provider(http, server.url).list_models()
    assert raised.value.error_class == "auth"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_failed_answer_tells_what_it_cost(http: HttpSession, stream: bool) -> None:
    usage = {"input_tokens": 5, "output_tokens": 7}
    response = {"object": "response", "status": "failed", "error": {"code": "server_error"}, "usage": usage}
    event = json.dumps({"type": "response.failed", "response": response}).encode()
    whole = reply("200 OK", "application/json", json.dumps(response).encode())
    seen = await read(http, STREAM_HEAD + b"data: " + event + b"\n\n" if stream else whole, "openai")
    assert seen.error is not None
    assert seen.error.usage == Usage(5, 7)


async def test_a_model_that_reasons_may_be_silent_for_longer_than_another(
    http: HttpSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vpa_desktop.providers._dialect.USUAL_TIMEOUT_S", 0.3)

    async def late(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        await writer.drain()
        await asyncio.sleep(0.8)
        writer.write(GOOD.removeprefix(STREAM_HEAD))
        await writer.drain()

    async with serving(late) as server:
        for model, text in (("gpt-6-luna", "Hello"), ("gpt-4o", "")):
            config = LLMProviderConfig("openai", model, api_endpoint=server.url, protocol="chat", timeout=0.3)
            assert (await outcome(build_provider(config, http))).text == text
