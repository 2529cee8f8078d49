"""The outgoing guard masks what a conversation with tools carries, too."""

from __future__ import annotations

import json

from vpa_desktop.assistant.outgoing import OutgoingGuard
from vpa_desktop.messages import LLMResponse, Message, ToolCall

KEY = "sk-proj-" + "a1B2c3D4" * 6


def test_a_secret_in_a_tool_call_is_masked_and_comes_back_in_one() -> None:
    guard = OutgoingGuard()
    call = ToolCall("1", "store", json.dumps({"key": KEY}))
    sent = guard.mask([Message("user", f"Store {KEY}"), Message("assistant", "", tool_calls=(call,))])
    assert KEY not in str(sent)
    assert json.loads(sent[1].tool_calls[0].arguments) == {"key": "[SECRET_1]"}
    answer = LLMResponse("Did [SECRET_1]", "a", "m", tool_calls=(ToolCall("2", "log", '{"k": "[SECRET_1]"}'),))
    restored = guard.restored_answer(answer)
    assert restored.content == f"Did {KEY}"
    assert json.loads(restored.tool_calls[0].arguments) == {"k": KEY}


def test_a_secret_of_several_lines_stays_valid_json() -> None:
    guard = OutgoingGuard()
    body = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7" + "x" * 12] * 4)
    secret = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----"
    call = ToolCall("1", "store", json.dumps({"key": secret}))
    sent = guard.mask([Message("user", secret), Message("assistant", "", tool_calls=(call,))])
    assert "MIIE" not in str(sent)
    placeholder = sent[0].content
    answer = LLMResponse("", "a", "m", tool_calls=(ToolCall("2", "log", json.dumps({"k": placeholder})),))
    assert json.loads(guard.restored_answer(answer).tool_calls[0].arguments) == {"k": secret}
