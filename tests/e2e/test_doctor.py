"""``doctor`` finds the common faults and says the fix of each."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import Any

from tests.e2e.program import LLMock, Program, Ran
from tests.ports import free_port

NAMES = {"Python", "Settings", "Policy", "Rights", "Data folder", "Room for your data", "Room for temporary files",
         "Database", "Backups", "Keys", "Local model", "Embedding model", "Document libraries", "Window libraries",
         "Clock"}  # fmt: skip


def found(ran: Ran, name: str) -> dict[str, Any]:
    """The finding of a check."""
    (finding,) = [each for each in ran.json["findings"] if each["check"] == name]
    return dict(finding)


def test_every_part_is_looked_at_and_providers_are_asked(program: Program, llmock: LLMock) -> None:
    program.settings(
        f"""
[providers.well]
kind = "openai_compatible"
model = "gpt-4o"
api_endpoint = "{llmock.base}/v1"
[providers.dead]
kind = "openai_compatible"
model = "m"
api_endpoint = "http://127.0.0.1:{free_port()}/v1"
"""
    )
    ran = program("doctor", "--json")
    assert {each["check"] for each in ran.json["findings"]} >= NAMES
    assert found(ran, "Provider well")["ok"] is True
    dead = found(ran, "Provider dead")
    assert (dead["ok"], dead["needed"]) == (False, False)
    assert dead["fix"]
    assert all(each["fix"] for each in ran.json["findings"] if not each["ok"])


def test_offline_nothing_elsewhere_is_asked(program: Program) -> None:
    program.settings(
        '[providers.away]\nkind = "openai_compatible"\nmodel = "m"\napi_endpoint = "https://192.0.2.1/v1"\n'
    )
    ran = program("doctor", "--json", VPA_OFFLINE="1")
    assert found(ran, "Provider away")["detail"] == "not asked: offline"
    assert "no provider was asked" in found(ran, "Clock")["detail"]


def test_what_is_wrong_with_files_is_said(program: Program) -> None:
    program.settings('[routing]\nstrategy = "fastets"\n')
    program("chats", "list")
    (program.home / "vpa.db").chmod(0o644)
    with closing(sqlite3.connect(program.home / "vpa.db")) as db:
        db.execute("PRAGMA user_version = 99")
        db.commit()
    ran = program("doctor", "--json")
    assert ran.code == 1
    assert "fastets" in found(ran, "Settings")["detail"]
    assert "vpa.db" in found(ran, "Rights")["detail"]
    assert "newer version" in found(ran, "Database")["detail"]
    assert "install the version" in found(ran, "Database")["fix"]


def test_a_clock_that_is_behind_its_own_files_cannot_be_right(program: Program) -> None:
    program("chats", "list")
    os.utime(program.home / "vpa.db", (5e9, 5e9))
    clock = found(program("doctor", "--json", VPA_OFFLINE="1"), "Clock")
    assert clock["ok"] is False
    assert "cannot be right" in clock["detail"]
    assert clock["fix"].startswith("Set the clock")
