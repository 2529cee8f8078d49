"""Anthropic in depth: the request beside the official one, cache marks, carried reasoning, effort, lists, counts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.providers.rawserver import STREAM_HEAD, reply, serving
from tests.providers.test_requests import PICTURE
from tests.wire import HELLO, KIT, outcome
from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.errors import RequestRejected
from vpa_desktop.gateway.attempt import CALLERS_FAULT
from vpa_desktop.messages import Carry, LLMRequest, Message, ToolCall, ToolSpec
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers.anthropic import AnthropicProvider

MODEL = "claude-sonnet-5-5"
LONG = "All questions are about lighthouses and their keepers. " * 120
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
THINKING = {"type": "thinking", "thinking": "", "signature": "EqQB"}
CALL = ToolCall("toolu_1", "get_weather", '{"city": "Kiel"}')
RESULT = Message("tool", "12 C", tool_call_id="toolu_1")
LOOP = (
    Message("system", "Be brief."),
    Message("user", "What is this?", images=(PICTURE,)),
    Message(
        "assistant",
        "",
        tool_calls=(CALL,),
        carry=Carry(
            "anthropic",
            MODEL,
            (THINKING, {"type": "tool_use", "id": CALL.id, "name": CALL.name, "input": {"city": "Kiel"}}),
        ),
    ),
    RESULT,
)
DONE = b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'


def provider(http: HttpSession, url: str = "https://api.anthropic.com", **config: Any) -> AnthropicProvider:
    found = build_provider(LLMProviderConfig("anthropic", MODEL, api_key="k-1", api_endpoint=url, **config), http)
    assert isinstance(found, AnthropicProvider)
    return found


def refusal(message: str) -> bytes:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    return reply("400 Bad Request", "application/json", json.dumps(error).encode())


async def sent(http: HttpSession, request: LLMRequest, **config: Any) -> Any:
    async with serving(STREAM_HEAD + DONE) as server:
        seen = await outcome(provider(http, server.url, **config), request)
        assert seen.error is None
        return server.bodies[0]


async def test_the_request_is_the_official_one_but_for_what_is_explained(http: HttpSession) -> None:
    if not KIT.is_dir():
        pytest.skip("the wire kit (../shared/wire) is not here")
    official = json.loads((KIT / "requests/anthropic_rich.json").read_text(encoding="utf-8"))
    explained = {
        "system": "too short to be cached, so it goes without a mark, as a plain string",
        "thinking": "the model's own default: older models refuse the field, and a summary costs time",
    }
    request = LLMRequest(LOOP, max_tokens=2048, effort="low", tools=(ToolSpec("get_weather", "d", SCHEMA),))
    async with serving(STREAM_HEAD + DONE) as server:
        await outcome(provider(http, server.url), request)
        ours = server.bodies[0]
        headers = server.requests[0].lower()
    assert headers.startswith("post /v1/messages ")
    assert "anthropic-version: 2026-10-21" in headers
    assert "authorization: bearer k-1" in headers
    picture = ours["messages"][0]["content"][0]["source"]
    picture["data"] = official["body"]["messages"][0]["content"][0]["source"]["data"]  # encoded anew: other bytes
    differing = {name for name in {*ours, *official["body"]} if ours.get(name) != official["body"].get(name)}
    assert differing == set(explained)
    assert ours["system"] == "Be brief."


async def test_counting_asks_the_provider_and_sends_what_the_official_one_sends(http: HttpSession) -> None:
    async with serving(reply("200 OK", "application/json", b'{"input_tokens": 11}')) as server:
        count = await provider(http, server.url).count_tokens(LLMRequest((Message("user", "hi"),), max_tokens=9))
    assert (count.tokens, count.estimated) == (11, False)
    assert server.requests[0].startswith("POST /v1/messages/count_tokens ")
    assert server.bodies[0] == {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}


async def test_a_count_that_cannot_be_had_is_an_estimate(http: HttpSession) -> None:
    async with serving(reply("404 Not Found", "application/json", b"{}")) as server:
        assert (await provider(http, server.url).count_tokens(HELLO)).estimated


def test_the_official_host_gets_one_key_header_and_others_both(http: HttpSession) -> None:
    official = provider(http).headers()
    assert official["Authorization"] == "Bearer k-1"
    assert "x-api-key" not in official
    other = provider(http, "https://gateway.example/anthropic").headers()
    assert (other["Authorization"], other["x-api-key"]) == ("Bearer k-1", "k-1")


async def test_the_stable_prefix_is_marked_for_the_cache_where_it_is_long_enough(http: HttpSession) -> None:
    talk = (
        Message("system", LONG),
        Message("user", "Who?"),
        Message("assistant", "A keeper."),
        Message("user", "Where?"),
    )
    body = await sent(http, LLMRequest(talk))
    assert body["system"] == [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
    assert [("cache_control" in json.dumps(turn)) for turn in body["messages"]] == [False, True, False]
    short = await sent(http, LLMRequest((Message("system", "Be brief."), *talk[1:])))
    assert "cache_control" not in json.dumps(short)


async def test_the_cached_prefix_of_the_next_turn_begins_with_this_ones(http: HttpSession) -> None:
    first = (Message("system", LONG), Message("user", "Who?"), Message("assistant", "A keeper."))
    one = await sent(http, LLMRequest((*first, Message("user", "Where?"))))
    more = (*first, Message("user", "Where?"), Message("assistant", "At sea."), Message("user", "When?"))
    two = await sent(http, LLMRequest(more))
    texts = [
        "".join(
            turn["content"] if isinstance(turn["content"], str) else turn["content"][0]["text"]
            for turn in body["messages"]
        )
        for body in (one, two)
    ]
    assert texts[1].startswith(texts[0])
    assert json.dumps(two).count("cache_control") == 2


async def test_a_server_that_refuses_the_marks_gets_none_from_then_on(http: HttpSession) -> None:
    long = LLMRequest((Message("system", LONG), Message("user", "Who?")))
    refused = refusal("system.0.cache_control: Extra inputs are not permitted")
    async with serving(refused, STREAM_HEAD + DONE) as server:
        there = provider(http, server.url)
        assert (await outcome(there, long)).error is None
        assert (await outcome(there, long)).error is None
        assert ["cache_control" in json.dumps(body) for body in server.bodies] == [True, False, False]
        assert server.bodies[1]["system"] == LONG


@pytest.mark.parametrize(("wanted", "given"), [("minimal", "low"), ("high", "high"), ("max", "max")])
async def test_effort_goes_only_when_it_was_chosen(http: HttpSession, wanted: Any, given: str) -> None:
    assert "output_config" not in await sent(http, HELLO)
    assert (await sent(http, replace(HELLO, effort=wanted)))["output_config"] == {"effort": given}
    assert (await sent(http, HELLO, effort=wanted))["output_config"] == {"effort": given}


async def test_effort_that_a_model_does_not_take_is_left_out_and_remembered(http: HttpSession) -> None:
    refused = refusal("This model does not support the effort parameter.")
    async with serving(refused, STREAM_HEAD + DONE) as server:
        there = provider(http, server.url, effort="high")
        assert (await outcome(there)).error is None
        assert (await outcome(there)).error is None
        assert ["output_config" in body for body in server.bodies] == [True, False, False]


async def test_reasoning_goes_back_only_inside_the_running_loop(http: HttpSession) -> None:
    inside = await sent(http, LLMRequest(LOOP))
    assert inside["messages"][1]["content"][0] == THINKING
    later = await sent(http, LLMRequest((*LOOP, Message("assistant", "12 C."), Message("user", "And Bonn?"))))
    assert "thinking" not in json.dumps(later)
    assert later["messages"][1]["content"][0]["type"] == "tool_use"
    other = await sent(http, LLMRequest(LOOP, model="claude-haiku-5-5"))
    assert "thinking" not in json.dumps(other)


async def test_what_must_go_back_is_collected_from_the_stream_as_it_came(http: HttpSession) -> None:
    events: list[dict[str, Any]] = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "m."}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "Eq"}},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "redacted_thinking", "data": "x"}},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "Looking."}},
        {"type": "content_block_start", "index": 3, "content_block": {"type": "server_tool_use", "id": "s"}},
        {"type": "content_block_start", "index": 4, "content_block": {"type": "tool_use", "id": "t", "name": "look"}},
        {"type": "content_block_delta", "index": 4, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}},
        {"type": "content_block_delta", "index": 4, "delta": {"type": "input_json_delta", "partial_json": "1}"}},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
    ]
    stream = STREAM_HEAD + b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    async with serving(stream, STREAM_HEAD + DONE) as server:
        there = provider(http, server.url)
        answer = await there.generate(HELLO)
        assert answer.carry is not None
        told = Message("assistant", answer.content, tool_calls=answer.tool_calls, carry=answer.carry)
        await there.generate(replace(HELLO, messages=(*HELLO.messages, told, Message("tool", "ok", tool_call_id="t"))))
        back = server.bodies[1]["messages"]
    assert (answer.carry.kind, answer.carry.model, answer.reasoning) == ("anthropic", MODEL, "Hmm.")
    assert back[1]["content"] == [
        {"type": "thinking", "thinking": "Hmm.", "signature": "Eq"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "Looking."},
        {"type": "server_tool_use", "id": "s"},
        {"type": "tool_use", "id": "t", "name": "look", "input": {"a": 1}},
    ]
    assert back[2]["content"] == [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]


async def test_an_answer_without_tool_calls_carries_nothing(http: HttpSession) -> None:
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "Hm"}}
    async with serving(STREAM_HEAD + b"data: " + json.dumps(block).encode() + b"\n\n" + DONE) as server:
        assert (await provider(http, server.url).generate(HELLO)).carry is None


async def test_all_results_of_one_answer_go_in_one_turn_and_none_is_missing(http: HttpSession) -> None:
    calls = (ToolCall("a", "look", "{}"), ToolCall("b", "look", "{"), ToolCall("c", "look", "{}"))
    talk = (
        Message("user", "Look"),
        Message("assistant", "", tool_calls=calls),
        Message("tool", "1", tool_call_id="a"),
        Message("tool", "2", tool_call_id="b"),
        Message("user", "Stop that. What did you see?"),
    )
    turns = (await sent(http, LLMRequest(talk)))["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[1]["content"][1]["input"] == {}
    assert [block.get("tool_use_id") for block in turns[2]["content"]] == ["a", "b", "c", None]
    assert turns[2]["content"][2]["is_error"] is True


async def test_no_request_ends_with_a_begun_answer(http: HttpSession) -> None:
    turns = (await sent(http, LLMRequest((Message("user", "Go"), Message("assistant", "One, two")))))["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert "Go on" in turns[2]["content"]


async def test_an_empty_answer_at_the_limit_is_said_to_be_cut(http: HttpSession) -> None:
    cut = DONE.replace(b"end_turn", b"max_tokens")
    async with serving(STREAM_HEAD + cut) as server:
        answer = await provider(http, server.url).generate(HELLO)
    assert (answer.content, answer.finish_reason) == ("", "length")


async def test_the_model_list_says_what_a_model_can_and_requests_keep_to_it(http: HttpSession) -> None:
    able = {
        "image_input": {"supported": False},
        "thinking": {"supported": True},
        "effort": {"supported": True, "low": {"supported": True}, "medium": {"supported": True}},
    }
    rows: list[dict[str, Any]] = [
        {"id": MODEL, "display_name": "Claude", "max_input_tokens": 9, "max_tokens": 8192, "capabilities": able},
        {"id": "old", "lifecycle": "retired", "deprecated_at": "2026-01-02T00:00:00Z", "retires_at": None},
    ]
    listed = reply("200 OK", "application/json", json.dumps({"data": rows}).encode())
    async with serving(listed, STREAM_HEAD + DONE) as server:
        there = provider(http, server.url, effort="max")
        assert await there.list_models() == [
            ModelInfo(MODEL, 9, 8192, images=False, name="Claude", reasoning=True),
            ModelInfo("old", retires_on="2026-01-02"),
        ]
        await outcome(there)
        seen = await outcome(there, LLMRequest((Message("user", "What is this?", images=(PICTURE,)),)))
        assert (server.bodies[1]["max_tokens"], server.bodies[1]["output_config"]) == (8192, {"effort": "medium"})
        assert len(server.bodies) == 2  # the picture was not sent
    assert isinstance(seen.error, RequestRejected)
    assert "cannot look at pictures" in str(seen.error)
    assert seen.error.error_class not in CALLERS_FAULT  # the next provider of a route may well see
