"""A disk that fills while documents are indexed: one sentence, nothing lost, and it goes on when there is room."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.kills import Figures, look, text_of
from tests.rag.conftest import add
from tests.rag.fakes import open_library

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import asyncio, resource, sys
from pathlib import Path
from tests.benchmarks.kills import index
from vpa_desktop.errors import StorageError

most = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
try:
    asyncio.run(index(Path(sys.argv[1]), Path(sys.argv[2]), False))
except StorageError as error:
    print(error)
"""
BOOKS = 30


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_what_was_stored_stays_and_the_rest_follows(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()

    async def begin() -> int:
        (docs / "first.md").write_text(text_of(10_000, 0))
        async with open_library(tmp_path) as knowledge:
            await add(knowledge, docs)
        return (tmp_path / "vpa.db").stat().st_size

    most = asyncio.run(begin()) + 100_000
    for book in range(BOOKS):
        (docs / f"book{book}.md").write_text(text_of(book, 0))
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), str(docs), str(most)],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    sentence = ran.stdout.strip().splitlines()
    assert len(sentence) == 1
    assert sentence[0].startswith(("The disk reported an error.", "Nothing more can be saved: the disk is full."))
    assert ran.stderr == ""
    figures = Figures()
    look(tmp_path / "vpa.db", figures, "on a full disk")
    assert figures.faults == []

    async def go_on() -> tuple[int, int, str]:
        async with open_library(tmp_path) as knowledge:
            await knowledge.resume()
            report = await add(knowledge, docs)
            facts = await knowledge.check()
        assert report.failed == ()
        return report.added + report.unchanged, facts["passages_without_vector"], facts["index"]

    assert asyncio.run(go_on()) == (BOOKS + 1, 0, "ok")
    look(tmp_path / "vpa.db", figures, "at the end")
    assert figures.faults == []
