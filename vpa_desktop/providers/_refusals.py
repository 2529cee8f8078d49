"""Fields of a request that a server refuses: which one it means, why, and the request without it. No network.

Servers name a field in very different ways: a parameter ("reasoning.effort"), a validation error's place, or only in
prose. A field that a model does not know is another matter than a value that it does not take.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from vpa_desktop.providers._failures import Problem

LIMITS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
VALUE_CODES: Final = re.compile(
    r"invalid_(?:value|type)|unsupported_value|_(?:above|below)_|too_(?:long|short|large|small)"
    r"|greater_than|less_than|literal_error|enum|_type$|_parsing$"
)
"""Codes, and types of validation errors, that are about a value."""

UNKNOWN_CODES: Final = frozenset(
    {"unsupported_parameter", "unknown_parameter", "unrecognized_parameter", "unknown_field", "extra_forbidden"}
)
UNKNOWN_WORDS: Final = re.compile(
    r"(?:unsupported|unknown|unrecognized|unrecognised|unexpected)"
    r" (?:request )?(?:keyword )?(?:parameter|field|name|argument|key|property)"
    r"|extra (?:inputs|fields)|extra_forbidden|additional properties"
    r"|not support the \w+ (?:parameter|field)|(?:parameter|field|argument) \S+ is not (?:supported|permitted|allowed)"
    r"|(?:is|are) not enabled|only the default",
    re.IGNORECASE,
)
"""How a message says that the field itself is not taken, whatever it holds."""

QUOTATION: Final = re.compile(r"(?<!\w)(?:'[^']*\s[^']*'|\"[^\"]*\s[^\"]*\"|`[^`]*\s[^`]*`)(?!\w)")
"""Several words in quotes: what the person wrote, not the name of a field."""

NEXT_TO: Final = (
    r"['\"`](?:[\w.]+\.)?{0}['\"`]",
    r"(?:field|parameter|argument|input|supplied|key|property)s?(?:\(s\))?:? {0}\b",
    r"(?:unsupported|unknown|unrecognized|unrecognised|unexpected|extra|invalid)(?: value)?(?: for)?:? {0}\b",
    r"\b{0} (?:parameter|field|argument)\b",
    r"\b{0}(?: value)?:? (?:(?:is|are) (?:not|un|in|too|only|out|deprecated|forbidden)"
    r"|does not|must|cannot|may not|should)",
    r"^(?:[\w.]+\.)?{0}\s*(?::|$)",
    r"\bbody\.{0}\b|\b{0}=",
)
"""Where a name in prose is a field's and not a word of somebody's text."""

PLAIN_WORDS: Final = frozenset({"stop", "store", "include", "reasoning", "text", "think", "user"})
"""Names that are ordinary words too: what follows them says nothing of the field."""

NAMED_LIMIT: Final = re.compile(
    r"(?:>|<=|at most|up to|no more than|less than or equal to|maximum(?: allowed)?(?: value)?(?: of| is)?)"
    r" ?[`'\"]?(\d{1,9})\b",
    re.IGNORECASE,
)
VALUE_CHARS: Final = 200
"""Longer values are not kept: asking once more costs less."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A field that was refused: itself ("field"), what it held ("value"), or nobody said which ("unclear").

    ``held`` is the value as JSON; ``most`` is the limit the server named instead.
    """

    name: str
    about: Literal["field", "value", "unclear"]
    held: str | None = None
    most: int | None = None


@dataclass(slots=True)
class Learnt:
    """What one model refused so far: values as they were, and the most tokens it gives."""

    values: set[tuple[str, str]] = field(default_factory=set)
    most: int | None = None

    def refused_in(self, body: Mapping[str, Any]) -> frozenset[str]:
        """The fields of a body that hold just what was refused before."""
        return frozenset(
            name for name, held in self.values if any(held_by(body, same) == held for same in _same_as(name))
        )

    def add(self, refusal: Refusal) -> None:
        """Remember a value, or the limit, once another request without it was taken."""
        if refusal.most is not None:
            self.most = min(refusal.most, self.most or refusal.most)
        elif refusal.held is not None and len(refusal.held) <= VALUE_CHARS:
            self.values |= {(name, refusal.held) for name in left_out(refusal)}


def understood(problem: Problem, name: str, body: Mapping[str, Any], sent: Mapping[str, Any]) -> Refusal:
    """What the refusal of this field means for the next request."""
    held = held_by(body, name) or held_by(sent, name)
    words = {problem.code or "", problem.kind or "", _detail_type(problem.fields)}
    if words & UNKNOWN_CODES:
        return Refusal(name, "field", held)
    most = _named_limit(problem.message, sent.get(name)) if name in LIMITS else None
    if most is not None or any(VALUE_CODES.search(word) for word in words):
        default_only = "only the default" in problem.message.lower()
        return Refusal(name, "field" if default_only else "value", held, most)
    told = held is None or UNKNOWN_WORDS.search(without_quotations(problem.message))
    return Refusal(name, "field" if told else "unclear", held)


def left_out(refusal: Refusal) -> frozenset[str]:
    """What goes out of the request: a limit of the wrong size is as wrong under its other name."""
    if refusal.most is not None:
        return frozenset()
    return frozenset(_same_as(refusal.name) if refusal.about == "value" else (refusal.name,))


def within(body: dict[str, Any], most: int | None) -> dict[str, Any]:
    """The body with no length limit above the one the server named."""
    if most is None:
        return body
    above = (name for name in LIMITS if isinstance(body.get(name), int) and body[name] > most)
    return {**body, **dict.fromkeys(above, most)}


def refused_field(problem: Problem, sent: Mapping[str, Any], optional: Sequence[str]) -> str | None:
    """The optional field a 400 or 422 names as unwelcome, by its parameter or by its literal name."""
    if problem.status not in (400, 422) or problem.classify() != "invalid_request":
        return None
    names = [name for name in optional if held_by(sent, name) is not None]
    if problem.param is not None:
        place = re.split(r"[.\[]", problem.param)
        return next((name for size in (2, 1) for name in names if name.split(".") == place[:size]), None)
    message = without_quotations(problem.message)
    found = [(at, -len(name), name) for name in names if (at := _mentioned(name, message)) is not None]
    return min(found)[2] if found else None


def without_fields(body: Mapping[str, Any], refused: Iterable[str]) -> dict[str, Any]:
    """The body without these fields; a dotted name takes one out of an object, and the object where nothing is left."""
    kept = dict(body)
    for name in refused:
        outer, _, inner = name.partition(".")
        if not inner:
            kept.pop(outer, None)
        elif isinstance(kept.get(outer), dict):
            kept[outer] = {key: value for key, value in kept[outer].items() if key != inner}
            if not kept[outer]:
                del kept[outer]
    return kept


def held_by(body: Mapping[str, Any], name: str) -> str | None:
    """What the field holds, as JSON; None where it is not there."""
    found: Any = body
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return None if found is None else json.dumps(found, sort_keys=True)


def without_quotations(message: str) -> str:
    """The message without what it quotes of the person's own words."""
    return QUOTATION.sub("...", message)


