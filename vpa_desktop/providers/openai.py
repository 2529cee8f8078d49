"""OpenAI itself: the Responses protocol, and Chat Completions where a model or an endpoint needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from vpa_desktop.messages import LLMRequest, Message, StreamEvent
from vpa_desktop.providers import _responses
from vpa_desktop.providers._answer import Answer
from vpa_desktop.providers._dialect import Ask
from vpa_desktop.providers._failures import Problem
from vpa_desktop.providers._http import Reply
from vpa_desktop.providers._openai_models import (
    CHAT_ONLY,
    nearest_effort,
    reasons,
    samples,
    tools_only_without_effort,
)
from vpa_desktop.providers.openai_compatible import OpenAICompatibleProvider

OFFICIAL: Final = "api.openai.com"
MIN_OUTPUT_TOKENS: Final = 16
"""Responses refuses a smaller limit there."""


class OpenAIProvider(OpenAICompatibleProvider):
    """The official API, or a server that speaks either of its two protocols (``protocol`` in settings chooses).

    An answer is read in the protocol it comes in, whichever was asked for.
    """

    optional: tuple[str, ...] = (
        *OpenAICompatibleProvider.optional,
        "max_output_tokens",
        "reasoning.summary",
        "reasoning.effort",
        "include",
    )
    limit_field = "max_completion_tokens"

    @property
    def encodes_vectors(self) -> bool:
        """True at OpenAI's own service, wherever it is hosted."""
        return self.is_openai

    @property
    def is_official(self) -> bool:
        """True at OpenAI's own host, where everything it documents is taken."""
        return self.host == OFFICIAL or self.host.endswith("." + OFFICIAL)

    @property
    def is_openai(self) -> bool:
        """True at OpenAI's own service, wherever it is hosted."""
        return self.is_official

    def family(self, model: str) -> str:
        """The model whose family says what is taken."""
        return model

    def asks(self, request: LLMRequest, model: str) -> Sequence[Ask]:
        """Responses, then Chat Completions where the server does not know it; one of them if settings say so.

        Responses has no stop sequences, so a request with them that the model would take goes to Chat Completions.
        """
        protocol = self.config.protocol
        family = self.family(model)
        chat_only = CHAT_ONLY.search(family) or (request.stop and not reasons(family))
        found: list[Ask] = []
        if protocol == "responses" or (protocol != "chat" and not chat_only):
            found.append(Ask(_responses.PATH, self.responses_body(request, model)))
        if protocol != "responses":
            found.append(Ask(self.path(), self.body(request, model)))
        return found

    def body(self, request: LLMRequest, model: str) -> dict[str, Any]:
        """The Chat Completions request, without what the model refuses."""
        body = super().body(request, model)
        family = self.family(model)
        effort = self._effort(request, family)
        if request.tools and tools_only_without_effort(family):
            effort = "none"
        body.pop("reasoning_effort", None)
        if effort is not None:
            body["reasoning_effort"] = effort
        if reasons(family):
            body.pop("stop", None)
        if not samples(family, effort):
            for name in ("temperature", "top_p"):
                body.pop(name, None)
        if self.is_official:
            body["store"] = False
        if self.is_openai and request.conversation_id:
            body["prompt_cache_key"] = request.conversation_id
        return body

    def messages(self, messages: Sequence[Message], model: str) -> list[dict[str, Any]]:
        """The turns; reasoning models at OpenAI call the system's role developer."""
        turns = super().messages(messages, model)
        if self.is_official and reasons(self.family(model)):
            for turn in turns:
                turn["role"] = "developer" if turn["role"] == "system" else turn["role"]
        return turns

    def responses_body(self, request: LLMRequest, model: str) -> dict[str, Any]:
        """The Responses request: nothing is stored there, so reasoning comes along encrypted for tool loops."""
        family = self.family(model)
        effort = self._effort(request, family)
        fields = self._prompt(request, model)
        limit = request.max_tokens or self.config.max_tokens
        fields["max_output_tokens"] = max(limit, MIN_OUTPUT_TOKENS) if limit and self.is_openai else limit
        if samples(family, effort):
            fields["temperature"] = self.config.temperature if request.temperature is None else request.temperature
            fields["top_p"] = request.top_p
        if reasons(family) and effort != "none":
            fields["include"] = ["reasoning.encrypted_content"]
        if self.is_openai:
            fields["prompt_cache_key"] = request.conversation_id
        return {
            "stream": True,
            "store": False,
            **{name: value for name, value in fields.items() if value not in (None, "")},
        }

    def counts(self, request: LLMRequest, model: str) -> Sequence[Ask]:
        """The paths of the protocols that may answer here."""
        found: list[Ask] = []
        has_responses = all(path.partition("?")[0] != _responses.PATH for path in self._no_paths)
        if has_responses and self.config.protocol != "chat":
            prompt = {name: value for name, value in self._prompt(request, model).items() if value}
            found.append(Ask(f"{_responses.PATH}/input_tokens", prompt))
        if not self.is_official and self.config.protocol != "responses":
            found += super().counts(request, model)
        return found

    def find_problem(self, payload: Mapping[str, Any], reply: Reply, *, midstream: bool) -> Problem | None:
        """The error in a payload of either protocol."""
        problem = _responses.read_response_problem(payload, reply.status, midstream=midstream)
        return problem or super().find_problem(payload, reply, midstream=midstream)

    def read_event(self, payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
        """Take one event of either protocol into the answer."""
        if _responses.speaks_responses(payload):
            return _responses.read_response_event(payload, answer)
        return super().read_event(payload, answer)

    def read_whole(self, payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
        """Take an answer that came in one piece."""
        if _responses.speaks_responses(payload) or isinstance(payload.get("output"), list):
            return _responses.read_response(payload, answer)
        return super().read_whole(payload, answer)

    def _prompt(self, request: LLMRequest, model: str) -> dict[str, Any]:
        """What a prompt's tokens come from."""
        family = self.family(model)
        effort = self._effort(request, family)
        instructions, items = _responses.response_input(request.messages, self.config.kind, model)
        reasoning = {"summary": "auto"} if reasons(family) and effort != "none" else {}
        if effort is not None:
            reasoning["effort"] = effort
        return {
            "model": model,
            "input": items,
            "instructions": instructions,
            "tools": _responses.response_tools(request) or None,
            "reasoning": reasoning or None,
        }

    def _effort(self, request: LLMRequest, family: str) -> str | None:
        """The effort to ask for; a model of OpenAI's that does not reason refuses every one."""
        if self.is_official and not reasons(family):
            return None
        return nearest_effort(family, request.effort or self.config.effort)
