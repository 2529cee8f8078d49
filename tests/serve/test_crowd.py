"""Many at once: none is lost, nothing is held after, and together they do not pass a limit."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.serve import Server, crowd
from tests.gateway.faults import stream
from tests.providers.rawserver import serving
from tests.serve.house import open_house, settings_of


@pytest.mark.alone
async def test_two_hundred_at_once_are_all_answered(vpa_home: Path) -> None:
    async with serving(stream(["token "])) as a, open_house(vpa_home, settings_of(a)) as house:
        server = Server("ours", house.port, "/v1", house.token, model="auto")
        for streams in (True, False):
            assert (await crowd(server, 200, streams=streams))["errors"] == []
        assert len(a.requests) == 400
        await house.must_be_empty()
        entries = await house.audit(200)
        assert {(entry.target, entry.result) for entry in entries} == {("a/m", "ok")}


async def test_those_who_ask_the_same_share_one_answer_and_get_it_again(vpa_home: Path) -> None:
    settings = "[cache]\nenabled = true\n"
    async with serving(stream(["token "])) as a, open_house(vpa_home, settings_of(a, more=settings)) as house:
        server = Server("ours", house.port, "/v1", house.token, model="auto")
        assert (await crowd(server, 50, streams=True))["errors"] == []
        assert (await crowd(server, 50, streams=True))["errors"] == []
        assert len(a.requests) == 1
        rows = await house.system.manager.ledger.rows()
        assert sorted(row.cached for row in rows) == [False, *[True] * 99]


async def test_many_at_once_do_not_pass_a_limit_together(vpa_home: Path) -> None:
    limit = "[budget]\ndaily_limit_usd = 0.75\n"  # each answer costs 0.071
    question: list[Any] = [{"role": "user", "content": "Count to sixty, one number after another, and stop"}]
    async with serving(stream(["token "])) as a, open_house(vpa_home, settings_of(a, more=limit)) as house:
        answers = await asyncio.gather(*(house.ask({"messages": question, "max_tokens": 60}) for _ in range(40)))
        paid = [body["vpa"]["cost_usd"] for status, _, body in answers if status == 200]
        refused = [body["error"]["code"] for status, _, body in answers if status == 402]
        assert len(paid) + len(refused) == 40
        assert set(refused) == {"budget_exceeded"}
        assert len(paid) == len(a.requests)
        assert 5 <= len(paid) <= 10
        rows = await house.system.manager.ledger.rows()
        spent = float(sum(row.cost_usd or 0 for row in rows))
        assert abs(spent - sum(paid)) < 1e-9
        assert spent <= 0.75
