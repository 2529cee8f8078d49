"""Gemini and Ollama against aimock, a server of dialects that we did not write; it deviates from both in small ways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.aimock import aimock
from tests.providers.test_requests import PICTURE
from tests.wire import outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import RateLimited
from vpa_desktop.messages import ImageData, LLMRequest, Message, ToolCall, ToolSpec
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers.base import BaseLLMProvider

FIXTURES = (
    {"match": {"userMessage": "greet"}, "response": {"content": "Grüße aus Kiel 👋"}},
    {"match": {"userMessage": "think"}, "response": {"content": "4", "reasoning": "Adding."}},
    {
        "match": {"userMessage": "weather"},
        "response": {"toolCalls": [{"name": "get_weather", "arguments": '{"city":"Kiel"}'}]},
    },
    {"match": {"userMessage": "picture"}, "response": {"content": "A cat."}},
    {"match": {"userMessage": "cut"}, "response": {"content": "one two three four five"}, "truncateAfterChunks": 2},
    {
        "match": {"userMessage": "busy"},
        "response": {"error": {"message": "slow down", "type": "rate_limit_error"}, "status": 429},
    },
)
MODELS = {"google": "gemini-3.8-flash", "ollama": "qwen3"}
KINDS = pytest.mark.parametrize("kind", MODELS)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A running aimock."""
    with aimock(FIXTURES) as url:
        yield url


def provider(kind: str, address: str, http: HttpSession) -> BaseLLMProvider:
    config = LLMProviderConfig(kind, MODELS[kind], api_key="k", api_endpoint=address, timeout=10)
    return build_provider(config, http)


def question(text: str, *images: ImageData, tools: tuple[ToolSpec, ...] = ()) -> LLMRequest:
    return LLMRequest((Message("user", text, images=images),), tools=tools, effort="high")


@KINDS
async def test_an_answer_streamed(kind: str, address: str, http: HttpSession) -> None:
    seen = await outcome(provider(kind, address, http), question("greet"))
    assert seen.text == "Grüße aus Kiel 👋"
    assert seen.done is not None
    assert seen.done.finish_reason == "stop"


@KINDS
async def test_reasoning_comes_apart(kind: str, address: str, http: HttpSession) -> None:
    answer = await provider(kind, address, http).generate(question("think"))
    assert (answer.reasoning, answer.content) == ("Adding.", "4")


@KINDS
async def test_a_function_call(kind: str, address: str, http: HttpSession) -> None:
    tools = (ToolSpec("get_weather", "d", {"type": "object", "properties": {"city": {"type": "string"}}}),)
    seen = await outcome(provider(kind, address, http), question("weather", tools=tools))
    assert seen.done is not None
    assert seen.done.finish_reason == "tool_calls"
    (call,) = seen.done.tool_calls
    assert call == ToolCall(call.id, "get_weather", '{"city": "Kiel"}')


@KINDS
async def test_a_picture_is_taken(kind: str, address: str, http: HttpSession) -> None:
    assert (await outcome(provider(kind, address, http), question("picture", PICTURE))).text == "A cat."


@KINDS
async def test_a_cut_answer_is_never_success(kind: str, address: str, http: HttpSession) -> None:
    seen = await outcome(provider(kind, address, http), question("cut"))
    assert seen.done is None
    assert seen.error is not None
    assert seen.error.retryable
    assert seen.text


@KINDS
async def test_a_rate_limit(kind: str, address: str, http: HttpSession) -> None:
    seen = await outcome(provider(kind, address, http), question("busy"))
    assert isinstance(seen.error, RateLimited)
    assert seen.error.retry_after_s == 1


async def test_the_list_of_ollama(address: str, http: HttpSession) -> None:
    assert await provider("ollama", address, http).list_models()
