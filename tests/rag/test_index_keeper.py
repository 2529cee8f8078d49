"""An index follows the database, whoever changed it; a model answers until the next one has all its vectors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vpa_desktop.rag import faiss_file, faiss_index, index_keeper
from vpa_desktop.rag.faiss_file import FaissFile
from vpa_desktop.rag.faiss_index import FaissIndex
from vpa_desktop.rag.index import VectorSource
from vpa_desktop.rag.index_keeper import IndexKeeper, to_blob
from vpa_desktop.records import DocumentRecord
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.documents import NO_FILE, DocumentStore, NewChunk
from vpa_desktop.storage.vectors import Models, VectorChange, VectorStore

if TYPE_CHECKING:
    from vpa_desktop.rag.index import Vectors

np = pytest.importorskip("numpy")

DIM = 16


class HeldIndex(FaissIndex):
    """Adds only when it is let: what is cancelled meanwhile is in the middle of it."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.begun, self.let = threading.Event(), threading.Event()

    def add(self, ids: Iterable[int], vectors: Vectors) -> None:
        is_first = not self.begun.is_set()
        self.begun.set()
        if is_first:
            assert self.let.wait(30)
        super().add(ids, vectors)


class Held(FaissFile):
    """Is always missing, and builds an index that can be held, of nothing: all is caught up with."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, DIM)
        self.index = HeldIndex(DIM)

    def build(self, source: VectorSource) -> HeldIndex:
        return self.index


class Library:
    """A database with documents of one-word passages, and vectors made from the words."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.documents = DocumentStore(db)
        self.vectors = VectorStore(db)
        self._db = db
        self._folder = folder

    def keeper(self, model: str = "m") -> IndexKeeper:
        home = FaissFile(self._folder / f"{model}.faiss", DIM)
        return IndexKeeper(self.vectors, home, self._db.uuid, model, DIM)

    async def put(self, name: str, words: Sequence[str]) -> VectorChange:
        record = DocumentRecord(name, name, "", "", name, "indexing", datetime(2026, 1, 1, tzinfo=UTC))
        chunks = [NewChunk(word, "", None, "", 0, len(word), 1, word) for word in words]
        return await self.documents.put(record, NO_FILE, chunks)

    async def embed(self, model: str = "m", limit: int = 1000) -> VectorChange:
        waiting = await self.vectors.waiting(model, limit)
        return await self.vectors.put(model, [(i, to_blob(vector_of(text))) for i, _, text in waiting])

    async def state(self, name: str) -> str:
        stored = await self.documents.get(name)
        assert stored is not None
        return stored.record.state

    async def finds(self, keeper: IndexKeeper, word: str) -> bool:
        hits = (await keeper.current()).search(vector_of(word), 1)
        places = await self.documents.places([i for i, _ in hits])
        return any(place.text == word for there in places.values() for place in there)


def vector_of(word: str) -> Vectors:
    row = np.random.default_rng(sum(ord(c) * 31**n for n, c in enumerate(word))).normal(size=DIM).astype(np.float32)
    vector: Vectors = row / np.linalg.norm(row)
    return vector


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Library]:
    db = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    made = Library(db, tmp_path / "index")
    await made.vectors.adopt_model("m", "default")
    yield made
    await db.aclose()


async def test_a_passage_is_stored_once_and_goes_with_its_last_document(library: Library) -> None:
    await library.put("a", ["apple", "pear"])
    await library.embed()
    again = await library.put("b", ["pear", "plum"])
    assert (again.removed, again.added) == ((), ())
    assert [text for _, _, text in await library.vectors.waiting("m", 10)] == ["plum"]
    assert await library.documents.count_passages() == 3
    ((pear, _), *_) = [(p[0].passage_id, p) for p in (await library.documents.places([1, 2, 3])).values() if len(p) > 1]
    assert (await library.documents.remove(["a"])).removed == (1,)
    assert pear in await library.documents.places([pear])
    assert (await library.documents.remove(["b"])).removed == (2, 3)
    assert await library.documents.count_passages() == 0
    assert await library.vectors.count_waiting() == 0


async def test_an_edit_keeps_what_it_did_not_touch(library: Library) -> None:
    words = [f"word{n}" for n in range(40)]
    await library.put("a", words)
    await library.embed()
    words[7] = "changed"
    change = await library.put("a", words)
    assert len(change.removed) == 1
    assert await library.vectors.count_waiting() == 1
    assert await library.state("a") == "indexing"
    await library.embed()
    assert await library.state("a") == "ready"


async def test_an_index_follows_its_own_writes_and_those_of_others(library: Library) -> None:
    await library.put("a", ["apple", "pear"])
    mine, other = library.keeper(), library.keeper()
    await mine.current()
    await mine.change(library.embed())
    assert await library.finds(mine, "pear")
    await library.put("b", ["plum"])
    await other.change(library.embed())
    for keeper in (mine, other):
        assert await library.finds(keeper, "plum")
    await other.change(library.documents.remove(["a"]))
    for keeper in (mine, other):
        assert not await library.finds(keeper, "pear")
        await keeper.aclose()


