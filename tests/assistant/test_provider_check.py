"""Test in words: each way a provider can fail has its own sentence with the next step, and a good one is praised."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.assistant.server import Endpoint, endpoint
from tests.ports import free_port
from tests.providers.rawserver import RawServer, serving
from vpa_desktop.assistant.provider_check import check_provider
from vpa_desktop.assistant.verdicts import judge
from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.config import BudgetSettings
from vpa_desktop.errors import PolicyRefused, ProviderUnavailable
from vpa_desktop.gateway.budget import Budget, MemoryLedger
from vpa_desktop.providers import build_provider
from vpa_desktop.records import ProviderVerdict

KEY = "sk-test-0123456789abcdef"


def config_at(server: Endpoint, model: str = "good-model", kind: str = "openai_compatible") -> LLMProviderConfig:
    return LLMProviderConfig(kind, model, KEY, provider_id="work", api_endpoint=server.base, protocol="chat", timeout=5)


async def check(config: LLMProviderConfig) -> ProviderVerdict:
    verdict = await check_provider(config, build_provider)
    assert KEY not in verdict.sentence
    assert verdict.sentence == f"{verdict.headline} {verdict.advice}".strip()
    return verdict


async def test_a_good_provider_is_asked_for_one_word_and_its_models_come_along() -> None:
    async with endpoint() as server:
        verdict = await check(config_at(server))
        assert verdict.ok
        assert "good-model among them" in verdict.sentence
        assert verdict.model_facts == (ModelInfo("good-model", context_tokens=8192),)
        question = json.loads(server.bodies[-1])
    assert question["max_tokens"] == 16
    assert question["messages"] == [{"role": "user", "content": "Hi"}]


async def test_only_the_list_of_models_is_asked_for_where_no_answer_is_wanted() -> None:
    async with endpoint() as server:
        verdict = await check_provider(config_at(server, ""), build_provider, ask=False)
        assert server.asked == ["GET /v1/models"]
    assert verdict.models == ("good-model",)


@pytest.mark.parametrize(
    ("status", "code", "reason", "said"),
    [
        (401, "invalid_api_key", "wrong_key", "Copy the key anew"),
        (403, None, "not_allowed", "what this key, or your country, is allowed"),
        (429, "insufficient_quota", "no_credit", "Add credit"),
        (429, "rate_limit_exceeded", "rate_limited", "Wait a minute"),
        (404, "model_not_found", "wrong_model", "Choose one of good-model"),
        (404, None, "wrong_model", "does not know the model good-model"),
        (500, None, "server_fault", "Try again"),
    ],
)
async def test_a_refusal_says_what_it_was_and_what_to_do(status: int, code: str | None, reason: str, said: str) -> None:
    async with endpoint() as server:
        server.refuse(status, code)
        verdict = await check(config_at(server))
    assert not verdict.ok
    assert (verdict.reason, said in verdict.sentence) == (reason, True), verdict.sentence


async def test_a_wrong_model_is_found_where_the_list_does_not_have_it() -> None:
    async with endpoint() as server:
        server.refuse(400, None, "Invalid model")
        verdict = await check(config_at(server, "god-model"))
    assert verdict.headline == "It answers, but does not know the model god-model."
    assert verdict.advice == "Choose one of good-model."


async def test_a_wrong_model_is_found_where_there_is_no_list() -> None:
    async with endpoint() as server:
        server.models = (404, "application/json", "{}")
        server.refuse(404, "model_not_found")
        verdict = await check(config_at(server, "god-model"))
    assert verdict.reason == "wrong_model"
    assert "no list of models" in verdict.sentence


async def test_a_server_without_a_list_that_answers_is_fine() -> None:
    async with endpoint() as server:
        server.models = (404, "application/json", "{}")
        verdict = await check(config_at(server, "unlisted"))
    assert verdict.ok
    assert "with unlisted" in verdict.sentence


async def test_a_wrong_path_is_not_called_a_wrong_model() -> None:
    async with endpoint() as server:
        server.models = server.chat = (404, "application/json", '{"detail": "Not Found"}')
        verdict = await check(config_at(server))
    assert verdict.reason == "wrong_path"
    assert "most end in /v1" in verdict.sentence


async def test_the_sign_in_page_of_a_guest_network_is_named() -> None:
    async with endpoint() as server:
        server.models = server.chat = (200, "text/html", "<html>Sign in</html>")
        verdict = await check(config_at(server))
    assert verdict.reason == "web_page"
    assert "sign in first" in verdict.sentence


async def test_nobody_there_is_said_with_the_address() -> None:
    port = free_port()
    verdict = await check(LLMProviderConfig("openai_compatible", "m", api_endpoint=f"http://127.0.0.1:{port}/v1"))
    assert (verdict.reason, verdict.error_class) == ("dead_host", "network")
    assert verdict.headline == f"Nobody answers at 127.0.0.1:{port}."
    ollama = LLMProviderConfig("ollama", "llama3.2", api_endpoint=f"http://127.0.0.1:{port}")
    verdict = await check(ollama)
    assert verdict.reason == "ollama_not_running"
    assert "ollama serve" in verdict.sentence


async def test_silence_ends_in_words_and_a_test_can_be_called_off() -> None:
    async def nothing(_server: RawServer, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with serving(nothing) as server:
        silent = LLMProviderConfig("openai_compatible", "m", api_endpoint=f"{server.url}/v1", timeout=0.2)
        verdict = await check(silent)
        assert verdict.reason == "timeout"
        assert "allow more time" in verdict.sentence
        server.asked.clear()
        server.hung_up.clear()
        task = asyncio.create_task(check_provider(replace(silent, timeout=60), build_provider))
        await asyncio.wait_for(server.asked.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.hung_up.wait(), 5)


async def test_what_is_not_encrypted_is_not_sent() -> None:
    verdict = await check(LLMProviderConfig("openai_compatible", "m", api_endpoint="http://192.0.2.1/v1"))
    assert verdict.reason == "plain_http"
    assert "not encrypted" in verdict.headline


async def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.gguf")
    verdict = await check(LLMProviderConfig("llama_cpp", model_path=gone))
    assert verdict.headline == f"There is no model file {gone}."
    verdict = await check(LLMProviderConfig("transformers", model_path=str(tmp_path / "gone")))
    assert "gone" in verdict.headline
    verdict = await check(LLMProviderConfig("openai", "m", KEY, ca_file=gone))
    assert verdict.headline == f"There is no certificate file {gone}."


@pytest.mark.parametrize(
    ("error", "reason", "said"),
    [
        (
            ProviderUnavailable(
                "X could not be reached", "It wants a name", error_class="network", code="proxy_password"
            ),
            "proxy_password",
            "USER:PASSWORD",
        ),
        (PolicyRefused("X was not asked", "Offline", rule="offline"), "offline", "VPA_OFFLINE"),
    ],
)
def test_the_way_there_can_be_at_fault(error: ProviderUnavailable, reason: str, said: str) -> None:
    found = judge(LLMProviderConfig("openai", "m", KEY), error)
    assert found.reason == reason
    assert said in found.advice


async def test_a_certificate_that_nobody_here_knows_is_named_with_what_to_do() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with serving(b"", context=context) as server:
        verdict = await check(LLMProviderConfig("openai_compatible", "m", api_endpoint=server.url, timeout=5))
    assert verdict.reason == "certificate"
    assert verdict.headline.startswith("The certificate of 127.0.0.1")
    assert "certificate file" in verdict.advice


async def test_a_port_with_407_in_it_is_no_proxy() -> None:
    verdict = await check(LLMProviderConfig("openai_compatible", "m", api_endpoint="http://127.0.0.1:407", timeout=5))
    assert verdict.reason == "dead_host"


async def test_ollama_says_which_model_to_pull() -> None:
    async with endpoint() as server:
        server.models = (
            200,
            "application/json",
            '{"models": [{"name": "llama3.2:latest", "model": "llama3.2:latest"}]}',
        )
        config = LLMProviderConfig("ollama", "llama3.2", api_endpoint=server.base.removesuffix("/v1"), timeout=5)
        assert (await check(config)).ok
        verdict = await check(replace(config, model="mistral"))
    assert verdict.reason == "wrong_model"
    assert "ollama pull mistral, or choose llama3.2:latest" in verdict.sentence


async def test_a_rehearsed_fault_is_judged_like_a_real_one() -> None:
    assert (await check(LLMProviderConfig("mock", "mock"))).ok
    assert (await check(LLMProviderConfig("mock", "mock-429"))).reason == "rate_limited"
    assert (await check(LLMProviderConfig("mock", "mock-500"))).reason == "server_fault"


async def test_what_a_test_may_cost_is_booked_and_never_passes_the_limit() -> None:
    dear: dict[str, Any] = {"input_cost_per_million": Decimal(100), "output_cost_per_million": Decimal(100)}
    ledger = MemoryLedger()
    async with endpoint() as server:
        config = replace(config_at(server), **dear)
        free = Budget(BudgetSettings(), ledger)
        assert (await check_provider(config, build_provider, budget=free)).ok
        assert [row.cost_usd for row in await ledger.rows()] == [Decimal("0.0032")]
        server.refuse(500, None)
        assert not (await check_provider(config, build_provider, budget=free)).ok
        assert len(await ledger.rows()) == 1
        asked = len(server.asked)
        tight = Budget(BudgetSettings(daily_limit_usd=Decimal("0.005")), ledger, now=lambda: datetime.now(UTC))
        verdict = await check_provider(config, build_provider, budget=tight)
    assert "limit" in verdict.sentence
    assert len(server.asked) == asked + 1  # its list, no question


async def test_an_answer_without_the_key_that_is_needed_is_no_praise() -> None:
    async with endpoint() as server:
        config = replace(config_at(server, kind="openai"), api_key=None)
        verdict = await check(config)
        assert (verdict.ok, verdict.reason) == (False, "untested_key")
        assert verdict.sentence == "It answers, but was not tested with a key. Type the key for this address."
        assert (await check(replace(config, api_key=KEY))).ok


async def test_what_was_said_is_not_said_twice() -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    here = LLMProviderConfig("openai_compatible", "m", api_endpoint=f"{dead}/v1")
    for config in (here, LLMProviderConfig("ollama", "m", api_endpoint=dead)):
        assert "Nothing listens" not in (await check(config)).sentence
    outside = replace(here, api_endpoint="https://192.0.2.1/v1", proxy=dead)
    verdict = await check(outside)
    assert verdict.reason == "proxy"
    assert verdict.sentence.count("did not let the request through") == 1


async def test_https_to_a_plain_port_is_not_called_a_certificate() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(64)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        verdict = await check(LLMProviderConfig("openai_compatible", "m", api_endpoint=address, timeout=5))
    assert verdict.reason == "dead_host"
    assert "does not speak TLS" in verdict.headline
    assert "ertificate" not in verdict.sentence
    assert "http://" in verdict.advice
