"""How long an unchanged folder takes to be checked again, beside a bare walk over it.

Run: python -m tests.benchmarks.recheck [--files N] [--new N]. Prints seconds and files a second for a bare os.walk with
os.stat (what the disk can do), for the check of a folder in which nothing changed, and memory while ``--new`` tiny
files are met for the first time and none of them is read. The first time, when all of them are read and stored, also
in processor time a file, in commits, and by how much the memory grew: that with half of the files, too, to tell whether
it grows with them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.retrieval_sets import mark
from tests.rag.fakes import open_library
from vpa_desktop.rag.finding import Finder
from vpa_desktop.rag.folders import Disk
from vpa_desktop.rag.ingest import Stores
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.rag.patience import Patience
from vpa_desktop.rag.tally import Tally
from vpa_desktop.records import FollowedFolder, IngestReport
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.document_files import FileStore
from vpa_desktop.storage.documents import DocumentStore
from vpa_desktop.storage.rows import utc_now

FILES_A_FOLDER = 50
ROUNDS = 5


def make(root: Path, files: int) -> None:
    """Writes tiny files, fifty in each folder."""
    for number in range(files):
        folder = root / f"{number // FILES_A_FOLDER // 40:03}" / f"{number // FILES_A_FOLDER % 40:03}"
        if number % FILES_A_FOLDER == 0:
            folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_text(f"Note {number} says that the key lies under stone {number}.")
        os.utime(folder / f"{number}.txt", (1.7e9, 1.7e9))


def bare_walk(root: Path) -> float:
    """The physical floor: every name listed, every file looked at."""
    began = time.perf_counter()
    for folder, _, names in os.walk(root):
        for name in names:
            os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118 - the bare thing
    return time.perf_counter() - began


@dataclass
class Added:
    """What the first time took: seconds, processor seconds of this process and of its children, commits, memory."""

    wall_s: float
    own_s: float
    children_s: float
    commits: int
    grown_mb: float


async def first_time(home: Path, docs: Path) -> Added:
    """Adds the folder."""
    before, began, peak = os.times(), time.perf_counter(), _peak_mb()
    async with open_library(home) as knowledge:
        commits = _count_commits(knowledge)
        async for _ in knowledge.add_paths([docs]):
            pass
        wall_s = time.perf_counter() - began
    after = os.times()
    own = after.user + after.system - before.user - before.system
    children = after.children_user + after.children_system - before.children_user - before.children_system
    return Added(wall_s, own, children, commits[0], _peak_mb() - peak)


def _count_commits(knowledge: KnowledgeBase) -> list[int]:
    """A count of the transactions that the library's writer begins from now on."""
    count = [0]

    def trace(statement: str) -> None:
        count[0] += statement == "COMMIT"

    opened = knowledge._db._opened
    assert opened is not None
    opened.db.conn.set_trace_callback(trace)
    return count


async def recheck(home: Path) -> list[float]:
    """Seconds to check the folder again, several times."""
    async with open_library(home) as knowledge:
        again = []
        for _ in range(ROUNDS):
            report = await knowledge.sync()
            assert isinstance(report, IngestReport)
            assert (report.added, report.updated, report.removed, report.failed) == (0, 0, 0, ())
            again.append(report.seconds)
            print(f"  {report.unchanged} unchanged in {report.seconds:.2f} s", flush=True)
        return again


@asynccontextmanager
async def finder(home: Path) -> AsyncIterator[Finder]:
    """What looks for files, without what reads them."""
    db = await Database.open(home / "vpa.db", backups=home / "backups")
    yield Finder(Stores(DocumentStore(db), FileStore(db), Disk(), Patience()), utc_now, frozenset())
    await db.aclose()


async def meet(home: Path, docs: Path) -> tuple[int, float, float]:
    """How many new files are met, in how many seconds, and by how many MB the most memory used grew."""
    async with finder(home) as finds:
        before, began, met = _peak_mb(), time.perf_counter(), 0
        async for portion in finds.walked([FollowedFolder(str(docs), "", "", utc_now())], Tally()):
            met += len(portion)
        return met, time.perf_counter() - began, _peak_mb() - before


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Makes the folders and prints the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--new", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=None, help="where to make the files, such as a tmpfs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        root = Path(folder)
        make(root / "new", options.new)
        (root / "empty").mkdir()
        met, seconds, grown = asyncio.run(meet(root / "empty", root / "new"))
        print(f"{met} new files met in {seconds:.2f} s ({met / seconds:.0f} files/s); memory grew by {grown:.1f} MB")
        make(root / "half", options.files // 2)
        make(root / "docs", options.files)
        for name, files in (("half", options.files // 2), ("docs", options.files)):
            (root / f"library of {name}").mkdir()
            added = asyncio.run(first_time(root / f"library of {name}", root / name))
            print(
                f"{files} files the first time, without a model: {added.wall_s:.1f} s ({files / added.wall_s:.0f} "
                f"files/s, load {os.getloadavg()[0]:.1f}); processor {added.own_s / files * 1000:.2f} ms a file, its "
                f"reader's {added.children_s / files * 1000:.2f} ms; {added.commits} commits; the most memory grew by "
                f"{added.grown_mb:.1f} MB"
            )
        again = asyncio.run(recheck(root / "library of docs"))
        floor = statistics.median(bare_walk(root / "docs") for _ in range(ROUNDS))
        ours = statistics.median(again)
        print(f"bare os.walk and os.stat: {floor:.3f} s ({options.files / floor:.0f} files/s)")
        print(f"checked again: {ours:.3f} s ({options.files / ours:.0f} files/s), {ours / floor:.1f} times the floor")
        mark(f"{options.files} unchanged files checked again in 5 s for each 10,000", ours <= options.files / 2_000)
        mark("a commit for no fewer than 16 tiny files", added.commits <= options.files / 16 * 2)


if __name__ == "__main__":
    main()
