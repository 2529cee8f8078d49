"""What an administrator lets somebody spend: beside the person's own limits, and past no leave of the person's."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.gateway.faults import GOOD, QUESTION, WHOLE, Rig, rig
from vpa_desktop.errors import BudgetExceeded
from vpa_desktop.security.policy import Policy, PolicyBook, Rules

SIXTY_CENTS: dict[str, Any] = {
    "input_cost_per_million": Decimal(0),
    "output_cost_per_million": Decimal(10_000),
    "max_tokens": 60,
}
"""Of every answer of GOOD's sixty tokens."""

DOLLAR = Decimal(1)


def everybody(**rules: Any) -> PolicyBook:
    return PolicyBook((Policy("Your administrator's policy", "policy.toml", True, Rules(**rules)),), "anna")


async def spent(it: Rig) -> Decimal:
    return sum((row.cost_usd or Decimal() for row in await it.manager.ledger.rows()), Decimal())


async def test_a_policys_limit_holds_where_the_person_has_set_a_higher_one_or_none() -> None:
    for own in (None, Decimal(50)):
        async with rig([GOOD], **SIXTY_CENTS) as it:
            it.manager.policy = everybody(daily_limit_usd=DOLLAR)
            it.manager.set_cost_limit(own, None)
            assert (await it.ask()).text == WHOLE
            seen = await it.ask()
            assert isinstance(seen.error, BudgetExceeded)
            assert "administrator" in str(seen.error)
            assert len(it.a.requests) == 1
            assert await spent(it) == Decimal("0.6")


async def test_no_leave_of_the_person_passes_a_policys_limit_though_it_passes_the_persons_own() -> None:
    async with rig([GOOD], **SIXTY_CENTS) as it:
        it.manager.policy = everybody(daily_limit_usd=DOLLAR)
        it.manager.set_cost_limit(Decimal("0.1"), None)
        anyway = replace(QUESTION, over_limit=True)
        assert (await it.ask(anyway)).text == WHOLE
        assert isinstance((await it.ask(anyway)).error, BudgetExceeded)
        assert await spent(it) == Decimal("0.6")


async def test_a_roles_limit_counts_each_person_of_it_alone() -> None:
    roles = {"assistant": Rules("roles.assistant", daily_limit_usd=DOLLAR)}
    book = PolicyBook((Policy("The policy", roles=roles, default_role="assistant", users_may_choose=True),), "anna")
    async with rig([GOOD], **SIXTY_CENTS) as it:
        it.manager.policy = book
        for user in ("anna", "bert"):
            asked = replace(QUESTION, user_id=user)
            assert (await it.ask(asked)).text == WHOLE
            assert isinstance((await it.ask(asked)).error, BudgetExceeded)
        assert [row.user_id for row in await it.manager.ledger.rows()] == ["anna", "bert"]


@pytest.mark.parametrize("over_limit", [False, True])
async def test_an_unknown_price_counts_for_nothing_under_no_policy(over_limit: bool) -> None:
    async with rig([GOOD]) as it:
        it.manager.policy = everybody(daily_limit_usd=DOLLAR)
        it.manager.budget.settings = replace(it.manager.budget.settings, unknown_price="allow")
        seen = await it.ask(replace(QUESTION, over_limit=over_limit))
        assert isinstance(seen.error, BudgetExceeded)
        assert it.a.requests == []
