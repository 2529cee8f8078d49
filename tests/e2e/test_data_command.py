"""``data`` as a person runs it: backup, restore, export, erase, check."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.program import Program

SECRET = "sk-CANARY0123456789abcdefghij"
SETTINGS = f"""
[providers.mine]
kind = "mock"
# the key was {SECRET}
[routing]
default_provider = "mine"
"""


@pytest.fixture
def used(program: Program, tmp_path: Path) -> Program:
    """The program with a conversation, a document and a cost."""
    program.settings(SETTINGS)
    program("ask", "First thing", "--conversation", "new")
    (tmp_path / "lease.txt").write_text("The notice period is three months.")
    assert program("docs", "add", str(tmp_path / "lease.txt")).code == 0
    return program


def titles(program: Program) -> list[str]:
    return [each["title"] for each in program("chats", "list", "--json").json["conversations"]]


def test_a_backup_is_restored_and_documents_are_found_again(used: Program) -> None:
    made = Path(used("data", "backup", "--json").json["file"])
    used("ask", "Second thing", "--conversation", "new")
    done = used("data", "restore", made.name, "--json")
    assert done.json["rows"]["documents"] == 1
    assert titles(used) == ["First thing"]
    found = used("docs", "search", "notice period", "--json").json["results"]
    assert found[0]["why"]["dense_rank"] == 1
    assert used("data", "check", "--json").json["ok"] is True
    assert used("audit", "list", "--action", "restored", "--json").json["entries"]
    assert used("data", "restore", done.json["kept_as"]).code == 0
    assert titles(used) == ["Second thing", "First thing"]


def test_everything_is_exported_without_keys_and_comes_back(used: Program, tmp_path: Path) -> None:
    file = tmp_path / "all.zip"
    text = "\n\n".join(f"Clause {n}. Notice {n} is given in writing to the office at the harbour." for n in range(60))
    (tmp_path / "gone.txt").write_text(text)
    used("docs", "add", str(tmp_path / "gone.txt"))
    (tmp_path / "gone.txt").unlink()
    counts = used("data", "export", "-o", str(file), "--json").json
    assert (counts["conversations"], counts["requests"], counts["documents"]) == (1, 1, 2)
    assert file.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert SECRET not in "".join(texts.values())
    assert 'kind = "mock"' in texts["settings.toml"]
    assert next(csv.DictReader(io.StringIO(texts["usage.csv"])))["provider"] == "mine"
    assert len(json.loads(texts["documents.json"])["documents"]) == 2
    (kept,) = [texts[name] for name in texts if name.startswith("documents/")]
    assert kept.split() == text.split()  # whole, and nothing twice
    assert len([name for name in texts if name.endswith(".md")]) == 1
    (tmp_path / "c.json").write_text(texts["conversations.json"])
    other = Program(tmp_path / "other")
    assert other("chats", "import", str(tmp_path / "c.json"), "--json").json["messages"] == 2


def test_erasing_asks_first_and_then_leaves_nothing(used: Program) -> None:
    ran = used("data", "erase")
    assert ran.code == 2
    assert "vpa.db" in ran.out
    assert ran.err.startswith("error: Nothing was removed.")
    assert titles(used) == ["First thing"]
    done = used("data", "erase", "--yes", "--json")
    assert done.code == 0
    assert done.json["removed"] is True
    assert not used.home.exists()


def test_data_of_a_newer_version_is_one_sentence_and_stays(used: Program, tmp_path: Path) -> None:
    made = used("data", "backup", "--json").json["file"]
    with closing(sqlite3.connect(used.home / "vpa.db")) as db:
        db.execute("PRAGMA user_version = 99")
        db.commit()
    before = (used.home / "vpa.db").read_bytes()
    (tmp_path / "none.json").write_text('{"format": "vpa-desktop conversations", "version": 1, "conversations": []}')
    for arguments in (("data", "restore", made), ("docs", "add", str(tmp_path / "lease.txt")), ("data", "check")):
        ran = used(*arguments)
        assert ran.err.count("newer version of VPA Desktop") == 1, arguments
        assert "Traceback" not in ran.err
        assert (used.home / "vpa.db").read_bytes() == before
    assert used("chats", "import", str(tmp_path / "none.json")).code == 0
    everything = {path: path.read_bytes() for path in used.home.rglob("*") if path.is_file()}
    assert used("data", "check").code == 0
    assert {path: path.read_bytes() for path in everything} == everything
    assert used("data", "restore", made).code == 8
    assert titles(used) == ["First thing"]
