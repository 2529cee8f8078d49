"""OpenAI, Azure and compatible servers as they answer: fallback of protocol, refusals by name, odd streams, lists."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.providers.rawserver import GOOD, STREAM_HEAD, reply, serving
from tests.wire import HELLO, outcome
from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.errors import AuthenticationFailed, RequestRejected
from vpa_desktop.messages import Carry, LLMRequest, Message
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._failures import read_problem
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers._model_lists import read_models
from vpa_desktop.providers._refusals import refused_field, without_fields
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.providers.openai_compatible import OpenAICompatibleProvider

NO_PATH = reply("404 Not Found", "application/json", b'{"detail":"Not Found"}')


def provider(http: HttpSession, url: str, kind: str = "openai", **settings: Any) -> BaseLLMProvider:
    given = {"model": "gpt-6-luna", "api_key": "k", "api_endpoint": url, "timeout": 5, **settings}
    return build_provider(LLMProviderConfig(kind, **given), http)


def stream(*events: dict[str, Any]) -> bytes:
    return STREAM_HEAD + b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def error(status: str, **fields: Any) -> bytes:
    return reply(status, "application/json", json.dumps({"error": fields}).encode())


def completed(*output: dict[str, Any], **fields: Any) -> dict[str, Any]:
    response = {"object": "response", "status": "completed", "model": "m", "output": list(output), **fields}
    return {"type": "response.completed", "response": response}


def message(text: str, item_id: str = "msg_1") -> dict[str, Any]:
    return {"type": "message", "id": item_id, "role": "assistant", "content": [{"type": "output_text", "text": text}]}


async def test_a_server_without_responses_is_asked_in_chat_from_then_on(http: HttpSession) -> None:
    async with serving(NO_PATH, NO_PATH, GOOD) as server:
        asked = provider(http, server.url + "/v1")
        assert (await outcome(asked)).text == "Hello"
        assert (await outcome(asked)).text == "Hello"
    assert [head.split()[1] for head in server.requests] == [
        "/v1/responses",
        "/responses",
        "/v1/chat/completions",
        "/v1/chat/completions",
    ]


async def test_a_model_that_is_not_there_is_no_missing_protocol(http: HttpSession) -> None:
    missing = error("404 Not Found", message="The model `gpt-6-luna` does not exist", code="model_not_found")
    async with serving(missing) as server:
        seen = await outcome(provider(http, server.url))
    assert len(server.requests) == 1
    assert isinstance(seen.error, RequestRejected)
    assert "gpt-6-luna" in seen.error.what


async def test_text_that_comes_only_at_the_end_is_not_lost(http: HttpSession) -> None:
    item = message("Hello")
    done = {"type": "response.output_text.done", "item_id": "msg_1", "output_index": 0, "text": "Hello"}
    for events in (
        [completed(item)],
        [{"type": "response.output_item.done", "output_index": 0, "item": item}, completed(item)],
        [done, {"type": "response.output_item.done", "output_index": 0, "item": item}, completed(item)],
        [done, completed()],
    ):
        async with serving(stream(*events)) as server:
            seen = await outcome(provider(http, server.url))
        assert (seen.text, seen.error) == ("Hello", None)


@pytest.mark.parametrize("place", [{"output_index": 0}, {"item_id": "other"}, {}])
async def test_text_that_came_in_pieces_does_not_come_twice(http: HttpSession, place: dict[str, Any]) -> None:
    pieces = [{"type": "response.output_text.delta", "delta": piece, **place} for piece in ("Hel", "lo")]
    async with serving(stream(*pieces, completed(message("Hello")))) as server:
        seen = await outcome(provider(http, server.url))
    assert seen.text == "Hello"


async def test_two_calls_in_one_answer_without_places(http: HttpSession) -> None:
    """As llama.cpp streams them: no output_index, the call's own id in the item."""
    events: list[dict[str, Any]] = []
    for name in ("a", "b"):
        item = {"type": "function_call", "id": f"fc_{name}", "call_id": f"c_{name}", "name": name, "arguments": ""}
        events.append({"type": "response.output_item.added", "item": item})
        events.append({"type": "response.function_call_arguments.delta", "item_id": f"fc_{name}", "delta": "{}"})
    async with serving(stream(*events, completed())) as server:
        seen = await outcome(provider(http, server.url))
    assert seen.done is not None
    assert [(call.id, call.name, call.arguments) for call in seen.done.tool_calls] == [
        ("c_a", "a", "{}"),
        ("c_b", "b", "{}"),
    ]


