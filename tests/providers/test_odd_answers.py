"""Answers that servers tell in their own way: words for the end, parallel calls, tools of the server's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.providers.rawserver import STREAM_HEAD, reply, serving
from tests.wire import Outcome, outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.messages import LLMRequest, Message
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession


def stream(*events: dict[str, Any]) -> bytes:
    return STREAM_HEAD + b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def chat(*deltas: dict[str, Any], finish: str | None = "stop") -> bytes:
    chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return stream(*chunks, {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})


async def ask(http: HttpSession, answer: bytes, kind: str = "openai_compatible", **settings: Any) -> Outcome:
    async with serving(answer) as server:
        config = LLMProviderConfig(kind, "m", api_key="k", api_endpoint=server.url, timeout=5, **settings)
        return await outcome(build_provider(config, http))


def calls(seen: Outcome) -> list[tuple[str, str, str]]:
    assert seen.done is not None
    return [(call.id, call.name, call.arguments) for call in seen.done.tool_calls]


def end(seen: Outcome) -> str:
    assert seen.done is not None
    return seen.done.finish_reason


@pytest.mark.parametrize(
    ("word", "finish"),
    [
        *((word, "stop") for word in ("eos", "eos_token", "end_turn", "STOP", "stop_sequence", "COMPLETE", "done")),
        *((word, "length") for word in ("max_tokens", "MAX_TOKENS", "max_length", "max_output_tokens")),
        *((word, "content_filter") for word in ("SAFETY", "content_filtered", "RECITATION")),
        *((word, "error") for word in ("error", "insufficient_system_resource", "abort", "aborted", "CANCELLED")),
    ],
)
async def test_the_words_of_servers_for_an_end(http: HttpSession, word: str, finish: str) -> None:
    seen = await ask(http, chat({"content": "Hello"}, finish=word))
    assert (seen.text, end(seen)) == ("Hello", finish)


async def test_an_unknown_end_of_nothing_is_a_failure(http: HttpSession) -> None:
    assert end(await ask(http, chat(finish="whatever"))) == "error"
    whole = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "whatever"}]}
    assert end(await ask(http, reply("200 OK", "application/json", json.dumps(whole).encode()))) == "stop"


async def test_an_unknown_end_at_anthropic_and_ollama_loses_no_answer_either(http: HttpSession) -> None:
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hello"}}
    events: list[dict[str, Any]] = [
        block,
        {"type": "message_delta", "delta": {"stop_reason": "STOP"}},
        {"type": "message_stop"},
    ]
    assert end(await ask(http, stream(*events), "anthropic")) == "stop"
    line = {"message": {"content": "Hello"}, "done": True, "done_reason": "eos"}
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"
    assert end(await ask(http, head + json.dumps(line).encode() + b"\n", "ollama", context_tokens=4096)) == "stop"


def fragment(arguments: str, name: str | None = None, **of: Any) -> dict[str, Any]:
    return {**of, "function": {"arguments": arguments, **({"name": name} if name else {})}}


TWO = [("a", "f", '{"x":1}'), ("b", "g", '{"y":2}')]


@pytest.mark.parametrize(
    "fragments",
    [
        [  # all number 0
            fragment('{"x"', "f", index=0, id="a"),
            fragment(":1}", index=0),
            fragment('{"y"', "g", index=0, id="b"),
            fragment(":2}", index=0),
        ],
        [  # all number 0, the id with every fragment
            fragment('{"x"', "f", index=0, id="a"),
            fragment(":1}", index=0, id="a"),
            fragment('{"y"', "g", index=0, id="b"),
            fragment(":2}", index=0, id="b"),
        ],
        [  # no number, the id only with the first
            fragment('{"x"', "f", id="a"),
            fragment(":1}"),
            fragment('{"y"', "g", id="b"),
            fragment(":2}"),
        ],
        [  # no number, the name with every fragment
            fragment('{"x"', "f", id="a"),
            fragment(":1}", "f"),
            fragment('{"y"', "g", id="b"),
            fragment(":2}", "g"),
        ],
        [  # as it should be, in turns
            fragment('{"x"', "f", index=0, id="a"),
            fragment('{"y"', "g", index=1, id="b"),
            fragment(":1}", index=0),
            fragment(":2}", index=1),
        ],
        [  # the id changes with every fragment
            fragment('{"x"', "f", index=0, id="z"),
            fragment('{"y"', "g", index=1, id="y"),
            fragment(":1}", index=0, id="a"),
            fragment(":2}", index=1, id="b"),
        ],
    ],
)
async def test_parallel_calls_stay_apart(http: HttpSession, fragments: list[dict[str, Any]]) -> None:
    seen = await ask(http, chat(*({"tool_calls": [each]} for each in fragments)))
    assert calls(seen) == TWO


@pytest.mark.parametrize("numbers", [({}, {}), ({"index": 0}, {"index": 0})])
async def test_calls_without_any_id_stay_apart(http: HttpSession, numbers: tuple[dict[str, int], ...]) -> None:
    both = [fragment(text, name, **number) for (_, name, text), number in zip(TWO, numbers, strict=True)]
    expected = [("", name, text) for _, name, text in TWO]
    assert calls(await ask(http, chat({"tool_calls": both}))) == expected
    assert calls(await ask(http, chat({"tool_calls": both[:1]}, {"tool_calls": both[1:]}))) == expected


async def test_the_older_form_of_a_call(http: HttpSession) -> None:
    deltas: list[dict[str, Any]] = [
        {"function_call": {"name": "look", "arguments": ""}},
        {"function_call": {"arguments": '{"x"'}},
        {"function_call": {"arguments": ":1}"}},
    ]
    seen = await ask(http, chat(*deltas, finish="function_call"))
    assert (end(seen), calls(seen)) == ("tool_calls", [("", "look", '{"x":1}')])
    both = {"tool_calls": [fragment("{}", "look", id="a")], "function_call": {"name": "look", "arguments": "{}"}}
    assert calls(await ask(http, chat(both))) == [("a", "look", "{}")]


async def test_reasoning_told_only_in_details_is_shown_once(http: HttpSession) -> None:
    details = [
        {"reasoning_details": [{"type": "reasoning.text", "text": "I "}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "look"}, {"type": "reasoning.encrypted"}]},
    ]
    assert (await ask(http, chat(*details, {"content": "Hi"}))).reasoning == "I look"
    both: list[dict[str, Any]] = [
        {"reasoning": "I look"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "I look"}]},
    ]
    assert (await ask(http, chat(*both, {"content": "Hi"}))).reasoning == "I look"


def opened(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def arguments(index: int, text: str) -> dict[str, Any]:
    delta = {"type": "input_json_delta", "partial_json": text}
    return {"type": "content_block_delta", "index": index, "delta": delta}


@pytest.mark.parametrize("kind", ["server_tool_use", "mcp_tool_use"])
async def test_a_tool_of_the_servers_own_is_no_call(http: HttpSession, kind: str) -> None:
    events = [
        opened(0, type=kind, id="s", name="web_search", input={}),
        arguments(0, '{"q":1}'),
        opened(1, type="text", text="Found."),
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
    ]
    seen = await ask(http, stream(*events), "anthropic")
    assert (seen.text, end(seen), calls(seen)) == ("Found.", "stop", [])


async def test_everything_an_answer_had_goes_back_in_order(http: HttpSession) -> None:
    found = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "web_search_result"}]}
    events = [
        opened(0, type="thinking", thinking="Hm", signature="S"),
        opened(1, type="server_tool_use", id="s", name="web_search", input={}),
        arguments(1, '{"q"'),
        arguments(1, ":1}"),
        opened(2, **found),
        opened(3, type="tool_use", id="t", name="f", input={}),
        arguments(3, '{"x":2}'),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
    ]
    async with serving(stream(*events)) as server:
        config = LLMProviderConfig("anthropic", "m", api_key="k", api_endpoint=server.url, timeout=5)
        provider = build_provider(config, http)
        seen = await outcome(provider)
        assert calls(seen) == [("t", "f", '{"x":2}')]
        assert seen.done is not None
        turn = Message("assistant", "", tool_calls=seen.done.tool_calls, carry=seen.done.carry)
        loop = (Message("user", "Hi"), turn, Message("tool", "ok", tool_call_id="t"))
        await outcome(provider, LLMRequest(loop))
    assert server.bodies[1]["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "Hm", "signature": "S"},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}},
        found,
        {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 2}},
    ]


def whole(text: str, name: str = "x") -> dict[str, Any]:
    return {"type": "message", "id": name, "content": [{"type": "output_text", "text": text}]}


def thought(text: str, name: str) -> dict[str, Any]:
    return {"type": "reasoning", "id": name, "summary": [{"type": "summary_text", "text": text}]}


def finished(*output: dict[str, Any], status: str = "completed", **more: Any) -> dict[str, Any]:
    response = {"object": "response", "status": status, "model": "m", "output": list(output), **more}
    return {"type": f"response.{status}", "response": response}


def piece(text: str, **of: Any) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "delta": text, **of}


def ended(item: dict[str, Any], **of: Any) -> dict[str, Any]:
    return {"type": "response.output_item.done", "item": item, **of}


def part_ended(text: str, **of: Any) -> dict[str, Any]:
    return {"type": "response.output_text.done", "text": text, **of}


@pytest.mark.parametrize(
    ("events", "text", "reasoning"),
    [
        (  # ids change, no places: the summary comes once
            [
                {"type": "response.reasoning_summary_text.delta", "item_id": "r1", "delta": "hm"},
                ended(thought("hm", "r2")),
                piece("hi", item_id="m1"),
                finished(thought("hm", "r3"), whole("hi", "m3")),
            ],
            "hi",
            "hm",
        ),
        (  # a second item whose text is in the first
            [
                piece("Yes, done.", output_index=0),
                ended(whole("Yes", "b"), output_index=1),
                finished(whole("Yes, done.", "a"), whole("Yes", "b")),
            ],
            "Yes, done.Yes",
            "",
        ),
        (  # the same without places
            [
                piece("Yes, done.", item_id="a"),
                part_ended("Yes", item_id="b"),
                ended(whole("Yes", "b")),
                finished(whole("Yes, done.", "a"), whole("Yes", "b")),
            ],
            "Yes, done.Yes",
            "",
        ),
        (  # only the whole answer tells the second
            [piece("Yes, done.", item_id="a"), finished(whole("Yes, done.", "a"), whole("Yes", "b"))],
            "Yes, done.Yes",
            "",
        ),
        (  # a second part that has no pieces
            [
                piece("A", output_index=0, content_index=0),
                part_ended("A", output_index=0, content_index=0),
                part_ended("B", output_index=0, content_index=1),
                finished({"type": "message", "content": [{"text": "A"}, {"text": "B"}]}),
            ],
            "AB",
            "",
        ),
        (  # the place in the stream is another one than in the whole answer
            [piece("hi", output_index=0), finished(thought("hm", "r"), whole("hi", "m"))],
            "hi",
            "hm",
        ),
        (  # every event has another id
            [piece("h", item_id="1"), piece("i", item_id="2"), part_ended("hi", item_id="3"), finished(whole("hi"))],
            "hi",
            "",
        ),
        (  # only the ends number the parts
            [
                piece("A", output_index=0),
                piece("B", output_index=0),
                part_ended("A", output_index=0, content_index=0),
                part_ended("B", output_index=0, content_index=1),
                finished(),
            ],
            "AB",
            "",
        ),
        (  # two items that say the same
            [*(ended(whole("Yes", name), output_index=at) for at, name in enumerate("ab")), finished()],
            "YesYes",
            "",
        ),
    ],
)
async def test_what_the_ends_repeat_comes_once_and_what_they_add_is_kept(
    http: HttpSession, events: list[dict[str, Any]], text: str, reasoning: str
) -> None:
    seen = await ask(http, stream(*events), "openai", protocol="responses")
    assert (seen.text, seen.reasoning, seen.error) == (text, reasoning, None)


USED = {"input_tokens": 5, "output_tokens": 7}


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("openai", finished(status="failed", error={"code": "server_error", "message": "x"}, usage=USED)),
        ("openai", finished(status="cancelled", usage=USED)),
        ("openai", {"type": "error", "code": "server_error", "message": "x", "usage": USED}),
        (
            "openai_compatible",
            {"error": {"message": "x", "code": 502}, "usage": {"prompt_tokens": 5, "completion_tokens": 7}},
        ),
    ],
)
async def test_what_a_failed_answer_used_is_told(http: HttpSession, kind: str, event: dict[str, Any]) -> None:
    seen = await ask(http, stream(event), kind)
    assert seen.error is not None
    assert seen.error.usage is not None
    assert (seen.error.usage.input_tokens, seen.error.usage.output_tokens) == (5, 7)
