"""``providers`` and ``keys`` of the real program: fields as options, the order, Test, and keys that rotate."""

from __future__ import annotations

import tomllib

import pytest

from tests.e2e.program import LLMock, Program

KEY, NEW_KEY = "sk-test-0123456789abcdef", "sk-new-fedcba9876543210"
VAULT = {"VPA_VAULT": "file", "VPA_VAULT_PASSPHRASE": "correct horse"}


def stored(program: Program) -> dict[str, dict[str, object]]:
    """The providers in settings.toml."""
    found: dict[str, dict[str, object]] = tomllib.loads((program.home / "settings.toml").read_text())["providers"]
    return found


def test_the_fields_of_a_kind_are_options_and_settings(program: Program) -> None:
    added = program("providers", "add", "near", "--kind", "openai_compatible", "--preset", "lm_studio", "--model", "m",
                    "--context-tokens", "8192", "--timeout-s", "12", "--proxy", "http://p.example:3128")  # fmt: skip
    assert added.code == 0, added.err
    assert stored(program)["near"] == {
        "kind": "openai_compatible",
        "model": "m",
        "api_endpoint": "http://127.0.0.1:1234/v1",
        "timeout_s": 12,
        "context_tokens": 8192,
        "proxy": "http://p.example:3128",
    }
    changed = program("providers", "set", "near", "timeout-s=", "temperature=0.5", "enabled=false", "--json")
    assert changed.json["changed"] == {"timeout_s": None, "temperature": 0.5, "enabled": False}
    assert "timeout_s" not in stored(program)["near"]
    assert (stored(program)["near"]["temperature"], stored(program)["near"]["enabled"]) == (0.5, False)
    again = program("providers", "add", "near", "--kind", "openai_compatible", "--model", "n")
    assert again.code == 0
    assert stored(program)["near"]["api_endpoint"] == "http://127.0.0.1:1234/v1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "x", "--kind", "mock", "--deployment", "d"), "The kind mock has no --deployment"),
        (("add", "x", "--kind", "openai", "--max-tokens", "many"), "Allowed: a whole number"),
        (("add", "x", "--kind", "openai_compatible"), "needs --endpoint"),
        (("add", "x", "--kind", "openai", "--preset", "groq"), "--preset is not for the kind openai"),
        (("set", "near", "colour=red"), "colour=red"),
        (("set", "near", "key=sk-123"), "keys set"),
        (("order", "near", "near"), "twice"),
        (("test", "--model", "m"), "--model"),
    ],
)
def test_what_a_kind_does_not_have_is_a_mistake_of_use(program: Program, arguments: tuple[str, ...], said: str) -> None:
    program.settings('[providers.near]\nkind = "mock"\n')
    ran = program("providers", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_the_help_calls_a_model_a_model(program: Program) -> None:
    assert "--model VALUE Model" in " ".join(program("providers", "add", "--help").out.split())


def test_the_order_is_said_and_changed(program: Program) -> None:
    program.settings('[providers.a]\nkind = "mock"\n[providers.b]\nkind = "mock"\n')
    assert program("providers", "order", "--json").json == {"order": ["a", "b", "local"]}
    assert program("providers", "order", "b").out.splitlines() == ["1. b", "2. a", "3. local"]
    assert program("providers", "list", "--json").json["order"] == ["b", "a", "local"]
    answer = program("ask", "Ping", "--json").json
    assert answer["provider"] == "b"


def test_a_test_says_which_model_is_wrong_and_takes_another(program: Program, llmock: LLMock) -> None:
    program.settings(
        f'[providers.main]\nkind = "openai_compatible"\nmodel = "gpt-4o"\napi_endpoint = "{llmock.base}/v1"\n'
    )
    keyed = {"VPA_KEY_MAIN": KEY}
    good = program("providers", "test", "main", "--json", **keyed)
    assert (good.code, good.json["providers"][0]["reason"]) == (0, "ok")
    listed = program("providers", "models", "main", "--json", **keyed).json["models"]
    assert sorted(listed) == sorted(good.json["providers"][0]["models"])
    llmock.behave({"type": "fail", "status": 404, "times": 3})
    bad = program("providers", "test", "main", "--model", "gpt-4o-minni", "--json", **keyed)
    verdict = bad.json["providers"][0]
    assert (bad.code, verdict["ok"]) == (4, False)
    assert verdict["reason"] in ("wrong_model", "wrong_path")
    assert KEY not in bad.out + bad.err + good.out


def test_a_key_is_tested_and_rotated_only_to_one_that_works(program: Program, llmock: LLMock) -> None:
    program.settings(f'[providers.main]\nkind = "openai"\nmodel = "gpt-4o"\napi_endpoint = "{llmock.base}/v1"\n')
    assert program("keys", "set", "main", stdin=KEY, **VAULT).code == 0
    tested = program("keys", "test", "--json", **VAULT)
    assert [(v["provider"], v["ok"]) for v in tested.json["providers"]] == [("main", True)]
    llmock.behave({"type": "fail", "status": 401, "times": 3})
    kept = program("keys", "rotate", "main", "--json", stdin=NEW_KEY, **VAULT)
    assert (kept.code, kept.json["rotated"]) == (4, False)
    assert "was not changed" in kept.err
    assert program("keys", "list", "--json", **VAULT).json["keys"][0]["hint"] == f"…{KEY[-4:]}"
    llmock.reset()
    rotated = program("keys", "rotate", "main", "--json", stdin=f"export OPENAI_API_KEY='{NEW_KEY}'\n", **VAULT)
    assert (rotated.code, rotated.json["rotated"]) == (0, True), rotated.err
    assert program("keys", "list", "--json", **VAULT).json["keys"][0]["hint"] == f"…{NEW_KEY[-4:]}"
    for ran in (tested, kept, rotated):
        assert KEY not in ran.out + ran.err
        assert NEW_KEY not in ran.out + ran.err
    environment = program("keys", "rotate", "main", stdin=NEW_KEY, OPENAI_API_KEY=KEY, **VAULT)
    assert environment.code == 3
    assert "environment" in environment.err


def test_a_key_that_was_refused_is_listed_so_with_its_reason(program: Program, llmock: LLMock) -> None:
    program.settings(f'[providers.main]\nkind = "openai"\nmodel = "gpt-4o"\napi_endpoint = "{llmock.base}/v1"\n')
    assert program("keys", "set", "main", stdin=KEY, **VAULT).code == 0
    assert program("keys", "set", "main", "--label", "second", stdin=NEW_KEY, **VAULT).code == 0
    llmock.behave({"type": "fail", "status": 401, "times": 1})
    assert program("ask", "Ping", "--no-docs", **VAULT).code == 0
    listed = program("keys", "list", "--json", **VAULT).json["keys"]
    assert sorted(key["state"] for key in listed) == ["in use", "refused"]
    refused = next(key for key in listed if key["state"] == "refused")
    assert "401" in refused["reason"]
    assert refused["until"]


def test_a_named_provider_without_a_key_is_not_replaced_by_another(program: Program, llmock: LLMock) -> None:
    program.settings(
        f'[providers.other]\nkind = "openai_compatible"\nmodel = "m"\napi_endpoint = "{llmock.base}/v1"\n'
        '[providers.mine]\nkind = "anthropic"\n'
    )
    refused = program("ask", "Ping", "--provider", "mine")
    assert refused.code == 4
    assert "mine was not asked" in refused.err
    assert "keys set mine" in refused.err


def test_no_secret_gets_into_the_settings_file(program: Program) -> None:
    program.settings('[providers.p]\nkind = "openai_compatible"\nmodel = "m"\napi_endpoint = "https://a.example/v1"\n')
    for change in (
        "proxy=http://user:SECRETq@127.0.0.1:1",
        "endpoint=https://a.example/v1?key=SECRETq",
        "proxy=socks5://x",
    ):
        refused = program("providers", "set", "p", change)
        assert refused.code == 3, change
    assert "SECRETq" not in (program.home / "settings.toml").read_text()
    assert program("providers", "add", "local", "--kind", "openai").code == 3


def test_providers_are_asked_in_the_order_shown(program: Program, llmock: LLMock) -> None:
    program.settings(
        f'[providers.first]\nkind = "openai_compatible"\nmodel = "m"\napi_endpoint = "{llmock.base}/v1"\n'
        '[providers.second]\nkind = "mock"\n'
    )
    shown = program("providers", "list", "--json").json["order"]
    assert program("ask", "Ping", "--json").json["attempts"][0]["provider"] == shown[0] == "first"
    assert {row["provider"] for row in program("providers", "models", "--json").json["providers"]} == {*shown}
    assert "first" in program("providers", "health", "--json").json["providers"]


def test_several_keys_are_set_listed_tested_and_deleted_by_name(program: Program, llmock: LLMock) -> None:
    program.settings(f'[providers.main]\nkind = "openai"\nmodel = "gpt-4o"\napi_endpoint = "{llmock.base}/v1"\n')
    assert program("keys", "set", "main", stdin=KEY, **VAULT).code == 0
    second = program("keys", "set", "main", "--label", "team", "--json", stdin=NEW_KEY, **VAULT)
    assert (second.code, second.json["label"]) == (0, "team")
    listed = program("keys", "list", "--json", **VAULT)
    assert [(k["label"], k["hint"], k["state"]) for k in listed.json["keys"]] == [
        ("", f"…{KEY[-4:]}", "in use"),
        ("team", f"…{NEW_KEY[-4:]}", "in use"),
    ]
    table = program("keys", "list", **VAULT)
    assert "team" in table.out
    assert "ready, 2 keys" in program("providers", "list", **VAULT).out
    tested = program("keys", "test", "main", "--json", **VAULT)
    assert [(v["key"], v["ok"]) for v in tested.json["providers"]] == [(f"…{KEY[-4:]}", True), ("team", True)]
    answers = [program("ask", "Ping", "--fresh", "--json", **VAULT) for _ in range(2)]
    assert [a.json["provider"] for a in answers] == ["main", "main"]
    assert [row["key"] for row in program("costs", "--by", "key", "--json", **VAULT).json["rows"]] == [
        "main:team",
        "main:…cdef",
    ]
    assert program("keys", "list", "--json", **VAULT).json["keys"][0]["last_used"]
    unclear = program("keys", "delete", "main", **VAULT)
    assert (unclear.code, "default, team" in unclear.err) == (2, True)
    assert program("keys", "delete", "main", "--label", "team", **VAULT).code == 0
    assert [k["label"] for k in program("keys", "list", "--json", **VAULT).json["keys"]] == [""]
    for ran in (second, listed, table, tested, *answers, unclear):
        assert KEY not in ran.out + ran.err
        assert NEW_KEY not in ran.out + ran.err


def test_the_old_key_of_a_rotation_is_listed_with_its_end(program: Program, llmock: LLMock) -> None:
    program.settings(f'[providers.main]\nkind = "openai"\nmodel = "gpt-4o"\napi_endpoint = "{llmock.base}/v1"\n')
    assert program("keys", "set", "main", stdin=KEY, **VAULT).code == 0
    rotated = program("keys", "rotate", "main", stdin=NEW_KEY, **VAULT)
    assert rotated.code == 0, rotated.err
    assert f"The old one (…{KEY[-4:]}) helps out until" in rotated.out
    keys = program("keys", "list", "--json", **VAULT).json["keys"]
    assert [(k["label"], k["state"], bool(k["until"])) for k in keys] == [("", "in use", False), ("old", "old", True)]
    assert program("keys", "delete", "main", "--label", "old", **VAULT).code == 0
    assert len(program("keys", "list", "--json", **VAULT).json["keys"]) == 1


def test_a_hand_edited_address_gets_no_key_until_it_is_confirmed(program: Program, llmock: LLMock) -> None:
    program.settings('[providers.main]\nkind = "openai"\nmodel = "gpt-4o"\n')
    assert program("keys", "set", "main", stdin=KEY, **VAULT).code == 0
    program.settings(f'[providers.main]\nkind = "openai"\nmodel = "gpt-4o"\napi_endpoint = "{llmock.base}/v1"\n')
    refused = program("ask", "Ping", "--provider", "main", **VAULT)
    assert refused.code == 4
    listed = program("keys", "list", **VAULT)
    assert "held back" in listed.out
    assert "was stored for https://api.openai.com; settings now say http://127.0.0.1" in listed.err
    assert program("keys", "set", "main", stdin=KEY, **VAULT).code == 0
    assert program("ask", "Ping", "--provider", "main", "--json", **VAULT).json["provider"] == "main"
