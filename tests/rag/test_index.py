"""The vector index finds, forgets, and does not trust its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vpa_desktop.errors import IndexCorrupt
from vpa_desktop.rag.index import EXACT_BELOW, IndexIdentity, VectorIndex

if TYPE_CHECKING:
    from vpa_desktop.rag.index import Vectors

np = pytest.importorskip("numpy")

ME = IndexIdentity("database", "model", 7)
DIM = 32


def unit_vectors(count: int) -> Vectors:
    rows = np.random.default_rng(5).normal(size=(count, DIM)).astype(np.float32)
    vectors: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return vectors


def filled(count: int) -> tuple[VectorIndex, Vectors]:
    vectors = unit_vectors(count)
    index = VectorIndex(DIM)
    index.add(range(100, 100 + count), vectors)
    return index, vectors


@pytest.mark.parametrize("count", [50, EXACT_BELOW + 500])
def test_each_vector_finds_itself(count: int) -> None:
    index, vectors = filled(count)
    for row in range(0, count, 17):
        (best, cosine), *_ = index.search(vectors[row], 5)
        assert best == 100 + row
        assert cosine == pytest.approx(1.0, abs=0.02)


def test_growing_past_the_border_keeps_everything() -> None:
    vectors = unit_vectors(EXACT_BELOW + 1000)
    index = VectorIndex(DIM)
    for start in range(0, len(vectors), 300):
        index.add(range(start, min(start + 300, len(vectors))), vectors[start : start + 300])
    assert len(index) == len(vectors)
    assert all(index.search(vectors[row], 1)[0][0] == row for row in range(0, len(vectors), 97))


def test_removed_vectors_are_not_found() -> None:
    index, vectors = filled(50)
    assert index.remove([103, 104, 9999]) == 2
    assert len(index) == 48
    assert 103 not in [chunk for chunk, _ in index.search(vectors[3], 48)]


def test_search_can_be_limited() -> None:
    index, vectors = filled(50)
    among = np.array([110, 120, 130], dtype=np.int64)
    assert {chunk for chunk, _ in index.search(vectors[3], 10, among)} == {110, 120, 130}
    assert VectorIndex(DIM).search(vectors[0], 10) == []


@pytest.mark.parametrize("count", [50, EXACT_BELOW + 100])
def test_saved_and_loaded_it_answers_the_same(tmp_path: Path, count: int) -> None:
    index, vectors = filled(count)
    file = tmp_path / "index" / "passages.faiss"
    index.save(file, ME)
    again = VectorIndex.load(file, ME, DIM)
    assert again.search(vectors[8], 5) == index.search(vectors[8], 5)
    again.add([1], vectors[:1])
    assert len(again) == count + 1


@pytest.mark.parametrize(
    "other",
    [IndexIdentity("other", "model", 7), IndexIdentity("database", "other", 7), IndexIdentity("database", "model", 8)],
)
def test_an_index_of_something_else_is_refused(tmp_path: Path, other: IndexIdentity) -> None:
    index, _ = filled(10)
    index.save(tmp_path / "a", ME)
    with pytest.raises(IndexCorrupt, match="another database, model or state"):
        VectorIndex.load(tmp_path / "a", other, DIM)


def test_any_damage_is_seen(tmp_path: Path) -> None:
    index, _ = filled(10)
    file = tmp_path / "a"
    index.save(file, ME)
    whole = file.read_bytes()
    for damaged in (
        b"",
        whole[:40],
        whole[:-9],
        whole[:-50] + b"\xff" + whole[-49:],
        b"x" + whole,
        b"[]\n",
        b"1\n\x00",
    ):
        file.write_bytes(damaged)
        with pytest.raises(IndexCorrupt):
            VectorIndex.load(file, ME, DIM)
    file.unlink()
    with pytest.raises(IndexCorrupt):
        VectorIndex.load(file, ME, DIM)
