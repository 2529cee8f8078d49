"""Stores with the same vectors, each built and asked in processes of its own: ours and, by another interpreter, peers'.

Run by ``retrieval_peers``: python retrieval_stores.py FOLDER NAME build|ask, or FOLDER torch MODEL. Of ours only what
keeps the vectors is imported, and only where that is asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

Ask = Callable[[int], Sequence[int]]
"""Returns the passages found for a question, by the questions' numbers; each with its text, which is thrown away."""

NEAREST = 10
_AT_ONCE = 1_000


class Data:
    """What is put into a store, and what it is asked."""

    def __init__(self, folder: Path) -> None:
        numpy: Any = importlib.import_module("numpy")
        self.folder = folder
        self.vectors: Any = numpy.load(folder / "vectors.npy", mmap_mode="r")
        self.questions: Any = numpy.load(folder / "questions.npy")
        self.exact: list[list[int]] = numpy.load(folder / "exact.npy").tolist()
        self._texts = json.loads((folder / "texts.json").read_text("utf-8"))

    def text(self, row: int) -> str:
        """Returns the text of a passage."""
        return f"{self._texts[row % len(self._texts)]} number{row}"


class Ours:
    """VPA Desktop's index in its file, texts in SQLite."""

    module = "vpa_desktop"

    def build(self, data: Data) -> None:
        """Builds the index and writes it."""
        with sqlite3.connect(data.folder / "texts.db") as db:
            db.execute("CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT)")
            db.executemany("INSERT INTO texts VALUES (?, ?)", ((n, data.text(n)) for n in range(len(data.vectors))))
        home = self._home(data)
        identity: Any = importlib.import_module("vpa_desktop.rag.index").IndexIdentity("db", "model", 1)
        home.save(home.build(_Rows(data.vectors)), identity)

    def open(self, data: Data) -> Ask:
        """Maps the index."""
        index, _ = self._home(data).load("db", "model")
        db = sqlite3.connect(data.folder / "texts.db")

        def ask(question: int) -> list[int]:
            found = [i for i, _ in index.search(data.questions[question], NEAREST)]
            db.execute(f"SELECT text FROM texts WHERE id IN ({','.join(map(str, found))})").fetchall()
            return found

        return ask

    def _home(self, data: Data) -> Any:
        module: Any = importlib.import_module("vpa_desktop.rag.faiss_file")
        return module.FaissFile(data.folder / "passages.faiss", data.vectors.shape[1])


class _Rows:
    """Vectors for our index to be built from."""

    def __init__(self, rows: Any) -> None:
        self.ids: Sequence[int] = range(len(rows))
        self._rows = rows

    def vectors(self, ids: Sequence[int]) -> tuple[Any, Any]:
        """Returns these rows."""
        numpy: Any = importlib.import_module("numpy")
        wanted = numpy.array(ids, dtype=numpy.int64)
        return wanted, self._rows[wanted]


class Chroma:
    """chromadb on disk, as it comes."""

    module = "chromadb"

    def build(self, data: Data) -> None:
        """Adds a thousand at a time."""
        collection = self._client(data).create_collection("all")
        for start in range(0, len(data.vectors), _AT_ONCE):
            rows = range(start, min(start + _AT_ONCE, len(data.vectors)))
            collection.add(
                ids=[str(n) for n in rows],
                embeddings=data.vectors[rows.start : rows.stop],
                documents=[data.text(n) for n in rows],
            )

    def open(self, data: Data) -> Ask:
        """Opens the collection."""
        collection = self._client(data).get_collection("all")

        def ask(question: int) -> list[int]:
            found = collection.query(query_embeddings=[data.questions[question]], n_results=NEAREST)
            return [int(i) for i in found["ids"][0]]

        return ask

    def _client(self, data: Data) -> Any:
        chromadb: Any = importlib.import_module("chromadb")
        return chromadb.PersistentClient(
            str(data.folder / "chroma"), chromadb.config.Settings(anonymized_telemetry=False)
        )


