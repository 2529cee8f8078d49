"""Every transcript of the wire kit, through our providers, at every delivery."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire import Case, cases, compare, outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession

KINDS: dict[str, list[dict[str, Any]]] = {
    "openai_chat": [{"provider": "openai", "protocol": "chat"}, {"provider": "openai"}],
    "openai_responses": [{"provider": "openai", "protocol": "responses"}],
    "azure": [
        {"provider": "azure"},
        {"provider": "azure", "protocol": "chat"},
        {"provider": "azure", "api_version": "2025-04-01-preview", "deployment": "my-deployment"},
    ],
    "compat": [{"provider": "openai_compatible"}],
    "anthropic": [{"provider": "anthropic"}],
    "gemini": [{"provider": "google"}],
    "ollama": [{"provider": "ollama"}],
}
"""Protocol -> the settings its transcripts are read with; ``openai`` on its own is a server that answers in Chat
Completions whatever it was asked in.
"""

WAYS = [
    pytest.param(case, way, id=f"{case.id}{f'~{number}' if number else ''}-{case.delivery}")
    for case in cases(*KINDS)
    for number, way in enumerate(KINDS[case.id.partition("/")[0]])
]


@pytest.mark.parametrize(("case", "way"), WAYS)
async def test_case(case: Case, way: dict[str, Any], replay: str, http: HttpSession) -> None:
    endpoint = f"{replay}/r/{case.id}/{case.delivery}"
    config = LLMProviderConfig(model="m", api_key="test-key", api_endpoint=endpoint, timeout=10, **way)
    compare(await outcome(build_provider(config, http)), case.expected)
