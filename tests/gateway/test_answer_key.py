"""The key of a kept answer: all that could change the answer changes it, nothing else does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.gateway.answer_key import LONG, SHORT, AnswerKeys
from vpa_desktop.messages import Carry, ImageData, LLMRequest, Message, ToolCall, ToolSpec

CONFIG = LLMProviderConfig("openai", "gpt-4o", provider_id="a", api_key="sk-one")
ASK = LLMRequest((Message("system", "Be brief"), Message("user", "Hello"), Message("assistant", "Hi")))


def key(request: LLMRequest = ASK, config: LLMProviderConfig = CONFIG, model: str = "gpt-4o") -> bytes:
    return AnswerKeys().key(request, config, model)


def turned(*turns: Message) -> LLMRequest:
    return replace(ASK, messages=turns)


@pytest.mark.parametrize(
    "changed",
    [
        {"max_tokens": 5},
        {"temperature": 0.0},
        {"top_p": 0.5},
        {"stop": ("x",)},
        {"tools": (ToolSpec("f", "d", {"type": "object"}),)},
        {"effort": "high"},
        {"local_only": True},
        {"user_id": "another"},
        {"messages": ASK.messages[1:]},
        {"messages": (*ASK.messages[:2], replace(ASK.messages[2], content="Ho"))},
        {"messages": (*ASK.messages[:2], replace(ASK.messages[2], role="user"))},
        {"messages": (*ASK.messages[:2], replace(ASK.messages[2], images=(ImageData("image/png", b"1"),)))},
        {"messages": (*ASK.messages[:2], replace(ASK.messages[2], tool_calls=(ToolCall("1", "f", "{}"),)))},
        {"messages": (*ASK.messages[:2], replace(ASK.messages[2], tool_call_id="1"))},
        {"messages": (*ASK.messages[:2], replace(ASK.messages[2], carry=Carry("k", "m", ({"a": 1},))))},
    ],
)
def test_each_part_of_a_request_counts(changed: dict[str, Any]) -> None:
    assert key(replace(ASK, **changed)) != key()


@pytest.mark.parametrize(
    "changed",
    [{"conversation_id": "c"}, {"priority": "background"}, {"over_limit": True}, {"metadata": {"message_id": "1"}}],
)
def test_what_cannot_change_an_answer_does_not_count(changed: dict[str, Any]) -> None:
    assert key(replace(ASK, **changed)) == key()


@pytest.mark.parametrize(
    "changed",
    [{"provider_id": "b"}, {"temperature": 0.1}, {"api_endpoint": "http://127.0.0.1:1/v1"}, {"effort": "low"}],
)
def test_a_providers_settings_count(changed: dict[str, Any]) -> None:
    assert key(config=replace(CONFIG, **changed)) != key()


def test_the_model_counts_and_the_api_key_does_not() -> None:
    assert key(model="gpt-4o-mini") != key()
    assert key(config=replace(CONFIG, api_key="sk-two")) == key()


def test_an_image_counts_by_its_bytes() -> None:
    one, other = (turned(Message("user", "?", (ImageData("image/png", data),))) for data in (b"1", b"2"))
    assert key(one) != key(other)
    assert key(one) == key(turned(Message("user", "?", (ImageData("image/png", b"1", name="a.png"),))))


@pytest.mark.parametrize("size", [1, SHORT, LONG, 100_000])
def test_where_one_turn_ends_and_the_next_begins_counts(size: int) -> None:
    text = "x" * size
    one = turned(Message("user", text + "user1:y"), Message("user", "z"))
    other = turned(Message("user", text), Message("user", "y"), Message("user", "z"))
    moved = turned(Message("user", text), Message("user", "user1:yz"))
    assert len({key(one), key(other), key(moved)}) == 3


def test_texts_that_only_differ_where_nobody_looks_first_are_told_apart() -> None:
    """Long texts are known again by their length, ends and middle: the whole is compared all the same."""
    keys = AnswerKeys()
    texts = ["a" * 20_000 + letter + "b" * 29_999 + "c" * 50_000 for letter in "xyx"]
    found = [keys.key(turned(Message("user", text)), CONFIG, "m") for text in texts]
    assert found[0] != found[1]
    assert found[0] == found[2]


def test_a_key_is_the_same_with_and_without_what_is_remembered() -> None:
    conversation = turned(*(Message("user", f"{n} " + "word " * 300) for n in range(100)))
    keys, small = AnswerKeys(), AnswerKeys(remembered=10_000)
    assert keys.key(conversation, CONFIG, "m") == keys.key(conversation, CONFIG, "m") == key(conversation, model="m")
    assert small.key(conversation, CONFIG, "m") == key(conversation, model="m")
    assert small._characters <= 10_000


def test_half_a_pair_of_letters_is_no_error() -> None:
    assert key(turned(Message("user", "\ud83d"))) != key(turned(Message("user", "\ud83e")))
