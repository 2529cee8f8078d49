"""AnswerCache: whole answers kept in memory, so that the same question in the same place is not paid for twice.

The key is everything that could change the answer: route, model, parameters, every message with its passages.
Only complete answers are kept. It lives as long as the program; nothing is written to disk.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict

from vpa_desktop.config import CacheSettings
from vpa_desktop.messages import LLMRequest, LLMResponse


class AnswerCache:
    """Least recently used goes first; entries older than ``ttl_s`` do not count. ``clock`` in monotonic seconds."""

    def __init__(self, settings: CacheSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, LLMResponse]] = OrderedDict()
        self.hits = 0
        self.misses = 0

    @property
    def hit_rate(self) -> float:
        """The share of look-ups that found something, 0 before the first."""
        looked = self.hits + self.misses
        return self.hits / looked if looked else 0.0

    def __len__(self) -> int:
        return len(self._entries)

    def key(self, request: LLMRequest, route: str) -> str:
        """Return the request's key; images count by their bytes."""
        facts = {
            "route": route,
            "model": request.model,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "stop": request.stop,
            "local_only": request.local_only,
            "messages": [
                {
                    **{k: v for k, v in asdict(m).items() if k != "images"},
                    "images": [hashlib.sha256(i.data).hexdigest() for i in m.images],
                }
                for m in request.messages
            ],
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def get(self, key: str) -> LLMResponse | None:
        """Return a kept answer, None where there is none or it is too old."""
        if not self._settings.enabled:
            return None
        found = self._entries.get(key)
        if found is None or self._clock() - found[0] > self._settings.ttl_s:
            self._entries.pop(key, None)
            self.misses += 1
            return None
        self.hits += 1
        self._entries.move_to_end(key)
        return found[1]

    def put(self, key: str, response: LLMResponse) -> None:
        """Keep an answer that ended by itself; others are not kept."""
        if not self._settings.enabled or response.finish_reason != "stop" or not response.content:
            return
        self._entries[key] = (self._clock(), response)
        self._entries.move_to_end(key)
        while len(self._entries) > self._settings.max_entries:
            self._entries.popitem(last=False)

    def clear(self) -> int:
        """Forget everything; returns how many answers that were."""
        count = len(self._entries)
        self._entries.clear()
        return count
