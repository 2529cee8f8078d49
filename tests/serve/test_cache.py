"""Answers that are kept, and those that several clients get at once."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.faults import END, ROLE, late, refusal, stream, then_silence
from tests.providers.rawserver import STREAM_HEAD, chunk, serving
from tests.serve.house import open_house, settings_of

ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "Count"}]}
QUESTION: list[Any] = ASK["messages"]
GOOD = stream(["one ", "two"])
CACHE = "[cache]\nenabled = true\n"


async def test_the_same_question_is_paid_for_once(vpa_home: Path) -> None:
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a, more=CACHE)) as house:
        _, first, bought = await house.ask(ASK)
        _, second, kept = await house.ask(ASK)
        assert (first["x-vpa-cached"], second["x-vpa-cached"]) == ("false", "true")
        assert (first["x-vpa-attempts"], second["x-vpa-attempts"]) == ("1", "0")
        assert kept["choices"] == bought["choices"]
        assert (kept["vpa"]["cached"], kept["vpa"]["cost_usd"]) == (True, 0)
        assert (await house.ask({**ASK, "temperature": 0.5}))[1]["x-vpa-cached"] == "false"
        assert (await house.ask(ASK, cache_control="no-cache"))[1]["x-vpa-cached"] == "false"
        assert (await house.ask(ASK, cache_control="no-store"))[1]["x-vpa-cached"] == "false"
        assert len(a.requests) == 4
        assert {entry.result for entry in await house.audit(5)} == {"ok"}


async def test_a_kept_answer_is_streamed_and_says_so(vpa_home: Path) -> None:
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a, more=CACHE)) as house:
        await house.ask(ASK)
        raw = await house.client.chat.completions.with_raw_response.create(model="", messages=QUESTION, stream=True)
        assert (raw.headers["x-vpa-cached"], raw.headers["x-vpa-attempts"]) == ("true", "0")
        chunks = [each async for each in raw.parse()]
        assert "".join(each.choices[0].delta.content or "" for each in chunks) == "one two"
        assert (chunks[-1].choices[0].finish_reason, chunks[-1].model_dump()["vpa"]["cached"]) == ("stop", True)
        assert len(a.requests) == 1


async def test_a_hundred_who_ask_the_same_at_once_are_one_request(vpa_home: Path) -> None:
    slow = late(STREAM_HEAD + ROLE + chunk("one ") + END, 0.5)
    async with serving(slow) as a, open_house(vpa_home, settings_of(a, more=CACHE)) as house:
        answers = await asyncio.gather(*(house.ask(ASK) for _ in range(100)))
        assert {body["choices"][0]["message"]["content"] for _, _, body in answers} == {"one "}
        assert len(a.requests) == 1
        assert sum(body["vpa"]["cost_usd"] for _, _, body in answers) == pytest.approx(0.071)


async def test_what_broke_off_is_not_kept(vpa_home: Path) -> None:
    cut = STREAM_HEAD + ROLE + chunk("one ")
    async with serving(cut, GOOD) as a, open_house(vpa_home, settings_of(a, more=CACHE)) as house:
        assert (await house.ask(ASK))[0] == 502
        assert (await house.ask(ASK))[2]["choices"][0]["message"]["content"] == "one two"


async def test_secrets_share_no_answer(vpa_home: Path) -> None:
    first, second = ("sk-proj-" + each * 6 for each in ("a1B2c3D4", "e5F6g7H8"))
    async with (
        serving(stream(["It is [SECRET_1]."])) as a,
        open_house(vpa_home, settings_of(a, more=CACHE)) as house,
    ):
        for secret in (first, second):
            asked = {"messages": [{"role": "user", "content": f"Repeat {secret}"}]}
            assert (await house.ask(asked))[2]["choices"][0]["message"]["content"] == f"It is {secret}."
        assert len(a.requests) == 2
        assert first not in json.dumps(a.bodies)


@pytest.mark.alone
async def test_hanging_up_ends_the_request_also_where_answers_are_kept(vpa_home: Path) -> None:
    async with (
        serving(then_silence(STREAM_HEAD + ROLE + chunk("one "))) as a,
        serving(refusal("500 Bad")) as b,
        open_house(vpa_home, settings_of(a, b, more=CACHE)) as house,
    ):
        answer = await house.client.chat.completions.create(model="auto", messages=QUESTION, stream=True)
        await anext(aiter(answer))
        started = time.perf_counter()
        await answer.close()
        await asyncio.wait_for(a.hung_up.wait(), 5)
        assert time.perf_counter() - started < 0.3
        assert len(b.requests) == 0