@pytest.mark.parametrize("work", ["a change", "catching up"])
async def test_work_that_is_cancelled_in_the_middle_puts_nothing_in_twice(
    library: Library, tmp_path: Path, work: str
) -> None:
    home = Held(tmp_path / "held")
    keeper = IndexKeeper(library.vectors, home, library._db.uuid, "m", DIM)
    await keeper.current()
    await library.put("a", ["apple", "pear"])
    first: asyncio.Task[object]
    if work == "a change":
        first = asyncio.create_task(keeper.change(library.embed()))
    else:
        await library.embed()
        first = asyncio.create_task(keeper.current())
    await asyncio.to_thread(home.index.begun.wait)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(keeper.current())
    await asyncio.wait({second}, timeout=0.3)  # as far as it comes while the first is still in the middle
    home.index.let.set()
    ids = sorted(int(i) for i in (await second).ids())
    await keeper.aclose()
    assert sorted(int(i) for i in home.index.ids()) == ids == [1, 2]


async def test_an_index_that_was_left_behind_catches_up_without_being_built(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    await library.put("a", [f"word{n}" for n in range(60)])
    await library.embed()
    keeper = library.keeper()
    await keeper.current()
    await keeper.save()
    await library.put("b", ["late"])
    await library.embed()
    await library.documents.remove(["a"])
    monkeypatch.setattr(faiss_index, "build", None)
    again = library.keeper()
    assert await library.finds(again, "late")
    assert len(await again.current()) == 1


async def test_one_too_far_behind_or_of_a_future_taken_back_is_built(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = library.keeper()
    await keeper.current()
    monkeypatch.setattr(index_keeper, "_CAUGHT_UP_AT_MOST", 10)
    await library.put("a", [f"word{n}" for n in range(60)])
    await library.embed()
    again = library.keeper()
    assert len(await again.current()) == 60
    generation = await library.vectors.generation()
    await library._db.write(lambda db: db.execute("UPDATE meta SET value = '1' WHERE key = 'index_generation'"))
    assert generation > 1
    assert len(await library.keeper().current()) == 60


async def test_damage_found_while_it_answers_already_has_it_built_again(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faiss_file, "BLOCK_BYTES", 64)
    monkeypatch.setattr(faiss_file, "BY_CHANCE", 0)
    monkeypatch.setattr(faiss_index, "_SIZES_BYTES", 128)
    await library.put("a", [f"word{n}" for n in range(60)])
    await library.embed()
    keeper = library.keeper()
    await keeper.current()
    await keeper.aclose()
    file = library._folder / "m.faiss"
    whole = file.read_bytes()
    file.write_bytes(whole[:2000] + bytes(8) + whole[2008:])
    again = library.keeper()
    damaged = await again.current()
    await again._unbroken.ended()
    assert again._renewal is not None
    await again._renewal
    assert await again.current() is not damaged
    assert file.read_bytes() == whole
    assert await library.finds(again, "word31")
    await again.aclose()


async def test_an_outgrown_index_is_renewed_behind(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faiss_index, "_FRESH_AT_LEAST", 5)
    keeper = library.keeper()
    await keeper.current()
    await library.put("a", [f"word{n}" for n in range(60)])
    await keeper.change(library.embed(limit=40))
    renewal = keeper._renewal
    assert renewal is not None
    await renewal
    index = await keeper.current()
    assert (len(index), index.is_outgrown) == (40, False)
    await keeper.change(library.embed())
    assert await library.finds(keeper, "word59")
    await keeper.aclose()


async def test_the_model_before_answers_until_the_next_has_everything(library: Library) -> None:
    await library.put("a", ["apple", "pear"])
    await library.embed()
    await library.vectors.adopt_model("n", "some/model")
    assert await library.vectors.models() == Models("n", "some/model", "m", "default")
    assert await library.state("a") == "indexing"
    await library.embed("n", limit=1)
    assert await library.finds(library.keeper("m"), "pear")
    assert await library.embed("m") == VectorChange(await library.vectors.generation())
    await library.embed("n")
    assert await library.vectors.models() == Models("n", "some/model", "n", "some/model")
    assert await library.state("a") == "ready"
    assert len((await library.vectors.ids("m"))[1]) == 0
    assert await library.finds(library.keeper("n"), "pear")


async def test_going_back_to_the_model_before_makes_nothing_anew(library: Library) -> None:
    await library.put("a", ["apple", "pear"])
    await library.embed()
    await library.vectors.adopt_model("n", "some/model")
    await library.embed("n", limit=1)
    await library.vectors.adopt_model("m", "default")
    assert await library.vectors.count_waiting() == 0
    assert await library.vectors.models() == Models("m", "default", "m", "default")
    assert len((await library.vectors.ids("n"))[1]) == 0


async def test_the_last_passage_that_waited_may_go_instead(library: Library) -> None:
    await library.put("a", ["apple"])
    await library.put("b", ["pear"])
    await library.embed()
    await library.vectors.adopt_model("n", "some/model")
    await library.embed("n", limit=1)
    await library.documents.remove(["b"])
    await library.vectors.settle("n")
    assert await library.vectors.models() == Models("n", "some/model", "n", "some/model")
