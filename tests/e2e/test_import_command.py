"""``chats import`` of other programs' exports, by the real program: kept, doubled never, refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import Program
from tests.importing.test_exports import CASES, OPEN_WEBUI, written


@pytest.mark.parametrize("case", ["chatgpt", "cherry", "chatbox"])
def test_an_export_is_taken_in_once(case: str, program: Program, tmp_path: Path) -> None:
    document, name, said = CASES[case]
    file = written(tmp_path, document)
    ran = program("chats", "import", str(file), "--json")
    assert ran.code == 0, ran.err
    assert (ran.json["program"], ran.json["new"]) == (name, len(said))
    again = program("chats", "import", str(file), "--json").json
    assert (again["new"], again["messages"]) == (0, 0)
    listed = program("chats", "list", "--json").json["conversations"]
    assert len(listed) == len(said)


def test_what_was_taken_in_is_shown_searched_and_gone_on_with(program: Program, tmp_path: Path) -> None:
    program.settings('[providers.mine]\nkind = "mock"\n[routing]\ndefault_provider = "mine"\n')
    ran = program("chats", "import", str(written(tmp_path, OPEN_WEBUI)))
    assert ran.out.startswith("2 new conversations of 2; 4 messages added, 0 here already (from Open WebUI)")
    (found,) = program("chats", "search", "17", "--json").json["conversations"]
    shown = program("chats", "show", found["id"], "--json").json
    assert [(m["role"], m["content"], m["model"]) for m in shown["messages"]] == [
        ("user", "15 * 17?", ""),
        ("assistant", "255", "deepseek-r1"),  # the answer before it is kept behind it
    ]
    assert shown["created_at"].startswith("2023-11-14")
    more = program("ask", "And 16 * 17?", "--conversation", found["id"], "--json")
    assert more.code == 0, more.err
    assert len(program("chats", "show", found["id"], "--json").json["messages"]) == 4


def test_a_file_of_another_kind_is_refused_in_one_sentence(program: Program, tmp_path: Path) -> None:
    ran = program("chats", "import", str(written(tmp_path, {"hello": 1})))
    assert ran.code == 2
    assert ran.err.startswith("error: export.json was not taken in. It is no export of conversations that is known.")
    assert program("chats", "import", str(tmp_path / "gone")).code == 2
    assert program("chats", "list", "--json").json["conversations"] == []
