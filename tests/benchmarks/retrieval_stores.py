"""Run by an interpreter that has peers' stores: the same vectors put there and asked for. Imports nothing of ours."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any


def timed(ask: Callable[[Any], object], questions: Any) -> float:
    """Returns the median of asking each, in milliseconds."""
    times = []
    for question in questions:
        began = time.perf_counter()
        ask(question)
        times.append((time.perf_counter() - began) * 1000)
    return median(times)


def chroma(folder: Path, vectors: Any, questions: Any, texts: list[str]) -> float:
    """chromadb on disk, its own index."""
    chromadb: Any = importlib.import_module("chromadb")
    options = chromadb.config.Settings(anonymized_telemetry=False)
    collection = chromadb.PersistentClient(str(folder / "chroma"), options).create_collection("all")
    for start in range(0, len(vectors), 1000):
        ids = [str(i) for i in range(start, min(start + 1000, len(vectors)))]
        documents = [texts[int(i) % len(texts)] for i in ids]
        collection.add(ids=ids, embeddings=vectors[start : start + 1000], documents=documents)
    return timed(lambda q: collection.query(query_embeddings=[q], n_results=10), questions)


def lance(folder: Path, vectors: Any, questions: Any, texts: list[str]) -> float:
    """LanceDB as it comes: no index."""
    lancedb: Any = importlib.import_module("lancedb")
    rows = [{"vector": row, "text": texts[n % len(texts)]} for n, row in enumerate(vectors)]
    table = lancedb.connect(str(folder / "lance")).create_table("all", rows)
    return timed(lambda q: table.search(q).limit(10).to_list(), questions)


def words(folder: Path, vectors: Any, questions: Any, texts: list[str]) -> float:
    """bm25s over as many texts, in memory, words only."""
    bm25s: Any = importlib.import_module("bm25s")
    repeated = [f"{texts[n % len(texts)]} number{n}" for n in range(len(vectors))]
    index = bm25s.BM25()
    index.index(bm25s.tokenize(repeated, show_progress=False), show_progress=False)
    asked = [texts[n % len(texts)][:80] for n in range(len(questions))]

    def ask(text: str) -> object:
        return index.retrieve(bm25s.tokenize(text, show_progress=False), k=10, show_progress=False)

    return timed(ask, asked)


def torch_pace(model: str, texts: list[str]) -> list[float]:
    """sentence-transformers on torch, as its documentation shows it: passages a second, and a second of processor."""
    module: Any = importlib.import_module("sentence_transformers")
    loaded = module.SentenceTransformer(model, device="cpu")
    loaded.encode(texts[:32])
    began, cpu_began = time.perf_counter(), time.process_time()
    loaded.encode(texts)
    took, cpu_took = time.perf_counter() - began, time.process_time() - cpu_began
    return [len(texts) / took, len(texts) / cpu_took]


STORES = {"chromadb": chroma, "lancedb": lance, "bm25s": words}


def main() -> None:
    """Reads what is to be put there, and prints what each took; with a model after the folder, torch's pace alone."""
    folder = Path(sys.argv[1])
    texts = json.loads((folder / "texts.json").read_text("utf-8"))
    if len(sys.argv) > 2:
        is_there = importlib.util.find_spec("sentence_transformers") is not None
        print(json.dumps(torch_pace(sys.argv[2], texts) if is_there else None))
        return
    numpy: Any = importlib.import_module("numpy")
    vectors, questions = numpy.load(folder / "vectors.npy"), numpy.load(folder / "questions.npy")
    found = {}
    for name, measure in STORES.items():
        if importlib.util.find_spec(name) is not None:
            found[name] = measure(folder, vectors, questions, texts)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
