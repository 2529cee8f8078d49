"""The official client against the endpoint, streaming and not, while providers behind it fail."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.gateway.faults import END, ROLE, refusal, stream, then_reset, then_silence
from tests.providers.rawserver import STREAM_HEAD, Answer, chunk, reply, serving
from tests.serve.house import House, open_house, settings_of, until_error

QUESTION: list[Any] = [{"role": "user", "content": "Count"}]
WORDS = ["one ", "two ", "three"]
GOOD = stream(WORDS)
REST = stream(["two ", "three"])


async def streamed(house: House, **options: Any) -> tuple[str, list[Any]]:
    """Ask with streaming; the text, and every chunk."""
    chunks = []
    async for each in await house.client.chat.completions.create(
        model="auto", messages=QUESTION, stream=True, **options
    ):
        chunks.append(each)
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices), chunks


@pytest.mark.parametrize(
    ("fault", "second"),
    [
        (refusal("500 Internal Server Error"), GOOD),
        (then_reset(STREAM_HEAD + ROLE), GOOD),
        (STREAM_HEAD + ROLE, GOOD),
        (then_reset(STREAM_HEAD + ROLE + chunk("one ")), REST),
        (STREAM_HEAD + ROLE + chunk("one "), REST),
    ],
    ids=["500", "reset before the first token", "end before the first token", "reset mid-answer", "end mid-answer"],
)
@pytest.mark.parametrize("streams", [True, False])
async def test_the_answer_is_whole_though_the_primary_fails(
    vpa_home: Path, fault: bytes | Answer, second: bytes, streams: bool
) -> None:
    async with serving(fault) as a, serving(second) as b, open_house(vpa_home, settings_of(a, b)) as house:
        if streams:
            text, chunks = await streamed(house, stream_options={"include_usage": True})
            assert chunks[-2].choices[0].finish_reason == "stop"
            assert chunks[-1].usage is not None
            receipt = chunks[-1].vpa
        else:
            answer = await house.client.chat.completions.create(model="auto", messages=QUESTION)
            assert answer.choices[0].finish_reason == "stop"
            text, receipt = answer.choices[0].message.content or "", answer.model_dump()["vpa"]
        assert text == "one two three"
        assert [(t["provider"], t["outcome"]) for t in receipt["attempts"]][1] == ("b", "ok")
        assert receipt["provider"] == "b"
        assert (len(a.requests), len(b.requests)) == (1, 1)
        entry = (await house.audit())[0]
        assert (entry.target, entry.result, entry.facts["user"], entry.facts["attempts"]) == ("b/m", "ok", "local", 2)


async def test_a_stream_says_its_usage_only_where_it_was_asked_for(vpa_home: Path) -> None:
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a)) as house:
        _, plain = await streamed(house)
        _, counted = await streamed(house, stream_options={"include_usage": True})
    assert [c.usage for c in plain] == [None] * len(plain)
    assert plain[-1].vpa["cost_usd"] == pytest.approx(0.071)
    assert plain[0].choices[0].delta.role == "assistant"
    assert {c.model for c in plain} == {"a/m"}
    assert counted[-1].choices == []
    assert (counted[-1].usage.prompt_tokens, counted[-1].usage.completion_tokens) == (11, 60)


async def test_an_answer_has_its_receipt_in_headers_and_body(vpa_home: Path) -> None:
    async with (
        serving(refusal("503 Unavailable")) as a,
        serving(GOOD) as b,
        open_house(vpa_home, settings_of(a, b)) as house,
    ):
        raw = await house.client.chat.completions.with_raw_response.create(model="auto", messages=QUESTION)
    assert (raw.headers["x-vpa-provider"], raw.headers["x-vpa-attempts"]) == ("b", "2")
    assert raw.headers["x-vpa-cached"] == "false"
    answer = raw.parse()
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (11, 71)
    assert answer.model_dump()["vpa"]["cost_usd"] == pytest.approx(0.071)


async def test_an_answer_that_begins_anew_ends_a_stream_with_an_error_and_is_whole_without_one(vpa_home: Path) -> None:
    cut = then_reset(STREAM_HEAD + ROLE + chunk("one "))
    unwilling = refusal("400 Bad Request", message="prefill is not supported")
    async with serving(cut) as a, serving(unwilling, GOOD) as b, open_house(vpa_home, settings_of(a, b)) as house:
        answer = await house.client.chat.completions.create(model="auto", messages=QUESTION, stream=True)
        text, error = await until_error(answer)
        assert (text, "could not be continued" in str(error)) == ("one ", True)
    async with serving(cut) as a, serving(unwilling, GOOD) as b, open_house(vpa_home, settings_of(a, b)) as house:
        whole = await house.client.chat.completions.create(model="auto", messages=QUESTION)
        assert whole.choices[0].message.content == "one two three"


async def test_a_stream_that_nobody_can_finish_has_no_end(vpa_home: Path) -> None:
    cut = STREAM_HEAD + ROLE + chunk("one ")
    body = json.dumps({"messages": QUESTION, "stream": True}).encode()
    async with serving(cut) as a, open_house(vpa_home, settings_of(a)) as house:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {house.token}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        answer = await house.raw(head.encode() + body)
        assert (await house.audit())[0].result == "failed: answer_interrupted"
    assert b'"content":"one "' in answer
    assert b'data: {"error": {"message": "The answer broke off' in answer
    assert b"[DONE]" not in answer
    assert not answer.endswith(b"0\r\n\r\n"), "the body was ended in good order"


async def test_when_all_fail_the_error_says_who_was_tried(vpa_home: Path) -> None:
    bad = refusal("500 Internal Server Error")
    async with serving(bad) as a, serving(bad) as b, open_house(vpa_home, settings_of(a, b)) as house:
        client = house.client.with_options(max_retries=0)
        for streams in (True, False):
            with pytest.raises(openai.InternalServerError) as caught:
                await client.chat.completions.create(model="auto", messages=QUESTION, stream=streams)
            assert (caught.value.status_code, caught.value.code) == (502, "all_providers_failed")
            assert caught.value.response.json()["vpa"]["attempts"][0]["provider"] == "a"


async def test_a_refusal_for_money_is_not_asked_again(vpa_home: Path) -> None:
    limit = "[budget]\ndaily_limit_usd = 0.0001\n"
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a, more=limit)) as house:
        with pytest.raises(openai.APIStatusError) as caught:
            await house.client.chat.completions.create(model="auto", messages=QUESTION, max_tokens=50)
        assert (caught.value.status_code, caught.value.code) == (402, "budget_exceeded")
        entries = await house.audit()
        assert [entry.result for entry in entries] == ["failed: budget_exceeded"]
        assert a.requests == []


@pytest.mark.parametrize(
    ("said", "kind", "status", "code"),
    [
        (refusal("400 Bad", "context_length_exceeded"), openai.BadRequestError, 400, "context_length_exceeded"),
        (refusal("400 Bad", "content_filter"), openai.BadRequestError, 400, "content_filter"),
        (refusal("401 Unauthorized", "invalid_api_key"), openai.InternalServerError, 502, "provider_key_refused"),
        (refusal("429 Slow", None, "retry-after: 40"), openai.RateLimitError, 429, "rate_limit_exceeded"),
        (refusal("429 Slow", "insufficient_quota"), openai.RateLimitError, 429, "insufficient_quota"),
    ],
)
async def test_a_providers_refusal_keeps_its_meaning(
    vpa_home: Path, said: bytes, kind: type[openai.APIStatusError], status: int, code: str
) -> None:
    async with serving(said) as a, open_house(vpa_home, settings_of(a)) as house:
        with pytest.raises(kind) as caught:
            await house.client.with_options(max_retries=0).chat.completions.create(model="auto", messages=QUESTION)
        assert (caught.value.status_code, caught.value.code) == (status, code)
        assert caught.value.response.headers.get("retry-after") == ("40" if code == "rate_limit_exceeded" else None)


async def test_models_are_listed_and_any_name_of_the_list_can_be_asked(vpa_home: Path) -> None:
    async with serving(GOOD) as a, serving(GOOD) as b, open_house(vpa_home, settings_of(a, b)) as house:
        names = [model.id async for model in house.client.models.list()]
        assert names == ["auto", "a/m", "b/m"]
        assert (await house.client.models.retrieve("b/m")).owned_by == "b"
        for name, asked in (("b", b), ("b/m", b), ("b/other-model", b), ("m", a), ("", a)):
            before = len(asked.requests)
            await house.client.chat.completions.create(model=name, messages=QUESTION)
            assert len(asked.requests) == before + 1, name
        assert [body["model"] for body in b.bodies] == ["m", "m", "other-model"]
        with pytest.raises(openai.NotFoundError, match=r"auto, a/m, b/m") as caught:
            await house.client.chat.completions.create(model="gpt-9", messages=QUESTION)
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


async def test_a_tool_is_called_and_its_result_goes_back(vpa_home: Path) -> None:
    call = {"index": 0, "id": "call_7", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    delta = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    calls = STREAM_HEAD + ROLE + b"data: " + json.dumps(delta).encode() + b"\n\ndata: [DONE]\n\n"
    tools: list[Any] = [
        {"type": "function", "function": {"name": "weather", "description": "d", "parameters": {"type": "object"}}}
    ]
    async with serving(calls, calls, GOOD) as a, open_house(vpa_home, settings_of(a)) as house:
        answer = await house.client.chat.completions.create(model="auto", messages=QUESTION, tools=tools)
        message = answer.choices[0].message
        assert answer.choices[0].finish_reason == "tool_calls"
        assert message.tool_calls is not None
        asked = message.tool_calls[0]
        assert asked.type == "function"
        assert (asked.id, asked.function.name, asked.function.arguments) == ("call_7", "weather", '{"city": "Oslo"}')
        _, chunks = await streamed(house, tools=tools)
        found = [c.choices[0].delta.tool_calls for c in chunks if c.choices and c.choices[0].delta.tool_calls]
        assert found[0][0].function.arguments == '{"city": "Oslo"}'
        assert chunks[-1].choices[0].finish_reason == "tool_calls"
        made: Any = message.model_dump(exclude_none=True)
        result: Any = {"role": "tool", "tool_call_id": "call_7", "content": "rain"}
        await house.client.chat.completions.create(model="auto", messages=[*QUESTION, made, result], tools=tools)
        assert a.bodies[0]["tools"][0]["function"]["name"] == "weather"
        assert [turn["role"] for turn in a.bodies[2]["messages"]] == ["user", "assistant", "tool"]
        assert a.bodies[2]["messages"][1]["tool_calls"][0]["id"] == "call_7"


@pytest.mark.alone
async def test_a_client_that_hangs_up_ends_the_request_at_the_provider(vpa_home: Path) -> None:
    async with (
        serving(then_silence(STREAM_HEAD + ROLE + chunk("one "))) as a,
        serving(GOOD) as b,
        open_house(vpa_home, settings_of(a, b)) as house,
    ):
        answer = await house.client.chat.completions.create(model="auto", messages=QUESTION, stream=True)
        await anext(aiter(answer))
        started = time.perf_counter()
        await answer.close()
        await asyncio.wait_for(a.hung_up.wait(), 5)
        assert time.perf_counter() - started < 0.3
        assert (await house.audit())[0].result == "cancelled"
        asking = asyncio.create_task(house.client.chat.completions.create(model="auto", messages=QUESTION))
        a.asked.clear()
        a.hung_up.clear()
        await asyncio.wait_for(a.asked.wait(), 5)
        asking.cancel()
        started = time.perf_counter()
        await asyncio.wait_for(a.hung_up.wait(), 5)
        assert time.perf_counter() - started < 0.3
        assert [entry.result for entry in await house.audit(2)] == ["cancelled", "cancelled"]
        assert (len(a.requests), len(b.requests)) == (2, 0), "something was asked after the client had gone"
        rows = await house.system.manager.ledger.rows()
        assert [row.outcome for row in rows] == ["cancelled", "cancelled"]


async def test_a_secret_does_not_leave_the_machine_and_comes_back_in_the_answer(vpa_home: Path) -> None:
    secret = "sk-proj-" + "a1B2c3D4" * 6
    asked: list[Any] = [{"role": "user", "content": f"Repeat {secret}"}]
    async with (
        serving(stream(["It is ", "[SECR", "ET_1]."], END)) as a,
        open_house(vpa_home, settings_of(a)) as house,
    ):
        chunks = [
            each.choices[0].delta.content or ""
            async for each in await house.client.chat.completions.create(model="auto", messages=asked, stream=True)
        ]
        assert "".join(chunks) == f"It is {secret}."
        answer = await house.client.chat.completions.create(model="auto", messages=asked)
        assert answer.choices[0].message.content == f"It is {secret}."
        assert secret not in json.dumps(a.bodies)


async def test_a_json_answer_of_a_broken_provider_is_an_error_and_no_answer(vpa_home: Path) -> None:
    page = reply("200 OK", "text/html", b"<html>Please sign in</html>")
    async with serving(page) as a, open_house(vpa_home, settings_of(a)) as house:
        with pytest.raises(openai.InternalServerError):
            await house.client.with_options(max_retries=0).chat.completions.create(model="auto", messages=QUESTION)


async def test_the_words_are_called_by_the_model_that_said_them_though_another_had_begun_to_think(
    vpa_home: Path,
) -> None:
    thought = b'data: {"choices":[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null}]}\n\n'
    thinking = then_reset(STREAM_HEAD + ROLE + thought)
    async with serving(thinking) as a, serving(GOOD) as b, open_house(vpa_home, settings_of(a, b)) as house:
        text, chunks = await streamed(house)
    assert text == "".join(WORDS)
    said = {c.model for c in chunks if c.choices and c.choices[0].delta.content}
    assert [name.partition("/")[0] for name in said] == ["b"]
    assert chunks[0].model.startswith("a/")
