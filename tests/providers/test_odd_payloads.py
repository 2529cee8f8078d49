"""JSON that is valid and still not what the protocol says: never a crash, always an answer or one of our errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.providers.rawserver import STREAM_HEAD, serving
from tests.wire import outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import ProviderError
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._answer import Answer
from vpa_desktop.providers._dialect import HttpProvider
from vpa_desktop.providers._failures import Peer, failure, read_problem
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers._retry_after import retry_after_s

NAMES = [
    "choices",
    "delta",
    "message",
    "content",
    "text",
    "type",
    "tool_calls",
    "function",
    "arguments",
    "index",
    "finish_reason",
    "usage",
    "x_groq",
    "error",
    "code",
    "thinking",
    "content_block",
    "stop_reason",
    "output_tokens",
    "input_tokens",
    "prompt_tokens_details",
    "model",
    "id",
    "reasoning",
    "detail",
    "loc",
    "response",
    "output",
    "item",
    "item_id",
    "output_index",
    "summary",
    "delta",
    "status",
    "call_id",
    "incomplete_details",
    "reasoning_details",
    "object",
    "candidates",
    "parts",
    "functionCall",
    "finishReason",
    "usageMetadata",
    "promptFeedback",
    "done",
    "done_reason",
    "name",
]
WORDS = st.sampled_from(
    "text thinking message_start content_block_delta message_delta 429 ² response completed message function_call "
    "reasoning response.output_item.done response.output_item.added response.completed response.failed "
    "response.output_text.delta response.output_text.done response.function_call_arguments.delta".split()
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
PAYLOADS = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6)
PEER = Peer("p", "P", "m", "https://user:secret@p.test/v1?key=secret", True, 5, "k")


@pytest.mark.parametrize("kind", ["openai_compatible", "openai", "azure", "anthropic", "google", "ollama"])
@given(payload=PAYLOADS)
def test_no_payload_crashes_a_dialect(kind: str, payload: dict[str, Any]) -> None:
    provider = build_provider(LLMProviderConfig(kind, "m", api_key="k"))
    assert isinstance(provider, HttpProvider)
    answer = Answer()
    provider.read_event(payload, answer)
    provider.read_whole(payload, answer)
    provider.carried(answer)
    answer.done(None)


@given(payload=JSON, status=st.integers(100, 599), headers=st.dictionaries(st.just("retry-after"), st.text(max_size=8)))
def test_every_refusal_has_its_sentences(payload: Any, status: int, headers: dict[str, str]) -> None:
    error = failure(PEER, read_problem(payload, status, headers))
    assert isinstance(error, ProviderError)
    assert error.what
    assert error.why
    assert error.next_step
    assert "secret" not in str(error)


async def test_a_character_in_two_halves_is_put_together(http: HttpSession) -> None:
    event = '{"choices":[{"delta":{"content":"%s"}}]}'
    halves = [event % half for half in (r"a\ud83d", r"\udc4bb")]
    end = json.dumps({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    body = "".join(f"data: {data}\n\n" for data in (*halves, end)).encode()
    async with serving(STREAM_HEAD + body) as server:
        seen = await outcome(build_provider(LLMProviderConfig("openai_compatible", "m", api_endpoint=server.url), http))
    assert seen.text == "a👋b"


async def test_an_error_event_that_is_plain_text_is_an_error(http: HttpSession) -> None:
    async with serving(STREAM_HEAD + b"event: error\ndata: out of memory\n\n") as server:
        seen = await outcome(build_provider(LLMProviderConfig("openai_compatible", "m", api_endpoint=server.url), http))
    assert seen.error is not None
    assert seen.error.error_class == "server"
    assert seen.error.midstream
    assert "out of memory" in seen.error.why


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1400", "retry-after": "2"}, 1.4),
        ({"retry-after": "21"}, 21),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "99999999999999"}, 36_525 * 86_400),
        ({"retry-after-ms": "1e300"}, 36_525 * 86_400),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "99999999999h"}, 36_525 * 86_400),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "-1"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "42"}, 42),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795348830"}, 30),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795348830500"}, 30.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "12ms"}, 0.012),
        ({"x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-requests": "1s"}, None),
        (
            {
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-11-22T12:00:05Z",
            },
            5,
        ),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert retry_after_s(headers, now=now) == seconds
