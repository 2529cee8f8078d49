"""What documents cost: passages embedded in a second, and how long a search takes, over the own index or a sample."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from vpa_desktop.rag.embedder import OnnxEmbedder
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.documents import DocumentStore
from vpa_desktop.system import System
from vpa_desktop.trials.stage import add_files, passages, stage
from vpa_desktop.trials.values import Figure, share

EMBEDDED: Final = 192
SEARCHES: Final = 40
SAMPLE: Final = 200
WORDS: Final = 8


async def embedding_figures() -> list[Figure]:
    """Embed texts with the model that comes along; raises KnowledgeError where it cannot be had."""
    embedder = OnnxEmbedder()
    try:
        texts = passages(EMBEDDED + 16)
        await embedder.embed_passages(texts[:16])  # starts the processes and loads the model
        started = time.perf_counter()
        await embedder.embed_passages(texts[16:])
        rate = EMBEDDED / (time.perf_counter() - started)
        await embedder.embed_query("warm")
        times = []
        for n in range(20):
            started = time.perf_counter()
            await embedder.embed_query(f"Who gives notice in order {n}?")
            times.append((time.perf_counter() - started) * 1000)
    finally:
        await embedder.aclose()
    return [
        Figure("rag.embedding_rate", rate, "passages/s", f"{EMBEDDED} texts of about 100 words, {embedder.name}"),
        Figure("rag.question_embedding_p50", share(times, 0.5), "ms", "20 questions one after another, median"),
    ]


async def search_figures(own: System | None) -> list[Figure]:
    """Search the person's documents where there are any, with words out of them that are told nobody; else a sample."""
    if own is not None and await own.knowledge.count():
        questions = await own_questions(own.db)
        return await _searched(own.knowledge, questions, f"your own {await own.knowledge.count()} passages")
    with stage() as place:
        file = place.paths.home / "sample.md"
        file.write_text("\n\n".join(f"# Order {n}\n\n{text}" for n, text in enumerate(passages(SAMPLE))), "utf-8")
        async with place.system() as system:
            await add_files(system, file)
            count = await system.knowledge.count()
            questions = [" ".join(text.split()[4:12]) for text in passages(SEARCHES)]
            return await _searched(system.knowledge, questions, f"a sample of {count} passages (you have no documents)")


async def own_questions(db: Database) -> list[str]:
    """Return runs of words out of passages taken by chance."""
    texts = await DocumentStore(db).some_texts(SEARCHES)
    return [" ".join(text.split()[:WORDS]) for text in texts if text.strip()]


async def _searched(knowledge: KnowledgeBase, questions: Sequence[str], over: str) -> list[Figure]:
    await knowledge.search_knowledge("warm")
    times = []
    for question in questions:
        started = time.perf_counter()
        await knowledge.search_knowledge(question)
        times.append((time.perf_counter() - started) * 1000)
    how = f"{len(times)} searches over {over}, words and meaning, with embedding the question"
    p50, p95 = share(times, 0.5), share(times, 0.95)
    return [
        Figure("rag.search_p50", p50, "ms", f"{how}, median", "under 200 ms", p50 < 200),
        Figure("rag.search_p95", p95, "ms", f"{how}, 95 of 100", "under 200 ms", p95 < 200),
    ]
