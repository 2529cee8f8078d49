"""Runs golden questions against the documents: by hand, and by itself after each change of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from vpa_desktop.errors import DocumentUnreadable, KnowledgeError, StorageError, UsageError
from vpa_desktop.golden import GoldenQuestion, GoldenRank, GoldenRun
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.records import DocumentRecord
from vpa_desktop.storage.golden import GoldenStore
from vpa_desktop.storage.rows import new_id, utc_now

log = logging.getLogger(__name__)


class GoldenDesk:
    """Keeps the questions and their runs. Raises KnowledgeError, StorageError."""

    def __init__(self, knowledge: KnowledgeBase, store: GoldenStore, *, now: Callable[[], datetime] = utc_now) -> None:
        self._knowledge = knowledge
        self._store = store
        self._now = now

    async def questions(self, collection: str | None = None) -> list[GoldenQuestion]:
        """Returns the questions, or a collection's."""
        return await self._store.questions(collection)

    async def runs(self, collection: str = "") -> list[GoldenRun]:
        """Returns the last runs of a collection, oldest first."""
        return await self._store.runs(collection)

    async def add(self, question: str, document: str, page: int | None = None, collection: str = "") -> GoldenQuestion:
        """Saves a question that must find a document, named by its id, its path or its file's name; the same one once.

        Raises UsageError for an empty question, DocumentUnreadable where there is no such document or page.
        """
        if not question.strip():
            raise UsageError("The question was not saved", "It is empty", "Write what you would ask")
        record = await self._document(document, collection)
        if page is not None and (page < 1 or (record.pages is not None and page > record.pages)):
            raise DocumentUnreadable(f"{record.name} has no page {page}", f"It has {record.pages or 'no'} pages")
        wanted = (collection, question.strip(), record.id, page)
        for known in await self._store.questions(collection):
            if (known.collection, known.question, known.document_id, known.page) == wanted:
                return known
        now = self._now()
        made = GoldenQuestion(new_id(now), collection, question.strip(), record.id, record.name, page, now)
        await self._store.add(made)
        return made

    async def remove(self, question_ids: Sequence[str]) -> int:
        """Forgets questions; returns how many there were."""
        return await self._store.remove(question_ids)

    async def run(self, collection: str | None = None) -> list[GoldenRun]:
        """Asks the questions, of one collection or each, and keeps how it went: a run for each collection."""
        by_collection: dict[str, list[GoldenQuestion]] = {}
        for question in await self._store.questions(collection):
            by_collection.setdefault(question.collection, []).append(question)
        runs = [await self._run(name, questions) for name, questions in sorted(by_collection.items())]
        for run in runs:
            await self._store.add_run(run)
        return runs

    async def rerun(self) -> None:
        """Runs everything after a change; what goes wrong then is no fault of the change, and only logged."""
        try:
            await self.run()
        except (KnowledgeError, StorageError) as exc:
            log.warning("The golden questions could not be run: %s", exc)

    async def _run(self, collection: str, questions: Sequence[GoldenQuestion]) -> GoldenRun:
        ranks = tuple([GoldenRank(each.id, await self._rank(each)) for each in questions])
        found = [rank.rank for rank in ranks if rank.rank is not None]
        mean = sum(1 / rank for rank in found) / len(ranks)
        return GoldenRun(collection, self._now(), len(ranks), len(found), round(mean, 4), ranks)

    async def _rank(self, question: GoldenQuestion) -> int | None:
        among = (question.collection,) if question.collection else ()
        report = await self._knowledge.search_knowledge(question.question, collections=among)
        for rank, result in enumerate(report.results, 1):
            if result.document_id == question.document_id and question.page in (None, result.page):
                return rank
        return None

    async def _document(self, named: str, collection: str) -> DocumentRecord:
        records = await self._knowledge.list_documents(collection or None)
        found = [r for r in records if named in (r.id, r.path)] or [r for r in records if r.name == named]
        if not found:
            raise DocumentUnreadable(
                f"There is no document {named}",
                "It was never added, or not to this collection",
                "See: vpa-desktop docs list",
            )
        if len(found) > 1:
            raise DocumentUnreadable(f"There are {len(found)} documents named {named}", "", "Name one by its id")
        return found[0]
