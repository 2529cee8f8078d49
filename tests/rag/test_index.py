"""The vector index finds, forgets, and does not trust its file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vpa_desktop.errors import IndexCorrupt
from vpa_desktop.rag import faiss_file, faiss_index
from vpa_desktop.rag.faiss_file import FaissFile
from vpa_desktop.rag.faiss_index import EXACT_BELOW, FaissIndex
from vpa_desktop.rag.index import IndexIdentity

if TYPE_CHECKING:
    from vpa_desktop.rag.index import Ids, Vectors

np = pytest.importorskip("numpy")

ME = IndexIdentity("database", "model", 7)
DIM = 32


def unit_vectors(count: int) -> Vectors:
    rows = np.random.default_rng(5).normal(size=(count, DIM)).astype(np.float32)
    vectors: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return vectors


class Rows:
    """Vectors in memory, under the ids from 100 on."""

    def __init__(self, rows: Vectors) -> None:
        self.rows = rows
        self.ids: Sequence[int] = range(100, 100 + len(rows))

    def vectors(self, ids: Sequence[int]) -> tuple[Ids, Vectors]:
        wanted = np.array(ids, dtype=np.int64)
        return wanted, self.rows[wanted - 100]


def filled(count: int) -> tuple[FaissIndex, Vectors]:
    vectors = unit_vectors(count)
    return faiss_index.build(DIM, Rows(vectors)), vectors


@pytest.fixture(params=["few", "many", "clustered"])
def count(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    if request.param == "clustered":
        monkeypatch.setattr(faiss_index, "CLUSTERED_FROM", EXACT_BELOW)
    return 50 if request.param == "few" else EXACT_BELOW + 500


def test_each_vector_finds_itself(count: int) -> None:
    index, vectors = filled(count)
    for row in range(0, count, 17):
        (best, cosine), *_ = index.search(vectors[row], 5)
        assert best == 100 + row
        assert cosine == pytest.approx(1.0, abs=0.02)


def test_clusters_are_looked_through_until_nearly_all_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faiss_index, "CLUSTERED_FROM", 4_000)
    index, vectors = filled(6_000)
    exact = FaissIndex(DIM)
    exact.add(range(100, 6_100), vectors)
    found = total = 0
    for row in range(3, 6_000, 60):
        near = vectors[row] + 0.2 * vectors[row - 1]
        true = {passage for passage, _ in exact.search(near, 10)}
        found += len(true & {passage for passage, _ in index.search(near, 10)})
        total += len(true)
    assert found / total >= 0.9


def test_what_comes_and_goes_is_seen_at_once(count: int) -> None:
    index, vectors = filled(count)
    assert index.remove([103, 104, 9999999]) == 2
    assert index.remove([103]) == 0
    assert len(index) == count - 2
    assert index.search(vectors[3], 1)[0][0] != 103
    index.add([5], vectors[3:4])
    assert index.search(vectors[3], 1)[0][0] == 5
    assert sorted(index.ids().tolist()) == [5, *(i for i in range(100, 100 + count) if i not in (103, 104))]
    assert index.remove([5]) == 1
    assert index.search(vectors[3], 1)[0][0] != 5


def test_much_that_came_since_makes_it_due(count: int) -> None:
    index, _ = filled(count)
    assert not index.is_outgrown
    more = unit_vectors(3_000)
    index.add(range(10_000, 13_000), more)
    assert index.is_outgrown


def test_search_can_be_limited(count: int) -> None:
    index, vectors = filled(count)
    among = np.array([110, 120, 130], dtype=np.int64)
    index.remove([120])
    index.add([120], vectors[20:21])
    assert {passage for passage, _ in index.search(vectors[3], 10, among)} == {110, 120, 130}
    assert index.search(vectors[3], 10, np.zeros(0, dtype=np.int64)) == []
    assert FaissIndex(DIM).search(vectors[0], 10) == []


def test_saved_and_loaded_it_answers_the_same_and_can_change(tmp_path: Path, count: int) -> None:
    index, vectors = filled(count)
    home = FaissFile(tmp_path / "index" / "passages.faiss", DIM)
    home.save(index, ME)
    again, generation = home.load("database", "model")
    assert generation == 7
    assert again.search(vectors[8], 5) == index.search(vectors[8], 5)
    again.remove([108])
    again.add([1], vectors[8:9])
    home.save(index, ME)  # in the place of the one that is mapped
    assert again.search(vectors[8], 1)[0][0] == 1
    assert len(again) == count


@pytest.mark.parametrize("other", [("other", "model"), ("database", "other")])
def test_an_index_of_something_else_is_refused(tmp_path: Path, other: tuple[str, str]) -> None:
    index, _ = filled(10)
    home = FaissFile(tmp_path / "a", DIM)
    home.save(index, ME)
    with pytest.raises(IndexCorrupt, match="another database or model"):
        home.load(*other)


def test_any_damage_is_seen(tmp_path: Path) -> None:
    index, _ = filled(10)
    file = tmp_path / "a"
    home = FaissFile(file, DIM)
    home.save(index, ME)
    whole = file.read_bytes()
    for damaged in (
        b"",
        whole[:40],
        whole[:-9],
        whole[:200] + b"\xff" + whole[201:],
        b"x" + whole,
        whole[:-1] + b"x",
        whole[-400:],
        whole[-14:],
        whole[:100] + whole[101:],
    ):
        file.write_bytes(damaged)
        with pytest.raises(IndexCorrupt):
            home.load("database", "model")
    home.discard()
    with pytest.raises(IndexCorrupt):
        home.load("database", "model")


def test_damage_that_no_look_at_the_start_can_see_is_seen_by_the_look_through(
    tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faiss_file, "BLOCK_BYTES", 256)
    monkeypatch.setattr(faiss_file, "BY_CHANCE", 0)
    monkeypatch.setattr(faiss_index, "_SIZES_BYTES", 512)
    index, _ = filled(count)
    file = tmp_path / "a"
    home = FaissFile(file, DIM)
    home.save(index, ME)
    home.load("database", "model")
    home.verify()
    whole = bytearray(file.read_bytes())
    head, tail = index.ends
    middle = (head + len(whole) - tail) // 2
    whole[middle] ^= 1
    file.write_bytes(whole)
    home.load("database", "model")
    with pytest.raises(IndexCorrupt, match="checksum"):
        home.verify()
    home.verify(lambda: False)
    monkeypatch.setattr(faiss_file, "BY_CHANCE", 10_000)
    with pytest.raises(IndexCorrupt, match="checksum"):
        home.load("database", "model")


def test_sizes_ranges_and_ids_are_always_looked_at(tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faiss_file, "BLOCK_BYTES", 256)
    monkeypatch.setattr(faiss_file, "BY_CHANCE", 0)
    index, _ = filled(count)
    file = tmp_path / "a"
    home = FaissFile(file, DIM)
    home.save(index, ME)
    whole = file.read_bytes()
    length = len(whole) - len(whole.split(b'{"format"')[-1]) - len(b'{"format"')
    head, tail = index.ends
    for place in (0, min(head, length) - 1, *((length - 1, length - min(tail, length) // 2) if tail else ())):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(IndexCorrupt):
            home.load("database", "model")


def test_what_a_killed_process_left_of_a_file_goes_with_the_next_one(tmp_path: Path) -> None:
    home = FaissFile(tmp_path / "passages.faiss", DIM)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    for name in ("passages.part", f"passages.{ended.pid}.part", f"passages.{os.getppid()}.part"):
        (tmp_path / name).write_bytes(b"half of it")
    home.save(filled(10)[0], ME)
    assert {file.name for file in tmp_path.iterdir()} == {"passages.faiss", f"passages.{os.getppid()}.part"}
