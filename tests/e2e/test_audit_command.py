"""``audit`` as a person runs it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.e2e.program import Program


def test_the_audit_is_listed_verified_and_exported_and_a_change_is_named(program: Program, tmp_path: Path) -> None:
    program.settings('[providers.mine]\nkind = "mock"\n')
    program("ask", "Once", "--conversation", "new")
    for n in range(3):
        assert program("chats", "export", "-o", str(tmp_path / f"{n}.json")).code == 0
    entries = program("audit", "list", "--action", "export", "--limit", "2", "--json").json["entries"]
    assert [entry["target"] for entry in entries] == ["2.json", "1.json"]
    file = tmp_path / "audit.jsonl"
    assert program("audit", "export", "-o", str(file)).code == 0
    assert [json.loads(line)["seq"] for line in file.read_text().splitlines()] == [1, 2, 3]
    assert program("audit", "verify", "--against", str(file)).code == 0
    assert program("audit", "verify", "--against", str(tmp_path / "0.json")).code == 2

    with closing(sqlite3.connect(program.home / "vpa.db")) as db:
        db.execute("DROP TRIGGER audit_no_update")
        db.execute("UPDATE audit SET target = 'other' WHERE seq = 2")
        db.commit()
    ran = program("audit", "verify", "--json")
    assert ran.code == 8
    assert (ran.json["ok"], ran.json["first_bad"]) == (False, 2)
    assert "Entry 2" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_what_is_done_with_keys_is_noted_without_a_key(program: Program) -> None:
    program.settings(
        '[providers.mine]\nkind = "openai_compatible"\nmodel = "m"\napi_endpoint = "http://127.0.0.1:9/v1"\n'
    )
    vault = {"VPA_VAULT": "file", "VPA_VAULT_PASSPHRASE": "correct horse"}
    assert program("keys", "set", "mine", stdin="sk-CANARY0123456789\n", **vault).code == 0
    assert program("keys", "delete", "mine", **vault).code == 0
    ran = program("audit", "list", "--action", "key", "--json")
    assert [entry["action"] for entry in ran.json["entries"]] == ["key deleted", "key stored"]
    assert "CANARY" not in ran.out
