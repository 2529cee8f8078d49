"""Ollama: the window it is asked for, thinking only where a model can, and words for a server that is not ready."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest

from tests.ports import free_port
from tests.providers.rawserver import RawServer, reply, serving
from tests.wire import HELLO, outcome
from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.errors import ContextTooLong, ProviderError, ProviderUnavailable, RequestRejected
from vpa_desktop.messages import Effort, LLMRequest, Message, ToolCall
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers._ollama_models import Shown, read_shown, window

LAST = {"model": "m", "message": {"role": "assistant", "content": "Hi"}, "done": True, "done_reason": "stop"}
QWEN = {
    "capabilities": ["completion", "tools", "thinking"],
    "model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40_960},
    "details": {"family": "qwen3"},
}


def lines(*rows: Any) -> bytes:
    return reply("200 OK", "application/x-ndjson", b"".join(json.dumps(row).encode() + b"\n" for row in rows))


def said(status: str, error: Any) -> bytes:
    return reply(status, "application/json", json.dumps({"error": error}).encode())


def ollama(**paths: bytes | list[bytes]) -> AbstractAsyncContextManager[RawServer]:
    """A server with an answer for each of its paths; of several, one after the other."""

    async def answer(server: RawServer, writer: asyncio.StreamWriter) -> None:
        path = server.requests[-1].split(" ")[1].removeprefix("/api/")
        known = paths.get(path, said("404 Not Found", "no such path"))
        asked = sum(f" /api/{path} " in head for head in server.requests)
        writer.write(known[min(asked, len(known)) - 1] if isinstance(known, list) else known)
        await writer.drain()

    return serving(answer)


def config(url: str, **more: Any) -> LLMProviderConfig:
    return LLMProviderConfig("ollama", more.pop("model", "m"), api_endpoint=url, timeout=5, **more)


def show(payload: Any) -> bytes:
    return reply("200 OK", "application/json", json.dumps(payload).encode())


def chats(server: RawServer) -> list[Any]:
    return [
        body for head, body in zip(server.requests, server.bodies, strict=True) if head.startswith("POST /api/chat ")
    ]


@pytest.mark.parametrize("path", ["", "/", "/api", "/api/", "/v1", "/api/chat"])
async def test_any_way_of_writing_the_endpoint(http: HttpSession, path: str) -> None:
    async with ollama(chat=lines(LAST)) as server:
        seen = await outcome(build_provider(config(server.url + path), http))
    assert seen.text == "Hi"
    assert len(chats(server)) == 1


async def test_a_window_is_always_asked_for_and_a_cut_is_an_error(http: HttpSession) -> None:
    small = {"model_info": {"llama.context_length": 2_048}}
    async with ollama(chat=lines(LAST), show=show(small)) as server:
        provider = build_provider(config(server.url, keep_loaded_minutes=2.5), http)
        assert provider.context_tokens is not None
        assert provider.context_tokens >= 4_096
        for _ in range(2):
            await outcome(provider)
    assert provider.context_tokens == 2_048  # what the gateway fits a conversation into from now on
    assert [body["options"] for body in chats(server)] == [{"num_ctx": 2_048}] * 2
    assert chats(server)[0]["truncate"] is False
    assert chats(server)[0]["keep_alive"] == "2.5m"
    assert "think" not in chats(server)[0]
    assert sum("/api/show" in head for head in server.requests) == 1


async def test_each_model_has_a_window_of_its_own(http: HttpSession) -> None:
    small, large = (
        {"model_info": {"a.context_length": 131_072}, "parameters": f"num_ctx {n}"} for n in (2_048, 90_000)
    )
    async with ollama(chat=lines(LAST), show=[show(small), show(large)]) as server:
        provider = build_provider(config(server.url), http)
        await outcome(provider)
        await outcome(provider, replace(HELLO, model="large"))
    assert [body["options"]["num_ctx"] for body in chats(server)] == [2_048, 90_000]
    assert (provider.window_of("m"), provider.window_of("large")) == (2_048, 90_000)
    assert 4_096 <= (provider.window_of("not asked yet") or 0) <= 16_384


async def test_a_chosen_window_is_taken_as_it_is(http: HttpSession) -> None:
    async with ollama(chat=lines(LAST), show=show(QWEN)) as server:
        provider = build_provider(config(server.url, context_tokens=30_000), http)
        await outcome(provider)
    assert chats(server)[0]["options"]["num_ctx"] == provider.context_tokens == 30_000
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("endpoint", "payload", "most", "least"),
    [
        ("http://127.0.0.1:11434", QWEN, 16_384, 4_096),
        ("https://ollama.example", QWEN, 8_192, 8_192),
        ("https://ollama.com", QWEN, 40_960, 40_960),
        ("http://127.0.0.1:11434", {**QWEN, "remote_host": "https://ollama.com"}, 40_960, 40_960),
        ("http://127.0.0.1:11434", {**QWEN, "parameters": "stop x\nnum_ctx   32768"}, 32_768, 32_768),
        ("http://127.0.0.1:11434", ["?"], 16_384, 4_096),
    ],
)
def test_a_window_that_fits_the_place(endpoint: str, payload: Any, most: int, least: int) -> None:
    assert least <= window(config(endpoint), read_shown("m", payload)) <= most


@pytest.mark.parametrize(
    ("family", "abilities", "effort", "sent"),
    [
        ("qwen3", ["completion", "thinking"], "high", True),
        ("qwen3", ["completion", "thinking"], "none", False),
        ("qwen3", ["completion", "thinking"], None, None),
        ("llama", ["completion"], "high", None),
        ("llama", None, "high", None),
        ("gptoss", ["completion", "thinking"], "minimal", "low"),
        ("gpt-oss", ["completion", "thinking"], "max", "max"),
    ],
)
async def test_thinking_only_where_the_model_can(
    http: HttpSession, family: str, abilities: list[str] | None, effort: Effort | None, sent: Any
) -> None:
    payload = {"details": {"family": family}, **({} if abilities is None else {"capabilities": abilities})}
    async with ollama(chat=lines(LAST), show=show(payload)) as server:
        await outcome(build_provider(config(server.url), http), LLMRequest(HELLO.messages, effort=effort))
    assert chats(server)[0].get("think") == sent


async def test_thinking_that_is_refused_is_left_out_once_and_for_all(http: HttpSession) -> None:
    refused = said("400 Bad Request", '"m" does not support thinking')
    async with ollama(chat=[refused, lines(LAST)], show=show(QWEN)) as server:
        provider = build_provider(config(server.url, effort="high"), http)
        for _ in range(2):
            assert (await outcome(provider)).text == "Hi"
    assert ["think" in body for body in chats(server)] == [True, False, False]


async def test_thinking_before_a_call_goes_back_with_its_result(http: HttpSession) -> None:
    call = {"function": {"name": "look", "arguments": '{"at": 1}'}}
    first = {"message": {"thinking": "Hm. "}}, {"message": {"thinking": "Look.", "tool_calls": [call, {}, None]}}
    async with ollama(chat=lines(*first, {**LAST, "message": None})) as server:
        provider = build_provider(config(server.url), http)
        seen = await outcome(provider)
        assert seen.done is not None
        assert seen.done.finish_reason == "tool_calls"
        assert seen.done.tool_calls == (ToolCall("", "look", '{"at": 1}'),)
        turn = Message("assistant", "", tool_calls=seen.done.tool_calls, carry=seen.done.carry)
        result = Message("tool", "a cat", tool_call_id="")
        await outcome(provider, LLMRequest((*HELLO.messages, turn, result)))
        await outcome(provider, LLMRequest((*HELLO.messages, turn, result, Message("user", "And now?"))))
    running, later = (body["messages"] for body in chats(server)[1:])
    assert running[1]["thinking"] == "Hm. Look."
    assert running[1]["tool_calls"] == [{"function": {"name": "look", "arguments": {"at": 1}}}]
    assert running[2] == {"role": "tool", "content": "a cat", "tool_name": "look"}
    assert "thinking" not in later[1]


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson", "text/plain"])
async def test_an_answer_in_one_indented_piece(http: HttpSession, content_type: str) -> None:
    async with ollama(chat=reply("200 OK", content_type, json.dumps(LAST, indent=2).encode())) as server:
        seen = await outcome(build_provider(config(server.url), http))
    assert seen.text == "Hi"
    assert seen.done is not None


async def test_a_prompt_that_is_too_long(http: HttpSession) -> None:
    too_long = said("400 Bad Request", "prompt too long; exceeded max context length by 312 tokens")
    async with ollama(chat=too_long) as server:
        seen = await outcome(build_provider(config(server.url), http))
    assert isinstance(seen.error, ContextTooLong)


async def test_a_model_that_was_not_pulled(http: HttpSession) -> None:
    missing = said("404 Not Found", "model 'llama9:70b' not found")
    tags = show({"models": [{"model": "qwen3:latest"}, {"name": "gemma3:4b"}, {}]})
    async with ollama(chat=missing, tags=tags) as server:
        provider = build_provider(config(server.url, model="llama9:70b"), http)
        seen = await outcome(provider)
        with pytest.raises(RequestRejected, match="ollama pull llama9:70b") as caught:
            await provider.connect()
        await build_provider(config(server.url, model="qwen3"), http).connect()
    assert "qwen3:latest, gemma3:4b" in str(caught.value)
    assert caught.value.error_class == "not_found"
    assert seen.error is not None
    assert "ollama pull llama9:70b" in seen.error.next_step
    assert 'does not know the model "llama9:70b"' in seen.error.what


async def test_a_server_without_any_model(http: HttpSession) -> None:
    async with ollama(tags=[show({"models": None}), show({"models": [{"name": "qwen3:8b"}]})]) as server:
        provider = build_provider(config(server.url, model=""), http)
        with pytest.raises(RequestRejected, match="ollama pull"):
            await provider.connect()
        await provider.connect()


async def test_a_server_that_was_not_started(http: HttpSession) -> None:
    provider = build_provider(config(f"http://127.0.0.1:{free_port()}"), http)
    asks: list[Callable[[], Any]] = [provider.connect, provider.list_models, lambda: provider.generate(HELLO)]
    for ask in asks:
        with pytest.raises(ProviderUnavailable, match="Start Ollama") as caught:
            await ask()
        assert caught.value.what == "Ollama could not be reached"


async def test_a_model_too_large_for_the_machine_is_not_tried_again(http: HttpSession) -> None:
    memory = said("500 No", "model requires more system memory (9.2 GiB) than is available (5.1 GiB)")
    async with ollama(chat=memory) as server:
        seen = await outcome(build_provider(config(server.url), http))
    assert seen.error is not None
    assert not seen.error.retryable
    assert "smaller model" in seen.error.next_step


async def test_an_error_as_an_object_is_read_too(http: HttpSession) -> None:
    async with ollama(chat=said("429 No", {"message": "slow down", "type": "rate_limit_error"})) as server:
        seen = await outcome(build_provider(config(server.url), http))
    assert seen.error is not None
    assert seen.error.error_class == "rate_limit"
    assert "slow down" in seen.error.why


async def test_the_key_of_ollama_com(http: HttpSession) -> None:
    async with ollama(chat=lines(LAST)) as server:
        await outcome(build_provider(config(server.url, api_key="k-1"), http))
    assert all("authorization: bearer k-1" in head.lower() for head in server.requests)


async def test_the_models_with_what_they_can_do(http: HttpSession) -> None:
    tags = {"models": [{"model": "qwen3:latest", "digest": "a"}, {"model": "qwen3:8b", "digest": "b"}]}
    async with ollama(tags=show(tags), show=[show(QWEN), said("500 No", "x")]) as server:
        provider = build_provider(config(server.url), http)
        found = await provider.list_models()
        assert len(await provider.list_models()) == 2
    known, unknown = sorted(found, key=lambda model: model.context_tokens is None)
    assert known == ModelInfo(known.id, 40_960, images=False, tools=True, reasoning=True, chat=True)
    assert unknown == ModelInfo(unknown.id)
    shows = [body["model"] for body in server.bodies if body]
    assert shows.count(known.id) == 1


def test_what_an_older_server_does_not_say_is_not_known() -> None:
    assert read_shown("m", {"details": None}) == Shown(ModelInfo("m"))


@pytest.mark.parametrize(
    ("last", "finish"),
    [
        ({"done": True}, "stop"),
        ({"done": True, "done_reason": ""}, "stop"),
        ({"done": True, "done_reason": "unload"}, "stop"),
        ({"done": True, "done_reason": "length"}, "length"),
        ({"done": True, "done_reason": "something of 2027"}, "stop"),
        ({"done": True, "done_reason": "error"}, "error"),
        ({"done": False}, None),
        ({"done": "true"}, None),
    ],
)
async def test_how_an_answer_ends(http: HttpSession, last: dict[str, Any], finish: str | None) -> None:
    middle = {"message": {"content": "Hi", "thinking": None, "tool_calls": None, "images": None}, "done": False}
    async with ollama(chat=lines(middle, {"new": 1}, ["?"], last)) as server:
        seen = await outcome(build_provider(config(server.url), http))
    assert seen.text == "Hi"
    assert (seen.done.finish_reason if seen.done else None) == finish
    assert (seen.error is None) is (finish is not None)


@pytest.mark.parametrize(
    ("line", "error_class"),
    [
        ({"error": "busy", "status_code": 503}, "overloaded"),
        ({"error": "prompt too long; exceeded max context length by 3 tokens", "StatusCode": 400}, "context_length"),
        ({"error": {"message": "x"}}, "server"),
    ],
)
async def test_a_line_with_an_error_and_its_own_status(http: HttpSession, line: Any, error_class: str) -> None:
    async with ollama(chat=lines({"message": {"content": "Hel"}}, line)) as server:
        seen = await outcome(build_provider(config(server.url), http))
    assert seen.error is not None
    assert (seen.error.error_class, seen.error.status, seen.error.midstream) == (error_class, 200, True)


async def test_a_line_with_an_error_ends_the_answer(http: HttpSession) -> None:
    async with ollama(chat=lines({"message": {"content": "Hel"}}, {"error": "llama runner process died"})) as server:
        with pytest.raises(ProviderError, match="runner process died") as caught:
            await build_provider(config(server.url), http).generate(HELLO)
    assert caught.value.midstream
