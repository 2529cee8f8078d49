"""The one place where a request goes to the gateway: masked as in the window, answered by the same router.

Knows nothing of HTTP. What is asked is never written down.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from vpa_desktop.assistant.outgoing import OutgoingGuard
from vpa_desktop.config import Settings
from vpa_desktop.gateway.answer_desk import AnswerDesk
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.gateway.permission import leads_away
from vpa_desktop.messages import GatewayEvent, LLMRequest, RouteDone, Seam, TextDelta
from vpa_desktop.serve.names import Choice


class Desk:
    """Answers requests of the endpoint. ``settings`` is asked each time, so that a change counts at once.

    ``answers`` gives kept answers and lets those who ask the same share one; without it every answer is bought.
    """

    def __init__(
        self, manager: LLMProviderManager, settings: Callable[[], Settings], answers: AnswerDesk | None = None
    ) -> None:
        self._manager = manager
        self._settings = settings
        self._answers = answers

    async def stream(
        self, request: LLMRequest, choice: Choice, *, fresh: bool = False, keep: bool = True
    ) -> AsyncGenerator[GatewayEvent, None]:
        """Yield the gateway's events with the person's secrets back in; raises VPAError.

        ``fresh`` asks though the answer is kept; without ``keep`` none is looked for and this one leaves nothing.
        """
        manager, guard = self._manager, OutgoingGuard()
        request = replace(request, model=choice.model)
        await manager.learn_prices(request)
        route = manager.route(request, choice.provider)
        owner = manager.model_owner(choice.provider, route)
        if self._settings().privacy.redact_outgoing and leads_away(route, request, owner):
            request = replace(request, messages=guard.mask(request.messages))
        if self._answers is not None:
            keep = keep and not guard.kinds  # the same placeholder may hide two secrets
            asked = self._answers.stream(request, route=route, model_for=owner, fresh=fresh, keep=keep)
        else:
            asked = manager.stream(request, route=route, model_for=owner)
        async with aclosing(asked) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    if text := guard.restore(event.text):
                        yield TextDelta(text)
                    continue
                if isinstance(event, RouteDone):
                    if rest := guard.rest():
                        yield TextDelta(rest)
                    yield RouteDone(guard.restored_answer(event.response))
                    continue
                if isinstance(event, Seam) and event.restarts:
                    guard.rest()  # half a placeholder of the text that is given up
                yield event
