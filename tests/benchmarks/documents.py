"""What reading documents costs, how soon they are found, what an edited page costs. Prints figures; asserts nothing.

``python -m tests.benchmarks.documents FOLDER [--peers PYTHON]``. ``PYTHON`` is an interpreter of an environment that
has pypdf; without it the PDF part has one row. Processor seconds are counted, so that a busy machine tells the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.retrieval_sets import mark
from tests.rag.fakes import HashEmbedder, open_library
from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.embedder import OnnxEmbedder
from vpa_desktop.rag.folders import Disk, Walk
from vpa_desktop.rag.ignore import IgnoreRules
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.rag.loaders import load
from vpa_desktop.storage.database import Database

WORDS = "puffins of Skerryvore"
STATES = ("cold", "warm")
OURS = """
from vpa_desktop.rag.loaders import load
from pathlib import Path
def read(path):
    return sum(len(part.text) for part in load(Path(path)).parts)
"""
PYPDF = """
import logging, pypdf
logging.disable(logging.CRITICAL)
def read(path):
    reader = pypdf.PdfReader(path)
    if reader.is_encrypted:
        reader.decrypt("")
    return sum(len(page.extract_text()) for page in reader.pages)
"""
MEASURE = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
rows = {}
for path in sys.argv[1:]:
    began = time.process_time()
    try:
        chars = read(path)
    except Exception as error:
        chars = -1
    rows[path] = [time.process_time() - began, chars]
print(json.dumps(rows))
"""


def measured(interpreter: str, reader: str, paths: list[Path]) -> dict[str, list[float]]:
    """Returns processor seconds and characters of each file, -1 where it could not be read."""
    command = [interpreter, "-c", reader + MEASURE, *map(str, paths)]
    rows: dict[str, list[float]] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return rows


def documents_in(folder: Path) -> Iterator[Path]:
    """Yields the files of a folder that could be documents."""
    walk = Walk(IgnoreRules(str(folder.absolute())), Disk())
    while portion := walk.portion():
        yield from (Path(found.path) for found in portion)


def by_kind(folder: Path) -> None:
    """Prints files, characters and processor seconds of each ending."""
    rows: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0, 0])
    for path in documents_in(folder):
        row = rows[path.suffix.lower()]
        began = time.process_time()
        row[0] += 1
        try:
            document = load(path)
        except DocumentUnreadable:
            document = None
        row[3] += time.process_time() - began
        if document is not None and document.parts:
            row[1] += 1
            row[2] += sum(len(part.text) for part in document.parts)
    print(f"{'kind':8} {'files':>6} {'read':>6} {'characters':>12} {'CPU s':>8}")
    for suffix, (files, read, chars, cpu_s) in sorted(rows.items()):
        print(f"{suffix:8} {files:6.0f} {read:6.0f} {chars:12,.0f} {cpu_s:8.2f}")


def pdf(folder: Path, peer: str) -> None:
    """Prints what the text of the PDFs costs that every reader got some text from."""
    paths = sorted(folder.rglob("*.pdf"))
    results = {"ours": measured(sys.executable, OURS, paths)}
    if peer:
        results["pypdf"] = measured(peer, PYPDF, paths)
    both = [path for path in map(str, paths) if all(rows[path][1] > 0 for rows in results.values())]
    ours = sum(results["ours"][path][0] for path in both)
    print(f"\n{len(both)} of {len(paths)} PDFs read by all")
    for name, rows in results.items():
        cpu_s = sum(rows[path][0] for path in both)
        chars = sum(rows[path][1] for path in both)
        print(f"{name:8} {cpu_s:8.2f} CPU s {chars:12,.0f} characters {cpu_s / ours:8.1f} times ours")
    if peer:
        theirs = sum(results["pypdf"][path][0] for path in both)
        mark("the text of PDFs at least 8 times as fast as pypdf", theirs >= 8 * ours)


