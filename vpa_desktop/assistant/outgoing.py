"""The outgoing guard: secrets in a prompt become placeholders before it leaves, and come back in the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from vpa_desktop.messages import LLMResponse, Message, ToolCall
from vpa_desktop.security.redaction import find_secrets

_LONGEST_PLACEHOLDER: Final = len("[SECRET_9999]")


@dataclass(slots=True)
class OutgoingGuard:
    """Masks one prompt and restores its answer; the same secret gets the same placeholder."""

    kinds: list[str] = field(default_factory=list)
    _placeholders: dict[str, str] = field(default_factory=dict)
    _held: str = ""

    def mask(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """Return the prompt with every secret replaced; what kinds were found stands in ``kinds``."""
        return tuple(
            replace(m, content=self._masked(m.content), tool_calls=tuple(self._masked_call(c) for c in m.tool_calls))
            for m in messages
        )

    def _masked_call(self, call: ToolCall) -> ToolCall:
        return replace(call, arguments=self._masked(call.arguments, in_json=True))

    def _masked(self, text: str, *, in_json: bool = False) -> str:
        for secret in sorted(find_secrets(text), key=lambda s: -s.start):
            if not secret.must_mask:
                continue
            written = text[secret.start : secret.end]
            value = _out_of_json(written) if in_json else written
            if value not in self._placeholders:
                self._placeholders[value] = f"[SECRET_{len(self._placeholders) + 1}]"
                self.kinds.append(secret.kind)
            text = text[: secret.start] + self._placeholders[value] + text[secret.end :]
        return text

    def restore(self, piece: str) -> str:
        """Return the next piece of the answer with the secrets back in; a placeholder cut in two is held back."""
        if not self._placeholders:
            return piece
        text = self._held + piece
        self._held = ""
        cut = text.rfind("[")
        if cut >= 0 and "]" not in text[cut:] and len(text) - cut < _LONGEST_PLACEHOLDER:
            text, self._held = text[:cut], text[cut:]
        return self._restored(text)

    def rest(self) -> str:
        """Return what was held back at the end."""
        held, self._held = self._held, ""
        return self._restored(held)

    def whole(self, text: str) -> str:
        """Return a whole text with the secrets back in."""
        return self._restored(text)

    def restored_answer(self, answer: LLMResponse) -> LLMResponse:
        """Return a whole answer with the secrets back in its text and in the arguments of its calls."""
        if not self._placeholders:
            return answer
        calls = tuple(replace(c, arguments=self._restored(c.arguments, in_json=True)) for c in answer.tool_calls)
        return replace(answer, content=self._restored(answer.content), tool_calls=calls)

    def _restored(self, text: str, *, in_json: bool = False) -> str:
        by_placeholder = {
            placeholder: json.dumps(value)[1:-1] if in_json else value
            for value, placeholder in self._placeholders.items()
        }
        return re.sub(r"\[SECRET_\d+\]", lambda m: by_placeholder.get(m[0], m[0]), text)


def _out_of_json(text: str) -> str:
    """What a piece of a JSON string stands for; the piece itself where it is none."""
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text