async def test_reasoning_is_carried_with_the_calls_it_led_to(http: HttpSession) -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "full"}
    call = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look", "arguments": "{}"}
    added = {"type": "response.output_item.added", "output_index": 0, "item": {**thought, "encrypted_content": "half"}}
    ends = [
        {"type": "response.output_item.done", "output_index": at, "item": item}
        for at, item in enumerate((thought, call))
    ]
    async with serving(stream(added, *ends, completed(thought, call))) as server:
        seen = await outcome(provider(http, server.url))
        assert seen.done is not None
        assert seen.done.carry == Carry("openai", "gpt-6-luna", (thought, call))
        turn = Message("assistant", "", tool_calls=seen.done.tool_calls, carry=seen.done.carry)
        await outcome(
            provider(http, server.url), LLMRequest((*HELLO.messages, turn, Message("tool", "x", tool_call_id="c1")))
        )
    assert server.bodies[1]["input"][1:] == [
        thought,
        call,
        {"type": "function_call_output", "call_id": "c1", "output": "x"},
    ]


async def test_a_failure_inside_the_stream_keeps_its_class(http: HttpSession) -> None:
    failed = {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Slow down"}}
    async with serving(stream({"type": "response.failed", "response": failed})) as server:
        seen = await outcome(provider(http, server.url))
    assert seen.error is not None
    assert (seen.error.error_class, seen.error.midstream) == ("rate_limit", True)


async def test_llama_cpps_answer_cut_at_its_limit(http: HttpSession) -> None:
    end = {**completed(message("Hi"), usage={"input_tokens": 3, "output_tokens": 16}), "timings": {}}
    async with serving(stream(end)) as server:
        seen = await outcome(provider(http, server.url), LLMRequest(HELLO.messages, max_tokens=16))
    assert seen.done is not None
    assert seen.done.finish_reason == "length"
    assert seen.done.usage is not None
    assert seen.done.usage.reasoning_tokens is None


async def test_what_is_refused_by_name_goes_one_by_one_and_is_remembered(http: HttpSession) -> None:
    summary = error("400 Bad Request", message="Verify", param="reasoning.summary", code="unsupported_value")
    effort = error("400 Bad Request", message="Not 'minimal'", param="reasoning.effort", code="unsupported_value")
    include = error("400 Bad Request", message="Encrypted content is not supported", param="include", code=None)
    async with serving(summary, effort, include, GOOD) as server:
        asked = provider(http, server.url, model="gpt-5", effort="minimal")
        assert (await outcome(asked)).error is None
        assert (await outcome(asked)).error is None
    sent = [(body.get("reasoning"), body.get("include")) for body in server.bodies]
    both = ["reasoning.encrypted_content"]
    assert sent == [
        ({"summary": "auto", "effort": "minimal"}, both),
        ({"effort": "minimal"}, both),
        (None, both),
        (None, None),
        (None, None),
    ]


async def test_a_field_refused_for_ever_is_refused_once(http: HttpSession) -> None:
    always = error("400 Bad Request", message="Unsupported parameter: temperature", param="temperature")
    async with serving(always) as server:
        seen = await outcome(
            provider(http, server.url, "openai_compatible"), LLMRequest(HELLO.messages, temperature=0.1)
        )
    assert len(server.requests) == 2
    assert isinstance(seen.error, RequestRejected)


SENT = {
    "model": "m",
    "stop": ["x"],
    "stream_options": {"include_usage": True},
    "reasoning_effort": "low",
    "max_tokens": 5,
    "store": False,
}


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"error": {"message": "x", "param": "stream_options.include_usage"}}, "stream_options"),
        (
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options", "include_usage"]}]},
            "stream_options",
        ),
        ({"detail": [{"loc": ["reasoning_effort"], "msg": "Extra inputs are not permitted"}]}, "reasoning_effort"),
        ({"object": "error", "message": {"detail": [{"loc": ["body", "max_tokens"]}]}}, "max_tokens"),
        (
            {"object": "error", "message": "[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options')}]"},
            "stream_options",
        ),
        ({"error": "Unrecognized request argument supplied: store"}, "store"),
        ({"error": {"message": "Unsupported parameter: 'stop' is not supported with this model."}}, "stop"),
        ({"error": {"message": "The model came to a stop in a store."}}, None),
        ({"error": {"message": "bad", "param": "messages.0.content"}}, None),
        ({"error": {"message": "max_tokens", "code": "context_length_exceeded"}}, None),
    ],
)
def test_the_refused_field_is_found(payload: Any, field: str | None) -> None:
    problem = read_problem(payload, 422 if "detail" in str(payload) else 400, {})
    assert refused_field(problem, SENT, OpenAICompatibleProvider.optional) == field