class Lance:
    """LanceDB as it comes: no index."""

    module = "lancedb"
    is_indexed = False

    def build(self, data: Data) -> None:
        """Writes the table."""
        pyarrow: Any = importlib.import_module("pyarrow")
        lancedb: Any = importlib.import_module("lancedb")
        width = data.vectors.shape[1]
        vectors = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(data.vectors.reshape(-1)), width)
        count = len(data.vectors)
        texts = [data.text(n) for n in range(count)]
        rows = pyarrow.table({"id": list(range(count)), "vector": vectors, "text": texts})
        table = lancedb.connect(str(self._folder(data))).create_table("all", rows)
        if self.is_indexed:
            table.create_index(metric="cosine")

    def open(self, data: Data) -> Ask:
        """Opens the table."""
        lancedb: Any = importlib.import_module("lancedb")
        table = lancedb.connect(str(self._folder(data))).open_table("all")
        return lambda question: [row["id"] for row in table.search(data.questions[question]).limit(NEAREST).to_list()]

    def _folder(self, data: Data) -> Path:
        return data.folder / type(self).__name__


class LanceIndexed(Lance):
    """LanceDB with its index (IVF-PQ)."""

    is_indexed = True


class Words:
    """bm25s over the texts: words only, so that its passages are others."""

    module = "bm25s"

    def build(self, data: Data) -> None:
        """Reads the words and writes their index."""
        bm25s: Any = importlib.import_module("bm25s")
        index = bm25s.BM25()
        texts = [data.text(n) for n in range(len(data.vectors))]
        index.index(bm25s.tokenize(texts, show_progress=False), show_progress=False)
        index.save(str(data.folder / "bm25s"), corpus=texts)

    def open(self, data: Data) -> Ask:
        """Loads the index, mapped."""
        bm25s: Any = importlib.import_module("bm25s")
        index = bm25s.BM25.load(str(data.folder / "bm25s"), mmap=True, load_corpus=True)

        def ask(question: int) -> list[int]:
            words = bm25s.tokenize(data.text(question)[:80], show_progress=False)
            found, _ = index.retrieve(words, k=NEAREST, show_progress=False)
            return [int(item["id"]) for item in found[0]]

        return ask


OURS = "VPA Desktop"
STORES: dict[str, Any] = {
    OURS: Ours,
    "chromadb": Chroma,
    "LanceDB": Lance,
    "LanceDB, IVF-PQ": LanceIndexed,
    "bm25s (words)": Words,
}


def build(name: str, data: Data) -> dict[str, float]:
    """Returns how long building took."""
    began = time.perf_counter()
    STORES[name]().build(data)
    return {"build_s": time.perf_counter() - began}


def asked(name: str, data: Data) -> dict[str, float | None]:
    """Returns how long opening took with what has to be imported and the first question, and what asking showed."""
    began = time.perf_counter()
    ask = STORES[name]().open(data)
    ask(0)
    opened_s = time.perf_counter() - began
    times, hits = [], 0
    for question in range(len(data.questions)):
        began = time.perf_counter()
        found = ask(question)
        times.append((time.perf_counter() - began) * 1000)
        hits += len(set(found) & set(data.exact[question]))
    psutil: Any = importlib.import_module("psutil")
    return {
        "open_ms": opened_s * 1000,
        "p50": median(times),
        "p95": sorted(times)[int(len(times) * 0.95)],
        "recall": None if STORES[name] is Words else hits / (NEAREST * len(data.questions)),
        "rss_mb": psutil.Process().memory_info().rss / 1e6,
    }


def torch_pace(model: str, texts: list[str]) -> list[float]:
    """sentence-transformers on torch, as its documentation shows it: passages a second, and a second of processor."""
    module: Any = importlib.import_module("sentence_transformers")
    loaded = module.SentenceTransformer(model, device="cpu")
    loaded.encode(texts[:32])
    began, cpu_began = time.perf_counter(), time.process_time()
    loaded.encode(texts)
    took, cpu_took = time.perf_counter() - began, time.process_time() - cpu_began
    return [len(texts) / took, len(texts) / cpu_took]


def main() -> None:
    """Does what the arguments say and prints the figures, or null where the package is not there."""
    folder, name, what = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    module = "sentence_transformers" if name == "torch" else STORES[name].module
    if importlib.util.find_spec(module) is None:
        print("null")
    elif name == "torch":
        print(json.dumps(torch_pace(what, json.loads((folder / "texts.json").read_text("utf-8")))))
    else:
        print(json.dumps((build if what == "build" else asked)(name, Data(folder))))


if __name__ == "__main__":
    main()
