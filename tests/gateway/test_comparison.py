"""What the receipt says of an answer that another provider gave: each attempt's price, and the first choice's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.fakes import ScriptedProvider
from tests.gateway.test_manager import answer, manager, scripted
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import ProviderUnavailable, RateLimited, StreamInterrupted
from vpa_desktop.messages import LLMResponse, StreamDone, TextDelta, Usage

CHEAP: dict[str, Any] = {"input_cost_per_million": Decimal(1), "output_cost_per_million": Decimal(2)}
DEAR: dict[str, Any] = {"input_cost_per_million": Decimal(10), "output_cost_per_million": Decimal(20)}
GOOD = (TextDelta("whole"), StreamDone("stop", Usage(1_000, 100)))


async def asked(*providers: ScriptedProvider) -> LLMResponse:
    return await answer(manager(*providers))


async def test_the_first_choice_is_priced_for_the_same_tokens() -> None:
    said = await asked(scripted("a", ProviderUnavailable("down", provider="a"), **DEAR), scripted("b", *GOOD, **CHEAP))
    assert (said.provider, said.cost_usd) == ("b", Decimal("0.0012"))
    assert (said.first_choice, said.first_choice_usd) == ("a", Decimal("0.012"))
    failed, good = said.attempts
    assert (failed.cost_usd, failed.ttft_ms) == (Decimal(0), None)
    assert good.cost_usd == Decimal("0.0012")
    assert good.ttft_ms is not None
    assert good.ttft_ms <= good.ms


async def test_nothing_is_compared_where_the_first_choice_answers() -> None:
    said = await asked(scripted("a", *GOOD, **DEAR), scripted("b", *GOOD, **CHEAP))
    assert (said.first_choice, said.first_choice_usd) == ("", None)


async def test_one_that_was_passed_over_is_still_the_first_choice() -> None:
    refusal = RateLimited("wait", provider="a", retry_after_s=30.0)
    made = manager(scripted("a", refusal, **DEAR), scripted("b", *GOOD, **CHEAP))
    await answer(made)
    said = await answer(made)
    assert said.attempts[0].outcome == "skipped"
    assert "it takes no more requests for now" in said.attempts[0].reason
    assert (said.first_choice, said.first_choice_usd) == ("a", Decimal("0.012"))


async def test_an_unknown_price_of_the_first_choice_stays_unknown() -> None:
    cut = (TextDelta("half"), StreamInterrupted("cut", provider="a"))
    nobodys = LLMProviderConfig("openai_compatible", "a-model-of-nobody", provider_id="a", max_retries=0)
    said = await asked(ScriptedProvider(nobodys, cut), scripted("b", *GOOD, **CHEAP))
    assert (said.first_choice, said.first_choice_usd) == ("a", None)