def test_a_dotted_field_takes_the_empty_object_with_it() -> None:
    body = {"reasoning": {"effort": "low"}, "model": "m"}
    assert without_fields(body, ["reasoning.effort"]) == {"model": "m"}
    assert body["reasoning"] == {"effort": "low"}


@pytest.mark.parametrize(
    ("body", "status", "kind", "words"),
    [
        ({"error": {"code": "DeploymentNotFound", "message": "x"}}, "404 Not Found", RequestRejected, "deployment"),
        ({"error": {"code": "404", "message": "Resource not found"}}, "404 Not Found", RequestRejected, "API version"),
        ({"error": {"code": "401", "message": "Access denied"}}, "401 Unauthorized", AuthenticationFailed, "endpoint"),
    ],
)
async def test_azure_says_where_to_look(
    http: HttpSession, body: Any, status: str, kind: type[Exception], words: str
) -> None:
    async with serving(reply(status, "application/json", json.dumps(body).encode())) as server:
        seen = await outcome(provider(http, server.url, "azure", deployment="prod"))
    assert isinstance(seen.error, kind)
    assert words in str(seen.error)


async def test_what_openrouter_and_deepseek_want_back_goes_back_in_the_tool_loop(http: HttpSession) -> None:
    call = {"index": 0, "id": "c1", "function": {"name": "look", "arguments": "{}"}}
    deltas: list[dict[str, Any]] = [
        {"reasoning_content": "I ", "reasoning_details": [{"n": 1}]},
        {"reasoning_content": "look", "reasoning_details": [{"n": 2}]},
        {"tool_calls": [call]},
    ]
    chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    async with serving(stream(*chunks), GOOD) as server:
        asked = provider(http, server.url, "openai_compatible")
        seen = await outcome(asked)
        assert seen.done is not None
        assert seen.reasoning == "I look"
        turn = Message("assistant", "", tool_calls=seen.done.tool_calls, carry=seen.done.carry)
        loop = (*HELLO.messages, turn, Message("tool", "x", tool_call_id="c1"))
        await outcome(asked, LLMRequest(loop))
        await outcome(asked, LLMRequest((*loop, Message("assistant", "Done."), Message("user", "Thanks"))))
    assert server.bodies[1]["messages"][1]["reasoning_content"] == "I look"
    assert server.bodies[1]["messages"][1]["reasoning_details"] == [{"n": 1}, {"n": 2}]
    assert "reasoning_content" not in server.bodies[2]["messages"][1]


def asks(endpoint: str, **settings: Any) -> tuple[str, dict[str, Any]]:
    config = LLMProviderConfig("openai_compatible", "m", api_endpoint=endpoint, **settings)
    asked = OpenAICompatibleProvider(config)
    return asked.bases()[0], dict(asked.asks(HELLO, "m")[0].body)