def _same_as(name: str) -> Sequence[str]:
    """The names the field has in Chat Completions."""
    return LIMITS[:2] if name in LIMITS[:2] else (name,)


def _mentioned(name: str, message: str) -> int | None:
    """Where a message speaks of the field, None where it does not."""
    last = name.rpartition(".")[2]
    forms = [form for form in NEXT_TO if not (last in PLAIN_WORDS and "does not" in form)]
    words = re.escape(name) if name == last else f"(?:{re.escape(name)}|{re.escape(last)})"
    found = re.search("|".join(form.format(words) for form in forms), message, re.MULTILINE | re.IGNORECASE)
    return found.start() if found else None


def _named_limit(message: str, sent: Any) -> int | None:
    """The number a refusal names as the most, where it is one and less than what was sent."""
    if not isinstance(sent, int):
        return None
    return next((most for found in NAMED_LIMIT.findall(message) if 0 < (most := int(found)) < sent), None)


def _detail_type(fields: Mapping[str, Any]) -> str:
    """The type of the first validation error of the FastAPI kind."""
    message = fields.get("message")
    detail = fields.get("detail") or (message.get("detail") if isinstance(message, Mapping) else message)
    first = detail[0] if isinstance(detail, list) and detail else None
    found = first.get("type") if isinstance(first, Mapping) else None
    return found if isinstance(found, str) else ""
