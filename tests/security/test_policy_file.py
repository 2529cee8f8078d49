"""policy.toml as an administrator writes it: where it lies, whose it is, and that no mistake in it opens anything."""

from __future__ import annotations

import os
import pwd
import re
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import Paths, find_paths
from vpa_desktop.security.policy import Policy, PolicyBook
from vpa_desktop.security.policy_file import (
    login_name,
    parse,
    policies_in_force,
    read_policy,
    system_policy_file,
    weakness_of,
)
from vpa_desktop.settings_file import parse_settings

WHOLE = """
[limits]
daily_limit_usd = 50
monthly_limit_usd = 500

[providers]
allowed = ["openai_main", "local"]
allowed_kinds = ["openai", "llama_cpp"]
allowed_hosts = ["api.openai.com"]

[models]
allowed = ["gpt-*", "smollm*"]
denied = ["*-pro*"]

[privacy]
redact_outgoing = true

[roles.assistant]
providers = ["openai_main"]
models = ["gpt-6-luna"]
daily_limit_usd = 1
max_tokens = 2000

[users]
Anna = "assistant"
default = "assistant"
"""
BASE = Policy("The policy", "policy.toml")
OPENAI = LLMProviderConfig("openai")


def test_the_whole_form_is_read() -> None:
    policy = parse(WHOLE, BASE)
    assert policy.broken == ""
    assert policy.everybody.providers == ("openai_main", "local")
    assert policy.everybody.hosts == ("api.openai.com",)
    assert policy.everybody.daily_limit_usd == Decimal(50)
    assert policy.redact_outgoing
    assert policy.rules_for("ANNA")[1].max_tokens == 2000
    assert policy.rules_for("bob")[1].name == "roles.assistant"
    assert not policy.users_may_choose


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[providers]\nalowed = []", "policy.toml line 2: providers.alowed is not a rule; allowed: allowed,"),
        ("[provider]", "policy.toml line 1: provider is not a rule"),
        ('[limits]\n\ndaily_limit_usd = "50"', 'line 3: limits.daily_limit_usd is "50"; allowed: an amount in US'),
        ("[limits]\ndaily_limit_usd = -1", "line 2: limits.daily_limit_usd is -1"),
        ("[privacy]\nlocal_only = 1", "line 2: privacy.local_only is 1; allowed: true or false"),
        ('[providers]\nallowed = "a"', "line 2: providers.allowed"),
        ('[providers]\nallowed_kinds = ["chatgpt"]', "allowed: a list of kinds: openai"),
        ('[providers]\nallowed_hosts = ["https://api.openai.com/v1"]', "a list of hosts"),
        ('[users]\nanna = "chef"', 'line 2: users.anna is "chef"; allowed: a role of this file'),
        ('[limits]\nunknown_price = "free"', 'unknown_price is "free"; allowed: "block" or "allow"'),
        ("[users]\nmay_choose = 3", "line 2: users.may_choose is 3"),
        ("roles = 3", "line 1: roles is 3; allowed: a table"),
        ("[roles]\na = 3", "roles.a is 3; allowed: a table"),
        ("[roles.a]\nlimit = 3", "line 2: roles.a.limit is not a rule"),
        ("[limits\n", "policy.toml: "),
        ("daily = = 1", "policy.toml: "),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key_and_closes_the_way_out(line: str, said: str) -> None:
    policy = parse(line, BASE)
    assert said in policy.broken
    assert policy.broken.endswith("Nothing leaves this machine until it is mended")


def test_without_a_file_there_is_no_policy_and_an_empty_one_forbids_nothing(tmp_path: Path) -> None:
    paths = find_paths(tmp_path)
    nowhere = tmp_path / "nowhere" / "policy.toml"
    assert read_policy(paths, nowhere) is None
    paths.policy_file.write_text("")
    found = read_policy(paths, nowhere)
    assert found is not None
    settings = parse_settings("").settings
    assert policies_in_force(settings, found).refusal(OPENAI, "gpt-4o", "anna") is None


def test_the_administrators_place_wins_over_the_file_beside_the_settings(tmp_path: Path) -> None:
    paths, office = find_paths(tmp_path / "home"), tmp_path / "etc" / "policy.toml"
    paths.make()
    office.parent.mkdir()
    paths.policy_file.write_text('[providers]\nallowed = ["mine"]')
    beside = read_policy(paths, office)
    assert beside is not None
    assert beside.policy.everybody.providers == ("mine",)
    assert beside.policy.users_may_choose
    office.write_text('[providers]\nallowed = ["theirs"]')
    found = read_policy(paths, office)
    assert found is not None
    assert found.policy.everybody.providers == ("theirs",)
    assert found.passed_over == paths.policy_file
    assert not found.policy.users_may_choose


