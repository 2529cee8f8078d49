"""settings.toml: every mistake is named with its line, the rest counts, comments and the file survive."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from vpa_desktop.config import apply_environment
from vpa_desktop.errors import ConfigError
from vpa_desktop.settings_file import load_settings, parse_settings, save_changes

EXAMPLE = """\
# mine
[providers.openai_main]        # the id is mine
kind = "openai"
model = "gpt-4o"
weight = 0.6
timeout_s = 30
input_cost_per_million = 2.5

[routing]
default_provider = "openai_main"
failover_chain = ["openai_main", "local"]

[routing.circuit_breaker]
failure_threshold = 3

[budget]
daily_limit_usd = 100.0
"""


def test_the_contracts_example_is_read() -> None:
    loaded = parse_settings(EXAMPLE)
    assert loaded.problems == ()
    provider = loaded.settings.providers["openai_main"]
    assert (provider.kind, provider.model, provider.weight, provider.timeout) == ("openai", "gpt-4o", 0.6, 30)
    assert provider.input_cost_per_million == Decimal("2.5")
    assert loaded.settings.routing.circuit_breaker.failure_threshold == 3
    assert loaded.settings.budget.daily_limit_usd == Decimal("100.0")


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("weight = 0.6", "weight = -1", 5, "weight is -1; allowed: a number from 0"),
        ("weight = 0.6", "wieght = 1", 5, "wieght is not a setting; allowed: kind, model"),
        ('kind = "openai"', 'kind = "opnai"', 3, 'kind is "opnai"; allowed: openai'),
        ("failure_threshold = 3", "failure_threshold = true", 14, "failure_threshold is True; allowed: a whole number"),
        ("daily_limit_usd = 100.0", "daily_limit_usd = 100.0.0", 17, "100.0.0"),
        ("daily_limit_usd = 100.0", "daily_limit_usd = inf", 17, "daily_limit_usd is inf"),
        ('"openai_main", "local"', '"openai_main", "gone"', 11, "failover_chain is ['gone']"),
        ("[budget]", "[budegt]", 16, "budegt is not a setting"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_the_rest_counts(old: str, new: str, line: int, said: str) -> None:
    loaded = parse_settings(EXAMPLE.replace(old, new))
    assert any(f"line {line}:" in p and said in p for p in loaded.problems), loaded.problems
    assert loaded.settings.routing.strategy == "failover"


def test_a_broken_table_head_does_not_spill_its_keys_into_another_table() -> None:
    loaded = parse_settings(EXAMPLE.replace("[budget]", "[budget"))
    assert len(loaded.problems) == 1
    assert loaded.settings.budget.daily_limit_usd is None
    assert "openai_main" in loaded.settings.providers


@pytest.mark.parametrize("written", ["5 dollars", '"5"', "-1", "nan"])
def test_a_limit_that_cannot_be_read_lets_nothing_be_spent(written: str) -> None:
    loaded = parse_settings(EXAMPLE.replace("daily_limit_usd = 100.0", f"daily_limit_usd = {written}"))
    assert loaded.settings.budget.daily_limit_usd == 0
    assert any("nothing that costs money is sent" in problem for problem in loaded.problems)


def test_any_bytes_are_survived(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    for junk in (b"\x00\xff\xfe", b"[" * 3000, b'a = """' + b"x" * 1000, b"= = =\n" * 20):
        file.write_bytes(junk)
        assert load_settings(file).problems
        assert file.read_bytes() == junk


def test_saving_keeps_comments_and_refuses_what_would_not_be_read_again(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(EXAMPLE)
    save_changes(file, {"budget.daily_limit_usd": Decimal(5), "providers.other": {"kind": "mock"}})
    text = file.read_text()
    assert "# the id is mine" in text
    assert load_settings(file).settings.budget.daily_limit_usd == Decimal(5)
    assert load_settings(file).settings.providers["other"].kind == "mock"
    with pytest.raises(ConfigError, match="allowed: fixed, failover"):
        save_changes(file, {"routing.strategy": "random"})
    assert file.read_text() == text
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_with_a_mistake_is_not_overwritten_by_saving(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("[budget\n")
    with pytest.raises(ConfigError, match="Mend or move"):
        save_changes(file, {"budget.daily_limit_usd": 1})
    assert file.read_text() == "[budget\n"


def test_the_environment_wins_over_the_file() -> None:
    settings = parse_settings(EXAMPLE).settings
    changed = apply_environment(
        settings,
        {"VPA_DEFAULT_LLM_PROVIDER": "local", "VPA_ENABLE_LLM_FALLBACK": "false", "VPA_OFFLINE": "1"},
    )
    assert changed.routing.default_provider == "local"
    assert not changed.routing.fallback_enabled
    assert changed.offline
    with pytest.raises(ConfigError, match="VPA_OFFLINE"):
        apply_environment(settings, {"VPA_OFFLINE": "perhaps"})
