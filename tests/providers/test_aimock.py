"""Our providers against aimock, a server of dialects that we did not write: answers, pictures, reasoning, tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.aimock import aimock, last_request
from tests.wire import outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.messages import ImageData, LLMRequest, Message, ToolSpec
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers.base import BaseLLMProvider

PIXEL = ImageData(
    "image/png",
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
        "0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
    ),
)
TEXT = "A circuit breaker opens after failures. Grüße 👋"
FIXTURES: list[dict[str, Any]] = [
    {
        "match": {"userMessage": "think"},
        "response": {"content": "4", "reasoning": "Two and two."},
    },
    {
        "match": {"userMessage": "weather"},
        "response": {"toolCalls": [{"name": "get_weather", "arguments": '{"city":"Köln"}'}]},
    },
    {"match": {}, "response": {"content": TEXT, "usage": {"prompt_tokens": 12, "completion_tokens": 9}}},
]
WAYS: dict[str, dict[str, Any]] = {
    "openai chat": {"provider": "openai", "protocol": "chat", "model": "gpt-4o"},
    "openai responses": {"provider": "openai", "model": "gpt-6-luna"},
    "azure classic": {
        "provider": "azure",
        "model": "gpt-5.5",
        "deployment": "mine",
        "api_version": "2025-04-01-preview",
    },
    "azure v1": {"provider": "azure", "model": "gpt-5.5", "deployment": "mine"},
    "compatible": {"provider": "openai_compatible", "model": "any"},
    "anthropic": {"provider": "anthropic", "model": "claude-sonnet-5-5"},
}
WEATHER = ToolSpec(
    "get_weather", "The weather of a city", {"type": "object", "properties": {"city": {"type": "string"}}}
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """aimock with our fixtures."""
    with aimock(FIXTURES) as url:
        yield url


@pytest.fixture(params=WAYS)
def asked(request: pytest.FixtureRequest, server: str, http: HttpSession) -> BaseLLMProvider:
    """Each of our providers, pointed at it."""
    return build_provider(LLMProviderConfig(api_key="k", api_endpoint=server, timeout=10, **WAYS[request.param]), http)


async def test_an_answer_comes_in_pieces_and_whole(asked: BaseLLMProvider) -> None:
    seen = await outcome(asked, LLMRequest((Message("system", "Be brief."), Message("user", "Explain"))))
    assert seen.error is None
    assert seen.text == TEXT
    assert seen.done is not None
    assert seen.done.finish_reason == "stop"
    assert seen.done.usage is not None
    assert (seen.done.usage.input_tokens, seen.done.usage.output_tokens) == (12, 9)
    assert (await asked.generate(LLMRequest((Message("user", "Explain"),)))).content == TEXT


async def test_a_picture_goes_along(asked: BaseLLMProvider, server: str) -> None:
    seen = await outcome(asked, LLMRequest((Message("user", "What is this?", images=(PIXEL,)),)))
    assert seen.text == TEXT
    if asked.config.kind != "anthropic" and "/responses" not in (kept := last_request(server))["path"]:
        assert "iVBORw0KGgo" in str(kept["body"])  # its journal leaves pictures out of the other two


async def test_reasoning_comes_apart_from_the_answer(asked: BaseLLMProvider) -> None:
    seen = await outcome(asked, LLMRequest((Message("user", "think: 2+2"),), effort="low"))
    assert (seen.reasoning, seen.text) == ("Two and two.", "4")


async def test_a_tool_is_asked_for_and_its_result_sent_back(asked: BaseLLMProvider) -> None:
    question = Message("user", "the weather of Köln")
    seen = await outcome(asked, LLMRequest((question,), tools=(WEATHER,)))
    assert seen.done is not None
    assert seen.done.finish_reason == "tool_calls"
    (call,) = seen.done.tool_calls
    assert (call.name, call.arguments.replace(" ", "")) == ("get_weather", '{"city":"Köln"}')
    turn = Message("assistant", seen.text, tool_calls=seen.done.tool_calls, carry=seen.done.carry)
    history = (question, turn, Message("tool", "12 C", tool_call_id=call.id))
    assert (await outcome(asked, LLMRequest(history, tools=(WEATHER,)))).error is None
