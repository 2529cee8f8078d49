"""Peers beside ours: their stores with the same vectors, their settings re-made with the same model, torch's pace.

The settings are those of the products' sources, not the products: how they cut, how many passages they take, and what
they search by. All use the model that comes with the program.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import psutil

from tests.benchmarks.retrieval_sets import mark, read_lines, read_spans, span_recall
from tests.benchmarks.retrieval_stores import NEAREST, OURS, STORES
from vpa_desktop.config import resource_path
from vpa_desktop.rag import retrieval
from vpa_desktop.rag.chunks import tokenizer_from
from vpa_desktop.rag.embedder import Embedder, OnnxEmbedder

if TYPE_CHECKING:
    from vpa_desktop.rag.index import Vectors

_STORES = Path(__file__).with_name("retrieval_stores.py")
_ROOT = Path(__file__).resolve().parents[2]
_QUESTIONS = 200
_TEXTS, _EMBEDDED = 1_000, 256
_SIZES = (10_000, 100_000)
_TURNS = 3
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Setting:
    """A product's way: size and overlap of a piece in characters, how many it takes, and whether words count too."""

    name: str
    chars: int
    overlap: int
    top_k: int
    with_words: bool = False


SETTINGS = (
    Setting("AnythingLLM: 1000 characters, 4 by the model", 1000, 20, 4),
    Setting("Open WebUI: 1000 characters, 3 by the model", 1000, 100, 3),
    Setting("GPT4All: 512 characters, 3 by words and model", 512, 0, 3, with_words=True),
    # 1024 tokens are about 4500 characters of these texts; the model reads the first 256 tokens of them.
    Setting("LlamaIndex: 1024 tokens, 2 by the model", 4500, 90, 2),
)


def pieces_of(text: str, chars: int, overlap: int) -> list[str]:
    """Cuts a text as recursive splitters do: at the last paragraph, line, sentence or word that fits."""
    found = []
    start = 0
    while start < len(text):
        end = start + chars
        if end < len(text):
            for border in ("\n\n", "\n", ". ", " "):
                at = text.rfind(border, start + chars // 2, end)
                if at > 0:
                    end = at + len(border)
                    break
        found.append(text[start:end].strip())
        if end >= len(text):
            break
        start = max(start + 1, end - overlap)
    return [piece for piece in found if piece]


async def kept_vectors(embedder: Embedder, texts: Sequence[str], folder: Path) -> Vectors:
    """Returns vectors, batch by batch from the folder where an earlier run, even one that was ended, left them."""
    import numpy as np

    batches = []
    for start in range(0, len(texts), _BATCH):
        batch = list(texts[start : start + _BATCH])
        file = folder / (hashlib.sha256(json.dumps([embedder.model_id, batch]).encode()).hexdigest() + ".npy")
        known = _kept(file)
        batches.append(_keep(file, await embedder.embed_passages(batch)) if known is None else known)
    vectors: Vectors = np.concatenate(batches)
    return vectors


def _kept(file: Path) -> Vectors | None:
    import numpy as np

    return np.load(file) if file.exists() else None


def _keep(file: Path, vectors: Vectors) -> Vectors:
    import numpy as np

    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    with part.open("wb") as out:
        np.save(out, vectors)
    part.replace(file)
    return vectors


async def spans_of_peers(folder: Path, embedder: Embedder, most: int, kept: Path) -> list[float]:
    """Prints how much of the answers is in what peers' settings find, and returns the shares.

    Vectors are kept in the folder ``kept`` for the next run.
    """
    import numpy as np

    questions = read_spans(folder)[:most]
    asked = await kept_vectors(embedder, [question.text for question in questions], kept)
    tokenizer = tokenizer_from(resource_path("models", "tokenizer.json"))
    shares = []
    for setting in SETTINGS:
        pieces = await asyncio.to_thread(_pieces, folder, setting)
        cosines = asked @ (await kept_vectors(embedder, pieces, kept)).T
        words = _Words(pieces) if setting.with_words else None
        recalls, tokens = [], []
        for row, question in enumerate(questions):
            order = [int(i) for i in np.argsort(-cosines[row])[:100]]
            if words is not None:
                order = _by_ranks(order, words.find(question.text))
            texts = [pieces[i] for i in order[: setting.top_k]]
            recalls.append(span_recall(question, texts))
            tokens.append(len(tokenizer.encode(" ".join(texts), add_special_tokens=False).ids))
        shares.append(mean(recalls))
        whole = mean(float(recall > 0.999) for recall in recalls)
        print(f"  {setting.name:48}{shares[-1]:12.3f}{whole:14.3f}{mean(tokens):8.0f}", flush=True)
    return shares


def _pieces(folder: Path, setting: Setting) -> list[str]:
    texts = [file.read_text("utf-8") for file in sorted(folder.glob("*.md"))]
    return [piece for text in texts for piece in pieces_of(text, setting.chars, setting.overlap)]


class _Words:
    """SQLite's word index over pieces, as GPT4All has it."""

    def __init__(self, pieces: Sequence[str]) -> None:
        import sqlite3

        self._db = sqlite3.connect(":memory:")
        self._db.execute("CREATE VIRTUAL TABLE pieces USING fts5(text, tokenize='porter')")
        self._db.executemany("INSERT INTO pieces (rowid, text) VALUES (?, ?)", enumerate(pieces))

    def find(self, question: str) -> list[int]:
        """Returns the pieces with any of the words, best first."""
        match = " OR ".join(f'"{word}"' for word in retrieval.query_words(question))
        sql = "SELECT rowid FROM pieces WHERE pieces MATCH ? ORDER BY rank LIMIT 100"
        return [i for (i,) in self._db.execute(sql, [match])]


def _by_ranks(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """Reciprocal rank fusion with k = 60."""
    scores: dict[int, float] = {}
    for order in (first, second):
        for rank, item in enumerate(order, 1):
            scores[item] = scores.get(item, 0.0) + 1 / (60 + rank)
    return sorted(scores, key=lambda item: -scores[item])


async def compare(python: str, sets: Path) -> None:
    """Prints what peers' stores and torch take for the same passages, beside ours."""
    rows = read_lines(sets / "scifact" / "corpus.jsonl")
    texts = [row["text"][:900] for row in rows[:_TEXTS]]
    embedder = OnnxEmbedder()
    real = await embedder.embed_passages(texts)
    for count in _SIZES:
        with tempfile.TemporaryDirectory() as folder:
            await asyncio.to_thread(_stores, python, Path(folder), texts, real, count)
    if model := os.environ.get("VPA_TEST_MINILM", ""):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "texts.json").write_text(json.dumps(texts[:_EMBEDDED]), "utf-8")
            await _paces(embedder, texts[:_EMBEDDED], [python, str(_STORES), folder, "torch", model])
    await embedder.aclose()


async def _paces(embedder: OnnxEmbedder, texts: Sequence[str], torch: Sequence[str]) -> None:
    """Embeds in turns with torch, so that a machine that becomes busier is so for both; the median of the turns counts.

    By the clock both use all processors, so that the ratio is only right on a machine that does nothing else.
    """
    turns = []
    for _ in range(_TURNS):
        ours = await _pace(embedder, texts)
        theirs = await asyncio.to_thread(_run, torch)
        if theirs is None:
            return
        turns.append((ours, theirs))
    print(f"\nEmbedding, passages (load {os.getloadavg()[0]:.1f}), the median of {_TURNS} turns")
    ratios = []
    for n, what in enumerate(("a second", "a second of processor")):
        own, other = median(ours[n] for ours, _ in turns), median(theirs[n] for _, theirs in turns)
        ratios.append(median(ours[n] / theirs[n] for ours, theirs in turns))
        print(f"  {what:24} ours {own:6.1f}, torch {other:6.1f}, {ratios[-1]:.1f}x", flush=True)
    mark("2.5 times the pace of sentence-transformers", ratios[0] >= 2.5)


async def _pace(embedder: OnnxEmbedder, texts: Sequence[str]) -> list[float]:
    await embedder.embed_passages(texts[:32])
    began, cpu_began = time.perf_counter(), _children_cpu_s()
    await embedder.embed_passages(texts)
    return [len(texts) / (time.perf_counter() - began), len(texts) / (_children_cpu_s() - cpu_began)]


def _children_cpu_s() -> float:
    times = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return float(sum(t.user + t.system for t in times))


def _run(command: Sequence[str]) -> Any:
    out = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_ROOT).stdout
    return json.loads(out.splitlines()[-1])


