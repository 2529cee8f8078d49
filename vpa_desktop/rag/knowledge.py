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
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
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
from vpa_desktop.rag.file_reading import document_id_of
from vpa_desktop.rag.folders import Disk
from vpa_desktop.rag.index import IndexHome, VectorIndex
from vpa_desktop.rag.index_keeper import IndexKeeper
from vpa_desktop.rag.ingest import Ingest, Stores
from vpa_desktop.rag.keeping import Keeping, Steps, VectorStores, Workers
from vpa_desktop.rag.left_out import Context, context_of, with_reasons
from vpa_desktop.rag.model_change import Engine, ModelChange, Reopen
from vpa_desktop.rag.pace import Pace
from vpa_desktop.rag.parser_process import ChunkSizes, Parser
from vpa_desktop.rag.patience import Patience
from vpa_desktop.rag.reranker import SecondLook, find_reranker
from vpa_desktop.rag.retrieval import query_words
from vpa_desktop.rag.search import Hits, Searcher
from vpa_desktop.rag.sentence_embedder import open_embedder
from vpa_desktop.rag.stand_in import TRY_AGAIN_S, StandIn
from vpa_desktop.rag.tally import Tally
from vpa_desktop.records import (
    DocumentRecord,
    FollowedFolder,
    IngestProgress,
    IngestReport,
    SearchReport,
    SearchResult,
    SearchScope,
)
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.document_files import FileStore
from vpa_desktop.storage.documents import DocumentStore
from vpa_desktop.storage.kept_here import KeptHere
from vpa_desktop.storage.passage_search import PassageSearch
from vpa_desktop.storage.vectors import VectorStore

log = logging.getLogger(__name__)
_CONTEXT_CANDIDATES = 24
_DECIDE_PARTS = ("embedding_model", "embedding_host", "chunk_tokens", "chunk_overlap_tokens", "rerank")

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
    stands_until: float = math.inf

    async def aclose(self) -> None:
        """Saves the index and ends the child processes."""
        await asyncio.to_thread(self.parser.close)
        with contextlib.suppress(KnowledgeError):
            await self.workers.keeper.aclose()
        if self.second_look is not None:
            await self.second_look.aclose()
        await self.models.aclose()
        await self.workers.embedder.aclose()


