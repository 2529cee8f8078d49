"""The configuration of before, taken over from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.program import Program
from tests.test_old_config import KEY, OLD


def test_it_is_taken_over_once_and_no_key_is_shown(program: Program, tmp_path: Path) -> None:
    file = tmp_path / "llm_config.json"
    file.write_text(json.dumps(OLD))
    vault = {"VPA_VAULT": "file", "VPA_VAULT_PASSPHRASE": "a passphrase"}
    first = program("migrate", "legacy", str(file), **vault)
    assert first.code == 0, first.err
    assert "written " in first.out
    again = program("migrate", "legacy", str(file), **vault)
    assert "Nothing was changed: everything is here already." in again.out
    assert KEY not in first.out + first.err + again.out + again.err


def test_what_has_no_place_here_is_not_called_taken_over(program: Program, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text(json.dumps({"some_program": {"colour": "blue"}}))
    done = program("migrate", "legacy", str(file), VPA_VAULT="memory")
    assert done.code == 0, done.err
    assert "Nothing was changed: nothing of it has a place here." in done.out
