"""Messages and tools of a Chat Completions request, as values of ours. Fetches nothing: pictures come as data URLs."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from vpa_desktop.errors import RequestRejected
from vpa_desktop.messages import ImageData, Message, Role, ToolCall, ToolSpec

ROLES: Final[Mapping[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
IMAGE_TYPES: Final = ("image/png", "image/jpeg", "image/webp", "image/gif")
TOOLS_MAX: Final = 128
DEPTH_MAX: Final = 64
"""How deep a tool's JSON schema may go."""

_DATA_URL: Final = re.compile(r"data:([a-z]+/[a-z0-9.+-]+)(?:;[^,;]*)*;base64,", re.IGNORECASE)
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")
_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


def rejected(message: str, param: str, code: str = "invalid_value", next_step: str = "") -> RequestRejected:
    """The error for a field that cannot be used."""
    return RequestRejected(message, next_step=next_step, status=400, code=code, param=param)


def messages_of(value: Any) -> tuple[Message, ...]:
    """The turns of a request; raises RequestRejected."""
    if not isinstance(value, list) or not value:
        raise rejected("“messages” has to be a list with a message in it", "messages", "missing_required_parameter")
    return tuple(_message(turn, f"messages[{n}]") for n, turn in enumerate(value))


def _message(turn: Any, where: str) -> Message:
    if not isinstance(turn, dict):
        raise rejected(f"{where} is not an object", where, "invalid_type")
    said = turn.get("role")
    role = ROLES.get(said) if isinstance(said, str) else None
    if role is None:
        raise rejected(f"{where}.role can be {', '.join(ROLES)}", f"{where}.role")
    calls = _calls(turn.get("tool_calls"), where) if role == "assistant" else ()
    text, images = _content(turn.get("content"), f"{where}.content", may_be_empty=role == "assistant")
    answers = turn.get("tool_call_id")
    if role == "tool" and not isinstance(answers, str):
        raise rejected(f"{where} needs tool_call_id", f"{where}.tool_call_id", "missing_required_parameter")
    return Message(role, text, images, calls, answers if role == "tool" else None)


def _content(value: Any, where: str, *, may_be_empty: bool) -> tuple[str, tuple[ImageData, ...]]:
    if isinstance(value, str):
        return value, ()
    if value is None and may_be_empty:
        return "", ()
    if not isinstance(value, list):
        raise rejected(f"{where} has to be a text or a list of parts", where, "invalid_type")
    texts: list[str] = []
    images: list[ImageData] = []
    for n, part in enumerate(value):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("text", "refusal") and isinstance(part.get(kind), str):
            texts.append(part[kind])
        elif kind == "image_url":
            images.append(_image(part.get("image_url"), f"{where}[{n}].image_url"))
        else:
            raise rejected(f"{where}[{n}] is neither a text nor a picture", f"{where}[{n}]", "unsupported_value")
    return "\n".join(texts), tuple(images)


def _image(value: Any, where: str) -> ImageData:
    url = value.get("url") if isinstance(value, dict) else value
    found = _DATA_URL.match(url) if isinstance(url, str) else None
    if not isinstance(url, str) or found is None:
        raise rejected(
            f"{where} is no data: URL with base64. Nothing is fetched from the net here", where, "invalid_image_url",
            "Send the picture itself",
        )  # fmt: skip
    media_type = found[1].lower().replace("image/jpg", "image/jpeg")
    if media_type not in IMAGE_TYPES:
        raise rejected(f"{where} is {media_type}. Taken are {', '.join(IMAGE_TYPES)}", where, "invalid_image_format")
    try:
        return ImageData(media_type, base64.b64decode(url[found.end() :], validate=True))
    except (binascii.Error, ValueError) as exc:
        raise rejected(f"{where} is not base64", where, "invalid_base64") from exc


def _calls(value: Any, where: str) -> tuple[ToolCall, ...]:
    if value is None:
        return ()
    found = []
    for n, call in enumerate(value if isinstance(value, list) else [None]):
        function = call.get("function") if isinstance(call, dict) else None
        name, arguments = (function.get("name"), function.get("arguments")) if isinstance(function, dict) else (0, 0)
        call_id = call.get("id") if isinstance(call, dict) else None
        if not (isinstance(name, str) and isinstance(arguments, str) and isinstance(call_id, str)):
            place = f"{where}.tool_calls[{n}]"
            raise rejected(f"{place} is no call of a function with an id, a name and arguments", place, "invalid_type")
        found.append(ToolCall(call_id, name, arguments))
    return tuple(found)


def tools_of(value: Any) -> tuple[ToolSpec, ...]:
    """The functions a model may ask for; raises RequestRejected."""
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > TOOLS_MAX:
        raise rejected(f"“tools” has to be a list of at most {TOOLS_MAX} functions", "tools", "invalid_type")
    return tuple(_tool(tool, f"tools[{n}]") for n, tool in enumerate(value))


def _tool(value: Any, where: str) -> ToolSpec:
    function = value.get("function") if isinstance(value, dict) and value.get("type") == "function" else None
    if not isinstance(function, dict):
        raise rejected(f"{where} is not a function", where, "unsupported_value")
    name, description = function.get("name"), function.get("description") or ""
    parameters = function.get("parameters") or {"type": "object", "properties": {}}
    if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
        raise rejected(f"{where}.function.name is no name", f"{where}.function.name")
    if not isinstance(description, str) or not isinstance(parameters, dict):
        raise rejected(f"{where} needs a description and a JSON schema", where, "invalid_function_parameters")
    if _is_too_deep(parameters):
        raise rejected(f"{where} has a schema of more than {DEPTH_MAX} levels", where, "invalid_function_parameters")
    return ToolSpec(name, description, parameters)


def _is_too_deep(value: Any) -> bool:
    """True for what those who come after could not walk through, each in its own way."""
    level = [value]
    for _ in range(DEPTH_MAX):
        inner = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list))]
        level = [each for values in inner for each in values]
        if not level:
            return False
    return True


def stop_of(value: Any) -> tuple[str, ...]:
    """The words an answer stops at; raises RequestRejected."""
    words: Sequence[Any] = [value] if isinstance(value, str) else value if isinstance(value, list) else ()
    if value is not None and (len(words) > 4 or not all(isinstance(word, str) for word in words) or words == ()):
        raise rejected("“stop” has to be a text, or a list of at most four", "stop", "invalid_type")
    return tuple(words)


def parsed(body: bytes) -> Mapping[str, Any]:
    """The body as an object; raises RequestRejected."""
    try:
        text = body.decode("utf-8-sig")
        value = json.loads(text)
        if _HALF.search(text):  # most are halves of a pair; one alone can be sent nowhere
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        raise RequestRejected("The body is not JSON", status=400, code="invalid_json") from exc
    if not isinstance(value, dict):
        raise RequestRejected("The body is not a JSON object", status=400, code="invalid_type")
    return value
