"""How long an unchanged folder takes to be checked again, beside a bare walk over it.

Run: python -m tests.benchmarks.recheck [--files N] [--new N]. Prints seconds and files a second for a bare os.walk with
os.stat (what the disk can do), for the check of a folder in which nothing changed, and memory while ``--new`` tiny
files are met for the first time and none of them is read.
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
from pathlib import Path

from tests.rag.fakes import open_library
from vpa_desktop.rag.finding import Finder
from vpa_desktop.rag.folders import Disk
from vpa_desktop.rag.ingest import Stores
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


async def recheck(home: Path, docs: Path) -> tuple[float, list[float]]:
    """Seconds to add the folder, and to check it again, several times."""
    async with open_library(home) as knowledge:
        began = time.perf_counter()
        async for _ in knowledge.add_paths([docs]):
            pass
        added = time.perf_counter() - began
        again = []
        for _ in range(ROUNDS):
            report = await knowledge.sync()
            assert isinstance(report, IngestReport)
            assert (report.added, report.updated, report.removed, report.failed) == (0, 0, 0, ())
            again.append(report.seconds)
            print(f"  {report.unchanged} unchanged in {report.seconds:.2f} s", flush=True)
        return added, again


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
        make(root / "docs", options.files)
        added, again = asyncio.run(recheck(root, root / "docs"))
        floor = statistics.median(bare_walk(root / "docs") for _ in range(ROUNDS))
        ours = statistics.median(again)
        print(f"first time, without a model: {added:.1f} s ({options.files / added:.0f} files/s)")
        print(f"bare os.walk and os.stat: {floor:.3f} s ({options.files / floor:.0f} files/s)")
        print(f"checked again: {ours:.3f} s ({options.files / ours:.0f} files/s), {ours / floor:.1f} times the floor")


if __name__ == "__main__":
    main()
