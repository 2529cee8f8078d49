"""The interface of before over the integration of now."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.conftest import LogWatch
from tests.fakes import ScriptedProvider
from vpa_desktop import LLMProviderConfig, VPARAGLLMIntegration, create_complete_vpa_system, create_rag_llm_integration
from vpa_desktop.assistant import legacy
from vpa_desktop.config import BudgetSettings, RoutingSettings
from vpa_desktop.errors import ProviderUnavailable
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import StreamDone, StreamEvent, TextDelta, Usage

ANSWER: list[StreamEvent | Exception] = [TextDelta("Twenty-"), TextDelta("seven."), StreamDone("stop", Usage(10, 3))]


def manager_with(*events: StreamEvent | Exception) -> tuple[LLMProviderManager, ScriptedProvider]:
    manager = LLMProviderManager(RoutingSettings(), BudgetSettings())
    provider = ScriptedProvider(LLMProviderConfig("mock", provider_id="openai"), list(events))
    manager.register_provider("openai", provider)
    return manager, provider


@pytest.fixture
def said(expected_logs: LogWatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    legacy._say_once.cache_clear()
    expected_logs.expect("interface of before")
    caplog.set_level(logging.WARNING)
    return caplog


async def test_old_calls_get_old_results_and_one_warning(said: pytest.LogCaptureFixture) -> None:
    manager, provider = manager_with(*ANSWER)
    with pytest.warns(DeprecationWarning, match="EnhancedLLMIntegration"):
        old = VPARAGLLMIntegration(manager)
    with pytest.warns(DeprecationWarning, match="interface of before"):
        create_rag_llm_integration(manager)
    assert len([record for record in said.records if "interface of before" in record.message]) == 1
    result = await old.generate_enhanced_response("anna", "How many days?", system_prompt="Be short.", use_rag=False)
    assert (result["response"], result["success"], result["provider"]) == ("Twenty-seven.", True, "openai")
    assert result["usage"] == {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
    assert (result["rag_enabled"], result["rag_sources"]) == (False, [])
    assert provider.requests[0].user_id == "anna"
    assert provider.requests[0].messages[0].role == "system"
    pieces = [piece async for piece in old.stream_enhanced_response("anna", "How many?", use_rag=False)]
    assert pieces[0]["type"] == "rag_context"
    assert "".join(piece["content"] for piece in pieces) == "Twenty-seven."
    await manager.aclose()


@pytest.mark.usefixtures("said")
async def test_a_failure_is_no_answer() -> None:
    manager, _ = manager_with(ProviderUnavailable("It does not answer", provider="openai"))
    with pytest.warns(DeprecationWarning, match="interface of before"):
        old = VPARAGLLMIntegration(manager)
    result = await old.generate_enhanced_response("anna", "How many?")
    assert (result["success"], result["response"]) == (False, "")
    assert result["error"]
    pieces = [piece async for piece in old.stream_enhanced_response("anna", "How many?")]
    assert pieces[-1]["type"] == "error"
    await manager.aclose()


@pytest.mark.usefixtures("said")
async def test_with_the_whole_system_a_conversation_goes_on_and_sources_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VPA_VAULT", "memory")
    integration, rag, _ = await create_complete_vpa_system(tmp_path / "home")
    try:
        provider = ScriptedProvider(LLMProviderConfig("mock", provider_id="mine"), ANSWER)
        integration.manager.register_provider("mine", provider)
        await rag.add_document(document_id="leave", title="Leave", content="Employees receive 27 days of paid leave.")
        with pytest.warns(DeprecationWarning, match="interface of before"):
            old = VPARAGLLMIntegration(integration, rag)
        first = await old.generate_enhanced_response("local", "How many days of leave?", "talk-1", provider="mine")
        assert first["rag_context_used"]
        assert first["rag_sources"][0]["metadata"]["title"] == "Leave"
        await old.generate_enhanced_response("local", "And in 2022?", "talk-1", provider="mine", use_rag=False)
        roles = [message.role for message in provider.requests[-1].messages]
        assert roles.count("user") == 2
    finally:
        await integration.aclose()
