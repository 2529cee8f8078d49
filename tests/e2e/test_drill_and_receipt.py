"""``drill``, the route receipt of ``ask`` and ``providers health`` of the real program."""

from __future__ import annotations

from tests.e2e.program import Program
from tests.ports import free_port

PRICES = "input_cost_per_million = {0}\noutput_cost_per_million = {0}\n"


def dead_and_spare() -> str:
    """A first provider at which nobody listens, dearer than the second one that answers."""
    return (
        f'[providers.first]\nkind = "openai_compatible"\nmodel = "m"\nmax_retries = 0\n'
        f'api_endpoint = "http://127.0.0.1:{free_port()}/v1"\n{PRICES.format("100.0")}'
        f'[providers.spare]\nkind = "mock"\n{PRICES.format("10.0")}'
        '[routing]\nfailover_chain = ["first", "spare"]\n'
    )


def test_a_drill_holds_with_no_key_and_books_nothing(program: Program) -> None:
    program.settings('[providers.main]\nkind = "openai"\n[providers.spare]\nkind = "anthropic"\n')
    ran = program("drill", "--fault", "500", "--json")
    assert ran.code == 0, ran.err
    report = ran.json
    assert {"fault", "provider", "steps", "attempts", "breaker", "answered_by", "passed"} <= set(report)
    assert (report["fault"], report["provider"], report["answered_by"], report["passed"]) == (
        "500",
        "main",
        "spare",
        True,
    )
    assert [a["outcome"] for a in report["attempts"]] == ["failed", "ok"]
    assert report["breaker"]["main"] == "open"
    assert program("stats", "--json").json["performance"]["total_requests"] == 0


def test_every_fault_in_sequence_in_words(program: Program) -> None:
    ran = program("drill", "local")
    assert ran.code == 0, ran.err
    assert ran.out.count("PASSED") == 5
    assert "stand_in stands in for a second one" in ran.out
    assert "Request 6: local is left out" in ran.out
    assert "back on it" in ran.out
    nobody = program("drill", "nobody")
    assert (nobody.code, nobody.out) == (2, "")
    assert program("drill", "--fault", "flood").code == 2


def test_without_failover_a_drill_ends_with_4_and_says_why(program: Program) -> None:
    ran = program("drill", "--fault", "refuse", VPA_ENABLE_LLM_FALLBACK="0")
    assert ran.code == 4
    assert "Failover is switched off" in ran.out


def test_the_receipt_of_a_failed_over_answer(program: Program) -> None:
    program.settings(dead_and_spare())
    answer = program("ask", "Ping", "--conversation", "new", "--json").json
    assert (answer["provider"], answer["first_choice"]) == ("spare", "first")
    assert answer["first_choice_usd"] > answer["cost_usd"] > 0
    failed, good = answer["attempts"]
    assert (failed["outcome"], failed["cost_usd"], failed["ttft_ms"]) == ("failed", 0, None)
    assert good["cost_usd"] == answer["cost_usd"]
    assert good["ttft_ms"] is not None
    stored = program("chats", "show", answer["conversation_id"], "--json").json["messages"][1]
    assert stored["first_choice_usd"] == answer["first_choice_usd"]
    assert stored["attempts"] == answer["attempts"]
    told = program("ask", "Ping")
    assert told.out == "Ping\n"
    assert "route: first (m) failed after" in told.err
    assert "route: Answered by spare for " in told.err
    assert "first, your first choice, would have cost" in told.err


def test_health_says_what_was_booked_and_the_last_error(program: Program) -> None:
    program.settings(dead_and_spare())
    program("ask", "Ping", "--fresh")
    shown = program("providers", "health", "--json").json["providers"]
    assert (shown["first"]["success_rate"], shown["spare"]["success_rate"]) == (0, 1)
    assert shown["first"]["last_error"] == "It could not be reached"
    assert shown["first"]["breakers"][0]["model"] == "m"
    assert len(shown["spare"]["latencies_ms"]) == 1
    stats = program("stats", "--json").json["providers"]["first"]
    assert stats["breaker"] == "closed"
    assert {"tokens_per_s", "ttft_p95_ms", "in_flight", "last_error", "breakers", "events"} <= set(stats)
    assert "first, last error: It could not be reached." in program("providers", "health").out
