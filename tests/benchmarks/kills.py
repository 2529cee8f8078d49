"""Kills the process that indexes, at random moments, and proves that nothing is lost, double or out of step.

Run: python -m tests.benchmarks.kills [--kills N] [--seed N] [--real]. Between two kills files are edited, added, moved
and deleted, so that every run has something to do. After each kill the database is looked at as it was left; after the
last one a run goes to its end, and what it stored is compared with a fresh index of the same folder. ``--real`` uses
the embedder that comes with the program, in its processes; without it one that costs nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rag.fakes import open_library
from vpa_desktop.rag.embedder import OnnxEmbedder
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.records import IngestReport

ROOT = Path(__file__).resolve().parents[2]
FILES = 12
CHILD = """
import asyncio, sys
from pathlib import Path
from tests.benchmarks.kills import index

print("begun", flush=True)
asyncio.run(index(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "real"))
print("ended", flush=True)
"""
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


@dataclass
class Figures:
    """What was seen."""

    kills: int = 0
    ended_before: int = 0
    waiting: int = 0
    faults: list[str] = field(default_factory=list)


async def index(home: Path, docs: Path, real: bool) -> IngestReport:
    """What the killed process does: takes up where the one before it was."""
    async with open_library(home, OnnxEmbedder() if real else None) as knowledge:
        await knowledge.resume()
        async for step in knowledge.add_paths([docs]):
            if isinstance(step, IngestReport):
                return step
    raise AssertionError("an ingestion ends with its report")


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
    for _ in range(3):
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


def run_and_kill(home: Path, docs: Path, real: bool, seconds: float) -> bool:
    """Lets a process index and kills it after so long; True where it was still at work."""
    command = [sys.executable, "-c", CHILD, str(home), str(docs), "real" if real else "fake"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            return True
        assert child.returncode == 0, f"the process ended with {child.returncode}"
        return False


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
    async with open_library(home, OnnxEmbedder() if real else None) as knowledge:
        await _compare_index(knowledge, home / "vpa.db", figures)
        facts = await knowledge.check()
    return f"{facts['documents']} documents, {facts['passages']} passages, index {facts['index']}"


async def _compare_index(knowledge: KnowledgeBase, database: Path, figures: Figures) -> None:
    ids = sorted(int(i) for i in (await knowledge.vector_index()).ids())
    with closing(sqlite3.connect(database)) as db:
        stored = [i for (i,) in db.execute("SELECT passage_id FROM vectors ORDER BY passage_id")]
    if ids != stored:
        figures.faults.append(f"the index has {len(ids)} vectors and the database {len(stored)}")


def run(kills: int, seed: int, real: bool, longest_s: float, home: Path) -> tuple[Figures, str]:
    """Kills so many times, and returns what was seen and what is there in the end."""
    chance, figures = random.Random(seed), Figures()
    docs = home / "docs"
    docs.mkdir()
    for book in range(FILES):
        (docs / f"book{book}.md").write_text(text_of(book, 0))
    edition = 0
    while figures.kills < kills:
        edition += 1
        if run_and_kill(home, docs, real, chance.uniform(0, longest_s)):
            figures.kills += 1
        else:
            figures.ended_before += 1
        if (home / "vpa.db").exists():
            look(home / "vpa.db", figures, f"after kill {figures.kills}")
        change(docs, chance, edition)
    return figures, asyncio.run(prove(home, docs, real, figures))


def main() -> int:
    """Kills and prints what was seen; the exit code is 1 where anything was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument(
        "--longest", type=float, default=4.0, help="seconds after which a process is killed at the latest"
    )
    parser.add_argument("--real", action="store_true", help="with the embedder that comes with the program")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures, end = run(options.kills, options.seed, options.real, options.longest, Path(folder))
    print(f"{figures.kills} kills in {time.monotonic() - began:.0f} s; {figures.ended_before} runs ended before theirs")
    print(f"left with passages that waited for their vectors: {figures.waiting} times")
    print(f"in the end: {end}")
    print("\n".join(figures.faults) or "no fault: nothing lost, nothing double, index and database in step")
    return 1 if figures.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
