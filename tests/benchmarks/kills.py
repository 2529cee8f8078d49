"""Kills the process that indexes, at random moments, and proves that nothing is lost, double or out of step.

Run: python -m tests.benchmarks.kills [--kills N] [--seed N] [--real]. Between two kills files are edited, added,
copied, moved and deleted, and now and then the vector index beside the database is damaged, so that every run has
something to do: read, store, embed, write the index. Half of the moments are spread evenly over the time that a run
takes, the others over what it does: shortly after it began with that. What each kill fell into is counted. After each
the database is looked at as it was left; after the last one a run goes to its end, and what it stored is compared with
a fresh index of the same folder. ``--real`` uses the embedder that comes with the program, in its processes; without
it one that only takes time. The processes are forked from one that has the libraries loaded: so none is killed while
Python starts, where nothing can be lost.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import multiprocessing
import os
import random
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.retrieval_sets import mark
from tests.rag.fakes import HashEmbedder, open_library
from vpa_desktop.rag.embedder import OnnxEmbedder
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.records import IngestReport

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILES = 12
CHANGES = 5
STAGES = ("opening", "reading", "embedding", "closing")
SOON_S = 0.1
PASSAGES_A_SECOND = 400
LOADED = ["tests.rag.fakes", "numpy", "faiss", "sqlite_utils"]
CHECKS = {
    "the file is whole": "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    "no reference leads nowhere": "SELECT count(*) FROM pragma_foreign_key_check",
    "every passage has a place": "SELECT count(*) FROM passages WHERE id NOT IN (SELECT passage_id FROM chunks)",
    "no passage is there twice": "SELECT count(*) - count(DISTINCT text_hash) FROM passages",
    "no document is there twice": "SELECT count(*) - count(DISTINCT path || collection) FROM documents",
    "every passage has a vector or waits for one": (
        "SELECT count(*) FROM passages WHERE (id IN (SELECT passage_id FROM vectors)) = "
        "(id IN (SELECT passage_id FROM passages_waiting))"
    ),
    "the words index has every passage": (
        "SELECT (SELECT count(*) FROM passages) - (SELECT count(*) FROM passages_fts_docsize)"
    ),
    "every document has the passages it says": (
        "SELECT count(*) FROM documents d WHERE chunks <> (SELECT count(*) FROM chunks WHERE document_id = d.id)"
    ),
    "ready is what nothing waits for": (
        "SELECT count(*) FROM documents d WHERE state IN ('ready', 'indexing') AND (state = 'indexing') <> "
        "(EXISTS (SELECT 1 FROM chunks JOIN passages_waiting USING (passage_id) WHERE document_id = d.id))"
    ),
}


class Slow(HashEmbedder):
    """Takes the time that a model would, and is as long."""

    dim = 384

    async def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Returns one row a text."""
        await asyncio.sleep(len(texts) / PASSAGES_A_SECOND)
        return await super().embed_passages(texts)


@dataclass
class Figures:
    """What was seen."""

    kills: int = 0
    ended_before: int = 0
    waiting: int = 0
    stages: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))
    faults: list[str] = field(default_factory=list)


async def index(home: Path, docs: Path, real: bool, tell: Callable[[str], None] = lambda stage: None) -> IngestReport:
    """What the killed process does: takes up where the one before it was, and tells what it is at."""
    tell("opening")
    async with open_library(home, OnnxEmbedder() if real else Slow()) as knowledge:
        await knowledge.resume()
        report = None
        async for step in knowledge.add_paths([docs]):
            if isinstance(step, IngestReport):
                report = step
            else:
                tell("embedding" if step.chunks_done else "reading")
        tell("closing")
    assert report is not None, "an ingestion ends with its report"
    return report


def work(home: Path, docs: Path, real: bool, told: Connection) -> None:
    """The process that is killed."""
    asyncio.run(index(home, docs, real, told.send))


