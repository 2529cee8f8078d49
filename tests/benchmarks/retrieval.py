"""Ranking quality and speed of the knowledge base on a judged set. Prints figures; asserts nothing.

``python tests/benchmarks/retrieval.py FOLDER [--queries N] [--home DIR]`` with a folder in the BEIR layout
(corpus.jsonl, queries.jsonl, qrels/test.tsv). A home that is kept is not filled again.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from vpa_desktop.rag.embedder import OnnxEmbedder
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.records import IngestReport
from vpa_desktop.storage.database import Database


def read_lines(path: Path) -> list[dict[str, str]]:
    """Returns the objects of a JSON-lines file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def read_judgements(folder: Path) -> dict[str, dict[str, int]]:
    """Returns question -> document -> grade of the test part, or of the only one there is."""
    files = sorted((folder / "qrels").glob("*.tsv"), key=lambda path: path.stem != "test")
    judged: dict[str, dict[str, int]] = {}
    with files[0].open(encoding="utf-8") as file:
        for query, document, grade in list(csv.reader(file, delimiter="\t"))[1:]:
            if int(grade) > 0:
                judged.setdefault(query, {})[document] = int(grade)
    return judged


def ndcg(ranked: Sequence[str], judged: dict[str, int], depth: int = 10) -> float:
    """Returns nDCG at a depth with linear gains."""
    gain = sum(judged.get(doc, 0) / math.log2(rank + 2) for rank, doc in enumerate(ranked[:depth]))
    best = sum(g / math.log2(rank + 2) for rank, g in enumerate(sorted(judged.values(), reverse=True)[:depth]))
    return gain / best


def write_files(folder: Path, files: Path) -> None:
    """Writes each document of the corpus as a Markdown file."""
    files.mkdir(parents=True)
    for row in read_lines(folder / "corpus.jsonl"):
        (files / f"{row['_id']}.md").write_text(f"# {row['title']}\n\n{row['text']}\n", "utf-8")


async def fill(knowledge: KnowledgeBase, folder: Path, files: Path) -> None:
    """Writes the corpus as Markdown files and adds them."""
    await asyncio.to_thread(write_files, folder, files)
    async for event in knowledge.add_paths([files]):
        if isinstance(event, IngestReport):
            rate = event.chunks / event.seconds
            print(f"added {event.added} files, {event.chunks} passages in {event.seconds:.0f} s ({rate:.0f}/s)")


async def measure(folder: Path, home: Path, most: int) -> None:
    """Fills the knowledge base where needed, asks the judged questions and prints what came out."""
    database = await Database.open(home / "vpa.db", backups=home / "backups")
    knowledge = KnowledgeBase(database, home / "index", embedder=OnnxEmbedder())
    if await knowledge.count() == 0:
        await fill(knowledge, folder, home / "files")
    judged = read_judgements(folder)
    queries = [row for row in read_lines(folder / "queries.jsonl") if row["_id"] in judged][:most]
    scores: list[float] = []
    milliseconds: list[float] = []
    for row in queries:
        began = time.perf_counter()
        report = await knowledge.search_knowledge(row["text"], 40)
        milliseconds.append((time.perf_counter() - began) * 1000)
        ranked = list(dict.fromkeys(Path(result.path).stem for result in report.results))
        scores.append(ndcg(ranked, judged[row["_id"]]))
    milliseconds.sort()
    print(f"{folder.name}: {len(queries)} questions, nDCG@10 {100 * statistics.mean(scores):.1f}")
    print(f"p50 {statistics.median(milliseconds):.1f} ms, p95 {milliseconds[int(len(milliseconds) * 0.95)]:.1f} ms")
    await knowledge.aclose()
    await database.aclose()


def main() -> None:
    """Reads the arguments and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--home", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = arguments.home or Path(temporary)
        asyncio.run(measure(arguments.folder, home, arguments.queries))


if __name__ == "__main__":
    main()
