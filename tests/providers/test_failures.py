"""What the refusals of real servers mean, and that no key is in what is said about them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.providers.rawserver import reply, serving
from tests.wire import outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession

HTTPS = b"<html>The plain HTTP request was sent to HTTPS port</html>"
MODERATED = {"code": 403, "message": "Flagged", "metadata": {"reasons": ["violence"], "flagged_input": "x"}}
KEY = "sk-proj-" + "".join(f"Kq7{n:03}" for n in range(20))


def said(status: str, error: Any) -> bytes:
    return reply(status, "application/json", json.dumps({"error": error}).encode())


@pytest.mark.parametrize(
    ("answer", "error_class", "retryable", "words"),
    [
        (
            said("400 Bad", {"message": "The model `m` is gone.", "code": "model_decommissioned"}),
            "not_found",
            False,
            'know the model "m"',
        ),
        (said("400 Bad", {"message": "m is not a valid model ID", "code": 400}), "not_found", False, "the model"),
        (said("400 Bad", "Model unloaded."), "not_found", False, "the model"),
        (said("400 Bad", {"message": "No", "code": "invalid_model"}), "not_found", False, "the model"),
        (reply("413 Large", "text/html", b"<html>"), "invalid_request", False, "refuses a request this large"),
        (said("413 Large", {"message": "Too large"}), "context_length", False, "too long"),
        (reply("400 Bad", "text/html", HTTPS), "network", False, "Write https://"),
        (said("403 Forbidden", MODERATED), "content_filter", False, "content filter"),
        (said("403 Forbidden", {"code": 403, "message": "No"}), "permission", False, "does not allow"),
    ],
)
async def test_what_a_refusal_means(
    http: HttpSession, answer: bytes, error_class: str, retryable: bool, words: str
) -> None:
    async with serving(answer) as server:
        config = LLMProviderConfig("openai_compatible", "m", api_key="k", api_endpoint=server.url + "/v1")
        seen = await outcome(build_provider(config, http))
    assert seen.error is not None
    assert (seen.error.error_class, seen.error.retryable) == (error_class, retryable)
    assert words in str(seen.error)


@pytest.mark.parametrize(
    "error",
    [
        {"message": "x" * 190 + f" {KEY} is not allowed here"},
        {"message": "no", "code": f"key {KEY}"},
        {"message": "no", "type": f"key {KEY}"},
        {"message": f"{KEY[:60]}... was refused"},
        {"message": f"...{KEY[-20:]} was refused"},
    ],
)
async def test_no_piece_of_the_key_is_in_an_error(http: HttpSession, error: dict[str, str]) -> None:
    async with serving(said("400 Bad Request", error)) as server:
        config = LLMProviderConfig("openai_compatible", "m", api_key=KEY, api_endpoint=server.url + "/v1")
        seen = await outcome(build_provider(config, http))
    assert seen.error is not None
    assert "***" in str(seen.error)
    for text in (str(seen.error), seen.error.code or ""):
        assert "Kq7" not in text
