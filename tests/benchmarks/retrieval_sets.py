"""Judged sets in the BEIR layout (corpus.jsonl, queries.jsonl, qrels/test.tsv), and what they say of a ranking."""

from __future__ import annotations

import csv
import json
import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


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
    """Writes each document of a set's corpus as a Markdown file."""
    files.mkdir(parents=True, exist_ok=True)
    for row in read_lines(folder / "corpus.jsonl"):
        (files / f"{row['_id']}.md").write_text(f"# {row['title']}\n\n{row['text']}\n", "utf-8")


@dataclass(frozen=True, slots=True)
class SpanQuestion:
    """A question and the stretches of text that answer it."""

    text: str
    spans: tuple[str, ...]


def read_spans(folder: Path) -> list[SpanQuestion]:
    """Returns the questions of a set with answer spans (questions_df.csv), shuffled once so that each text is early."""
    with (folder / "questions_df.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    random.Random(5).shuffle(rows)
    return [
        SpanQuestion(row["question"], tuple(span["content"] for span in json.loads(row["references"]))) for row in rows
    ]


def span_recall(question: SpanQuestion, texts: Sequence[str]) -> float:
    """Returns the share of the answer's words that are in the texts, in runs of five as the answer has them."""
    there = {run for text in texts for run in _runs(text)}
    held = total = 0
    for span in question.spans:
        words = re.findall(r"\w+", span.lower())
        covered = [False] * len(words)
        for at, run in enumerate(_runs(span)):
            if run in there:
                covered[at : at + len(run)] = [True] * len(run)
        held, total = held + sum(covered), total + len(words)
    return held / max(total, 1)


def _runs(text: str) -> list[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return [tuple(words[at : at + 5]) for at in range(max(1, len(words) - 4))]


def mark(text: str, is_met: bool) -> None:
    """Prints a target of ours and whether it is met."""
    print(f"  target: {text}: {'met' if is_met else 'MISSED'}", flush=True)
