"""Pictures of earlier turns: left out only where the program has put them there itself, and never of the question."""

from __future__ import annotations

import pytest

from tests.gateway.test_manager import good, manager, scripted
from vpa_desktop.catalog import ModelInfo
from vpa_desktop.errors import StreamInterrupted, VPAError
from vpa_desktop.gateway.fitting import SAW_PICTURES
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import ImageData, LLMRequest, Message, TextDelta

PICTURE = ImageData("image/png", b"x", "a.png")
TALK = (Message("user", "What is this?", (PICTURE,)), Message("assistant", "A cat."), Message("user", "Which colour?"))


def knows(made: LLMProviderManager, images: bool | None) -> None:
    made.model_info = lambda config, model: ModelInfo(model, images=images)


async def test_pictures_that_a_caller_put_into_earlier_turns_are_sent_where_nothing_is_known_of_the_model() -> None:
    provider = good("a")
    made = manager(provider)
    knows(made, None)
    await made.generate(LLMRequest(TALK))
    assert provider.requests[0].messages == TALK


async def test_a_model_that_cannot_see_is_not_asked_about_pictures_that_a_caller_put_there() -> None:
    provider = good("a")
    made = manager(provider)
    knows(made, False)
    with pytest.raises(VPAError, match="cannot see images"):
        await made.generate(LLMRequest(TALK))
    assert provider.requests == []


async def test_who_goes_on_with_a_broken_answer_sees_the_picture_of_its_question() -> None:
    broken = scripted("a", TextDelta("A "), StreamInterrupted("it broke off", provider="a", midstream=True))
    second = good("b", "cat.")
    made = manager(broken, second)
    knows(made, None)
    asked = LLMRequest((Message("user", "What is this?", (PICTURE,)),), metadata={SAW_PICTURES: frozenset()})
    assert (await made.generate(asked)).content == "A cat."
    assert second.requests[0].messages[0].images == (PICTURE,)
