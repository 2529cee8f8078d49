"""Our requests beside those that Google's and Ollama's own clients send: equal, but for differences with a reason."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest

from tests.providers.rawserver import STREAM_HEAD, reply, serving
from tests.wire import KIT, outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.messages import ImageData, LLMRequest, Message, ToolCall, ToolSpec
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
SAFETY = "which filter is wanted is Google's default here, not ours to switch off"
NAMES = "both spellings are read (JSON of protocol buffers); ours is the one the reference documents"
GEMINI = {
    "systemInstruction.role": "instructions have no role; the reference does not ask for one",
    "safetySettings": SAFETY,
    "contents.0.parts.0.inlineData.data": "the same picture, written anew without whatever else was in its file",
    "contents.0.parts.0.inlineData.mime_type": NAMES,
    "contents.0.parts.0.inlineData.mimeType": NAMES,
    "tools.0.functionDeclarations.0.parameters_json_schema": NAMES,
    "tools.0.functionDeclarations.0.parametersJsonSchema": NAMES,
    "generationConfig.thinkingConfig.include_thoughts": NAMES,
    "generationConfig.thinkingConfig.includeThoughts": NAMES,
    "generationConfig.thinkingConfig.thinking_level": NAMES,
    "generationConfig.thinkingConfig.thinkingLevel": NAMES,
}
OLLAMA = {
    "messages.1.images.0": "the same picture, written anew without whatever else was in its file",
    "truncate": "a prompt that is too long shall be an error and not lose its beginning without a word",
    "options.seed": "nothing here asks for repeatable sampling",
    "messages.2.content": "an empty text is as good as none, and every version takes it",
    "messages.2.tool_calls.0.id": "the id tells two calls of one function apart; Ollama's client leaves it out",
    "messages.3.tool_call_id": "as above, for the result",
}
"""Where the two differ -> why they may."""


def talk(call_id: str, signature: str = "") -> LLMRequest:
    return LLMRequest(
        (
            Message("system", "Be brief."),
            Message("user", "What is this?", images=(ImageData("image/png", base64.b64decode(PNG)),)),
            Message("assistant", "", tool_calls=(ToolCall(call_id, "get_weather", '{"city":"Kiel"}', signature),)),
            Message("tool", "12 C", tool_call_id=call_id),
        ),
        temperature=0.2,
        max_tokens=512,
        tools=(ToolSpec("get_weather", "d", CITY),),
        effort="low",
    )


def recorded(name: str) -> Any:
    file = KIT / "requests" / f"{name}.json"
    if not file.is_file():
        pytest.skip("the recorded requests (../shared/wire/requests) are not here")
    return json.loads(file.read_text(encoding="utf-8"))


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """The paths at which two JSON values differ; a part that only one has counts as one difference."""
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        ours, theirs = ({str(i): entry for i, entry in enumerate(side)} for side in (ours, theirs))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted({*ours, *theirs}):
            here = f"{path}.{name}".lstrip(".")
            if name in ours and name in theirs:
                yield from differences(ours[name], theirs[name], here)
            else:
                yield here
    elif ours != theirs:
        yield path


def same_picture(data: str) -> bool:
    """Whether the pixels are those of the recorded picture."""
    from PIL import Image

    sent, recorded = (Image.open(BytesIO(base64.b64decode(text))).convert("RGBA") for text in (data, PNG))
    return sent.size == recorded.size and sent.tobytes() == recorded.tobytes()


@pytest.mark.parametrize("version", ["v1", "v1beta"])
async def test_gemini(http: HttpSession, version: str) -> None:
    theirs = recorded(f"gemini_rich_{version}")
    done = STREAM_HEAD + b'data: {"candidates": [{"finishReason": "STOP"}]}\n\n'
    async with serving(done) as server:
        config = LLMProviderConfig(
            "google", "gemini-3.8-flash", api_key="k", api_endpoint=server.url, api_version=version
        )
        assert (await outcome(build_provider(config, http), talk("fc-1", "Q29udGQ="))).error is None
    head, body = server.requests[0].lower(), server.bodies[0]
    assert head.startswith(f"{theirs['method']} {theirs['path']} ".lower())
    assert "\r\nx-goog-api-key: k\r\n" in head
    assert set(differences(body, theirs["body"])) == set(GEMINI)
    assert same_picture(body["contents"][0]["parts"][0]["inlineData"]["data"])
    assert body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"] == CITY
    assert body["generationConfig"]["thinkingConfig"] == {"includeThoughts": True, "thinkingLevel": "LOW"}


async def test_gemini_count(http: HttpSession) -> None:
    theirs = recorded("gemini_count_tokens")
    async with serving(reply("200 OK", "application/json", b'{"totalTokens": 2}')) as server:
        config = LLMProviderConfig(
            "google", "gemini-3.8-flash", api_key="k", api_endpoint=server.url, api_version="v1beta"
        )
        provider = build_provider(config, http)
        assert (await provider.count_tokens(LLMRequest((Message("user", "hi"),)))).tokens == 2
        await provider.count_tokens(LLMRequest((Message("system", "Be brief."), Message("user", "hi"))))
    assert server.requests[0].startswith(f"{theirs['method']} {theirs['path']} ")
    assert server.bodies[0] == theirs["body"]
    whole = server.bodies[1]["generateContentRequest"]
    assert whole["model"] == "models/gemini-3.8-flash"
    assert whole["systemInstruction"] == {"parts": [{"text": "Be brief."}]}


async def test_ollama(http: HttpSession) -> None:
    theirs = recorded("ollama_rich")
    shown = reply("200 OK", "application/json", b'{"capabilities": ["completion", "thinking", "vision"]}')
    line = reply("200 OK", "application/x-ndjson", b'{"done": true, "done_reason": "stop"}\n')
    async with serving(shown, line) as server:
        config = LLMProviderConfig("ollama", "qwen3", api_endpoint=server.url, context_tokens=8_192)
        assert (await outcome(build_provider(config, http), talk("c-1"))).error is None
    assert server.requests[1].startswith(f"{theirs['method']} {theirs['path']} ")
    assert set(differences(server.bodies[1], theirs["body"])) == set(OLLAMA)
    assert same_picture(server.bodies[1]["messages"][1]["images"][0])
    assert server.bodies[1]["truncate"] is False
