"""Every transcript of the wire kit, through our providers, at every delivery."""

from __future__ import annotations

import pytest

from tests.wire import Case, cases, compare, outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession

KINDS = {
    "openai_chat": "openai",
    "compat": "openai_compatible",
    "anthropic": "anthropic",
    "gemini": "google",
    "ollama": "ollama",
}


@pytest.mark.parametrize("case", cases(*KINDS), ids=str)
async def test_case(case: Case, replay: str, http: HttpSession) -> None:
    protocol = case.id.partition("/")[0]
    config = LLMProviderConfig(
        KINDS[protocol], "m", api_key="test-key", api_endpoint=f"{replay}/r/{case.id}/{case.delivery}", timeout=10
    )
    compare(await outcome(build_provider(config, http)), case.expected)
