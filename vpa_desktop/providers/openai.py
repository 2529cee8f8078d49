"""OpenAI itself: the Chat Completions dialect with what only OpenAI asks for."""

from __future__ import annotations

import re
from typing import Any, Final

from vpa_desktop.messages import LLMRequest
from vpa_desktop.providers.openai_compatible import OpenAICompatibleProvider

REASONING: Final = re.compile(r"(?:o\d|gpt-(?:[5-9]|\d\d)(?!.*-chat))")
"""Models that refuse sampling parameters: every family from gpt-5 on, and the o series."""


class OpenAIProvider(OpenAICompatibleProvider):
    """The official API: ``max_completion_tokens``, and sampling parameters only where a model takes them."""

    limit_field = "max_completion_tokens"

    def body(self, request: LLMRequest, model: str) -> dict[str, Any]:
        """The request, without what reasoning models refuse."""
        body = super().body(request, model)
        if REASONING.match(model):
            body = {name: value for name, value in body.items() if name not in ("temperature", "top_p")}
        return body
