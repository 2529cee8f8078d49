"""The gateway under a policy, against real sockets: who is forbidden never sees a request, whatever leads to it."""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.fakes import ScriptedProvider
from tests.gateway.faults import GOOD, QUESTION, WHOLE, Outcome, Rig, late, note, refusal, rig, then_reset
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import AllProvidersFailed, BudgetExceeded, PolicyRefused, VPAError
from vpa_desktop.gateway.failover import ReadyAnswer
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import LLMRequest, Message, StreamDone, TextDelta, Usage
from vpa_desktop.security.policy import Policy, PolicyBook, Rules

OFFICE = "Your administrator's policy"


def policy(login: str = "anna", **rules: Any) -> PolicyBook:
    return PolicyBook((Policy(OFFICE, "policy.toml", True, Rules(**rules)),), login)


def only_b(on: Rig) -> PolicyBook:
    """A policy that allows the address of ``b`` alone."""
    return policy(hosts=(on.b.url.removeprefix("http://"),))


async def asked(on: Rig, request: LLMRequest = QUESTION, **how: Any) -> Outcome:
    """One request, made in a way that ``Rig.ask`` does not."""
    seen = Outcome()
    try:
        async with aclosing(on.manager.stream(request, **how)) as events:
            async for event in events:
                note(seen, event)
    except VPAError as exc:
        seen.error = exc
    return seen


async def test_a_forbidden_provider_is_passed_over_and_the_receipt_says_why() -> None:
    async with rig([GOOD]) as on:
        on.manager.policy = only_b(on)
        seen = await on.ask()
        assert seen.text == WHOLE
        assert seen.response is not None
        lines = [(a.provider, a.outcome) for a in seen.response.attempts]
        assert lines == [("a", "skipped"), ("b", "ok")]
        assert seen.response.attempts[0].reason == f"{OFFICE} does not allow the address 127.0.0.1 (policy.toml)"
        assert on.a.requests == []


@pytest.mark.parametrize("strategy", ["fixed", "failover", "weighted", "fastest", "cheapest"])
async def test_no_strategy_leads_to_a_forbidden_provider(strategy: Any) -> None:
    async with rig([GOOD]) as on:
        on.manager.policy = only_b(on)
        on.manager.routing = replace(on.manager.routing, strategy=strategy, default_provider="a")
        on.manager.set_failover_chain(["a", "b"])
        on.manager.set_provider_weights({"a": 1_000_000, "b": 0})
        for _ in range(3):
            assert (await on.ask()).text == WHOLE
        assert on.a.requests == []


async def test_whoever_names_a_forbidden_provider_is_refused_and_no_other_is_asked_instead() -> None:
    async with rig([GOOD]) as on:
        on.manager.policy = only_b(on)
        seen = await asked(on, provider="a")
        assert isinstance(seen.error, PolicyRefused)
        assert seen.error.exit_code == 6
        assert seen.error.rule == "providers.allowed_hosts"
        assert (on.a.requests, on.b.requests) == ([], [])


async def test_a_forbidden_model_that_was_named_is_refused_and_a_default_one_is_passed_over() -> None:
    async with rig([GOOD]) as on:
        on.manager.policy = policy(denied_models=("*-a", "secret"))
        named = await asked(on, replace(QUESTION, model="secret"), provider="b")
        assert isinstance(named.error, PolicyRefused)
        assert named.error.rule == "models.denied"
        assert on.b.requests == []
        unnamed = await asked(on, replace(QUESTION, model="secret"))
        assert isinstance(unnamed.error, PolicyRefused)
        assert (await on.ask()).text == WHOLE  # model-a is denied, model-b is not
        assert (len(on.a.requests), len(on.b.requests)) == (0, 1)


async def test_a_route_that_was_made_before_or_by_hand_is_looked_at_again_at_each_hop() -> None:
    async with rig([refusal("503 Down")], [GOOD]) as on:
        route = on.manager.route(QUESTION)
        on.manager.policy = policy(hosts=(on.a.url.removeprefix("http://"),))
        seen = await asked(on, route=route)
        assert seen.error is not None
        assert on.a.requests != []
        assert on.b.requests == []