async def first_hit(home: Path) -> None:
    """Prints how long after a file was added its words find it, with a reader that must start and one that runs."""
    database = await Database.open(home / "vpa.db", backups=home / "backups")
    knowledge = KnowledgeBase(database, home / "index", embedder=OnnxEmbedder())
    try:
        await knowledge.search_knowledge("warm", 1)
        for state in STATES:
            seconds = await _hit_s(knowledge, home / f"{state}.md")
            print(f"first hit, {state} reader: {seconds:.2f} s")
            mark(f"the first hit by words within 1 s of adding a file, {state} reader", seconds <= 1)
    finally:
        await knowledge.aclose()
        await database.aclose()


async def _hit_s(knowledge: KnowledgeBase, path: Path) -> float:
    began = time.perf_counter()

    task = asyncio.create_task(_add(knowledge, path))
    while True:
        found = await knowledge.search_knowledge(WORDS, 10)
        if path.name in {result.document for result in found.results}:
            seconds = time.perf_counter() - began
            await task
            return seconds
        await asyncio.sleep(0.01)


async def edited_page(folder: Path, home: Path) -> None:
    """Replaces one page in the middle of the longest PDF, and prints how many passages are embedded again."""
    (longest, pages), (other, _) = await asyncio.to_thread(_longest, folder)
    edited = home / "edited.pdf"
    edited.write_bytes(longest.read_bytes())
    embedder = HashEmbedder()
    async with open_library(home, embedder) as knowledge:
        await _add(knowledge, edited)
        whole = len(embedder.embedded)
        page = pages // 2
        await asyncio.to_thread(_replace_page, longest, page, other, edited)
        (document,) = await knowledge.list_documents()
        before = await knowledge._store.passages_of(document.id, 0, document.chunks)
        began = time.perf_counter()
        await _add(knowledge, edited)
        seconds = time.perf_counter() - began
        (document,) = await knowledge.list_documents()
        after = await knowledge._store.passages_of(document.id, 0, document.chunks)
    again = len(embedder.embedded) - whole
    new = len({passage.text for passage in after} - {passage.text for passage in before})
    on_page = sum(1 for passage in after if passage.page == page + 1)
    print(
        f"\npage {page + 1} of {pages} replaced in {longest.name}: {again} of {len(after)} passages embedded again, "
        f"{new} have new text, {on_page} are on that page; {seconds:.2f} s without a model"
    )
    # The text runs on over the end of a page: the passages before and after it may have been cut in another place.
    mark("an edit of one page re-embeds only what changed", new == again <= on_page + 2)


def _longest(folder: Path) -> list[tuple[Path, int]]:
    lengths = {path: pages for path in folder.rglob("*.pdf") if (pages := _pages(path)) is not None}
    return sorted(lengths.items(), key=lambda item: -item[1])[:2]


def _pages(path: Path) -> int | None:
    import pypdfium2

    try:
        with pypdfium2.PdfDocument(path) as pdf:
            return len(pdf)
    except pypdfium2.PdfiumError:
        return None


def _replace_page(source: Path, page: int, other: Path, target: Path) -> None:
    import pypdfium2

    with pypdfium2.PdfDocument(source) as pdf, pypdfium2.PdfDocument(other) as from_there:
        del pdf[page]
        pdf.import_pages(from_there, [len(from_there) // 2], page)
        pdf.save(target)


async def _add(knowledge: KnowledgeBase, path: Path) -> None:
    async for _ in knowledge.add_paths([path]):
        pass


def main() -> None:
    """Reads the command line and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peers", default="", help="an interpreter that has pypdf")
    options = parser.parse_args()
    by_kind(options.folder)
    pdf(options.folder, options.peers)
    with tempfile.TemporaryDirectory() as name:
        for state in STATES:
            (Path(name) / f"{state}.md").write_text(f"# Lighthouse\n\nThe {state} keeper: {WORDS}.\n", "utf-8")
        asyncio.run(first_hit(Path(name)))
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(edited_page(options.folder, Path(name)))


if __name__ == "__main__":
    main()