def text_of(book: int, edition: int) -> str:
    """A book of ten chapters, of which each edition changes one."""
    chapters = []
    for chapter in range(10):
        version = edition if chapter == edition % 10 else 0
        facts = " ".join(f"Fact {n} of book {book}, chapter {chapter}, edition {version}." for n in range(40))
        chapters.append(f"# Chapter {chapter}\n\n{facts}\n")
    return "\n".join(chapters)


def change(docs: Path, chance: random.Random, edition: int) -> None:
    """Does to the folder what people do: edits, adds, copies, moves, deletes."""
    for _ in range(CHANGES):
        files = sorted(docs.rglob("*.md"))
        kind = chance.choice(("edit", "edit", "add", "copy", "move", "delete")) if len(files) > FILES // 2 else "add"
        file = chance.choice(files) if files else docs / "none.md"
        book = chance.randrange(10_000)
        target = docs / chance.choice(("", "left", "right")) / f"book{book}.md"
        target.parent.mkdir(exist_ok=True)
        if kind == "edit":
            file.write_text(text_of(int(hashlib.sha256(file.name.encode()).hexdigest()[:4], 16), edition))
        elif kind == "add" and len(files) < FILES * 2:
            target.write_text(text_of(book, 0))
        elif kind == "copy" and len(files) < FILES * 2:
            target.write_bytes(file.read_bytes())
        elif kind == "move":
            file.rename(target)
        elif kind == "delete":
            file.unlink()


class Runs:
    """Processes that index, forked from one that has everything loaded."""

    def __init__(self, home: Path, docs: Path, real: bool) -> None:
        self.whole_s = 0.0
        """How long one takes to its end, as those took that came to theirs."""
        self._is_first = True
        self._given = (home, docs, real)
        self._context = multiprocessing.get_context("forkserver")
        # Threads of these libraries would not be there in a fork.
        os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._context.set_forkserver_preload(LOADED)

    def kill(self, after_s: float, stage: str = STAGES[0]) -> str:
        """Kills one so long after it began with a stage; returns what it was at, empty where it had ended before."""
        here, there = self._context.Pipe(duplex=False)
        process = self._context.Process(target=work, args=(*self._given, there))
        process.start()
        there.close()
        began = time.monotonic()
        told = ""
        with here:
            with contextlib.suppress(EOFError):
                while told != stage:
                    told = here.recv()
            process.join(after_s)
            is_killed = process.is_alive()
            process.kill()
            process.join()
            with contextlib.suppress(EOFError):
                while here.poll():
                    told = here.recv()
        if is_killed and process.exitcode == -signal.SIGKILL:
            return told
        assert process.exitcode == 0, f"the process ended with {process.exitcode}"
        self.whole_s += (time.monotonic() - began - self.whole_s) / (1 if self._is_first else 4)
        self._is_first = False
        return ""

    def kill_at(self, chance: random.Random) -> str:
        """Kills one at a moment taken by chance."""
        if chance.random() < 0.5:
            return self.kill(chance.uniform(0, self.whole_s))
        return self.kill(chance.uniform(0, SOON_S), chance.choice(STAGES[1:]))


def look(database: Path, figures: Figures, moment: str) -> None:
    """Looks at the database as it was left, without the program."""
    with closing(sqlite3.connect(database, timeout=30)) as db:
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            return  # killed before there was anything in it
        for name, sql in CHECKS.items():
            if found := db.execute(sql).fetchone()[0]:
                figures.faults.append(f"{moment}: not true that {name} ({found})")
        if db.execute("SELECT count(*) FROM passages_waiting").fetchone()[0]:
            figures.waiting += 1


