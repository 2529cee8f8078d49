"""``selftest`` and ``bench`` as a person runs them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.e2e.program import Program


@pytest.mark.slow
@pytest.mark.model
def test_the_selftest_passes_and_touches_nothing_of_the_persons(program: Program, tmp_path: Path) -> None:
    program.settings('[providers.mine]\nkind = "mock"\n')
    before = sorted(program.home.rglob("*"))
    ran = program("selftest", "-o", str(tmp_path / "report.json"), "--json")
    assert ran.code == 0, ran.out
    assert ran.json["ok"] is True
    assert ran.json["failed"] == 0
    assert ran.json["passed"] >= 12
    assert json.loads((tmp_path / "report.json").read_text()) == ran.json
    assert sorted(program.home.rglob("*")) == before


def test_a_report_is_not_written_over_another_file(program: Program, tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("mine")
    for command in ("selftest", "bench"):
        ran = program(command, "-o", str(tmp_path / "report.md"))
        assert ran.code == 2
        assert "already" in ran.err
    assert (tmp_path / "report.md").read_text() == "mine"


@pytest.mark.ui
def test_the_window_is_painted_once_and_taken_away(program: Program) -> None:
    pytest.importorskip("PySide6")
    began = time.time()
    ran = program("bench", "--paint-once", "--json", QT_QPA_PLATFORM="offscreen")
    assert ran.code == 0, ran.err
    assert began < ran.json["painted_at"] <= time.time()
    assert ran.json["resident_mb"] > 10
    assert "--paint-once" not in program("bench", "--help").out
