"""Lets the model write a follow-up question as one that stands alone, where the person allows it.

A request of its own, so it costs: masked, limited, kept on this computer and booked as any other. Where it fails or
takes long, the rule's words are searched for instead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from vpa_desktop.assistant.outgoing import OutgoingGuard
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import VPAError
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.gateway.permission import leads_away
from vpa_desktop.messages import LLMRequest, Message, RouteDone

log = logging.getLogger(__name__)

WAIT_S: Final = 8.0
LONGEST: Final = 400
_LAST: Final = 4
_TASK: Final = (
    "Write the last question of a conversation so that it can be understood alone: put in what it refers to. Answer "
    "with that question only, in its language. Do not answer it."
)


class Rewriter:
    """Asks the model that will answer. ``is_unfit`` names providers that cannot do it."""

    def __init__(
        self,
        manager: LLMProviderManager,
        provider: str | None,
        is_unfit: Callable[[LLMProviderConfig], bool],
        *,
        local_only: bool,
        masks: bool,
        user_id: str,
    ) -> None:
        self._manager = manager
        self._provider = provider
        self._is_unfit = is_unfit
        self._local_only = local_only
        self._masks = masks
        self._user_id = user_id

    async def __call__(self, question: str, before: Sequence[str]) -> str:
        """Returns the question as one that stands alone; empty where that could not be had."""
        try:
            async with asyncio.timeout(WAIT_S):
                return await self._asked(question, before)
        except (VPAError, TimeoutError) as exc:
            log.info("the follow-up question is searched for by rule: %s", exc)
            return ""

    async def _asked(self, question: str, before: Sequence[str]) -> str:
        earlier = "\n".join(f"- {' '.join(each.split())[:LONGEST]}" for each in before[-_LAST:])
        asked = f"Earlier questions:\n{earlier}\n\nLast question: {question}"
        messages = (Message("system", _TASK), Message("user", asked))
        request = LLMRequest(messages, max_tokens=120, local_only=self._local_only, user_id=self._user_id)
        route = self._manager.route(request, self._provider)
        if not route or self._is_unfit(route[0].config):
            return ""
        guard = OutgoingGuard()
        if self._masks and leads_away(route, request, self._manager.model_owner(self._provider, route)):
            request = replace(request, messages=guard.mask(messages))
        async with aclosing(self._manager.stream(request, route=route)) as events:
            async for event in events:
                if isinstance(event, RouteDone):
                    return guard.whole(_one_line(event.response.content))
        return ""


def _one_line(answer: str) -> str:
    """The first line of the answer; empty where it is too long to be a question."""
    lines = [line.strip().strip('"“”') for line in answer.splitlines() if line.strip()]
    return lines[0] if lines and len(lines[0]) <= LONGEST else ""
