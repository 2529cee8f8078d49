"""A kill in the middle of adding loses nothing: what was stored stays, the rest is made up for."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rag.conftest import add, open_knowledge

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import asyncio, sys
from pathlib import Path
from tests.rag.conftest import open_knowledge

async def main(home):
    async with open_knowledge(home) as knowledge:
        async for event in knowledge.add_paths([home / "docs"]):
            print(getattr(event, "chunks_done", -1), flush=True)

asyncio.run(main(Path(sys.argv[1])))
"""


BOOKS = 3


def kill_when_embedding(home: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) > 0:
                break
        child.kill()


@pytest.mark.alone
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
async def test_killed_while_embedding_it_goes_on_where_it_was(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for number in range(BOOKS):
        text = " ".join(f"Fact {n} of book {number} concerns the number {n * number}." for n in range(600))
        (docs / f"book{number}.txt").write_text(text)
    kill_when_embedding(tmp_path)
    async with open_knowledge(tmp_path) as knowledge:
        before = await knowledge.check()
        assert before["documents"] == BOOKS
        assert 0 < before["passages_without_vector"] < before["passages"]
        assert "indexing" in {document.state for document in await knowledge.list_documents()}
        by_words = (await knowledge.search_knowledge("fact 599 of book 2", 3)).results
        assert any("book 2" in result.text for result in by_words)
        began = time.monotonic()
        assert await knowledge.resume() == before["passages_without_vector"]
        report = await add(knowledge, docs)
        assert (report.unchanged, report.chunks) == (BOOKS, 0)
        assert (await knowledge.check())["passages_without_vector"] == 0
        assert {document.state for document in await knowledge.list_documents()} == {"ready"}
        assert time.monotonic() - began < 60
