"""The key of a kept answer: everything that could change it, as one digest. Keeps no answer.

A conversation is digested in groups of turns, and a group that was digested before is known again by comparing its
text, which is some thirty times faster than digesting it: a long conversation costs its newest turns only.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Final

from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.messages import LLMRequest, Message

VERSION: Final = "1"
"""Another number makes every kept answer unknown: for a change of what goes into a key."""

GROUP: Final = 16
"""Turns digested together."""

SHORT: Final = 2_048
"""Characters up to which a group goes into the key as it is."""

LONG: Final = 8_192
"""Characters from which a turn is digested by itself, without being copied into its group."""

REMEMBERED: Final = 2_000_000
"""Characters of long groups whose digest is remembered."""

_CONFIGS: Final = 64


class AnswerKeys:
    """Makes keys; remembers digests of long texts and of providers' settings."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._known: OrderedDict[tuple[int, str, str], tuple[str, str]] = OrderedDict()
        self._characters = 0
        self._configs: dict[int, tuple[LLMProviderConfig, str]] = {}

    def key(
        self, request: LLMRequest, config: LLMProviderConfig, model: str, messages: Sequence[Message] | None = None
    ) -> bytes:
        """Return the key of an answer that this provider's model would give.

        ``messages`` are read in the place of the request's where those hold something new each time.
        """
        effort, local, who = request.effort, request.local_only, request.user_id
        parts = [
            VERSION,
            self._place(config),
            f"\0{model}\0{request.max_tokens!r}\0{request.temperature!r}\0{request.top_p!r}\0{effort}\0{local}\0{who}\0",
        ]
        if request.stop or request.tools:
            parts.append(json.dumps([request.stop, [asdict(tool) for tool in request.tools]], default=str))
        turns = request.messages if messages is None else messages
        for start in range(0, len(turns), GROUP):
            text = self._written(turns[start : start + GROUP])
            parts += ("\0", text) if len(text) <= SHORT else ("\1", self._digest(text))
        return sha256("".join(parts).encode("utf-8", "surrogatepass")).digest()

    def _place(self, config: LLMProviderConfig) -> str:
        """What of a provider's settings could change an answer."""
        found = self._configs.get(id(config))
        if found is not None and found[0] is config:
            return found[1]
        facts = (
            config.provider_id,
            config.kind,
            config.endpoint,
            config.api_version,
            config.deployment,
            str(config.model),
            config.model_path,
            config.protocol,
            config.effort,
            config.max_tokens,
            config.temperature,
            config.context_tokens,
        )
        if len(self._configs) >= _CONFIGS:
            self._configs.clear()
        text = repr(facts)
        self._configs[id(config)] = (config, text)
        return text

    def _written(self, turns: Sequence[Message]) -> str:
        """Turns as one text that no other turns have: every length stands before what it measures."""
        parts: list[str] = []
        for turn in turns:
            content = turn.content
            if len(content) < LONG:
                parts += (turn.role, str(len(content)), ":", content)
            else:
                parts += (turn.role, "#", self._digest(content))
            if turn.images or turn.tool_calls or turn.tool_call_id is not None or turn.carry is not None:
                rest = _rest(turn)
                parts += ("+", str(len(rest)), ":", rest)
        return "".join(parts)

    def _digest(self, text: str) -> str:
        middle = len(text) // 2
        mark = (len(text), text[:32] + text[middle : middle + 32], text[-64:])
        found = self._known.get(mark)
        if found is not None and found[0] == text:
            self._known.move_to_end(mark)
            return found[1]
        digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        if found is None:
            self._characters += len(text)
        self._known[mark] = (text, digest)
        while self._characters > self._remembered:
            _, (old, _) = self._known.popitem(last=False)
            self._characters -= len(old)
        return digest


def _rest(turn: Message) -> str:
    images = [(image.media_type, sha256(image.data).hexdigest()) for image in turn.images]
    calls = [asdict(call) for call in turn.tool_calls]
    carry = None if turn.carry is None else [turn.carry.kind, turn.carry.model, list(turn.carry.items)]
    return json.dumps([images, calls, turn.tool_call_id, carry], sort_keys=True, default=dict)