def _stores(python: str, folder: Path, texts: Sequence[str], real: Vectors, count: int) -> None:
    """Prints a line for each store. ``open`` counts the imports and the first answer."""
    _write_vectors(folder, real, count)
    (folder / "texts.json").write_text(json.dumps(list(texts)), "utf-8")
    print(
        f"\nStores, {count:,} passages, the same vectors, nearest {NEAREST} with texts (load {os.getloadavg()[0]:.1f})"
    )
    print(f"  {'':18}{'build s':>9}{'open ms':>9}{'p50 ms':>9}{'p95 ms':>9}{'recall':>9}{'memory MB':>11}")
    for name in STORES:
        by = sys.executable if name == OURS else python
        if (built := _run([by, str(_STORES), str(folder), name, "build"])) is None:
            continue
        asked = _run([by, str(_STORES), str(folder), name, "ask"])
        recall = "-" if asked["recall"] is None else f"{asked['recall']:.3f}"
        times = "".join(f"{asked[key]:9.1f}" for key in ("open_ms", "p50", "p95"))
        print(f"  {name:18}{built['build_s']:9.1f}{times}{recall:>9}{asked['rss_mb']:11.0f}", flush=True)


def _write_vectors(folder: Path, real: Vectors, count: int) -> None:
    """Mixes vectors of texts, and questions that are near some of them, and finds each question's true nearest."""
    import numpy as np

    chance = np.random.default_rng(7)

    def mixed(size: int) -> Vectors:
        rows = real[chance.integers(len(real), size=size)] + 0.5 * real[chance.integers(len(real), size=size)]
        rows = rows + chance.normal(size=rows.shape) * (0.3 / real.shape[1] ** 0.5)
        vectors: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        return vectors

    vectors, questions = mixed(count), mixed(_QUESTIONS)
    exact = np.argsort(-(questions @ vectors.T), axis=1)[:, :NEAREST]
    for name, rows in (("vectors", vectors), ("questions", questions), ("exact", exact)):
        np.save(folder / f"{name}.npy", rows)
