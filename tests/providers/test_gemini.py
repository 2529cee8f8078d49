"""Gemini: where it is asked and with what, what a refusal means, answers in several parts, lists and counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.providers.rawserver import STREAM_HEAD, RawServer, reply, serving
from tests.wire import HELLO, Outcome, outcome
from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.messages import Carry, LLMRequest, Message, ToolCall, ToolSpec
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._gemini_request import thinking_config
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.tokens import TokenCount

FLASH = "gemini-3.8-flash"


def event(*parts: Any, finish: str | None = None, usage: tuple[int, int] | None = None, **more: Any) -> bytes:
    """One GenerateContentResponse as an event."""
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0, **more}
    if finish:
        candidate["finishReason"] = finish
    payload: dict[str, Any] = {"candidates": [candidate], "modelVersion": FLASH, "responseId": "r-1"}
    if usage:
        payload["usageMetadata"] = {"promptTokenCount": usage[0], "candidatesTokenCount": usage[1]}
    return b"data: " + json.dumps(payload).encode() + b"\r\n\r\n"


GOOD = STREAM_HEAD + event({"text": "Hello"}, finish="STOP")


def refusal(status: int, name: str, message: str, *details: Any) -> bytes:
    error = {"code": status, "message": message, "status": name, "details": list(details)}
    return reply(f"{status} No", "application/json", json.dumps({"error": error}).encode())


def config(server: RawServer, model: str = FLASH, path: str = "", **more: Any) -> LLMProviderConfig:
    return LLMProviderConfig("google", model, api_key="k-1", api_endpoint=server.url + path, timeout=5, **more)


async def ask(
    http: HttpSession, *answers: bytes, request: LLMRequest = HELLO, **more: Any
) -> tuple[Outcome, list[str], list[Any]]:
    async with serving(*answers) as server:
        seen = await outcome(build_provider(config(server, **more), http), request)
        return seen, [head.split("\r\n")[0] for head in server.requests], server.bodies


@pytest.mark.parametrize(
    ("path", "version", "model", "asked"),
    [
        ("", None, FLASH, "/v1/models/gemini-3.8-flash"),
        ("/", None, FLASH, "/v1/models/gemini-3.8-flash"),
        ("/v1", None, FLASH, "/v1/models/gemini-3.8-flash"),
        ("/v1beta/", None, FLASH, "/v1beta/models/gemini-3.8-flash"),
        ("/v1", "v1beta", FLASH, "/v1beta/models/gemini-3.8-flash"),
        ("", "v1", "gemini-flash-latest", "/v1beta/models/gemini-flash-latest"),
        ("/v1", None, "models/gemini-flash-latest", "/v1beta/models/gemini-flash-latest"),
        ("", None, "tunedModels/mine", "/v1/tunedModels/mine"),
    ],
)
async def test_where_it_is_asked(http: HttpSession, path: str, version: str | None, model: str, asked: str) -> None:
    async with serving(GOOD) as server:
        seen = await outcome(build_provider(config(server, model, path, api_version=version), http))
    assert seen.text == "Hello"
    assert server.requests[0].startswith(f"POST {asked}:streamGenerateContent?alt=sse ")
    assert "x-goog-api-key: k-1" in server.requests[0].lower()
    assert "k-1" not in server.requests[0].split("\r\n")[0]


async def test_a_model_that_only_v1beta_has_is_found_there(http: HttpSession) -> None:
    missing = refusal(404, "NOT_FOUND", f"models/{FLASH} is not found for API version v1")
    seen, lines, _ = await ask(http, missing, GOOD)
    assert seen.text == "Hello"
    assert [line.split("/")[1] for line in lines] == ["v1", "v1beta"]


@pytest.mark.parametrize(
    ("model", "effort", "expected"),
    [
        (FLASH, None, {"includeThoughts": True}),
        (FLASH, "none", {"includeThoughts": True, "thinkingLevel": "MINIMAL"}),
        (FLASH, "max", {"includeThoughts": True, "thinkingLevel": "XHIGH"}),
        ("gemini-4-argon", "none", {"includeThoughts": True, "thinkingLevel": "LOW"}),
        ("gemini-4-argon", "xhigh", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        ("models/gemini-flash-latest", "low", {"includeThoughts": True, "thinkingLevel": "LOW"}),
        ("gemini-2.5-flash", "none", {"includeThoughts": False, "thinkingBudget": 0}),
        ("gemini-2.5-pro", "none", {"includeThoughts": True, "thinkingBudget": 128}),
        ("gemini-2.5-flash", "high", {"includeThoughts": True, "thinkingBudget": 24_576}),
        ("gemini-2.0-flash", "high", None),
        ("gemini-2.5-flash-image", "high", None),
        ("gemma-3-27b-it", "high", None),
    ],
)
def test_thinking_in_the_form_a_model_takes(model: str, effort: str | None, expected: dict[str, Any] | None) -> None:
    assert thinking_config(model, effort) == expected


FIELD = {"@type": "type.googleapis.com/google.rpc.BadRequest"}


@pytest.mark.parametrize(
    ("message", "details", "gone"),
    [
        ("Unknown name \"topP\" at 'generation_config': Cannot find field.", (), "topP"),
        ("Invalid value", ({**FIELD, "fieldViolations": [{"field": "generation_config.top_p"}]},), "topP"),
        ("Thinking level XHIGH is not supported for this model.", (), "thinkingLevel"),
        ("Bad", ({**FIELD, "fieldViolations": [{"field": "generationConfig.thinkingConfig"}]},), "thinkingLevel"),
        ("Stop sequences are not supported", (), "stopSequences"),
    ],
)
async def test_a_refused_field_is_left_out_once_and_for_all(
    http: HttpSession, message: str, details: tuple[Any, ...], gone: str
) -> None:
    request = LLMRequest(HELLO.messages, top_p=0.5, stop=("END",), effort="max")
    async with serving(refusal(400, "INVALID_ARGUMENT", message, *details), GOOD) as server:
        provider = build_provider(config(server), http)
        for _ in range(2):
            assert (await outcome(provider, request)).text == "Hello"
    sent = [json.dumps(body["generationConfig"]) for body in server.bodies]
    assert [gone in body for body in sent] == [True, False, False]
    every = {"topP", "stopSequences", "includeThoughts"}
    left = {name for name in every if name in sent[1]}
    assert left == every - {gone} - ({"includeThoughts"} if "thinkingConfig" in str(details) else set())


async def test_instructions_a_model_does_not_take_become_its_first_turn(http: HttpSession) -> None:
    request = LLMRequest((Message("system", "Be brief."), *HELLO.messages))
    no = refusal(400, "INVALID_ARGUMENT", "Developer instruction is not enabled for models/gemma-3-27b-it")
    seen, _, bodies = await ask(http, no, GOOD, request=request, model="gemma-3-27b-it")
    assert seen.text == "Hello"
    assert bodies[0]["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert "systemInstruction" not in bodies[1]
    assert [turn["parts"][0]["text"] for turn in bodies[1]["contents"]] == ["Be brief.", "Say hello"]


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37.4s"}


def quota(name: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": name}]}


@pytest.mark.parametrize(
    ("status", "name", "details", "error_class", "code", "retry_after_s"),
    [
        (429, "RESOURCE_EXHAUSTED", (quota("PerMinutePerProject"), RETRY), "rate_limit", "RESOURCE_EXHAUSTED", 37.4),
        (429, "RESOURCE_EXHAUSTED", (quota("RequestsPerDay-FreeTier"), RETRY), "quota", "RESOURCE_EXHAUSTED", None),
        (429, "RESOURCE_EXHAUSTED", (), "rate_limit", "RESOURCE_EXHAUSTED", None),
        (400, "INVALID_ARGUMENT", ({"reason": "API_KEY_INVALID"},), "auth", "API_KEY_INVALID", None),
        (400, "FAILED_PRECONDITION", (), "permission", "FAILED_PRECONDITION", None),
        (504, "DEADLINE_EXCEEDED", (), "timeout", "DEADLINE_EXCEEDED", None),
        (500, "INTERNAL", (None, 7, {"violations": None}), "server", "INTERNAL", None),
    ],
)
@pytest.mark.parametrize("form", ["refused", "array", "midstream", "midstream by name"])
async def test_errors(
    http: HttpSession,
    form: str,
    status: int,
    name: str,
    details: tuple[Any, ...],
    error_class: str,
    code: str,
    retry_after_s: float | None,
) -> None:
    error: Any = {"error": {"code": status, "message": "No.", "status": name, "details": list(details)}}
    if form == "midstream by name":
        del error["error"]["code"]
    body = json.dumps([error] if form == "array" else error).encode()
    answer = reply(f"{status} No", "application/json", body)
    if form.startswith("midstream"):
        answer = STREAM_HEAD + event({"text": "Hel"}) + body + b"\n"
    seen, lines, _ = await ask(http, answer)
    assert seen.error is not None
    assert (seen.error.error_class, seen.error.code) == (error_class, code)
    assert seen.error.retry_after_s == retry_after_s
    assert seen.error.midstream is form.startswith("midstream")
    assert len(lines) == 1


def part(text: str, token: str | None, usage: tuple[int, int] = (9, 5)) -> bytes:
    more = {"continuationToken": token} if token else {}
    middle, last = text[: len(text) // 2], text[len(text) // 2 :]
    finish = "CONTINUATION" if token else "STOP"
    return STREAM_HEAD + event({"text": middle}) + event({"text": last}, finish=finish, usage=usage, **more)


async def test_an_answer_in_parts_is_one_answer(http: HttpSession) -> None:
    seen, _, bodies = await ask(http, part("One, ", "t1"), part("one more, ", "t2"), part("three.", None, (20, 7)))
    assert seen.text == "One, one more, three."
    assert seen.done is not None
    assert (seen.done.finish_reason, seen.done.carry) == ("stop", None)
    assert seen.done.usage is not None
    assert (seen.done.usage.input_tokens, seen.done.usage.output_tokens) == (38, 17)
    assert [body.get("continuationToken") for body in bodies] == [None, "t1", "t2"]


async def test_a_part_that_cannot_be_had_leaves_what_is_there(http: HttpSession) -> None:
    seen, _, _ = await ask(http, part("One, ", "t1"), refusal(503, "UNAVAILABLE", "Busy"))
    assert seen.text == "One, "
    assert seen.done is not None
    assert seen.done.finish_reason == "continue"
    assert seen.done.carry == Carry("google", FLASH, ({"continuationToken": "t1"},))


async def test_a_part_that_breaks_off_is_an_error(http: HttpSession) -> None:
    broken = STREAM_HEAD + event({"text": "two, "})
    seen, _, _ = await ask(http, part("One, ", "t1"), broken)
    assert seen.text == "One, two, "
    assert seen.error is not None
    assert seen.error.usage is not None
    assert seen.error.usage.output_tokens == 5  # the first part is paid for
    assert seen.error.error_class == "truncated"


async def test_the_same_part_again_is_not_an_answer(http: HttpSession) -> None:
    seen, lines, _ = await ask(http, part("One, ", "t1"), part("One, ", "t1"))
    assert seen.text == "One, "
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("finish", "expected"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("RECITATION", "content_filter"),
        ("SPII", "content_filter"),
        ("TOO_MANY_TOOL_CALLS", "error"),
        ("MISSING_THOUGHT_SIGNATURE", "error"),
        ("SOMETHING_OF_2027", "error"),
    ],
)
async def test_how_an_answer_ends(http: HttpSession, finish: str, expected: str) -> None:
    seen, _, _ = await ask(http, STREAM_HEAD + event({"text": "Hi"}, finish=finish))
    assert seen.done is not None
    assert seen.done.finish_reason == expected
    assert seen.done.request_id == "r-1"


async def test_what_is_missing_or_unknown_is_nothing(http: HttpSession) -> None:
    odd: list[Any] = [
        {"candidates": None, "usageMetadata": None, "promptFeedback": None},
        {"candidates": [None, {"index": 1, "content": {"parts": [{"text": "other"}]}, "finishReason": "STOP"}]},
        {"candidates": [{"content": None}]},
        {"candidates": [{"content": {"parts": None}}]},
        {"candidates": [{"content": {"parts": [None, {"text": None}, {"executableCode": {"code": "1"}}]}}]},
        {"candidates": [{"content": {"parts": [{"inlineData": {"data": "AA=="}}, {"functionCall": None}]}}]},
        {"candidates": [{"content": {"parts": [{"text": "", "thoughtSignature": "c2ln"}]}}], "new": {}},
        [],
    ]
    body = b": keep-alive\r\n\r\n" + b"".join(b"data:" + json.dumps(row).encode() + b"\r\r" for row in odd)
    after = b'data: {"usageMetadata": {"promptTokenCount": 3, "thoughtsTokenCount": 4}}'
    seen, _, _ = await ask(http, STREAM_HEAD + body + event({"text": "Hi"}, finish="STOP") + after)
    assert seen.text == "Hi"
    assert seen.done is not None
    assert seen.done.finish_reason == "stop"
    assert seen.done.tool_calls == ()
    assert seen.done.usage is not None
    assert (seen.done.usage.input_tokens, seen.done.usage.output_tokens, seen.done.usage.reasoning_tokens) == (3, 4, 4)


@pytest.mark.parametrize("reason", ["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT"])
async def test_a_blocked_prompt(http: HttpSession, reason: str) -> None:
    payload = {"promptFeedback": {"blockReason": reason}}
    for body in (json.dumps(payload), json.dumps([payload], indent=2)):
        seen, _, _ = await ask(http, reply("200 OK", "application/json", body.encode()))
        assert seen.done is not None
        assert (seen.done.finish_reason, seen.done.usage) == ("content_filter", None)


async def test_an_unspecified_finish_is_no_finish(http: HttpSession) -> None:
    seen, _, _ = await ask(http, STREAM_HEAD + event({"text": "Hi"}, finish="FINISH_REASON_UNSPECIFIED"))
    assert seen.error is not None
    assert seen.error.error_class == "truncated"


async def test_what_was_signed_goes_back_on_the_same_parts(http: HttpSession) -> None:
    signed = [
        {"text": "Let me see.", "thoughtSignature": "dGV4dA=="},
        {"functionCall": {"name": "look", "args": {"at": 1}}, "thoughtSignature": "Y2FsbA=="},
        {"functionCall": {"name": "look", "args": {"at": 2}}},
    ]
    answer = STREAM_HEAD + event({"text": "Hm.", "thought": True}) + event(*signed, finish="STOP")
    tools = (ToolSpec("look", "d", {"type": "object"}),)
    seen, _, _ = await ask(http, answer, request=LLMRequest(HELLO.messages, tools=tools))
    assert seen.done is not None
    assert seen.done.tool_calls[0] == ToolCall("", "look", '{"at": 1}', "Y2FsbA==")
    turn = Message("assistant", seen.text, tool_calls=seen.done.tool_calls, carry=seen.done.carry)
    results = (Message("tool", "a cat", tool_call_id=""), Message("tool", '{"n": 2}', tool_call_id=""))
    _, _, bodies = await ask(http, GOOD, request=LLMRequest((*HELLO.messages, turn, *results), tools=tools))
    assert bodies[0]["contents"][1] == {"role": "model", "parts": signed}
    assert bodies[0]["contents"][2]["parts"] == [
        {"functionResponse": {"name": "look", "response": {"result": "a cat"}}},
        {"functionResponse": {"name": "look", "response": {"n": 2}}},
    ]
    later = LLMRequest((*HELLO.messages, turn, *results, Message("user", "And now?")))
    for model in (FLASH, "gemini-4-argon"):
        _, _, bodies = await ask(http, GOOD, request=later, model=model)
        assert bodies[0]["contents"][1]["parts"][0] == {"text": "Let me see."}
        assert bodies[0]["contents"][1]["parts"][1]["thoughtSignature"] == "Y2FsbA=="


async def test_the_model_list_has_pages(http: HttpSession) -> None:
    flash = {
        "name": f"models/{FLASH}",
        "displayName": "Gemini 3.8 Flash",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "thinking": True,
    }
    vectors = {"name": "models/gemini-embedding-001", "supportedGenerationMethods": ["embedContent"]}
    pages = [{"models": [flash, None, {}], "nextPageToken": "a+b"}, {"models": [vectors]}]
    answers = [reply("200 OK", "application/json", json.dumps(page).encode()) for page in pages]
    async with serving(*answers) as server:
        models = await build_provider(config(server), http).list_models()
    assert models == [
        ModelInfo(FLASH, 1_048_576, 65_536, name="Gemini 3.8 Flash", reasoning=True, chat=True),
        ModelInfo("gemini-embedding-001", chat=False),
    ]
    assert server.requests[1].startswith("GET /v1/models?pageSize=1000&pageToken=a%2Bb ")


async def test_tokens_are_counted_by_google_or_estimated(http: HttpSession) -> None:
    counted = reply("200 OK", "application/json", b'{"totalTokens": 7}')
    async with serving(counted, refusal(503, "UNAVAILABLE", "Busy")) as server:
        provider = build_provider(config(server), http)
        assert await provider.count_tokens(HELLO) == TokenCount(7, False)
        assert (await provider.count_tokens(HELLO)).estimated
