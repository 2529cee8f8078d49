"""A Chat Completions request as a request of ours.

What would make another answer of it and cannot be done here (several choices, a JSON schema, a tool that must be
called) is refused by name, as OpenAI refuses what a model cannot do. What is only advice, or unknown, is left out and
named in the answer (``vpa.ignored``): a new field of a client is no reason for no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

from vpa_desktop.messages import Effort, LLMRequest, Priority
from vpa_desktop.serve.content import messages_of, parsed, rejected, stop_of, tools_of

EFFORTS: Final = get_args(Effort)
READ: Final = frozenset(
    "model messages stream stream_options tools tool_choice temperature top_p max_tokens max_completion_tokens stop "
    "reasoning_effort n response_format logprobs modalities frequency_penalty presence_penalty logit_bias audio "
    "functions function_call web_search_options top_logprobs user".split()
)
"""The fields that are heeded, or refused where they ask for what cannot be done; and the client's own user name."""

NEUTRAL: Final[Mapping[str, Callable[[Any], bool]]] = {
    "n": lambda value: value == 1,
    "response_format": lambda value: value == {"type": "text"},
    "logprobs": lambda value: value is False,
    "top_logprobs": lambda value: value == 0,
    "modalities": lambda value: value == ["text"],
    "frequency_penalty": lambda value: value == 0,
    "presence_penalty": lambda value: value == 0,
    "logit_bias": lambda value: value == {},
    "audio": lambda value: False,
    "functions": lambda value: value == [],
    "function_call": lambda value: value in ("auto", "none"),
    "web_search_options": lambda value: False,
    "tool_choice": lambda value: value in ("auto", "none"),
}
"""Fields that are taken only where they ask for what is done anyway."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as read. ``model`` is the name the client gave; ``ignored`` the fields that were left out."""

    request: LLMRequest
    model: str = ""
    streams: bool = False
    include_usage: bool = False
    ignored: tuple[str, ...] = ()


def read_request(body: bytes) -> Asked:
    """Return what was asked; raises RequestRejected with the field's name. May take milliseconds for big pictures."""
    fields = {name: value for name, value in parsed(body).items() if value is not None}
    _refuse_what_cannot_be_done(fields)
    options = fields.get("stream_options", {})
    if not isinstance(options, dict):
        raise rejected("“stream_options” has to be an object", "stream_options", "invalid_type")
    tools = () if fields.get("tool_choice") == "none" else tools_of(fields.get("tools"))
    limit = "max_completion_tokens" if "max_completion_tokens" in fields else "max_tokens"
    request = LLMRequest(
        messages_of(fields.get("messages")),
        max_tokens=_whole(fields, limit),
        temperature=_number(fields, "temperature", 2),
        top_p=_number(fields, "top_p", 1),
        stop=stop_of(fields.get("stop")),
        tools=tools,
        effort=_effort(fields.get("reasoning_effort")),
    )
    model = fields.get("model", "")
    if not isinstance(model, str):
        raise rejected("“model” has to be a text", "model", "invalid_type")
    return Asked(
        request,
        model.strip(),
        _switch(fields, "stream"),
        _switch(options, "include_usage"),
        tuple(sorted(name[:64] for name in fields if name not in READ)),
    )


def with_caller(asked: Asked, user: str, priority: str) -> Asked:
    """The same with who asks, and whether somebody waits; raises RequestRejected for an unknown priority."""
    if priority not in get_args(Priority):
        known = " or ".join(get_args(Priority))
        raise rejected(f"The header X-VPA-Priority can be {known}", "X-VPA-Priority")
    chosen: Priority = "background" if priority == "background" else "chat"
    return replace(asked, request=replace(asked.request, user_id=user, priority=chosen))


def _refuse_what_cannot_be_done(fields: Mapping[str, Any]) -> None:
    for name, is_neutral in NEUTRAL.items():
        if name in fields and not is_neutral(fields[name]):
            raise rejected(
                f"“{name}” cannot be anything but its default here", name, "unsupported_parameter", "Leave it out"
            )


def _whole(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise rejected(f"“{name}” has to be a whole number", name, "invalid_type")
    if value < 1:
        raise rejected(f"“{name}” has to be 1 or more", name, "integer_below_min_value")
    return value


def _number(fields: Mapping[str, Any], name: str, most: int) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise rejected(f"“{name}” has to be a number", name, "invalid_type")
    if not 0 <= value <= most:
        code = "decimal_above_max_value" if value > most else "decimal_below_min_value"
        raise rejected(f"“{name}” has to be from 0 to {most}", name, code)
    return float(value)


def _switch(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name, False)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise rejected(f"“{name}” has to be true or false", name, "invalid_type")


def _effort(value: Any) -> Effort | None:
    if value is None:
        return None
    if value not in EFFORTS:
        raise rejected(f"“reasoning_effort” can be {', '.join(EFFORTS)}", "reasoning_effort")
    chosen: Effort = value
    return chosen
