"""Our dialects against a server of provider dialects that we did not write, healthy and broken."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from tests.ports import free_port
from tests.wire import HELLO, outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import ProviderTimeout, ProviderUnavailable, RateLimited, StreamInterrupted, VPAError
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import TextDelta
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers.base import BaseLLMProvider

pytest.importorskip("llmock")
DIALECTS = {
    "openai": ("/v1", "gpt-4o"),
    "anthropic": ("/anthropic", "claude-sonnet-4-5"),
    "google": ("/gemini/v1beta", "gemini-2.5-flash"),
}
BASES = {
    "/v1": {"provider": "openai", "model": "gpt-6-luna"},
    "/v1 chat": {"provider": "openai", "model": "gpt-4o", "protocol": "chat"},
    "/mistral/v1": {"provider": "openai_compatible", "model": "mistral-large-latest"},
    "/groq/openai/v1": {"provider": "openai_compatible", "model": "llama-3.3-70b-versatile"},
    "/xai/v1": {"provider": "openai_compatible", "model": "grok-4"},
    "/together/v1": {"provider": "openai_compatible", "model": "meta-llama/Llama-3.3-70B-Instruct-Turbo"},
    "/anthropic": {"provider": "anthropic", "model": "claude-sonnet-4-5"},
    "/gemini/v1beta": {"provider": "google", "model": "gemini-2.5-flash"},
}
"""Base URL -> the settings it is asked with."""

CUT = {"truncated_stream_accepted"}
"""What llmock says of a client that does not ask again after a cut. Ours does not once text was shown: another answer
would not go on from it. It raises StreamInterrupted with the text so far, which the server cannot see.
"""
MALFORMED = {"malformed_chunk_ignored"}
"""The same for a chunk that is not JSON."""

DROPPED = {"gave_up"}
"""The same for a dropped connection."""


@pytest.fixture(scope="module")
def llmock_url() -> Iterator[str]:
    """A running llmock on a free port."""
    port = free_port()
    command = [sys.executable, "-c", "from llmock.cli import app; app()", "serve", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url)
            yield url
        finally:
            server.kill()


def _wait_for(url: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url + "/v1/models", timeout=2):
                return
        except urllib.error.HTTPError as exc:
            exc.close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail("llmock did not start")


def script(url: str, *behaviors: dict[str, Any]) -> None:
    """Tell llmock how to treat the next requests, and to forget the ones before."""
    forget = urllib.request.Request(url + "/_llmock/requests", method="DELETE")
    with urllib.request.urlopen(forget, timeout=5):
        pass
    for method in ("DELETE", "POST") if behaviors else ("DELETE",):
        data = json.dumps({"behaviors": behaviors}).encode() if method == "POST" else None
        request = urllib.request.Request(
            url + "/_llmock/scenario", data, {"content-type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=5):
            pass


def provider(kind: str, url: str, http: HttpSession, timeout: float = 5) -> BaseLLMProvider:
    path, model = DIALECTS[kind]
    return build_provider(LLMProviderConfig(kind, model, api_key="k", api_endpoint=url + path, timeout=timeout), http)


@pytest.mark.parametrize("kind", DIALECTS)
async def test_an_answer_arrives_whole_with_its_usage(kind: str, llmock_url: str, http: HttpSession) -> None:
    text = "One circuit breaker, two fuses: Grüße 👋"
    script(llmock_url, {"type": "reply", "text": text})
    seen = await outcome(provider(kind, llmock_url, http))
    assert seen.text == text
    assert seen.done is not None
    assert seen.done.finish_reason == "stop"
    assert seen.done.usage is not None
    assert seen.done.usage.output_tokens


@pytest.mark.parametrize("kind", DIALECTS)
async def test_the_models_are_listed(kind: str, llmock_url: str, http: HttpSession) -> None:
    script(llmock_url)
    assert await provider(kind, llmock_url, http).list_models()


@pytest.mark.parametrize("kind", DIALECTS)
@pytest.mark.parametrize("fault", ["disconnect", "truncate", "malformed"])
async def test_a_broken_stream_is_never_success(kind: str, fault: str, llmock_url: str, http: HttpSession) -> None:
    reply = {"type": "reply", "text": "one two three four five six seven eight nine ten"}
    script(llmock_url, reply, {"type": "stream_fault", "kind": fault, "after_chunks": 3})
    seen = await outcome(provider(kind, llmock_url, http))
    assert seen.done is None
    assert seen.error is not None
    assert seen.error.retryable
    assert seen.error.midstream
    assert (
        seen.error.error_class
        in {
            "disconnect": ("network", "truncated"),
            "truncate": ("truncated",),
            "malformed": ("malformed",),
        }[fault]
    )


@pytest.mark.parametrize("kind", DIALECTS)
async def test_a_stalled_stream_times_out(kind: str, llmock_url: str, http: HttpSession) -> None:
    script(llmock_url, {"type": "stream_fault", "kind": "stall", "after_chunks": 2, "stall_seconds": 3})
    seen = await outcome(provider(kind, llmock_url, http, timeout=0.4))
    assert isinstance(seen.error, ProviderTimeout)


@pytest.mark.parametrize("kind", DIALECTS)
async def test_a_rate_limit_says_how_long_to_wait(kind: str, llmock_url: str, http: HttpSession) -> None:
    script(llmock_url, {"type": "fail", "status": 429, "times": 1, "retry_after": 7})
    seen = await outcome(provider(kind, llmock_url, http))
    assert isinstance(seen.error, RateLimited)
    assert seen.error.retryable
    assert seen.error.retry_after_s == 7


@pytest.mark.parametrize(("status", "error_class"), [(500, "server"), (503, "overloaded"), (529, "overloaded")])
async def test_an_outage_is_worth_another_try(
    status: int, error_class: str, llmock_url: str, http: HttpSession
) -> None:
    script(llmock_url, {"type": "fail", "status": status, "times": 1})
    seen = await outcome(provider("anthropic", llmock_url, http))
    assert isinstance(seen.error, ProviderUnavailable)
    assert seen.error.retryable
    assert seen.error.error_class == error_class
    assert seen.error.status == status


async def test_one_request_per_attempt(llmock_url: str, http: HttpSession) -> None:
    """The dialect itself never repeats a failed request: that is the gateway's decision."""
    script(llmock_url, {"type": "fail", "status": 503, "times": 1}, {"type": "reply", "text": "second"})
    assert (await outcome(provider("openai", llmock_url, http))).error is not None
    assert (await outcome(provider("openai", llmock_url, http))).text == "second"


