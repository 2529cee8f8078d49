"""What a refusal teaches: a field that is not known goes for good, a value that is not taken goes once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.providers.rawserver import GOOD, STREAM_HEAD, Answer, RawServer, reply, serving
from tests.wire import HELLO, outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.messages import LLMRequest
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._failures import read_problem
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers._refusals import refused_field
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.providers.openai_compatible import OpenAICompatibleProvider

DONE = {"type": "response.completed", "response": {"object": "response", "status": "completed", "output": []}}
RESPONSE = STREAM_HEAD + b"data: " + json.dumps(DONE).encode() + b"\n\n"
MESSAGE = (
    STREAM_HEAD
    + b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}\n\n'
    + b'data: {"type":"message_stop"}\n\n'
)
CANDIDATE = {"candidates": [{"content": {"parts": [{"text": "Hello"}]}, "finishReason": "STOP"}]}
GEMINI = STREAM_HEAD + b"data: " + json.dumps(CANDIDATE).encode() + b"\n\n"


def provider(http: HttpSession, url: str, kind: str = "openai_compatible", **settings: Any) -> BaseLLMProvider:
    given = {"model": "m", "api_key": "k", "api_endpoint": url, "timeout": 5, **settings}
    return build_provider(LLMProviderConfig(kind, **given), http)


def no(message: str, **fields: Any) -> bytes:
    error = {"message": message, "type": "invalid_request_error", **fields}
    return reply("400 Bad Request", "application/json", json.dumps({"error": error}).encode())


def asking(**fields: Any) -> LLMRequest:
    return LLMRequest(HELLO.messages, **fields)


def by_path(choose: Any) -> Answer:
    """Answer by the path that was asked."""

    async def answer(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(choose(server.requests[-1].split()[1]))
        await writer.drain()

    return answer


async def test_one_request_for_chat_does_not_move_the_others_there(http: HttpSession) -> None:
    answer = by_path(lambda path: RESPONSE if "responses" in path else GOOD)
    async with serving(answer) as server:
        asked = provider(http, server.url + "/v1", "openai", model="gpt-6-luna")
        for request in (HELLO, asking(model="gpt-4o", stop=("X",)), HELLO):
            assert (await outcome(asked, request)).error is None
    assert [head.split()[1] for head in server.requests] == ["/v1/responses", "/v1/chat/completions", "/v1/responses"]


async def test_a_model_that_only_v1beta_has_is_found_after_v1_answered(http: HttpSession) -> None:
    error = {"code": 404, "status": "NOT_FOUND", "message": "models/gemini-4-preview is not found for API version v1"}
    missing = reply("404 Not Found", "application/json", json.dumps({"error": error}).encode())
    async with serving(by_path(lambda path: missing if "/v1/models/gemini-4" in path else GEMINI)) as server:
        asked = provider(http, server.url, "google", model="gemini-3.8-flash")
        for model in (None, "gemini-4-preview", "gemini-4-preview", None):
            assert (await outcome(asked, asking(model=model))).text == "Hello"
    assert [head.split("/")[1] for head in server.requests] == ["v1", "v1", "v1beta", "v1beta", "v1"]


LARGE = "max_tokens is too large: 100000."
AT_MOST = f"{LARGE} This model supports at most 16384 completion tokens, whereas you provided 100000."
FIVE = "Invalid 'stop': array too long. Expected an array with maximum length 4, but got 5."
MAX = "Unsupported value: 'reasoning.effort' does not support 'max' with this model."
WORDS = "Invalid request: content part 'what is the right temperature for max_tokens?' is not allowed"


@pytest.mark.parametrize(
    ("refusal", "field", "wrong", "right", "sent"),
    [
        (no(LARGE, param="max_tokens", code="invalid_value"), "max_tokens", 100_000, 50, [100_000, None, None, 50]),
        (no(AT_MOST, param="max_tokens", code="invalid_value"), "max_tokens", 100_000, 50, [100_000, 16384, 16384, 50]),
        (
            no(FIVE, param="stop", code="array_above_max_length"),
            "stop",
            tuple("abcde"),
            ("END",),
            [list("abcde"), None, None, ["END"]],
        ),
        (no("temperature: must be below 2"), "temperature", 3.0, 0.5, [3.0, None, None, 0.5]),
        (
            no("Unsupported parameter", param="top_p", code="unsupported_parameter"),
            "top_p",
            0.1,
            0.5,
            [0.1] + [None] * 3,
        ),
        (no("top_p: Extra inputs are not permitted"), "top_p", 0.1, 0.5, [0.1] + [None] * 3),
    ],
)
async def test_a_wrong_value_goes_and_a_right_one_is_sent(
    http: HttpSession, refusal: bytes, field: str, wrong: Any, right: Any, sent: list[Any]
) -> None:
    async with serving(refusal, GOOD) as server:
        asked = provider(http, server.url + "/v1")
        for value in (wrong, wrong, right):
            assert (await outcome(asked, asking(**{field: value}))).text == "Hello"
    assert [body.get(field) for body in server.bodies] == sent
    assert not any("max_completion_tokens" in body for body in server.bodies)


async def test_an_effort_that_is_not_taken_leaves_the_others(http: HttpSession) -> None:
    async with serving(no(MAX, param="reasoning.effort", code="unsupported_value"), RESPONSE) as server:
        asked = provider(http, server.url + "/v1", "openai", model="gpt-6-luna")
        for effort in ("max", "none"):
            assert (await outcome(asked, asking(effort=effort))).error is None
    assert [body["reasoning"].get("effort") for body in server.bodies] == ["max", None, "none"]


async def test_anthropics_own_limit_is_kept_and_smaller_ones_stay(http: HttpSession) -> None:
    refusal = no("max_tokens: 64000 > 32000, which is the maximum allowed number of output tokens for m")
    async with serving(refusal, MESSAGE) as server:
        asked = provider(http, server.url, "anthropic")
        for limit in (64_000, 20_000, 50_000):
            assert (await outcome(asked, asking(max_tokens=limit))).error is None
    assert [body["max_tokens"] for body in server.bodies] == [64_000, 32_000, 20_000, 32_000]


async def test_the_persons_own_words_are_no_name_of_a_field(http: HttpSession) -> None:
    async with serving(no(WORDS)) as server:
        seen = await outcome(provider(http, server.url, temperature=0.2, max_tokens=100))
    assert seen.error is not None
    assert len(server.requests) == 1


async def test_two_requests_at_once_teach_both_of_their_fields(http: HttpSession) -> None:
    async def answer(server: RawServer, writer: asyncio.StreamWriter) -> None:
        body = server.bodies[-1]
        await asyncio.sleep(0.02)
        found = next((name for name in ("temperature", "top_p") if name in body), None)
        writer.write(no("Unknown", param=found, code="unknown_parameter") if found else GOOD)
        await writer.drain()

    async with serving(answer) as server:
        asked = provider(http, server.url)
        await asyncio.gather(outcome(asked, asking(temperature=0.5)), outcome(asked, asking(top_p=0.5)))
        before = len(server.requests)
        assert (await outcome(asked, asking(temperature=0.5, top_p=0.5))).text == "Hello"
        assert len(server.requests) == before + 1


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("Unsupported parameter: max_tokens", "max_tokens"),
        ("`temperature` may not be set", "temperature"),
        ('json: unknown field "top_p"', "top_p"),
        ("1 validation error\ntop_p\n  Extra inputs are not permitted", "top_p"),
        ("create() got an unexpected keyword argument 'stop'", "stop"),
        ("The text about a high temperature and top_p was refused", None),
        ('"Which temperature is right?" is not a question for me', None),
    ],
)
def test_a_field_in_prose_is_one_that_is_refused_there(message: str, field: str | None) -> None:
    sent = {"temperature": 1.0, "top_p": 0.5, "max_tokens": 5, "stop": ["x"]}
    problem = read_problem({"error": {"message": message}}, 400, {})
    assert refused_field(problem, sent, OpenAICompatibleProvider.optional) == field
