"""A knowledge base in a temporary folder, with the real embedder, and the real documents beside the repository."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from vpa_desktop.config import RagSettings
from vpa_desktop.rag.embedder import OnnxEmbedder
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.records import IngestReport
from vpa_desktop.storage.database import Database

DOCUMENTS = Path(__file__).resolve().parents[2] / "../shared/documents"
MakeKnowledge = Callable[..., AbstractAsyncContextManager[KnowledgeBase]]


@asynccontextmanager
async def open_knowledge(home: Path, settings: RagSettings | None = None) -> AsyncIterator[KnowledgeBase]:
    """Opens a knowledge base under a folder and closes all of it."""
    database = await Database.open(home / "vpa.db", backups=home / "backups")
    knowledge = KnowledgeBase(database, home / "index", embedder=OnnxEmbedder(processes=1), settings=settings)
    try:
        yield knowledge
    finally:
        await knowledge.aclose()
        await database.aclose()


async def add(knowledge: KnowledgeBase, *paths: Path, collection: str = "") -> IngestReport:
    """Adds files and returns the report, which has to be the last thing said."""
    events = [event async for event in knowledge.add_paths(paths, collection)]
    report = events[-1]
    assert isinstance(report, IngestReport)
    assert not any(isinstance(event, IngestReport) for event in events[:-1])
    return report


@pytest.fixture(scope="session")
def documents() -> Path:
    """The folder with real files of many kinds."""
    if not DOCUMENTS.is_dir():
        pytest.skip("the shared documents are not beside the repository")
    return DOCUMENTS
