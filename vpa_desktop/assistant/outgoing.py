"""The outgoing guard: secrets in a prompt become placeholders before it leaves, and come back in the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from vpa_desktop.messages import Message
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
        return tuple(replace(m, content=self._masked(m.content)) for m in messages)

    def _masked(self, text: str) -> str:
        for secret in sorted(find_secrets(text), key=lambda s: -s.start):
            if not secret.must_mask:
                continue
            value = text[secret.start : secret.end]
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

    def _restored(self, text: str) -> str:
        by_placeholder = {placeholder: value for value, placeholder in self._placeholders.items()}
        return re.sub(r"\[SECRET_\d+\]", lambda m: by_placeholder.get(m[0], m[0]), text)
