"""Models from the command line: the list with what is known of it, and a warning before one that has ended."""

from __future__ import annotations

from tests.e2e.program import LLMock, Program

KEY = "sk-test-0123456789abcdef"
ENDED = """
[providers.main]
kind = "openai"
model = "gpt-4"
max_retries = 0
[providers.spare]
kind = "mock"
[routing]
default_provider = "main"
failover_chain = ["main", "spare"]
"""


def test_the_models_of_a_provider_are_listed_with_what_is_known_and_kept(program: Program, llmock: LLMock) -> None:
    settings = '[providers.main]\nkind = "openai"\nmodel = "gpt-4o"\nmax_retries = 0\napi_endpoint = "{}"\n'
    program.settings(settings.format(f"{llmock.base}/v1"))
    ran = program("providers", "models", "main", "--json", OPENAI_API_KEY=KEY)
    assert ran.code == 0, ran.err
    assert ran.json["models"][0] == "gpt-4o"
    assert ran.json["details"][0]["context_tokens"] == 128_000
    assert ran.json["details"][0]["input_cost_per_million"] == 2.5
    assert not ran.json["stale"]
    assert (program.home / "models.json").stat().st_mode & 0o777 == 0o600
    table = program("providers", "models", "main", OPENAI_API_KEY=KEY).out
    assert "128000" in table
    assert "within the last hour" in table
    assert program("providers", "models", "nobody").code == 3


def test_an_ended_model_is_said_on_stderr_before_it_is_asked_and_in_the_warnings(program: Program) -> None:
    program.settings(ENDED)
    ran = program("ask", "Hello", "--json", OPENAI_API_KEY=KEY, VPA_OFFLINE="1")
    sentence = "gpt-4 no longer answers since 23 October 2026. Choose another model"
    assert ran.err.count(sentence) == 1
    assert sentence in ran.json["warnings"]
    alone = program("ask", "Hello", "--provider", "main", OPENAI_API_KEY=KEY, VPA_OFFLINE="1")
    assert alone.err.startswith(f"warning: {sentence}")


def test_a_provider_without_a_key_has_a_sentence_and_its_own_model(program: Program) -> None:
    program.settings(ENDED)
    ran = program("providers", "models", "main", "--json")
    assert ran.code == 4
    assert ran.json["models"] == ["gpt-4"]
    assert "no key yet" in ran.err
