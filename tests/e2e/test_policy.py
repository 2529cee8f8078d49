"""A policy on the command line: exit code 6, the sentence, and what doctor, providers and costs say of it."""

from __future__ import annotations

from tests.e2e.program import Program

SETTINGS = """
[providers.first]
kind = "mock"
[providers.second]
kind = "mock"
model = "other"
[routing]
default_provider = "first"
failover_chain = ["first", "second", "local"]
[budget]
daily_limit_usd = 100
"""
POLICY = """
[limits]
daily_limit_usd = 5
[providers]
allowed = ["second"]
[models]
denied = ["*-pro*"]
[roles.child]
models = ["other"]
daily_limit_usd = 1
[users]
ben = "child"
"""


def test_who_is_forbidden_is_not_asked_and_the_exit_code_is_6(program: Program) -> None:
    program.settings(SETTINGS)
    (program.home / "policy.toml").write_text(POLICY)
    answer = program("ask", "Ping", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["provider"] == "second"
    assert answer.json["attempts"][0]["reason"].startswith("The policy allows only second")
    named = program("ask", "Ping", "--provider", "first")
    assert named.code == 6
    assert named.out == ""
    assert named.err.startswith("error: first was not asked. The policy allows only second")
    assert program("ask", "Ping", "--model", "gpt-6-pro", "--provider", "second").code == 6
    assert program("ask", "Ping", VPA_DEFAULT_LLM_MODEL="gpt-6-pro", VPA_DEFAULT_LLM_PROVIDER="second").code == 6
    assert program("ask", "Ping", "--user", "ben", "--model", "third", "--provider", "second").code == 6
    assert program("ask", "Ping", "--user", "ben", "--provider", "second").code == 0
    listed = program("providers", "list", "--json").json["providers"]
    assert {p["id"]: bool(p["forbidden"]) for p in listed} == {"first": True, "second": False, "local": True}
    assert "not allowed" in program("providers", "list").out
    assert program("providers", "test", "first").code == 6
    assert program("costs", "--json").json["daily_limit"] == 5


def test_a_policy_that_takes_users_from_the_account_refuses_another_one(program: Program) -> None:
    program.settings(SETTINGS)
    (program.home / "policy.toml").write_text(POLICY + "may_choose = false\n")
    ran = program("ask", "Ping", "--user", "ben", USER="ben", LOGNAME="ben")
    assert ran.code == 6
    assert "Leave out --user" in ran.err


def test_doctor_says_which_policy_is_in_force_and_what_is_wrong_with_it(program: Program) -> None:
    program.settings(SETTINGS)

    def said() -> str:
        return program("doctor").out

    assert "Policy: none" in said()
    (program.home / "policy.toml").write_text(POLICY)
    assert f"The policy ({program.home / 'policy.toml'}) is in force for" in said()
    (program.home / "policy.toml").write_text("[limits]\ndaily = 5")
    broken = said()
    assert "FAIL Policy: " in broken
    assert "policy.toml line 2: limits.daily is not a rule; allowed: daily_limit_usd" in broken
