"""Money is set aside for the most a prompt can be, whatever it is written in."""

from __future__ import annotations

import base64
import json
import random
from decimal import Decimal

import pytest

from tests.fakes import ScriptedProvider
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.gateway.prompt_bound import most_prompt_tokens
from vpa_desktop.gateway.reserving import worst_case_usd
from vpa_desktop.messages import LLMRequest, Message, ToolSpec
from vpa_desktop.tokens import count_prompt_tokens

RANDOM = random.Random(4)
TEXTS = {
    "english": "The committee decided to reconsider the proposal before its next meeting. " * 60,
    "russian": "Комитет решил, что предложение следует пересмотреть до следующего заседания. " * 60,
    "hindi": "समिति ने निर्णय लिया कि अगली बैठक से पहले प्रस्ताव पर पुनर्विचार किया जाना चाहिए। " * 60,
    "arabic": "قررت اللجنة إعادة النظر في الاقتراح قبل الاجتماع القادم. " * 60,
    "chinese": "委员会决定在下次会议之前重新考虑该提案，因为几位成员还没有阅读。" * 60,
    "base64": base64.b64encode(RANDOM.randbytes(6_000)).decode(),
    "hex": RANDOM.randbytes(4_000).hex(),
    "json": json.dumps([{"id": n, "x": [1.5 * n, 2]} for n in range(300)]),
    "emoji": "😀🚀🎉👩‍👩‍👧‍👦" * 150,
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4"])
def test_no_text_is_more_tokens_than_was_set_aside(kind: str, model: str) -> None:
    messages = (Message("user", TEXTS[kind]),)
    counted = count_prompt_tokens(messages, model).tokens
    assert counted <= most_prompt_tokens(LLMRequest(messages), model) < 6 * counted + 50


def test_functions_that_are_offered_are_paid_too() -> None:
    ask = (Message("user", "Hi"),)
    tool = ToolSpec("look_up", "Looks a word up. " * 50, {"type": "object"})
    assert most_prompt_tokens(LLMRequest(ask, tools=(tool,)), "m") > most_prompt_tokens(LLMRequest(ask), "m") + 200


def test_a_cache_that_costs_more_to_write_is_reckoned_with() -> None:
    provider = ScriptedProvider(LLMProviderConfig("anthropic", "claude-sonnet-4-5", provider_id="p"), [])
    question = LLMRequest((Message("user", "word " * 4_000),))
    most = worst_case_usd(provider, question, 0)
    tokens = most_prompt_tokens(question, "claude-sonnet-4-5")
    assert most is not None
    assert most > Decimal(tokens) * 3 / 1_000_000  # three dollars a million where nothing is written