class KnowledgeBase:
    """The person's documents. Nothing heavy is loaded before the first question or document.

    ``embedder`` may be a function that makes one, for models that take long to load. ``home`` decides what indexes the
    vectors; ``reopen`` makes the embedder again that was set before, to answer while another one's vectors are made.
    ``private`` gives the collections whose text no model elsewhere may see. ``changed`` is awaited after each change of
    the documents, when they can be searched again.
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
        private: Callable[[], Sequence[str]] = tuple,
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
        self._retired: list[_Parts] = []
        self._opening = asyncio.Lock()
        self._changing = asyncio.Lock()
        self.pace = pace or Pace()
        """Pauses and lets go on all work on documents."""
        own = frozenset((str(index_dir), *(f"{db.path}{end}" for end in ("", "-wal", "-shm"))))
        self._private, self._kept_here = private, KeptHere(db)
        vectors = VectorStores(self._vectors, self._kept_here, private)
        self.keeping = Keeping(self._stores, vectors, self._open_workers, self._changing, self.pace, now, own)
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
        async with contextlib.aclosing(self._embed(parts.workers)) as steps:
            async for _ in steps:
                pass
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

    async def use(self, settings: RagSettings, *, anew: bool = False) -> None:
        """Takes other settings from now on. Where another model makes the vectors, ``resume`` has it make them.

        Questions and files under way keep what they have. ``anew`` says that what the settings name is another now.
        """
        before, self._settings = self._settings, settings
        if not anew and all(getattr(before, name) == getattr(settings, name) for name in _DECIDE_PARTS):
            return
        async with self._changing, self._opening:
            parts, self._parts = self._parts, None
            if parts is not None:
                await parts.workers.keeper.aclose()
                self._retired.append(parts)
        if parts is not None:
            await self._open()  # from here on nothing more is made for the model before

    async def resume(self) -> int:
        """Makes the vectors that a kill, an error or another model in the settings left out.

        Returns how many passages got theirs.
        """
        done = 0
        async with contextlib.aclosing(self.make_up(background=True)) as steps:
            async for step in steps:
                done = step.chunks_done
        return done

    async def make_up(self, *, background: bool = False) -> AsyncGenerator[IngestProgress, None]:
        """``resume`` with its progress."""
        models = await self._vectors.models()
        is_as_set = models is None or models.wanted_choice == self._settings.embedding_model
        is_settled = await self._kept_here.is_settled(self._private() if self._settings.embedding_host else ())
        if not (is_as_set and is_settled and await self._vectors.count_waiting() == 0):
            async with contextlib.aclosing(self._embed((await self._open()).workers, background=background)) as steps:
                async for step in steps:
                    yield step

    async def _embed(self, workers: Workers, *, background: bool = False) -> AsyncGenerator[IngestProgress, None]:
        async with contextlib.aclosing(self.keeping.embed(Tally(), workers, background=background)) as steps:
            async for step in steps:
                yield step
        async with self._changing:
            await workers.keeper.save()

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
        with self.pace.question():
            found = await self._found(query, top_k or self._settings.top_k, _scope(collections, scope))
            chosen = await self._chosen(query, found.results, self._settings.top_k)
        explained = with_reasons(found.results, chosen, self._settings.top_k)
        return SearchReport(query, (time.perf_counter() - began) * 1000, tuple(explained), found.notice)

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
        *,
        stays_here: bool = False,
    ) -> Context:
        """Returns what ``context_for`` does, with what was left out and why, and how well the best passage fits.

        With ``stays_here`` the question goes to no model elsewhere.
        """
        most = top_k or self._settings.top_k
        with self.pace.question():
            found = await self._found(query, _CONTEXT_CANDIDATES, _scope(collections, scope), stays_here=stays_here)
            chosen = await self._chosen(query, found.results, most)
        return context_of(found.results, chosen, most, found.notice)

    async def _found(self, query: str, most: int, scope: SearchScope, *, stays_here: bool = False) -> Hits:
        """Searches; a question that reaches into a collection that stays here stays here too."""
        parts = await self._open()
        private = set(self._private())
        if private and not stays_here:
            stays_here = bool(private & set(scope.collections or await self.collections()))
        return await parts.searcher.search(query, most, scope, stays_here=stays_here)

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
        every, self._parts, self._retired = [*self._retired, self._parts], None, []
        self._stores.patience.close()
        for parts in every:
            if parts is not None:
                await parts.aclose()
        if every[-1] is None and not callable(self._embedder):
            await self._embedder.aclose()

    async def _tell_change(self) -> None:
        if self.changed is not None:
            await self.changed()

    async def _open(self) -> _Parts:
        async with self._opening:
            if self._parts is None:
                self._parts = await self._make_parts(*await self._make_embedder())
            elif time.monotonic() >= self._parts.stands_until:
                await self._try_again(self._parts)
            return self._parts

    async def _try_again(self, parts: _Parts) -> None:
        """Looks whether the embedder can be had by now in whose place another stands."""
        embedder, parts.stands_until = await self._make_embedder()
        if not isinstance(embedder, StandIn):
            self._retired.append(parts)
            self._parts = await self._make_parts(embedder, math.inf)

    async def _open_workers(self) -> Workers:
        return (await self._open()).workers

    async def _make_parts(self, embedder: Embedder, stands_until: float) -> _Parts:
        settings = self._settings
        most = min(settings.chunk_tokens, embedder.max_tokens - 2)
        sizes = ChunkSizes(embedder.tokenizer_file, most, min(settings.chunk_overlap_tokens, most // 2))
        parser = Parser(sizes)
        if not self._db.read_only and not isinstance(embedder, StandIn):
            await self._vectors.adopt_model(embedder.model_id, embedder.choice)
        keeper = self._keeper_of(embedder)
        models = ModelChange(Engine(embedder, keeper), self._vectors, self._keeper_of, self._reopen)
        ingest = Ingest(self._stores, parser, keeper, self._now)
        second_look = self._second_look()
        searcher = Searcher(self._store, self._words, models.engine, second_look)
        return _Parts(Workers(ingest, keeper, embedder), parser, searcher, models, second_look, stands_until)

    async def _make_embedder(self) -> tuple[Embedder, float]:
        """The embedder, and until when it is good: one that only stands in is not for long."""
        try:
            made = self._embedder() if callable(self._embedder) else self._embedder
            return (await made if inspect.isawaitable(made) else made), math.inf
        except KnowledgeError as missing:
            log.info("words alone are searched: %s", missing)
            return await StandIn.for_the_one_before(self._vectors, missing), time.monotonic() + TRY_AGAIN_S

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
