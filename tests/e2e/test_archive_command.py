"""``chats export`` and ``chats import`` as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.program import Program

SETTINGS = '[providers.mine]\nkind = "mock"\n[routing]\ndefault_provider = "mine"\n'


def test_conversations_go_to_another_computer_and_back(program: Program, tmp_path: Path) -> None:
    program.settings(SETTINGS)
    program("ask", "First thing", "--conversation", "new")
    second = program("ask", "Second thing", "--conversation", "new", "--json").json["conversation_id"]
    file = tmp_path / "all.json"
    assert program("chats", "export", "-o", str(file), "--json").json == {"file": str(file), "conversations": 2}
    assert file.stat().st_mode & 0o777 == 0o600

    other = Program(tmp_path / "other")
    assert other("chats", "import", str(file), "--json").json["new"] == 2
    assert other("chats", "import", str(file), "--json").json["messages"] == 0
    shown = [each("chats", "show", second, "--json").json for each in (program, other)]
    assert shown[0] == shown[1]
    other("chats", "export", "-o", str(tmp_path / "back.json"))
    documents = [json.loads(path.read_bytes()) for path in (file, tmp_path / "back.json")]
    assert documents[0]["conversations"] == documents[1]["conversations"]


def test_mistakes_are_one_line_and_code_2(program: Program, tmp_path: Path) -> None:
    program.settings(SETTINGS)
    program("ask", "Once", "--conversation", "new")
    file = tmp_path / "talk.md"
    assert program("chats", "export", "-o", str(file)).code == 0
    before = file.read_bytes()
    for arguments in (
        ("export", "-o", str(file)),
        ("export", "-o", str(tmp_path / "no" / "talk.md")),
        ("export", "-o", str(tmp_path / "talk.xyz")),
        ("export", "nope", "-o", str(tmp_path / "b.md")),
        ("import", str(file)),
        ("import", str(tmp_path / "nothing.json")),
        ("import", str(tmp_path)),
    ):
        ran = program("chats", *arguments)
        assert ran.code == 2, arguments
        assert ran.err.startswith("error: ")
        assert len(ran.err.splitlines()) == 1
    assert file.read_bytes() == before
    assert program("chats", "export", "-o", str(file), "--force").code == 0
