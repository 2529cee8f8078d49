"""VectorIndex and IndexHome: what an index of passages' vectors has to do, whatever keeps it. Not the truth.

The truth is the vectors in the database; ``index_keeper`` brings an index in step with it, by its ids alone, however
far it is behind. So a server (Qdrant, pgvector) can be another implementation: ``load`` connects and says which
generation of the database it holds, ``build`` fills it, ``save`` notes the generation. The one that comes with the
program is ``faiss_index``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from vpa_desktop.errors import IndexCorrupt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Ids = NDArray[np.int64]


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IndexIdentity:
    """What an index belongs to: the database, the model that made the vectors, and the state of both."""

    database: str
    model: str
    generation: int


class VectorSource(Protocol):
    """Where an index is built from: all ids, and their vectors, which are asked for in portions."""

    ids: Sequence[int]

    def vectors(self, ids: Sequence[int]) -> tuple[Ids, Vectors]:
        """Returns those of these ids that have a sound vector, and the vectors as rows. Called in a worker thread."""
        ...


class VectorIndex(Protocol):
    """Adds, removes and searches vectors of length one by their cosine. Thread-safe, blocking."""

    def __len__(self) -> int: ...

    @property
    def is_outgrown(self) -> bool:
        """True where building it anew would make searches faster or better than adding to it."""
        ...

    @property
    def is_scanned(self) -> bool:
        """True where a search compares with every vector, so that one among few ids is far quicker."""
        ...

    def ids(self) -> Ids:
        """Returns the ids of all vectors in it, in any order."""
        ...

    def add(self, ids: Iterable[int], vectors: Vectors) -> None:
        """Adds vectors under their passages' ids; ids must be new."""
        ...

    def remove(self, ids: Iterable[int]) -> int:
        """Removes what is there of these ids and returns how many that were."""
        ...

    def search(self, query: Vectors, k: int, among: Ids | None = None) -> list[tuple[int, float]]:
        """Returns up to ``k`` (id, cosine), best first; ``among`` limits the search to these ids, rising."""
        ...


class IndexHome(Protocol):
    """Where the index of one model is kept between two starts."""

    def load(self, database: str, model: str) -> tuple[VectorIndex, int]:
        """Returns the index and the generation it was saved at.

        Raises IndexCorrupt when it is missing, belongs to another database or model, or is damaged as far as can be
        seen in a few milliseconds.
        """
        ...

    def verify(self, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Looks through all that is kept, as long as ``goes_on``. Raises IndexCorrupt where it is damaged."""
        ...

    def build(self, source: VectorSource) -> VectorIndex:
        """Returns a new index with all that the source has."""
        ...

    def save(self, index: VectorIndex, identity: IndexIdentity) -> None:
        """Keeps the index in place of the one before. Raises StorageError when it cannot."""
        ...

    def discard(self) -> None:
        """Deletes what is kept."""
        ...


def portions_of(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cuts ids to ask a source for, or whatever else is many, into portions."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def corrupt(why: str) -> IndexCorrupt:
    """The error for an index that cannot be used."""
    return IndexCorrupt("The vector index cannot be used", f"Of what is kept: {why}", "It is built again by itself")
