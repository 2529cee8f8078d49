"""What is found on judged sets: keywords, the model and both together, beside peers' settings. Asserts nothing.

Run: python -m tests.benchmarks.retrieval SETS [--home DIR] [--queries N] [--only NAME...] [--model FOLDER]
[--rerank FOLDER] [--peers PYTHON], SETS being
a folder of sets in the BEIR layout and, named chunk_eval, texts with questions and the spans that answer them. PYTHON
is an interpreter that has some of chromadb, lancedb, bm25s and sentence-transformers; see ``retrieval_peers``. A home
that is kept is not filled again. ``--rerank`` takes a folder with a cross-encoder, or "auto" for one that is installed
(it is started before the first question, and keeps to its time). How long questions take at three sizes is in
``retrieval_scale``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from tests.benchmarks.processes import percentile
from tests.benchmarks.retrieval_peers import compare, spans_of_peers
from tests.benchmarks.retrieval_sets import (
    mark,
    ndcg,
    read_judgements,
    read_lines,
    read_spans,
    span_recall,
    write_files,
)
from vpa_desktop.config import RagSettings
from vpa_desktop.rag import retrieval
from vpa_desktop.rag.chunks import tokenizer_from
from vpa_desktop.rag.embedder import Embedder
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.rag.sentence_embedder import open_embedder
from vpa_desktop.records import IngestReport, SearchReport
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.fulltext import query_grams
from vpa_desktop.storage.passage_search import PassageSearch

ENGLISH = ("scifact", "cranfield", "xquad_en")
NOT_LATIN = ("xquad_zh", "xquad_ar")
FOREIGN = ("xquad_de", "xquad_zh")
SPANS = "chunk_eval"
_DEPTH = 40


class Library:
    """A knowledge base over one set, filled where it was empty."""

    def __init__(self, database: Database, home: Path, embedder: Embedder, rerank: str = "off") -> None:
        self.embedder = embedder
        plain, again = (RagSettings(rerank=choice) for choice in ("off", rerank))
        self.knowledge = KnowledgeBase(database, home / "index", settings=plain, embedder=self.embedder)
        self.reranked = KnowledgeBase(database, home / "index", settings=again, embedder=self.embedder)
        self._database = database
        self._words = PassageSearch(database)

    @classmethod
    async def of(
        cls,
        folder: Path,
        home: Path,
        model: str = "default",
        *,
        rerank: str = "off",
        is_wanted: Callable[[str], bool] = bool,
    ) -> Library:
        """Opens or fills the home of a set, with those of its documents whose names are wanted."""
        database = await Database.open(home / "vpa.db", backups=home / "backups")
        library = cls(database, home, await open_embedder(model), rerank)
        if await library.knowledge.count() == 0:
            files = home / "files"
            if folder.name == SPANS:
                files = folder
            else:
                await asyncio.to_thread(write_files, folder, files)
            paths = sorted(file for file in files.glob("*.md") if is_wanted(file.stem))
            async for event in library.knowledge.add_paths(paths):
                if isinstance(event, IngestReport):
                    print(
                        f"{folder.name}: {event.chunks} passages added, {event.chunks / event.seconds:.0f}/s",
                        flush=True,
                    )
        await library.knowledge.resume()
        return library

    async def by_keywords(self, query: str) -> list[int]:
        """Returns the passages that the question's words find, or its grams where it is not in Latin letters."""
        if grams := query_grams(query):
            return [i for i, _ in (await self._words.by_grams(grams, _DEPTH))[1]]
        return [i for i, _ in (await self._words.by_words(retrieval.query_words(query), _DEPTH))[1]]

    async def by_model(self, query: str) -> list[int]:
        """Returns the passages that the model alone finds."""
        index = await self.knowledge.vector_index()
        return [i for i, _ in index.search(await self.embedder.embed_query(query), _DEPTH)]

    async def documents_of(self, passages: Sequence[int]) -> list[str]:
        """Returns the names of the documents of these passages, each once."""
        places = await self.knowledge._store.places(passages)
        return list(dict.fromkeys(Path(places[i][0].path).stem for i in passages if i in places))

    async def aclose(self) -> None:
        """Closes all of it."""
        await self.reranked.aclose()
        await self.knowledge.aclose()
        await self._database.aclose()


def _documents(report: SearchReport) -> list[str]:
    return list(dict.fromkeys(Path(result.path).stem for result in report.results))


@dataclass(frozen=True, slots=True)
class Asked:
    """nDCG@10 of each way to ask, and how long the fused and the reranked one take (ms)."""

    keywords: float
    model: float
    fused: float
    reranked: float | None
    fused_ms: Sequence[float]
    reranked_ms: Sequence[float]