async def through_the_gateway(base: str, url: str, http: HttpSession, **settings: Any) -> tuple[str, VPAError | None]:
    """One question through the manager, as the program asks it; returns the text shown and the error."""
    config = LLMProviderConfig(
        api_key="k", api_endpoint=url + base.partition(" ")[0], **{"timeout": 5, **BASES[base], **settings}
    )
    manager = LLMProviderManager()
    manager.register_provider("p", build_provider(config, http))
    text = ""
    try:
        async with aclosing(manager.stream(HELLO)) as events:
            async for event in events:
                text += event.text if isinstance(event, TextDelta) else ""
    except VPAError as exc:
        return text, exc
    return text, None


def findings(url: str) -> set[str]:
    """What llmock found fault with since the scenario was set."""
    with urllib.request.urlopen(url + "/_llmock/verdict", timeout=5) as answer:
        verdict = json.loads(answer.read())
    assert verdict["calls"] > 0
    return {finding["code"] for finding in verdict["findings"]}


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("fault", ["none", "429", "500 twice", "truncate", "malformed", "disconnect"])
async def test_the_server_finds_no_fault_with_us(base: str, fault: str, llmock_url: str, http: HttpSession) -> None:
    reply = {"type": "reply", "text": "one two three four five six seven eight nine ten"}
    faults: dict[str, list[dict[str, Any]]] = {
        "none": [],
        "429": [{"type": "fail", "status": 429, "times": 1, "retry_after": 1}],
        "500 twice": [{"type": "fail", "status": 500, "times": 2}],
    }
    script(llmock_url, reply, *faults.get(fault, [{"type": "stream_fault", "kind": fault, "after_chunks": 8}]))
    text, error = await through_the_gateway(base, llmock_url, http)
    if fault in faults:
        assert (text, error) == (reply["text"], None)
        assert await asyncio.to_thread(findings, llmock_url) == set()
        return
    assert isinstance(error, StreamInterrupted)
    assert error.partial == text != ""
    assert (
        await asyncio.to_thread(findings, llmock_url)
        <= {"truncate": CUT, "malformed": MALFORMED, "disconnect": DROPPED}[fault]
    )


@pytest.mark.parametrize("base", BASES)
async def test_a_refusal_is_not_asked_again(base: str, llmock_url: str, http: HttpSession) -> None:
    script(llmock_url, {"type": "fail", "status": 400, "times": 5})
    _, error = await through_the_gateway(base, llmock_url, http)
    assert error is not None
    assert await asyncio.to_thread(findings, llmock_url) == set()


@pytest.mark.parametrize("base", BASES)
async def test_a_stall_is_noticed(base: str, llmock_url: str, http: HttpSession) -> None:
    stall = {"type": "stream_fault", "kind": "stall", "after_chunks": 8, "stall_seconds": 2}
    script(llmock_url, {"type": "reply", "text": "one two three four five six seven eight nine ten"}, stall)
    _, error = await through_the_gateway(base, llmock_url, http, timeout=0.5)
    assert error is not None
    assert await asyncio.to_thread(findings, llmock_url) == set()