def test_a_file_that_cannot_be_read_closes_the_way_out(tmp_path: Path) -> None:
    paths = find_paths(tmp_path)
    paths.policy_file.mkdir()
    folder = read_policy(paths, tmp_path / "none")
    assert folder is not None
    assert f"{paths.policy_file} cannot be read" in folder.policy.broken
    paths.policy_file.rmdir()
    paths.policy_file.write_bytes(b'[providers]\nallowed = ["\xff"]')
    letters = read_policy(paths, tmp_path / "none")
    assert letters is not None
    assert "not text in UTF-8" in letters.policy.broken


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to nothing", "link to itself", "huge"])
def test_what_is_no_small_file_closes_the_way_out_at_once(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "system.toml"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    elif kind == "huge":
        with place.open("wb") as file:
            file.truncate(1 << 40)
    else:
        place.symlink_to(place if kind == "link to itself" else tmp_path / "nothing")
    found = read_policy(Paths(tmp_path, tmp_path / "settings.toml"), place)
    assert found is not None
    assert f"{place} cannot be read" in found.policy.broken
    assert ".." not in found.policy.broken
    assert PolicyBook((found.policy,)).refusal(OPENAI, "gpt-4o", None) is not None


@pytest.mark.parametrize(
    "text",
    ["x = " + "9" * 5_000, "x = " + "[" * 5_000, '[roles.a]\n[users]\nanna = ["a"]',
     '[roles.a]\n[roles.b]\n[users]\nanna = "a"\nAnna = "b"'],
)  # fmt: skip
def test_what_the_reader_chokes_on_closes_the_way_out(text: str) -> None:
    assert parse(text, BASE).broken


def test_a_mark_of_the_encoding_is_no_mistake(tmp_path: Path) -> None:
    place = tmp_path / "system.toml"
    place.write_bytes(b"\xef\xbb\xbf[limits]\ndaily_limit_usd = 3\n")
    found = read_policy(Paths(tmp_path, tmp_path / "settings.toml"), place)
    assert found is not None
    assert (found.policy.broken, found.policy.everybody.daily_limit_usd) == ("", Decimal(3))


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_file_without_leave_to_read_it_closes_the_way_out(tmp_path: Path) -> None:
    paths = find_paths(tmp_path)
    paths.policy_file.write_text("")
    paths.policy_file.chmod(0)
    found = read_policy(paths, tmp_path / "none")
    assert found is not None
    assert "cannot be read" in found.policy.broken


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_only_a_file_of_root_that_others_cannot_write_is_an_administrators(tmp_path: Path) -> None:
    office = tmp_path / "etc" / "policy.toml"
    office.parent.mkdir(mode=0o755)
    office.write_text("")
    office.chmod(0o644)
    paths = find_paths(tmp_path / "home")
    assert weakness_of(office) == ""
    found = read_policy(paths, office)
    assert found is not None
    assert (found.policy.is_administrators, found.policy.whose) == (True, "Your administrator's policy")
    office.chmod(0o664)
    assert "can be written by others than root" in weakness_of(office)
    office.chmod(0o644)
    office.parent.chmod(0o777)
    assert "can be written by others than root" in weakness_of(office)
    office.parent.chmod(0o755)
    os.chown(office, 65534, 65534)
    assert "does not belong to root" in weakness_of(office)
    weak = read_policy(paths, office)
    assert weak is not None
    assert not weak.policy.is_administrators
    assert not weak.policy.users_may_choose  # it binds all the same
    os.chown(office, 0, 0)
    link = tmp_path / "linked.toml"
    real = tmp_path / "theirs.toml"
    real.write_text("")
    os.chown(real, 65534, 65534)
    link.symlink_to(real)
    assert "does not belong to root" in weakness_of(link)


def test_no_variable_moves_the_administrators_place_or_changes_who_is_logged_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = system_policy_file()
    for name in ("XDG_CONFIG_DIRS", "XDG_CONFIG_HOME", "HOME", "VPA_HOME", "VPA_POLICY"):
        monkeypatch.setenv(name, "/nowhere")
    for name in ("USER", "LOGNAME", "USERNAME", "LNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "boss")
    assert system_policy_file() == before
    if sys.platform == "linux":
        assert str(before) == "/etc/vpa-desktop/policy.toml"
    assert login_name() == pwd.getpwuid(os.getuid()).pw_name


def test_roles_in_settings_limit_further_and_a_mistake_in_them_closes_the_way_out() -> None:
    text = '[roles.child]\nmodels = ["gpt-6-luna"]\nlocal_only = false\n[roles.users]\ndefault = "child"\n'
    loaded = parse_settings(text)
    assert loaded.problems == ()
    book = policies_in_force(loaded.settings, None)
    assert book.login == login_name()
    assert book.user_of("ben") == "ben"
    refusal = book.refusal(OPENAI, "gpt-4o", "ben")
    assert refusal is not None
    assert (refusal.rule, "Your settings.toml does not allow the model gpt-4o" in str(refusal)) == (
        "roles.child.models",
        True,
    )
    wrong = parse_settings(text.replace("models =", "modles ="))
    assert "line 2: roles.child.modles is not a setting" in wrong.problems[0]
    closed = policies_in_force(wrong.settings, None).refusal(OPENAI, "gpt-4o", "ben")
    assert closed is not None
    assert closed.rule == "policy.unreadable"
    nobody = parse_settings('[roles.users]\nben = "child"')
    assert "roles.users.ben" in nobody.problems[0]
    assert nobody.settings.roles_problem


@pytest.mark.parametrize(
    "line",
    ["models = [gpt-6-luna]", 'models = ["gpt-6-luna"', "[roles.child]", "x = " + "9" * 5_000, "x = " + "[" * 5_000],
)
def test_what_is_no_toml_in_a_file_with_roles_closes_the_way_out_too(line: str) -> None:
    text = f'[roles.child]\nlocal_only = false\n{line}\n[roles.users]\ndefault = "child"\n'
    refusal = policies_in_force(parse_settings(text).settings, None).refusal(OPENAI, "gpt-4o", "ben")
    assert refusal is not None
    assert refusal.rule == "policy.unreadable"


def test_the_readmes_examples_are_read_as_they_stand() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    examples = [block for block in re.findall(r"```toml\n(.*?)```", readme, re.DOTALL) if "[limits]" in block]
    assert len(examples) == 2
    form, office = (parse(text, BASE) for text in examples)
    assert (form.broken, office.broken) == ("", "")
    assert form.rules_for("anna")[1].denied_models == ()
    assert office.rules_for("tom")[1].daily_limit_usd == Decimal(1)
    assert office.rules_for("eve") == (office.everybody,)
