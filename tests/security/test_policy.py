"""What a policy forbids, whatever the settings say: names, kinds, addresses, models, roles, and who is who."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import BudgetSettings, PrivacySettings, Settings
from vpa_desktop.messages import LOCAL_USER
from vpa_desktop.security.addresses import host_of, is_host_pattern, is_listed
from vpa_desktop.security.policy import Policy, PolicyBook, Rules, stays_local
from vpa_desktop.security.tightening import doubtful, taken_at_its_word, tightened

OFFICE = "Your administrator's policy"
OPENAI = LLMProviderConfig("openai", provider_id="main")


def book(login: str = "anna", **rules: Any) -> PolicyBook:
    return PolicyBook((Policy(OFFICE, "/etc/vpa-desktop/policy.toml", True, Rules(**rules)),), login)


def rule(of: PolicyBook, config: LLMProviderConfig, model: str | None = "gpt-4o") -> str:
    """The rule that forbids it, "" where none does."""
    refusal = of.refusal(config, model, of.login)
    return refusal.rule if refusal else ""


def at(endpoint: str, kind: str = "openai", **facts: Any) -> LLMProviderConfig:
    return LLMProviderConfig(kind, "gpt-4o", provider_id="main", api_endpoint=endpoint, **facts)


def test_without_a_policy_everything_is_as_the_settings_say() -> None:
    none = PolicyBook()
    settings = Settings()
    assert not none
    assert none.refusal(OPENAI, "gpt-4o", "anyone") is None
    assert none.user_of("somebody") == "somebody"
    assert none.limits_for("anyone") == ()
    assert tightened(settings, none) is settings


def test_only_providers_that_are_listed_may_be_asked_and_the_sentence_says_which() -> None:
    of = book(providers=("main", "local"))
    assert rule(of, OPENAI) == ""
    refusal = of.refusal(LLMProviderConfig("anthropic", provider_id="other"), None, "anna")
    assert refusal is not None
    assert refusal.rule == "providers.allowed"
    said = str(refusal)
    assert "other was not asked. Your administrator's policy allows only main, local" in said
    assert "/etc/vpa-desktop/policy.toml" in said
    assert rule(book(providers=()), OPENAI) == "providers.allowed"


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("", ""),
        ("https://api.openai.com/v1", ""),
        ("http://127.0.0.1:8000/v1", ""),
        ("https://api.openai.com.evil.example/v1", "providers.allowed_hosts"),
        ("https://evil.example/v1", "providers.allowed_hosts"),
        ("https://api.openai.com@evil.example/v1", "providers.allowed_hosts"),
        ("https://evil.example#@api.openai.com/v1", "providers.allowed_hosts"),
        ("https://evil.example\\@api.openai.com/v1", "providers.allowed_hosts"),
        ("https://api.openai.com:444/v1", "providers.allowed_hosts"),
        ("https://аpi.openai.com/v1", "providers.allowed_hosts"),
        ("https://api.openai\t.com/v1", "providers.allowed_hosts"),
    ],
)
def test_an_allowed_name_counts_only_for_the_vendors_own_address_and_this_machine(endpoint: str, expected: str) -> None:
    assert rule(book(providers=("main",)), at(endpoint)) == expected


def test_hosts_that_are_listed_count_whatever_the_provider_is_called_and_whatever_its_kind() -> None:
    of = book(hosts=("api.openai.com", "*.openai.azure.com", "127.0.0.1:11434"))
    assert rule(of, OPENAI) == ""
    assert rule(of, at("https://office.openai.azure.com", "azure")) == ""
    assert rule(of, at("http://127.0.0.1:11434", "ollama")) == ""
    assert rule(of, at("http://127.0.0.1:4000", "openai_compatible")) == "providers.allowed_hosts"
    assert rule(of, LLMProviderConfig("anthropic", provider_id="main")) == "providers.allowed_hosts"
    assert rule(of, at("", "azure")) == ""  # there is nothing to ask
    assert rule(of, LLMProviderConfig("llama_cpp")) == ""
    through = at("https://api.openai.com/v1", proxy="http://evil.example:8080")
    assert rule(of, through) == "providers.allowed_hosts"


def test_kinds_can_be_listed() -> None:
    of = book(kinds=("openai",))
    assert rule(of, OPENAI) == ""
    assert rule(of, LLMProviderConfig("anthropic", provider_id="main")) == "providers.allowed_kinds"


def test_models_are_allowed_and_denied_by_pattern_in_any_case_and_by_deployment() -> None:
    of = book(models=("gpt-*",), denied_models=("*-pro*",))
    assert rule(of, OPENAI, "gpt-4o") == ""
    assert rule(of, OPENAI, "GPT-4o") == ""
    assert rule(of, OPENAI, "o3") == "models.allowed"
    assert rule(of, OPENAI, "gpt-6-PRO-2026") == "models.denied"
    assert rule(of, OPENAI, None) == ""  # the provider itself is fine
    azure = LLMProviderConfig("azure", "gpt-4o", provider_id="main", deployment="our-gpt-6-pro")
    assert rule(of, azure) == "models.denied"


@pytest.mark.parametrize(
    ("kind", "endpoint", "expected"),
    [
        ("llama_cpp", "", ""),
        ("ollama", "", ""),
        ("ollama", "http://localhost:11434", ""),
        ("ollama", "http://[::1]:11434", ""),
        ("ollama", "http://127.8.9.1:11434", ""),
        ("ollama", "http://127.0.0.1.evil.example:11434", "privacy.local_only"),
        ("ollama", "http://localhost.evil.example", "privacy.local_only"),
        ("ollama", "http://0.0.0.0:11434", "privacy.local_only"),
        ("ollama", "http://127.1", "privacy.local_only"),
        ("ollama", "http://127.0.0.999", "privacy.local_only"),
        ("ollama", "http://127.0.0.１", "privacy.local_only"),
        ("ollama", "http://127.0.0.1@evil.example", "privacy.local_only"),
        ("ollama", "http://192.168.1.5:11434", "privacy.local_only"),
        ("openai_compatible", "http://127.0.0.1:4000/v1", "privacy.local_only"),
        ("openai_compatible", "https://evil.example/v1", "privacy.local_only"),
        ("openai", "", "privacy.local_only"),
    ],
)
def test_a_policy_that_keeps_everything_here_believes_addresses_and_not_the_settings(
    kind: str, endpoint: str, expected: str
) -> None:
    config = LLMProviderConfig(kind, "m", provider_id="main", api_endpoint=endpoint or None, local_only=True)
    assert rule(book(local_only=True), config, "m") == expected


def test_a_server_on_this_machine_counts_as_local_where_the_policy_lists_its_address() -> None:
    of = book(local_only=True, hosts=("127.0.0.1:1234",))
    assert rule(of, at("http://127.0.0.1:1234/v1", "openai_compatible")) == ""
    assert rule(of, at("http://127.0.0.1:4000/v1", "openai_compatible")) == "privacy.local_only"


def test_a_model_that_ollama_asks_its_cloud_for_does_not_stay_here() -> None:
    ollama = LLMProviderConfig("ollama", "llama3", provider_id="main")
    assert rule(book(local_only=True), ollama, "llama3") == ""
    assert rule(book(local_only=True), ollama, "gpt-oss:120b-cloud") == "privacy.local_only"
    assert stays_local(ollama, "llama3")
    assert not stays_local(ollama, "glm-4.6:cloud")


def test_a_policy_that_cannot_be_read_lets_nothing_out_and_says_why() -> None:
    of = PolicyBook((Policy(OFFICE, broken="policy.toml line 3: x. Nothing leaves this machine until it is mended"),))
    refusal = of.refusal(OPENAI, "gpt-4o", "anna")
    assert refusal is not None
    assert refusal.rule == "policy.unreadable"
    assert "policy.toml line 3" in str(refusal)
    assert rule(of, LLMProviderConfig("llama_cpp"), "m") == ""
    assert tightened(Settings(privacy=PrivacySettings(False)), of).privacy.redact_outgoing


ROLES = Policy(
    OFFICE,
    roles={
        "assistant": Rules("roles.assistant", providers=("main",), models=("gpt-4o*",), daily_limit_usd=Decimal(1)),
        "boss": Rules("roles.boss"),
    },
    users={"anna": "assistant", "eve": "boss"},
    default_role="assistant",
    everybody=Rules(monthly_limit_usd=Decimal(500), max_tokens=4_000),
    users_may_choose=True,
)


def test_a_role_adds_to_what_counts_for_everybody_and_whoever_is_not_named_has_the_default() -> None:
    of = PolicyBook((ROLES,), "anna")
    for user in ("anna", "ANNA", "somebody"):
        refusal = of.refusal(OPENAI, "o3", user)
        assert refusal is not None
        assert refusal.rule == "roles.assistant.models"
    assert of.refusal(OPENAI, "o3", "eve") is None
    assert [(r.daily_usd, r.monthly_usd, r.user_id) for r in of.limits_for("anna")] == [
        (None, Decimal(500), None),
        (Decimal(1), None, "anna"),
    ]
    assert of.limits_for("anna")[1].name == f"{OFFICE}, role assistant"
    assert [r.user_id for r in of.limits_for("eve")] == [None]
    assert of.max_tokens("eve") == 4_000


def test_the_lower_of_two_lengths_counts() -> None:
    shorter = Policy("Your settings.toml", everybody=Rules(max_tokens=100), users_may_choose=True)
    assert PolicyBook((ROLES, shorter)).max_tokens("anna") == 100


def test_what_one_policy_forbids_another_does_not_allow() -> None:
    own = Policy("Your settings.toml", everybody=Rules(providers=("main", "other")), users_may_choose=True)
    of = PolicyBook((Policy(OFFICE, everybody=Rules(providers=("main",))), own), "anna")
    other = LLMProviderConfig("openai", provider_id="other")
    assert rule(of, other) == "providers.allowed"
    assert rule(of, OPENAI) == ""


def test_the_account_is_the_user_unless_every_policy_leaves_the_choice() -> None:
    fixed, free = PolicyBook((Policy(OFFICE),), "anna"), PolicyBook((ROLES,), "anna")
    assert (fixed.user_of("eve"), fixed.user_of(LOCAL_USER)) == ("anna", "anna")
    assert (free.user_of("eve"), free.user_of(LOCAL_USER)) == ("eve", "anna")
    assert PolicyBook((Policy(OFFICE), ROLES), "anna").user_of("eve") == "anna"


def test_settings_cannot_loosen_limits_and_masking() -> None:
    loose = Settings(
        privacy=PrivacySettings(redact_outgoing=False),
        budget=BudgetSettings(daily_limit_usd=Decimal(1_000), cost_tracking=False, unknown_price="allow"),
    )
    limits = Rules(daily_limit_usd=Decimal(50), monthly_limit_usd=Decimal(500))
    found = tightened(loose, PolicyBook((Policy(OFFICE, everybody=limits, redact_outgoing=True),), "anna"))
    assert found.privacy.redact_outgoing
    assert (found.budget.daily_limit_usd, found.budget.monthly_limit_usd) == (Decimal(50), Decimal(500))
    assert found.budget.cost_tracking
    assert found.budget.unknown_price == "block"
    assert found.fixed["privacy.redact_outgoing"] == f"{OFFICE} keeps this on."
    assert found.bounded["budget.daily_limit_usd"] == f"{OFFICE} allows at most $50.00."
    lower = Settings(budget=BudgetSettings(daily_limit_usd=Decimal(3)))
    assert tightened(lower, PolicyBook((Policy(OFFICE, everybody=limits),))).budget.daily_limit_usd == 3


def test_where_a_policy_limits_spending_nobody_makes_a_vendors_model_free() -> None:
    cheap = LLMProviderConfig("openai", provider_id="main", input_cost_per_million=Decimal(), cost_per_token=0.0)
    own = LLMProviderConfig("openai_compatible", "m", input_cost_per_million=Decimal(1))
    limited = book(daily_limit_usd=Decimal(1))
    assert taken_at_its_word(cheap, limited).input_cost_per_million is None
    assert taken_at_its_word(cheap, limited).cost_per_token is None
    assert taken_at_its_word(own, limited) is own
    assert taken_at_its_word(cheap, book()) is cheap


def test_another_machine_is_not_local_because_its_owner_says_so() -> None:
    lan = at("http://192.168.1.5:8000/v1", "openai_compatible", local_only=True)
    studio = at("http://127.0.0.1:1234/v1", "openai_compatible", local_only=True)
    assert not taken_at_its_word(lan, book()).is_local
    assert taken_at_its_word(studio, book()).is_local
    strict = PolicyBook((Policy(OFFICE, redact_outgoing=True),), "anna")
    assert not taken_at_its_word(studio, strict).is_local  # it may hand on what it gets: it is masked
    assert taken_at_its_word(LLMProviderConfig("llama_cpp", local_only=True), strict).is_local
    assert doubtful({"lan": lan, "studio": studio}) == ["lan"]


def test_hosts_are_read_strictly() -> None:
    host = host_of("HTTPS://API.OpenAI.com./v1?x=1")
    assert host is not None
    assert (host.name, host.port) == ("api.openai.com", 443)
    assert host_of("http://[::1]:80/v1") is not None
    for odd in (
        "",
        "api.openai.com",
        "ftp://a.example",
        "https://u:p@a.example",
        "https://a b",
        "https://-a",
        "http://",
    ):
        assert host_of(odd) is None
    assert all(is_host_pattern(p) for p in ("a.example", "*.a.example", "127.0.0.1:80", "[::1]:80", "*"))
    assert not any(is_host_pattern(p) for p in ("https://a.example", "a.example/v1", "", "a b"))
    six = host_of("http://[::1]:8080")
    assert six is not None
    assert is_listed(six, ("[::1]:8080",))
    assert not is_listed(six, ("[::1]:80",))


def test_a_verdict_that_is_remembered_is_the_same_for_another_model_user_and_configuration() -> None:
    of = PolicyBook((ROLES,), "anna")
    for _ in range(2):
        assert of.refusal(OPENAI, "gpt-4o", "anna") is None
        assert of.refusal(OPENAI, "o3", "anna") is not None
        assert of.refusal(OPENAI, "o3", "eve") is None
        assert of.refusal(LLMProviderConfig("openai", provider_id="other"), "gpt-4o", "anna") is not None
