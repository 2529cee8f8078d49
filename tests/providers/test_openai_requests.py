"""What OpenAI and Azure are sent, beside what the official SDK sends; every difference has its reason."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.wire import KIT
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import PolicyRefused
from vpa_desktop.messages import Carry, ImageData, LLMRequest, Message, ToolCall, ToolSpec
from vpa_desktop.providers._openai_models import nearest_effort, reasons, samples
from vpa_desktop.providers.azure import AzureOpenAIProvider
from vpa_desktop.providers.openai import OpenAIProvider

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
CALL_ITEM = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Kiel"}'}
RICH = LLMRequest(
    (
        Message("system", "Be brief."),
        Message("user", "What is this?", images=(ImageData("image/png", PIXEL),)),
        Message(
            "assistant",
            "",
            tool_calls=(ToolCall("call_1", "get_weather", '{"city":"Kiel"}'),),
            carry=Carry("openai", "gpt-6.1-sol", (REASONING, CALL_ITEM)),
        ),
        Message("tool", "12 C", tool_call_id="call_1"),
    ),
    max_tokens=512,
    tools=(
        ToolSpec(
            "get_weather", "d", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        ),
    ),
    effort="low",
    conversation_id="conv-1",
)
HI = LLMRequest((Message("user", "hi"),))

ALWAYS = {
    "header accept": "the session asks for an unencoded answer instead; both are answered alike",
    "body.store": "nothing is kept at the provider",
    "body.safety_identifier": "no name of a person is sent",
    "body.tool_choice": "auto is the default",
}
"""What differs everywhere, and why."""


def recorded(name: str) -> dict[str, Any]:
    path = KIT / "requests" / f"{name}.json"
    if not path.is_file():
        pytest.skip("the wire kit (../shared/wire) is not here")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def differences(ours: Any, theirs: Any, place: str) -> set[str]:
    """The places where two JSON values differ; a list as a whole counts with its elements."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        names = ours.keys() | theirs.keys()
        return {at for name in names for at in differences(ours.get(name), theirs.get(name), f"{place}.{name}")}
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return {
            at for n, (a, b) in enumerate(zip(ours, theirs, strict=True)) for at in differences(a, b, f"{place}.{n}")
        }
    return set() if ours == theirs else {place}


def compare(provider: OpenAIProvider, request: LLMRequest, name: str, reasons: dict[str, str]) -> None:
    """Assert that our request is the recorded one but for explained differences, all of which are there."""
    theirs = recorded(name)
    ask = provider.asks(request, provider.model)[0]
    base = urlsplit(provider.bases()[0]).path
    assert base + ask.path == theirs["path"]
    ours = {header.lower() for header in provider.headers()}
    found = {f"header {header}" for header in ours ^ set(theirs["headers"])}
    for place in differences(ask.body, theirs["body"], "body"):
        known = next((reason for reason in reasons if place == reason or place.startswith(reason + ".")), place)
        found.add(known)
    assert found == set(reasons)


def openai(**settings: Any) -> OpenAIProvider:
    return OpenAIProvider(LLMProviderConfig("openai", api_key="k", **{"model": "gpt-6.1-sol", **settings}))


def azure(**settings: Any) -> AzureOpenAIProvider:
    given = {"model": "my-deployment", "api_endpoint": "https://res.openai.azure.com/", "api_key": "k", **settings}
    return AzureOpenAIProvider(LLMProviderConfig("azure", **given))


def test_a_rich_chat_request() -> None:
    reasons = {
        "header accept": ALWAYS["header accept"],
        "body.store": ALWAYS["body.store"],
        "body.safety_identifier": ALWAYS["body.safety_identifier"],
        "body.tool_choice": ALWAYS["body.tool_choice"],
        "body.messages.1.content.1.image_url.detail": "auto is the default, and some servers refuse the field",
    }
    compare(openai(protocol="chat"), RICH, "openai_chat_rich", reasons)


def test_a_rich_responses_request() -> None:
    reasons = {
        "header accept": ALWAYS["header accept"],
        "body.input.0.type": "the kind of an item may be left out only for messages; one rule for all of them",
    }
    compare(openai(), RICH, "openai_responses_rich", reasons)


@pytest.mark.parametrize(
    ("settings", "name", "reasons"),
    [
        (
            {"api_version": "2025-04-01-preview"},
            "azure_chat_classic",
            {"body.stream_options": "usage is asked for"},
        ),
        (
            {"protocol": "chat"},
            "azure_chat_v1",
            {
                "body.stream_options": "usage is asked for",
                "header api-key": "Azure's own name for the key; a bearer token is for sign-in tokens",
                "header authorization": "the same",
            },
        ),
    ],
)
def test_azure_requests(settings: dict[str, Any], name: str, reasons: dict[str, str]) -> None:
    compare(azure(**settings), HI, name, {"header accept": ALWAYS["header accept"], **reasons})


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://res.openai.azure.com",
        "https://res.openai.azure.com/openai",
        "https://res.openai.azure.com/openai/v1/",
        "https://res.openai.azure.com/openai/deployments/old/chat/completions?api-version=2024-10-21",
    ],
)
def test_however_much_of_azures_address_was_pasted(endpoint: str) -> None:
    assert azure(api_endpoint=endpoint).bases() == ["https://res.openai.azure.com/openai/v1"]
    classic = azure(api_endpoint=endpoint, api_version="2024-10-21", deployment="mine", model="gpt-4o")
    ask = classic.asks(HI, "gpt-4o")[0]
    assert classic.bases() == ["https://res.openai.azure.com/openai"]
    assert ask.path == "/deployments/mine/chat/completions?api-version=2024-10-21"
    assert ask.body["model"] == "mine"


