"""The wire kit beside the repository: its cases, its replay server, and what a provider made of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from vpa_desktop.errors import ProviderError, StreamInterrupted
from vpa_desktop.messages import LLMRequest, Message, ReasoningDelta, StreamDone, TextDelta
from vpa_desktop.providers.base import BaseLLMProvider

KIT = Path(__file__).resolve().parents[1] / "../shared/wire"
HELLO = LLMRequest((Message("user", "Say hello"),))


@dataclass(frozen=True)
class Case:
    """One transcript with the result a client must derive, at one way of delivering its bytes."""

    id: str
    delivery: str
    expected: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.id}-{self.delivery}"


@dataclass
class Outcome:
    """What came out of a stream, whether it ended well or not."""

    text: str = ""
    reasoning: str = ""
    done: StreamDone | None = None
    error: ProviderError | None = None
    partial: str | None = field(default=None)


@cache
def cases(*protocols: str) -> list[Case]:
    """Every case of these protocols at every delivery it is made for; none where the kit is not there."""
    found = []
    for protocol in protocols:
        for path in sorted((KIT / "cases" / protocol).glob("*/case.json")):
            case = json.loads(path.read_text(encoding="utf-8"))
            found += [Case(case["id"], delivery, case["expected"]) for delivery in case["deliveries"]]
    return found


@contextmanager
def replay_server() -> Iterator[str]:
    """Run the kit's own server on a free port and yield its address."""
    command = [sys.executable, str(KIT / "replay_server.py"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found is not None, "the replay server did not start"
            yield found[0]
        finally:
            server.kill()


async def outcome(provider: BaseLLMProvider, request: LLMRequest = HELLO) -> Outcome:
    """Read a provider's stream to its end and keep everything."""
    seen = Outcome()
    try:
        async with aclosing(provider.stream(request)) as events:
            async for event in events:
                assert seen.done is None, "StreamDone was not the last event"
                if isinstance(event, TextDelta):
                    seen.text += event.text
                elif isinstance(event, ReasoningDelta):
                    seen.reasoning += event.text
                else:
                    seen.done = event
    except ProviderError as exc:
        seen.error = exc
        seen.partial = exc.partial if isinstance(exc, StreamInterrupted) else None
    return seen


def compare(seen: Outcome, expected: dict[str, Any]) -> None:
    """Assert that the outcome is what the kit says it must be."""
    assert seen.text == expected["text"]
    assert seen.reasoning == expected["reasoning"]
    assert (seen.done is not None) is expected["complete"], seen.error
    usage = seen.done.usage if seen.done else seen.error.usage if seen.error else None
    if expected["usage"] is None:
        assert usage is None
    else:
        names = {"cached_input_tokens": "cache_read_tokens"}
        fields = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens")
        assert {name: getattr(usage, name) for name in fields} == {
            name: expected["usage"][names.get(name, name)] for name in fields
        }
    if seen.done is not None:
        assert seen.error is None
        assert seen.done.finish_reason == expected["finish"]
        calls = [
            {"id": call.id or None, "name": call.name, "arguments": json.loads(call.arguments)}
            for call in seen.done.tool_calls
        ]
        assert calls == expected["tool_calls"]
        return
    assert seen.error is not None
    compare_error(seen.error, expected["error"])


def compare_error(error: ProviderError, expected: dict[str, Any]) -> None:
    """Assert class, retry advice, status and code, and that there are three sentences."""
    assert error.error_class == expected["class"]
    assert error.retryable is expected["retryable"]
    assert error.status == expected["status"]
    assert error.code == expected["code"]
    assert error.midstream is expected["midstream"]
    if expected["retry_after_s"] == "date":
        assert error.retry_after_s is not None
        assert error.retry_after_s > 1e9
    else:
        assert error.retry_after_s == expected["retry_after_s"]
    assert error.what
    assert error.why
    assert error.next_step