def test_what_vendors_want_otherwise() -> None:
    assert "stream_options" not in asks("https://api.mistral.ai/v1")[1]
    assert asks("https://openrouter.ai", effort="high")[0] == "https://openrouter.ai/api/v1"
    assert asks("https://openrouter.ai/api/v1", effort="high")[1]["reasoning"] == {"effort": "high"}
    assert asks("https://api.groq.com")[0] == "https://api.groq.com/openai/v1"
    assert asks("https://api.example/v1", effort="low")[1]["reasoning_effort"] == "low"
    assert "reasoning_effort" not in asks("https://api.example/v1")[1]


async def test_a_server_that_does_not_count_is_asked_once(http: HttpSession) -> None:
    async with serving(NO_PATH) as server:
        asked = provider(http, server.url + "/v1", "openai_compatible")
        assert (await asked.count_tokens(HELLO)).estimated
        before = len(server.requests)
        assert (await asked.count_tokens(HELLO)).estimated
    assert len(server.requests) == before


async def test_openais_own_count(http: HttpSession) -> None:
    body = b'{"object":"response.input_tokens","input_tokens":17}'
    async with serving(reply("200 OK", "application/json", body)) as server:
        counted = await provider(http, server.url + "/v1").count_tokens(HELLO)
    assert (counted.tokens, counted.estimated) == (17, False)
    assert server.requests[0].startswith("POST /v1/responses/input_tokens ")
    assert set(server.bodies[0]) == {"model", "input", "reasoning"}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            {
                "data": [
                    {
                        "id": "a/b",
                        "name": "A: B",
                        "context_length": 128000,
                        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
                        "pricing": {"prompt": "0.0000025", "completion": "0.00001"},
                        "supported_parameters": ["tools", "temperature"],
                        "top_provider": {"max_completion_tokens": 16384},
                    }
                ]
            },
            ModelInfo(
                "a/b",
                128000,
                16384,
                images=True,
                tools=True,
                name="A: B",
                reasoning=False,
                chat=True,
                input_cost_per_million=Decimal("2.5"),
                output_cost_per_million=Decimal(10),
            ),
        ),
        (
            {
                "data": [
                    {
                        "id": "mistral-x",
                        "max_context_length": 32768,
                        "capabilities": {"completion_chat": True, "function_calling": True, "vision": False},
                        "deprecation": "2027-01-31T12:00:00Z",
                    }
                ]
            },
            ModelInfo("mistral-x", 32768, images=False, tools=True, retires_on="2027-01-31", chat=True),
        ),
        (
            {"data": [{"id": "llama", "context_window": 131072, "max_completion_tokens": 32768}]},
            ModelInfo("llama", 131072, 32768),
        ),
        ({"data": [{"id": "v", "max_model_len": 4096}]}, ModelInfo("v", 4096)),
        (
            [{"id": "t", "type": "chat", "context_length": 8192, "pricing": {"input": 0.88, "output": 0.88}}],
            ModelInfo(
                "t",
                8192,
                chat=True,
                input_cost_per_million=Decimal("0.88"),
                output_cost_per_million=Decimal("0.88"),
            ),
        ),
        ({"data": [{"id": "e", "type": "embedding"}]}, ModelInfo("e", chat=False)),
        ({"data": [{"id": "o", "shutdown_date": 1799884800}]}, ModelInfo("o", retires_on="2027-01-14")),
        ({"data": [{"id": "free", "pricing": {"prompt": "-1", "completion": "?"}}]}, ModelInfo("free")),
    ],
)
def test_model_lists(payload: Any, expected: ModelInfo) -> None:
    assert read_models(payload) == [expected]


@pytest.mark.parametrize("payload", [None, [], {}, {"data": "x"}, {"data": [None, {"id": 3}, {"pricing": []}]}, 7])
def test_a_list_that_is_none_is_empty(payload: Any) -> None:
    assert read_models(payload) == []