def contents(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every document by its path, with its passages in order and whether each has its vector."""
    sql = (
        "SELECT d.path, c.ordinal, c.section, p.text, length(v.vector) FROM documents d "
        "JOIN chunks c ON c.document_id = d.id JOIN passages p ON p.id = c.passage_id "
        "LEFT JOIN vectors v ON v.passage_id = p.id ORDER BY d.path, c.ordinal"
    )
    found: dict[str, list[tuple[Any, ...]]] = {}
    with closing(sqlite3.connect(database)) as db:
        for path, *rest in db.execute(sql):
            found.setdefault(path, []).append(tuple(rest))
    return found


async def prove(home: Path, docs: Path, real: bool, figures: Figures) -> str:
    """Lets a run go to its end, and compares it with a fresh index; returns what is in it."""
    await index(home, docs, real)
    look(home / "vpa.db", figures, "at the end")
    fresh = home / "fresh"
    fresh.mkdir()
    await index(fresh, docs, real)
    mine, other = contents(home / "vpa.db"), contents(fresh / "vpa.db")
    if mine.keys() != other.keys():
        figures.faults.append(f"documents differ: {sorted(mine.keys() ^ other.keys())}")
    for path in mine.keys() & other.keys():
        if mine[path] != other[path]:
            figures.faults.append(f"{path} has other passages than when it is read anew")
    async with open_library(home, OnnxEmbedder() if real else Slow()) as knowledge:
        await _compare_index(knowledge, home / "vpa.db", figures)
        facts = await knowledge.check()
    return f"{facts['documents']} documents, {facts['passages']} passages, index {facts['index']}"


async def _compare_index(knowledge: KnowledgeBase, database: Path, figures: Figures) -> None:
    ids = sorted(int(i) for i in (await knowledge.vector_index()).ids())
    with closing(sqlite3.connect(database)) as db:
        stored = [i for (i,) in db.execute("SELECT passage_id FROM vectors ORDER BY passage_id")]
    if ids != stored:
        figures.faults.append(f"the index has {len(ids)} vectors and the database {len(stored)}")


def spoil(folder: Path, chance: random.Random) -> None:
    """Damages the vector index, as a disk does, or takes it away."""
    for file in folder.glob("*.faiss"):
        data = bytearray(file.read_bytes())
        data[chance.randrange(len(data))] ^= 0xFF
        file.write_bytes(data[: chance.choice((len(data), len(data), len(data) // 2, 0))])


def run(kills: int, seed: int, real: bool, home: Path) -> tuple[Figures, str]:
    """Kills so many times, and returns what was seen and what is there in the end."""
    chance, figures = random.Random(seed), Figures()
    docs = home / "docs"
    docs.mkdir()
    for book in range(FILES):
        (docs / f"book{book}.md").write_text(text_of(book, 0))
    runs = Runs(home, docs, real)
    assert runs.kill(600) == "", "the first run, to its end, took ten minutes"
    edition = 0
    while figures.kills < kills:
        edition += 1
        if stage := runs.kill_at(chance):
            figures.kills += 1
            figures.stages[stage] += 1
        else:
            figures.ended_before += 1
        if (home / "vpa.db").exists():
            look(home / "vpa.db", figures, f"after kill {figures.kills}")
        if figures.kills % 20 == 0 and stage:
            print(f"{figures.kills} kills, {len(figures.faults)} faults, a run takes {runs.whole_s:.1f} s", flush=True)
        change(docs, chance, edition)
        if chance.random() < 0.1:
            spoil(home / "index", chance)
    return figures, asyncio.run(prove(home, docs, real, figures))


def main() -> int:
    """Kills and prints what was seen; the exit code is 1 where anything was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--real", action="store_true", help="with the embedder that comes with the program")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures, end = run(options.kills, options.seed, options.real, Path(folder))
    print(f"{figures.kills} kills in {time.monotonic() - began:.0f} s; {figures.ended_before} runs ended before theirs")
    print("killed while " + ", ".join(f"{stage} {count}" for stage, count in figures.stages.items()))
    print(f"left with passages that waited for their vectors: {figures.waiting} times")
    print(f"in the end: {end}")
    print("\n".join(figures.faults) or "no fault: nothing lost, nothing double, index and database in step")
    mark(f"{options.kills} kills: resumed, nothing lost, nothing double, no repair by hand", not figures.faults)
    return 1 if figures.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