def test_azure_takes_a_sign_in_token_for_a_key() -> None:
    assert azure(api_key="eyJhbGciOi.eyJhdWQi.c2lnbg-_").headers()["Authorization"].startswith("Bearer eyJ")
    assert "api-key" not in azure(api_key="eyJhbGciOi.eyJhdWQi.c2lnbg-_").headers()
    assert azure(api_key="0123abcd").headers()["api-key"] == "0123abcd"


def test_azure_knows_the_family_of_a_deployment_by_the_model() -> None:
    provider = azure(model="gpt-6-luna", deployment="prod", temperature=0.5)
    body = provider.asks(LLMRequest(HI.messages, temperature=0.5), "gpt-6-luna")[0].body
    assert body["model"] == "prod"
    assert "temperature" not in body
    assert body["include"] == ["reasoning.encrypted_content"]


@pytest.mark.parametrize(("settings", "missing"), [({"api_endpoint": ""}, "endpoint"), ({"model": ""}, "deployment")])
async def test_what_azure_lacks_is_said_before_anything_is_sent(settings: dict[str, str], missing: str) -> None:
    provider = azure(**settings)
    with pytest.raises(PolicyRefused, match=missing) as caught:
        await provider.generate(HI)
    await provider.aclose()
    assert "Settings, Providers" in caught.value.next_step


def test_reasoning_goes_back_only_inside_a_running_tool_loop() -> None:
    def sent(request: LLMRequest, model: str = "gpt-6.1-sol") -> list[str]:
        return [item["type"] for item in openai().asks(request, model)[0].body["input"]]

    ended = LLMRequest((*RICH.messages, Message("assistant", "Cold."), Message("user", "Why?")))
    assert "reasoning" in sent(RICH)
    assert "reasoning" not in sent(ended)
    assert "reasoning" not in sent(RICH, "gpt-6-luna")  # another model's


@pytest.mark.parametrize(
    ("model", "reasoning"),
    [
        ("gpt-4o", False),
        ("gpt-4.1-mini", False),
        ("gpt-35-turbo", False),
        ("gpt-4-32k", False),
        ("gpt-5-chat-latest", False),
        ("gpt-oss-120b", False),
        ("my-deployment", False),
        ("gpt-5-mini", True),
        ("gpt-5.6-sol", True),
        ("gpt-6-luna", True),
        ("openai/gpt-6.2-terra", True),
        ("gpt-12", True),
        ("o3", True),
        ("o4-mini", True),
        ("ft:gpt-6-luna:acme::1", True),
    ],
)
def test_which_models_reason(model: str, reasoning: bool) -> None:
    assert reasons(model) is reasoning
    assert samples(model, None) is not reasoning


def test_sampling_with_no_effort_is_taken_but_by_those_that_always_think() -> None:
    assert samples("gpt-6-luna", "none")
    assert not samples("gpt-6-astra", "none")
    assert not samples("gpt-6.1-sol", "none")
    assert not samples("o3", "none")


@pytest.mark.parametrize(
    ("model", "wanted", "sent"),
    [
        ("o3", "none", "low"),
        ("o3", "max", "high"),
        ("gpt-5", "none", "minimal"),
        ("gpt-5.1", "minimal", "low"),
        ("gpt-5.5", "max", "xhigh"),
        ("gpt-6-luna", "max", "max"),
        ("gpt-6-astra", "none", "low"),
        ("unknown", "minimal", "minimal"),
        ("gpt-6-luna", None, None),
    ],
)
def test_the_nearest_effort_is_asked_for(model: str, wanted: str | None, sent: str | None) -> None:
    assert nearest_effort(model, wanted) == sent


def test_chat_completions_where_responses_has_no_equal() -> None:
    def paths(model: str, request: LLMRequest = HI, **settings: Any) -> list[str]:
        return [ask.path for ask in openai(**settings).asks(request, model)]

    assert paths("gpt-6-luna") == ["/responses", "/chat/completions"]
    assert paths("gpt-4o-audio-preview") == ["/chat/completions"]
    assert paths("gpt-4o", LLMRequest(HI.messages, stop=("END",))) == ["/chat/completions"]
    assert paths("gpt-6-luna", protocol="responses") == ["/responses"]
    assert paths("gpt-6-luna", protocol="chat") == ["/chat/completions"]


def test_tools_in_chat_completions_are_asked_for_without_effort_where_it_refuses_both() -> None:
    request = LLMRequest(HI.messages, tools=RICH.tools, effort="high")
    assert openai(protocol="chat").asks(request, "gpt-6-luna")[0].body["reasoning_effort"] == "none"
    assert openai(protocol="chat").asks(request, "gpt-5.1")[0].body["reasoning_effort"] == "high"
    assert "reasoning_effort" not in openai(protocol="chat").asks(request, "gpt-4o")[0].body
