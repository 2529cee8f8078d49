"""KnowledgeBase: files and texts in, passages with their page out. Joins the reader, the database and the index.

Questions are answered while documents are being added: by words at once, by meaning as vectors arrive. Without a
working embedder keyword search alone still answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vpa_desktop.config import RagSettings
from vpa_desktop.errors import KnowledgeError
from vpa_desktop.messages import Citation
from vpa_desktop.rag.context import fill, surroundings
from vpa_desktop.rag.embedder import Embedder
from vpa_desktop.rag.faiss_file import FaissFile
from vpa_desktop.rag.folders import Disk
from vpa_desktop.rag.index import IndexHome, VectorIndex
from vpa_desktop.rag.index_keeper import IndexKeeper
from vpa_desktop.rag.ingest import Ingest, Stores, document_id_of
from vpa_desktop.rag.keeping import Keeping, Steps, Workers
from vpa_desktop.rag.left_out import Context, context_of, with_reasons
from vpa_desktop.rag.model_change import Engine, ModelChange, Reopen
from vpa_desktop.rag.pace import Pace
from vpa_desktop.rag.parser_process import ChunkSizes, Parser
from vpa_desktop.rag.patience import Patience
from vpa_desktop.rag.reranker import SecondLook, find_reranker
from vpa_desktop.rag.retrieval import query_words
from vpa_desktop.rag.search import Searcher
from vpa_desktop.rag.sentence_embedder import open_embedder
from vpa_desktop.rag.tally import Tally
from vpa_desktop.records import (
    DocumentRecord,
    FollowedFolder,
    IngestReport,
    SearchReport,
    SearchResult,
    SearchScope,
)
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.document_files import FileStore
from vpa_desktop.storage.documents import DocumentStore
from vpa_desktop.storage.passage_search import PassageSearch
from vpa_desktop.storage.vectors import VectorStore

log = logging.getLogger(__name__)
_CONTEXT_CANDIDATES = 24

EmbedderFactory = Callable[[], Awaitable[Embedder]]
HomeFactory = Callable[[Path, int], IndexHome]
"""Makes the place where a model's vectors are indexed, from a path of its own and the vectors' length."""


@dataclass(slots=True)
class _Parts:
    """What is made at first use, when the embedder is known."""

    workers: Workers
    parser: Parser
    searcher: Searcher
    models: ModelChange
    second_look: SecondLook | None


class KnowledgeBase:
    """The person's documents. Nothing heavy is loaded before the first question or document.

    ``embedder`` may be a function that makes one, for models that take long to load. ``home`` decides what indexes the
    vectors; ``reopen`` makes the embedder again that was set before, to answer while another one's vectors are made.
    ``changed`` is awaited after each change of the documents, when they can be searched again.
    """

    def __init__(
        self,
        db: Database,
        index_dir: Path,
        *,
        embedder: Embedder | EmbedderFactory,
        settings: RagSettings | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        home: HomeFactory = FaissFile,
        reopen: Reopen = open_embedder,
        pace: Pace | None = None,
        disk: Disk | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._db = db
        self._store = DocumentStore(db)
        self._stores = Stores(self._store, FileStore(db), disk or Disk(), patience or Patience())
        self._vectors = VectorStore(db)
        self._home = home
        self._reopen = reopen
        self._words = PassageSearch(db)
        self._index_dir = index_dir
        self._embedder = embedder
        self._settings = settings or RagSettings()
        self._now = now
        self._reranker = ""
        self._parts: _Parts | None = None
        self._opening = asyncio.Lock()
        self._changing = asyncio.Lock()
        self.pace = pace or Pace()
        """Pauses and lets go on all work on documents."""
        own = frozenset((str(index_dir), *(f"{db.path}{end}" for end in ("", "-wal", "-shm"))))
        self.keeping = Keeping(self._stores, self._vectors, self._open_workers, self._changing, self.pace, now, own)
        self.keeping.changed = self._tell_change
        self.changed: Callable[[], Awaitable[None]] | None = None

    async def add_document(
        self,
        document_id: str,
        title: str,
        content: str,
        metadata: Mapping[str, Any] | None = None,
        collection: str = "",
    ) -> DocumentRecord:
        """Adds a text, or replaces the one of that id, and returns when it can be found by words and by meaning.

        Raises DocumentUnreadable when there is nothing in it, KnowledgeError when it could not be embedded; its
        words can be found even then.
        """
        parts = await self._open()
        async with self._changing:
            await parts.workers.ingest.text(document_id, title, content, metadata or {}, collection)
        await self._embed(parts.workers)
        await self._tell_change()
        stored = await self._store.get(document_id)
        assert stored is not None
        return stored.record

    def add_paths(self, paths: Sequence[Path], collection: str = "") -> Steps:
        """Adds files and everything readable in folders; reports progress, then ends with the report.

        The folders are followed from now on.
        """
        return self.keeping.add(paths, collection)

    async def sync(self) -> IngestReport:
        """Follows the disk: reads new and changed files, takes over moves and deletions, makes missing vectors.

        A document on a disk that is not there now stays as it was.
        """
        async for event in self.keeping.sync():
            if isinstance(event, IngestReport):
                return event
        raise AssertionError("an ingestion ends with its report")

    async def folders(self) -> list[FollowedFolder]:
        """Returns the folders that are followed, by path."""
        return await self._stores.files.folders()

    async def forget_folder(self, path: Path) -> bool:
        """Follows a folder no longer; its documents stay. False where it was not followed."""
        found = await self._stores.files.forget(str(path)) > 0
        self.keeping.woken.set()
        return found

    async def resume(self) -> int:
        """Makes the vectors that a kill, an error or another model in the settings left out.

        Returns how many passages got theirs.
        """
        models = await self._vectors.models()
        is_as_set = models is None or models.wanted_choice == self._settings.embedding_model
        if is_as_set and await self._vectors.count_waiting() == 0:
            return 0
        return await self._embed((await self._open()).workers, background=True)

    async def _embed(self, workers: Workers, *, background: bool = False) -> int:
        tally = Tally()
        async with contextlib.aclosing(self.keeping.embed(tally, workers, background=background)) as steps:
            async for _ in steps:
                pass
        async with self._changing:
            await workers.keeper.save()
        return tally.chunks_done

    async def search_knowledge(
        self,
        query: str,
        top_k: int | None = None,
        collections: Sequence[str] = (),
        scope: SearchScope | None = None,
    ) -> SearchReport:
        """Finds the passages that fit best, best first, with why each was found.

        ``scope`` limits by names, types and dates, as the question itself can (see ``filters``).
        """
        began = time.perf_counter()
        searcher = (await self._open()).searcher
        with self.pace.question():
            results = await searcher.search(query, top_k or self._settings.top_k, _scope(collections, scope))
            chosen = await self._chosen(query, results, self._settings.top_k)
        explained = with_reasons(results, chosen, self._settings.top_k)
        return SearchReport(query, (time.perf_counter() - began) * 1000, tuple(explained))

    async def context_for(
        self,
        query: str,
        top_k: int | None = None,
        collections: Sequence[str] = (),
        scope: SearchScope | None = None,
    ) -> tuple[Citation, ...]:
        """Returns the passages that go into a prompt, numbered from 1: at most ``top_k``, within context_tokens.

        Empty when nothing fits the question well enough to be shown as its source.
        """
        return (await self.find_context(query, top_k, collections, scope)).citations

    async def find_context(
        self,
        query: str,
        top_k: int | None = None,
        collections: Sequence[str] = (),
        scope: SearchScope | None = None,
    ) -> Context:
        """Returns what ``context_for`` does, with what was left out and why, and how well the best passage fits."""
        searcher = (await self._open()).searcher
        most = top_k or self._settings.top_k
        with self.pace.question():
            found = await searcher.search(query, _CONTEXT_CANDIDATES, _scope(collections, scope))
            chosen = await self._chosen(query, found, most)
        return context_of(found, chosen, most)

    async def _chosen(self, query: str, found: Sequence[SearchResult], top_k: int) -> tuple[Citation, ...]:
        fitting = [result for result in found if not result.left_out]
        return await fill(self._store, fitting, top_k, self._settings.context_tokens, query_words(query))

    async def list_documents(self, collection: str | None = None) -> list[DocumentRecord]:
        """Returns all documents, or a collection's, newest first; also those that could not be read."""
        return [item.record for item in await self._store.all(collection)]

    async def collections(self) -> list[str]:
        """Returns the names of the collections."""
        return await self._store.collections()

    async def count(self) -> int:
        """Returns how many different passages there are."""
        return await self._store.count_passages()

    async def count_in(self, collection: str) -> int:
        """Returns how many different passages a collection has."""
        return await self._store.count_passages(collection)

    async def remove(self, document_ids: Sequence[str]) -> None:
        """Removes documents, their passages and vectors. A followed folder does not bring them back."""
        await self._stores.files.leave_out(document_ids)
        async with self._changing:
            if self._parts is None and await self._store.count_passages() == 0:
                await self._store.remove(document_ids)
                return
            keeper = (await self._open_workers()).keeper
            await keeper.current()
            await keeper.change(self._store.remove(document_ids))
            await keeper.save()
        await self._tell_change()

    async def check(self) -> dict[str, Any]:
        """Looks at the documents and the index, builds the index again where it is wrong, and says what it found."""
        parts = await self._open()
        async with self._changing:
            state = await parts.workers.keeper.state()
        documents = await self._store.all()
        return {
            "documents": len(documents),
            "unreadable": sum(1 for item in documents if item.record.state in ("failed", "image_only")),
            "passages": await self._store.count_passages(),
            "passages_without_vector": await self._vectors.count_waiting(),
            "index": state,
            "model": parts.workers.embedder.name,
            "reranker": self._reranker,
        }

    async def passage_context(self, chunk_id: int) -> tuple[str, str, str]:
        """Returns the text before a passage, the passage, and the text after it, on its page or in its section.

        Raises KnowledgeError when the passage is no longer there.
        """
        return await surroundings(self._store, chunk_id)

    async def vector_index(self) -> VectorIndex:
        """The index that belongs to the database now; loaded, or built from the vectors in it."""
        return await (await self._open_workers()).keeper.current()

    async def aclose(self) -> None:
        """Saves the index and ends the child processes."""
        parts, self._parts = self._parts, None
        self._stores.patience.close()
        if parts is not None:
            await asyncio.to_thread(parts.parser.close)
            with contextlib.suppress(KnowledgeError):
                await parts.workers.keeper.aclose()
            if parts.second_look is not None:
                await parts.second_look.aclose()
            await parts.models.aclose()
            await parts.workers.embedder.aclose()
        elif not callable(self._embedder):
            await self._embedder.aclose()

    async def _tell_change(self) -> None:
        if self.changed is not None:
            await self.changed()

    async def _open(self) -> _Parts:
        async with self._opening:
            if self._parts is None:
                self._parts = await self._make_parts()
            return self._parts

    async def _open_workers(self) -> Workers:
        return (await self._open()).workers

    async def _make_parts(self) -> _Parts:
        made = self._embedder() if callable(self._embedder) else self._embedder
        embedder = await made if inspect.isawaitable(made) else made
        settings = self._settings
        most = min(settings.chunk_tokens, embedder.max_tokens - 2)
        sizes = ChunkSizes(embedder.tokenizer_file, most, min(settings.chunk_overlap_tokens, most // 2))
        parser = Parser(sizes)
        if not self._db.read_only:
            await self._vectors.adopt_model(embedder.model_id, embedder.choice)
        keeper = self._keeper_of(embedder)
        models = ModelChange(Engine(embedder, keeper), self._vectors, self._keeper_of, self._reopen)
        ingest = Ingest(self._stores, parser, keeper, self._now)
        second_look = self._second_look()
        searcher = Searcher(self._store, self._words, models.engine, second_look)
        return _Parts(Workers(ingest, keeper, embedder), parser, searcher, models, second_look)

    def _second_look(self) -> SecondLook | None:
        try:
            reranker = find_reranker(self._settings.rerank)
        except KnowledgeError as missing:
            self._reranker = str(missing)
            return None
        self._reranker = reranker.name if reranker is not None else "none"
        return SecondLook(reranker) if reranker is not None else None

    def _keeper_of(self, embedder: Embedder) -> IndexKeeper:
        model = embedder.model_id
        name = "passages-" + hashlib.sha256(model.encode()).hexdigest()[:8] + ".faiss"
        home = self._home(self._index_dir / name, embedder.dim)
        return IndexKeeper(self._vectors, home, self._db.uuid, model, embedder.dim)


def _scope(collections: Sequence[str], scope: SearchScope | None) -> SearchScope:
    return replace(scope or SearchScope(), collections=tuple(collections)) if collections else scope or SearchScope()


__all__ = ["KnowledgeBase", "document_id_of"]
