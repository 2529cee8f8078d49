"""Limits from the command line: exit code 5, once anyway, what goes on instead, and the figures of costs."""

from __future__ import annotations

import sqlite3

import pytest

from tests.e2e.program import LLMock, Program

KEY = "sk-CANARY0123456789abcdefghij"


def settings(llmock: LLMock, budget: str, model: str = "gpt-4o") -> str:
    return f"""
[providers.main]
kind = "openai"
model = "{model}"
api_endpoint = "{llmock.base}/v1"
max_retries = 0
timeout_s = 5
[providers.spare]
kind = "mock"
[routing]
failover_chain = ["main", "spare"]
[budget]
{budget}
"""


def test_a_limit_is_exit_code_5_and_once_anyway_passes_it(program: Program, llmock: LLMock) -> None:
    program.settings(settings(llmock, "daily_limit_usd = 0.000001"))
    refused = program("ask", "Ping", "--json", OPENAI_API_KEY=KEY)
    assert (refused.code, refused.out) == (5, "")
    assert len(refused.err.strip().splitlines()) == 1
    assert "--over-limit" in refused.err
    answer = program("ask", "Ping", "--json", "--over-limit", OPENAI_API_KEY=KEY).json
    assert answer["provider"] == "main"
    assert "past your daily limit" in answer["warnings"][0]
    assert program("ask", "Ping", OPENAI_API_KEY=KEY).code == 0  # the answer was kept: it costs nothing
    assert program("ask", "Something else", OPENAI_API_KEY=KEY).code == 5
    costs = program("costs", "--json", "--by", "key").json
    assert set(costs) >= {"daily_cost", "monthly_cost", "daily_limit", "monthly_limit", "forecast_month", "rows"}
    assert costs["daily_cost"] == pytest.approx(answer["cost_usd"])
    assert costs["forecast_month"] >= costs["monthly_cost"] > 0
    assert {row["key"].split(":")[0] for row in costs["rows"]} == {"main"}  # the kept answer used no key


def test_leave_to_pass_a_limit_is_said_once_however_many_were_asked(program: Program, llmock: LLMock) -> None:
    """And a limit below a cent is shown as it is."""
    down = settings(llmock, "daily_limit_usd = 0.001").replace("/v1", "/nowhere/v1")
    second = down.replace('kind = "mock"', f'kind = "openai"\nmodel = "gpt-4o"\napi_endpoint = "{llmock.base}/v1"')
    program.settings(second)
    answer = program("ask", "Ping", "--json", "--over-limit", OPENAI_API_KEY=KEY).json
    assert [a["outcome"] for a in answer["attempts"]] == ["failed", "ok"]
    assert sum("past your daily limit" in warning for warning in answer["warnings"]) == 1
    assert "of $0.001\n" in program("costs").out


@pytest.mark.parametrize("on_limit", ["cheapest", "local"])
def test_after_a_limit_another_one_answers_and_says_so(program: Program, llmock: LLMock, on_limit: str) -> None:
    program.settings(settings(llmock, f'monthly_limit_usd = 0.000001\non_limit = "{on_limit}"'))
    ran = program("ask", "Ping", "--json", OPENAI_API_KEY=KEY)
    answer = ran.json
    assert answer["provider"] == "spare"
    assert "The monthly limit of $0.000001 would be passed" in answer["warnings"][0]
    assert [a["outcome"] for a in answer["attempts"]] == ["skipped", "ok"]
    assert "monthly limit" in ran.err


def test_an_unknown_price_is_refused_under_a_limit_until_it_is_allowed(program: Program, llmock: LLMock) -> None:
    program.settings(settings(llmock, "daily_limit_usd = 5", model="riddle-1"))
    refused = program("ask", "Ping", OPENAI_API_KEY=KEY)
    assert refused.code == 5
    assert "The price of riddle-1 at main is not known" in refused.err
    program.settings(settings(llmock, 'daily_limit_usd = 5\nunknown_price = "allow"', model="riddle-1"))
    ran = program("ask", "Ping", OPENAI_API_KEY=KEY)
    assert ran.code == 0
    assert "does not count towards your limit" in ran.err


def test_what_a_killed_window_had_set_aside_is_booked(program: Program, llmock: LLMock) -> None:
    program.settings(settings(llmock, "daily_limit_usd = 1"))
    assert program("costs").code == 0
    with sqlite3.connect(program.home / "vpa.db") as db:
        db.execute(
            "INSERT INTO reservations (id, owner, provider, model, needed_usd, at)"
            " VALUES ('x', '999999@1.00', 'main', 'gpt-4o', '0.9999', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'))"
        )
    assert program("ask", "Ping", OPENAI_API_KEY=KEY).code == 5
    figures = program("costs", "--json", "--by", "model").json
    assert figures["daily_cost"] == pytest.approx(0.9999)
    assert figures["rows"][0]["estimated"] == 1