async def test_after_a_failure_and_after_a_cut_nobody_forbidden_goes_on() -> None:
    half = GOOD[: len(GOOD) // 2]
    async with rig([then_reset(half)], retries=0) as on:
        on.manager.policy = policy(hosts=(on.a.url.removeprefix("http://"),))
        seen = await on.ask()
        assert seen.text
        assert seen.error is not None
        assert on.b.requests == []


@pytest.mark.parametrize("is_forbidden", [True, False])
async def test_a_late_first_word_is_not_overtaken_by_somebody_forbidden(is_forbidden: bool) -> None:
    async with rig([late(GOOD, 0.8)], retries=0) as on:
        on.manager.routing = replace(on.manager.routing, hedge_first_token=True, hedge_share=1.0)
        on.manager.health["a"].first_tokens_ms.extend([10.0] * 10)
        route = on.manager.route(QUESTION)
        if is_forbidden:
            on.manager.policy = policy(hosts=(on.a.url.removeprefix("http://"),))
        assert (await asked(on, route=route)).text == WHOLE
        assert bool(on.b.requests) is not is_forbidden


async def test_a_ready_answer_comes_from_nobody_forbidden() -> None:
    async with rig([GOOD]) as on:
        on.manager.policy = only_b(on)
        route = [p for i in ("a", "b") if (p := on.manager.get_provider(i)) is not None]
        seen = await asked(on, route=route, ready_answers={"a": ReadyAnswer("extract", "leaked")})
        assert seen.text == WHOLE


async def test_where_nobody_is_allowed_the_refusal_names_each_and_nothing_is_sent() -> None:
    async with rig([GOOD]) as on:
        on.manager.policy = policy(kinds=("openai",))
        seen = await on.ask()
        assert isinstance(seen.error, PolicyRefused)
        assert "The question was not sent. a: Your administrator's policy does not allow the kind" in str(seen.error)
        assert "; b: " in str(seen.error)
        assert (on.a.requests, on.b.requests) == ([], [])


async def test_what_may_not_leave_the_machine_does_not_at_any_hop() -> None:
    async with rig([GOOD]) as on:
        private = replace(QUESTION, local_only=True)
        route = [p for i in ("a", "b") if (p := on.manager.get_provider(i)) is not None]
        seen = await asked(on, private, route=route)
        assert isinstance(seen.error, PolicyRefused)
        assert seen.error.rule == "local_only"
        leaked = await asked(on, private, route=route, ready_answers={"a": ReadyAnswer("extract", "leaked")})
        assert leaked.text == ""
        assert (on.a.requests, on.b.requests) == ([], [])


async def test_a_broken_policy_sends_nothing_out_and_the_local_model_still_answers() -> None:
    async with rig([GOOD]) as on:
        on.manager.policy = PolicyBook(
            (Policy("The policy", broken="policy.toml line 3: daily is not a rule"),), "anna"
        )
        seen = await on.ask()
        assert isinstance(seen.error, PolicyRefused)
        assert "policy.toml line 3" in str(seen.error)
        assert (on.a.requests, on.b.requests) == ([], [])
        here = LLMProviderConfig("mock", provider_id="here")
        on.manager.register_provider(
            "here", ScriptedProvider(here, [TextDelta("fine"), StreamDone("stop", Usage(1, 1))])
        )
        assert (await on.ask()).text == "fine"


async def test_a_role_counts_for_the_user_of_the_request_where_users_may_choose() -> None:
    role = Rules("roles.b", denied_models=("model-a",))
    free = Policy("The policy", roles={"b": role}, users={"eve": "b"}, users_may_choose=True)
    async with rig([GOOD]) as on:
        on.manager.policy = PolicyBook((free,), "anna")
        await on.ask(replace(QUESTION, user_id="eve"))
        assert (len(on.a.requests), len(on.b.requests)) == (0, 1)
        await on.ask()
        assert (len(on.a.requests), len(on.b.requests)) == (1, 1)
        assert [row.user_id for row in await on.manager.ledger.rows()] == ["eve", "anna"]
        on.manager.policy = PolicyBook((replace(free, users_may_choose=False),), "eve")
        await on.ask(replace(QUESTION, user_id="anna"))
        assert len(on.a.requests) == 1


async def test_no_longer_an_answer_is_asked_for_than_the_role_may_have() -> None:
    async with rig([GOOD]) as on:
        on.manager.policy = policy(max_tokens=50)
        await on.ask()
        await on.ask(replace(QUESTION, max_tokens=500))
        await on.ask(replace(QUESTION, max_tokens=20))
        assert [body["max_tokens"] for body in on.a.bodies] == [50, 50, 20]


async def test_a_refused_request_is_told_to_whoever_keeps_the_audit() -> None:
    told: list[tuple[str, str]] = []

    async def note_it(exc: PolicyRefused, request: LLMRequest) -> None:
        told.append((exc.rule, request.user_id))

    async with rig([GOOD]) as on:
        on.manager.policy, on.manager.on_refusal = policy(kinds=()), note_it
        await on.ask()
        assert told == [("providers.allowed_kinds", "anna")]


async def test_an_ollama_on_this_machine_is_not_asked_for_a_model_of_its_cloud() -> None:
    ollama = ScriptedProvider(LLMProviderConfig("ollama", "gpt-oss:120b-cloud", provider_id="o"), [TextDelta("leak")])
    made = LLMProviderManager()
    made.register_provider("o", ollama)
    with pytest.raises(PolicyRefused):
        await made.generate(LLMRequest((Message("user", "Hi"),), local_only=True))
    assert ollama.requests == []
    made.policy = policy(local_only=True)
    with pytest.raises(PolicyRefused):
        await made.generate(LLMRequest((Message("user", "Hi"),)))
    assert ollama.requests == []


async def test_without_a_policy_nobody_to_ask_is_still_a_providers_error() -> None:
    with pytest.raises(AllProvidersFailed):
        await LLMProviderManager().generate(QUESTION)


@pytest.mark.alone
async def test_without_a_policy_the_look_costs_next_to_nothing() -> None:
    """What ``stream`` and each hop do for it, a thousand times: a few microseconds each at most."""
    from vpa_desktop.gateway.admission import Stop
    from vpa_desktop.gateway.permission import bounded, identified, left_out, must_be_permitted, refusal_at

    made = LLMProviderManager()
    stop = Stop(ScriptedProvider(LLMProviderConfig("mock", provider_id="p"), []))
    best = 1.0
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(1_000):
            identified(made.policy, QUESTION)
            left_out(made, (stop,), QUESTION)
            refusal_at(made.policy, stop, QUESTION)
            must_be_permitted(made.policy, stop, QUESTION)
            bounded(made.policy, QUESTION, stop)
        best = min(best, (time.perf_counter() - started) / 1_000)
    assert best < 50e-6


PRICE: dict[str, Any] = {"input_cost_per_million": Decimal(0), "output_cost_per_million": Decimal(1_000)}
"""A tenth of a cent for each token of the answer."""


def priced(rules: Rules, **more: Any) -> PolicyBook:
    """A policy with one role for anna alone."""
    return PolicyBook((Policy(OFFICE, roles={"r": rules}, users={"anna": "r"}, users_may_choose=True, **more),), "anna")


@pytest.mark.parametrize("over_limit", [False, True])
async def test_the_limit_of_a_role_counts_for_its_user_alone_and_no_leave_passes_it(over_limit: bool) -> None:
    """Sixty words are $0.06; each question sets aside 100 tokens, $0.10."""
    request = replace(QUESTION, max_tokens=100, over_limit=over_limit)
    async with rig([GOOD], **PRICE) as on:
        on.manager.policy = priced(Rules("roles.r", daily_limit_usd=Decimal("0.15")))
        on.manager.set_cost_limit(1_000, 1_000)
        assert (await on.ask(request)).error is None
        seen = await on.ask(request)
        assert isinstance(seen.error, BudgetExceeded)
        assert seen.error.exit_code == 5
        assert seen.error.whose == f"{OFFICE}, role r"
        assert "The daily limit of $0.15 would be passed" in str(seen.error)
        assert f"{OFFICE}, role r sets this limit" in str(seen.error)
        assert "once" not in seen.error.next_step
        assert (await on.ask(replace(request, user_id="eve"))).error is None
        assert (len(on.a.requests), len(on.b.requests)) == (2, 0)


async def test_a_limit_for_everybody_is_one_sum_and_raising_ones_own_does_not_help() -> None:
    everybody = Policy(OFFICE, everybody=Rules(daily_limit_usd=Decimal("0.15")), users_may_choose=True)
    request = replace(QUESTION, max_tokens=100)
    async with rig([GOOD], **PRICE) as on:
        on.manager.policy = PolicyBook((everybody,), "anna")
        on.manager.set_cost_limit(1_000, None)
        assert (await on.ask(request)).error is None
        seen = await on.ask(replace(request, user_id="eve"))
        assert isinstance(seen.error, BudgetExceeded)
        assert len(on.a.requests) == 1
        assert (await on.manager.get_cost_statistics())["daily_limit"] == Decimal("0.15")


@pytest.mark.parametrize("over_limit", [False, True])
async def test_what_has_no_known_price_is_not_asked_where_a_policy_limits_spending(over_limit: bool) -> None:
    async with rig([GOOD]) as on:
        on.manager.policy = priced(Rules("roles.r", monthly_limit_usd=Decimal(5)))
        seen = await on.ask(replace(QUESTION, over_limit=over_limit))
        assert isinstance(seen.error, BudgetExceeded)
        assert (on.a.requests, on.b.requests) == ([], [])


async def test_a_policy_may_leave_unknown_prices_to_the_settings() -> None:
    async with rig([GOOD]) as on:
        on.manager.policy = priced(Rules("roles.r", monthly_limit_usd=Decimal(5)), allows_unknown_prices=True)
        assert isinstance((await on.ask()).error, BudgetExceeded)
        on.manager.budget.settings = replace(on.manager.budget.settings, unknown_price="allow")
        assert (await on.ask()).text == WHOLE
