"""What of a Chat Completions request becomes what of ours, and what is refused by name."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpa_desktop.errors import RequestRejected
from vpa_desktop.messages import Carry, ImageData, LLMResponse, Message, ToolCall
from vpa_desktop.serve.call_memory import CallMemory
from vpa_desktop.serve.reading import Asked, read_request
from vpa_desktop.serve.refusals import without_secrets

TURNS: list[Any] = [{"role": "user", "content": "Hi"}]
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


def read(**fields: Any) -> Asked:
    """Read a request with one turn and these fields."""
    return read_request(json.dumps({"messages": TURNS, **fields}).encode())


def test_the_fields_that_shape_an_answer_arrive() -> None:
    asked = read(
        model=" b/m ", stream=True, stream_options={"include_usage": True}, temperature=0, top_p=0.5,
        max_completion_tokens=7, max_tokens=9, stop="END", reasoning_effort="low", n=1, seed=4, user="u", top_k=3,
        response_format={"type": "text"}, parallel_tool_calls=True, frequency_penalty=0.0, logit_bias=None,
    )  # fmt: skip
    request = asked.request
    assert (asked.model, asked.streams, asked.include_usage) == ("b/m", True, True)
    assert (request.temperature, request.top_p, request.max_tokens) == (0.0, 0.5, 7)
    assert (request.stop, request.effort) == (("END",), "low")
    assert asked.ignored == ("parallel_tool_calls", "seed", "top_k")


def test_turns_of_every_role_arrive_with_their_pictures() -> None:
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    asked = read(
        messages=[
            {"role": "developer", "content": "Be short"},
            {"role": "user", "content": [{"type": "text", "text": "What is it?"},
                                         {"type": "image_url", "image_url": {"url": url, "detail": "low"}}]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "42"}]},
        ]
    )  # fmt: skip
    assert asked.request.messages == (
        Message("system", "Be short"),
        Message("user", "What is it?", (ImageData("image/png", PNG),)),
        Message("assistant", "", tool_calls=(ToolCall("c1", "f", "{}"),)),
        Message("tool", "42", tool_call_id="c1"),
    )


def test_no_tool_is_offered_where_none_may_be_called() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert read(tools=tools, tool_choice="none").request.tools == ()
    assert [t.name for t in read(tools=tools, tool_choice="auto").request.tools] == ["f"]


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"messages": []}, "messages", "missing_required_parameter"),
        ({"messages": "Hi"}, "messages", "missing_required_parameter"),
        ({"messages": ["Hi"]}, "messages[0]", "invalid_type"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0]",
         "unsupported_value"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.example"}}]}]},
         "messages[0].content[0].image_url", "invalid_image_url"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "data:image/png;base64,%%"}]}]},
         "messages[0].content[0].image_url", "invalid_base64"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id", "missing_required_parameter"),
        ({"temperature": 3}, "temperature", "decimal_above_max_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"temperature": True}, "temperature", "invalid_type"),
        ({"top_p": -1}, "top_p", "decimal_below_min_value"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
        ({"max_tokens": 1.5}, "max_tokens", "invalid_type"),
        ({"stop": [1]}, "stop", "invalid_type"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "invalid_type"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream_options": 1}, "stream_options", "invalid_type"),
        ({"model": 4}, "model", "invalid_type"),
        ({"reasoning_effort": "enormous"}, "reasoning_effort", "invalid_value"),
        ({"n": 2}, "n", "unsupported_parameter"),
        ({"response_format": {"type": "json_object"}}, "response_format", "unsupported_parameter"),
        ({"logprobs": True}, "logprobs", "unsupported_parameter"),
        ({"tool_choice": "required"}, "tool_choice", "unsupported_parameter"),
        ({"tools": [{"type": "web"}]}, "tools[0]", "unsupported_value"),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0].function.name", "invalid_value"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_by_name(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(RequestRejected) as caught:
        read(**fields)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(RequestRejected):
        read_request(body)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("messages", "model", "stream", "stream_options", "tools", "stop", "temperature", "max_tokens", "tool_choice",
          "reasoning_effort", "n", "response_format", "logit_bias", "functions")  # fmt: skip


@given(st.sampled_from(FIELDS), anything)
def test_nothing_that_is_sent_is_a_fault_of_the_program(field: str, value: Any) -> None:
    with suppress(RequestRejected):
        read(**{field: value})


@given(st.lists(st.dictionaries(st.sampled_from(["role", "content", "tool_calls", "tool_call_id"]),
                                anything | st.sampled_from(["user", "assistant", "tool"])), max_size=3))  # fmt: skip
def test_no_turn_that_is_sent_is_a_fault_of_the_program(turns: list[Any]) -> None:
    with suppress(RequestRejected):
        read(messages=turns)


def test_what_a_provider_wants_back_with_a_call_goes_back_to_the_same_user_only() -> None:
    memory, carry = CallMemory(), Carry("google", "g", ({"thought": 1},))
    answer = LLMResponse("", "g", "g", tool_calls=(ToolCall("", "f", "{}", signature="sig"),), carry=carry)
    shown = memory.keep("anna", answer).tool_calls[0]
    assert shown.id.startswith("call_")
    turn = Message("assistant", "", tool_calls=(ToolCall(shown.id, "f", "{}"),))
    assert memory.restored("anna", [turn])[0] == Message(
        "assistant", "", tool_calls=(ToolCall("", "f", "{}", "sig"),), carry=carry
    )
    assert memory.restored("ben", [turn]) == (turn,)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot read /home/anna/models/x.gguf now", "cannot read (a file) now"),
        (r"cannot read C:\Users\anna\x.gguf now", "cannot read (a file) now"),
        ("asked https://api.example.com/v1/chat twice", "asked https://api.example.com/v1/chat twice"),
        ("5 and/or 6, see GET /v1/models for more", "5 and/or 6, see GET /v1/models for more"),
    ],
)  # fmt: skip
def test_paths_of_the_machine_are_not_told(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