async def rank(folder: Path, home: Path, arguments: argparse.Namespace) -> Asked:
    """Prints a line of the ranking table and returns its figures."""
    library = await Library.of(folder, home, arguments.model, rerank=arguments.rerank)
    judged = read_judgements(folder)
    queries = [row for row in read_lines(folder / "queries.jsonl") if row["_id"] in judged][: arguments.queries]
    ways = [library.knowledge] if arguments.rerank == "off" else [library.knowledge, library.reranked]
    scores: list[list[float]] = [[], [], [], []]
    times: list[list[float]] = [[], []]
    await ways[-1].search_knowledge(queries[0]["text"], _DEPTH)
    for row in queries:
        text, wanted = row["text"], judged[row["_id"]]
        scores[0].append(ndcg(await library.documents_of(await library.by_keywords(text)), wanted))
        scores[1].append(ndcg(await library.documents_of(await library.by_model(text)), wanted))
        for n, way in enumerate(ways):
            began = time.perf_counter()
            report = await way.search_knowledge(text, _DEPTH)
            times[n].append((time.perf_counter() - began) * 1000)
            scores[2 + n].append(ndcg(_documents(report), wanted))
    await library.aclose()
    means = [mean(values) if values else None for values in scores]
    figures = "".join(f"{'-':>10}" if value is None else f"{value:10.3f}" for value in means)
    both = "".join(f"{median(took):9.1f} /{percentile(took, 0.95):6.1f}" if took else "" for took in times)
    print(f"  {folder.name:12}{len(queries):6}{figures}{both}", flush=True)
    return Asked(means[0] or 0.0, means[1] or 0.0, means[2] or 0.0, means[3], *times)


async def spans(folder: Path, home: Path, most: int) -> None:
    """How much of the spans that answer a question is in what goes into a prompt."""
    library = await Library.of(folder, home)
    tokenizer = tokenizer_from(library.embedder.tokenizer_file)
    rows: list[tuple[float, float, int]] = []
    for question in read_spans(folder)[:most]:
        citations = await library.knowledge.context_for(question.text)
        recall = span_recall(question, [citation.text for citation in citations])
        tokens = len(tokenizer.encode(" ".join(c.text for c in citations), add_special_tokens=False).ids)
        rows.append((recall, float(recall > 0.999), tokens))
    recall, whole, tokens_mean = (mean(values) for values in zip(*rows, strict=True))
    print(f"\nAnswers in the prompt ({folder.name}, {len(rows)} questions)")
    print(f"  {'':48}{'span recall':>12}{'whole answer':>14}{'tokens':>8}")
    print(f"  {'VPA Desktop, default settings':48}{recall:12.3f}{whole:14.3f}{tokens_mean:8.0f}", flush=True)
    peers = await spans_of_peers(folder, library.embedder, most, home / "peers")
    mark("span recall 0.87 at about 900 tokens", recall >= 0.87 and tokens_mean <= 950)
    mark("above the best peer's settings", all(recall > peer for peer in peers))
    await library.aclose()


def _judge(name: str, asked: Asked, is_own_model: bool) -> None:
    if name == "scifact":
        mark("nDCG@10 at least 0.73", asked.fused >= 0.73)
    if name in ENGLISH:
        mark("above keywords and above the model", asked.fused > max(asked.keywords, asked.model))
    if is_own_model and name in FOREIGN:
        mark("a multilingual model: at least 0.95", asked.fused >= 0.95)
    if name in NOT_LATIN:
        mark("not below keywords", asked.fused >= asked.keywords - 1e-9)
    if asked.reranked is not None:
        mark("reranked not below fused", asked.reranked >= asked.fused - 1e-9)


async def measure(arguments: argparse.Namespace, home: Path) -> None:
    """The ranking table, the spans, the peers."""
    sets = sorted(folder for folder in arguments.sets.iterdir() if (folder / "corpus.jsonl").exists())
    print(f"Ranking, nDCG@10 (load {os.getloadavg()[0]:.1f})")
    ways = ("keywords", "model", "fused", "reranked")
    print(f"  {'':12}{'asked':>6}{''.join(f'{way:>10}' for way in ways)}   fused p50 / p95, reranked (ms)")
    for folder in sets:
        if arguments.only and folder.name not in arguments.only:
            continue
        _judge(folder.name, await rank(folder, home / folder.name, arguments), arguments.model != "default")
    if (arguments.sets / SPANS).is_dir() and (not arguments.only or SPANS in arguments.only):
        await spans(arguments.sets / SPANS, home / SPANS, arguments.queries * 2)
    if arguments.peers:
        await compare(arguments.peers, arguments.sets)


def main() -> None:
    """Reads the arguments and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", type=Path)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--model", default="default")
    parser.add_argument("--rerank", default="off")
    parser.add_argument("--peers", default="")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(measure(arguments, arguments.home or Path(temporary)))


if __name__ == "__main__":
    main()
