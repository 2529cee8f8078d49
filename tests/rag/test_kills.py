"""A few kills at random moments; ``python -m tests.benchmarks.kills`` does two hundred."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.benchmarks.kills import run


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_kill_at_any_moment_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    figures, end = run(kills=8, seed=1, real=False, home=tmp_path)
    assert figures.faults == []
    assert end.endswith("index ok")
