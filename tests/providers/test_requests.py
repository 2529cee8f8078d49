"""What the dialects send: only fields the server takes, images as it wants them, nothing that was not asked for."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import Any

import pytest

from tests.providers.rawserver import GOOD, STREAM_HEAD, reply, serving
from tests.wire import HELLO, outcome
from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.errors import ConfigError
from vpa_desktop.messages import ImageData, LLMRequest, Message, ReasoningDelta, ToolCall
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession

PICTURE = ImageData(
    "image/png",
    base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    ),
)
PNG = b"\x89PNG\r\n"
ANTHROPIC = (
    STREAM_HEAD
    + b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}\n\n'
    + b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'
)
TALK = LLMRequest(
    (
        Message("system", "Be brief."),
        Message("user", "What is this?", images=(PICTURE,)),
        Message("assistant", "", tool_calls=(ToolCall("c1", "look", '{"at":"it"}'),)),
        Message("tool", "a cat", tool_call_id="c1"),
        Message("assistant", ""),
    ),
    max_tokens=50,
    temperature=0.0,
    top_p=0.5,
    stop=("END",),
)


async def sent(http: HttpSession, kind: str, model: str, request: LLMRequest = TALK, **config: Any) -> tuple[str, Any]:
    """The request line with headers, and the body, that a provider sends."""
    async with serving(ANTHROPIC if kind == "anthropic" else GOOD) as server:
        settings = LLMProviderConfig(kind, model, api_key="k-1", api_endpoint=server.url, **config)
        seen = await outcome(build_provider(settings, http), request)
        assert seen.error is None
        return server.requests[0], server.bodies[0]


async def test_chat_completions(http: HttpSession) -> None:
    head, body = await sent(http, "openai_compatible", "m")
    assert head.startswith("POST /v1/chat/completions ")
    assert "authorization: bearer k-1" in head.lower()
    assert (body["max_tokens"], body["temperature"], body["top_p"], body["stop"]) == (50, 0.0, 0.5, ["END"])
    assert body["stream_options"] == {"include_usage": True}
    picture = body["messages"][1]["content"][1]["image_url"]["url"]
    assert base64.b64decode(picture.removeprefix("data:image/png;base64,")).startswith(PNG)
    assert body["messages"][2]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at":"it"}'}
    assert body["messages"][3] == {"role": "tool", "content": "a cat", "tool_call_id": "c1"}


async def test_what_was_not_chosen_is_not_sent(http: HttpSession) -> None:
    _, body = await sent(http, "openai_compatible", "m", HELLO)
    assert set(body) == {"model", "messages", "stream", "stream_options"}
    _, body = await sent(http, "openai_compatible", "m", HELLO, temperature=0.3, max_tokens=9)
    assert (body["temperature"], body["max_tokens"]) == (0.3, 9)


@pytest.mark.parametrize(
    ("model", "samples"), [("gpt-4o", True), ("gpt-6-luna", False), ("gpt-5.1", False), ("o3", False)]
)
async def test_openai_gets_sampling_only_where_the_model_takes_it(http: HttpSession, model: str, samples: bool) -> None:
    _, body = await sent(http, "openai", model)
    assert ("temperature" in body, "top_p" in body) == (samples, samples)
    assert body["max_completion_tokens"] == 50
    assert "max_tokens" not in body


async def test_anthropic(http: HttpSession) -> None:
    head, body = await sent(http, "anthropic", "claude-sonnet-5-5")
    assert head.startswith("POST /v1/messages ")
    assert "anthropic-version: 2026-10-21" in head.lower()
    assert "x-api-key: k-1" in head.lower()
    assert "authorization: bearer k-1" in head.lower()
    assert body["system"] == "Be brief."
    assert body["stop_sequences"] == ["END"]
    assert not {"temperature", "top_p", "top_k", "thinking"} & set(body)
    picture, question = body["messages"][0]["content"]
    assert base64.b64decode(picture["source"]["data"]).startswith(PNG)
    assert question == {"type": "text", "text": "What is this?"}
    assert body["messages"][1]["content"] == [{"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "it"}}]
    assert body["messages"][2]["role"] == "user"
    assert body["messages"][2]["content"][0]["tool_use_id"] == "c1"
    assert len(body["messages"]) == 3  # an empty turn would be refused


async def test_anthropic_takes_sampling_only_with_the_old_version_pinned(http: HttpSession) -> None:
    head, body = await sent(http, "anthropic", "claude-old", api_version="2023-06-01")
    assert "anthropic-version: 2023-06-01" in head.lower()
    assert (body["temperature"], body["top_p"]) == (0.0, 0.5)


async def test_anthropic_without_a_limit_leaves_room_to_think(http: HttpSession) -> None:
    _, body = await sent(http, "anthropic", "claude-sonnet-5-5", HELLO)
    assert body["max_tokens"] > 8000


async def test_thinking_comes_as_reasoning_and_a_list_of_parts_as_text(http: HttpSession) -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "4"}]
    chunk = {"choices": [{"index": 0, "delta": {"content": parts}, "finish_reason": "stop"}]}
    async with serving(STREAM_HEAD + b"data: " + json.dumps(chunk).encode() + b"\n\n") as server:
        config = LLMProviderConfig("openai_compatible", "m", api_endpoint=server.url)
        stream = build_provider(config, http).stream(HELLO)
        assert await anext(stream) == ReasoningDelta("hm")
        await stream.aclose()
        assert (await outcome(build_provider(config, http))).text == "4"


async def test_usage_in_groqs_own_field(http: HttpSession) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "A"}, "finish_reason": "stop"}]}
    chunk["x_groq"] = {"usage": {"prompt_tokens": 3, "completion_tokens": 1}}  # type: ignore[assignment]
    async with serving(STREAM_HEAD + b"data: " + json.dumps(chunk).encode() + b"\n\n") as server:
        config = LLMProviderConfig("openai_compatible", "m", api_endpoint=server.url)
        answer = await build_provider(config, http).generate(HELLO)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (3, 1)


async def test_model_lists(http: HttpSession) -> None:
    rows = [{"id": "b", "context_length": 128_000}, {"id": "a", "shutdown_date": "2027-01-14"}, {"object": "?"}]
    async with serving(reply("200 OK", "application/json", json.dumps({"data": rows}).encode())) as server:
        config = LLMProviderConfig("openai_compatible", "m", api_endpoint=server.url)
        models = await build_provider(config, http).list_models()
    assert models == [ModelInfo("a", retires_on="2027-01-14"), ModelInfo("b", 128_000)]


async def test_anthropic_model_list_has_pages(http: HttpSession) -> None:
    first = {"data": [{"id": "claude-x", "max_input_tokens": 1_000_000}], "has_more": True, "last_id": "claude-x"}
    last = {"data": [{"id": "claude-y", "retires_at": "2026-11-30T00:00:00Z"}], "has_more": False}
    pages = [reply("200 OK", "application/json", json.dumps(page).encode()) for page in (first, last)]
    async with serving(*pages) as server:
        config = LLMProviderConfig("anthropic", api_key="k", api_endpoint=server.url)
        models = await build_provider(config, http).list_models()
    assert models == [ModelInfo("claude-x", 1_000_000), ModelInfo("claude-y", retires_on="2026-11-30")]
    assert "after_id=claude-x" in server.requests[1]


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ConfigError, match="telepathy"):
        build_provider(LLMProviderConfig("telepathy"))


def test_the_package_loads_nothing_heavy() -> None:
    program = "import sys, vpa_desktop.providers; print([n for n in ('httpx', 'aiohttp', 'ssl') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.strip() == "[]"
