"""The vector index that comes with the program: FAISS, in memory or mapped from its file. The file: ``faiss_file``.

Two halves. The base is what was built or loaded and is never changed, so that it can stay mapped: floats while it is
small, eight bits a dimension (ranges trained on the vectors themselves) from ``EXACT_BELOW`` on, and from
``CLUSTERED_FROM`` on in clusters, of which as many are looked through as its own vectors needed to find nearly all of
their true neighbours. What came since is beside it, and what went is left out of its answers.
"""

from __future__ import annotations

import functools
import importlib
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpa_desktop.rag.index import VectorSource, portions_of

if TYPE_CHECKING:
    from vpa_desktop.rag.index import Ids, Vectors

EXACT_BELOW = 2_000
CLUSTERED_FROM = 500_000
RECALL = 0.98
"""What is asked of the clusters with vectors as far off as questions; questions then find at least 0.95."""

_FRESH_AT_LEAST, _FRESH_AT_MOST, _FRESH_SHARE = 2_000, 50_000, 0.125
_RANGE_VECTORS, _CLUSTER_VECTORS = 16_384, 65_536
_TRAINING_ROUNDS = 10
_ROWS_AT_ONCE = 16_384
_TUNING_QUERIES, _TUNING_DEPTH = 64, 10
_QUESTION_DISTANCE, _LEAST_SHARE = 2.0, 12
_SIZES_BYTES = 1 << 16
"""More than FAISS needs for the sizes of things and, of at most some thousand dimensions, the ranges of their codes."""


class FaissIndex:
    """Implements VectorIndex."""

    def __init__(self, dim: int, base: Any = None) -> None:
        self.dim = dim
        self._lock = threading.RLock()
        self._base = base
        self._gone: set[int] = set()
        self._fresh = _exact(dim)

    def __len__(self) -> int:
        base = int(self._base.ntotal) if self._base is not None else 0
        return base - len(self._gone) + int(self._fresh.ntotal)

    @functools.cached_property
    def _base_ids(self) -> Ids:
        """Rising. Not asked for by a start that finds nothing to catch up with: they lie all over a mapped file."""
        import numpy as np

        return np.sort(_ids_in(self._base)) if self._base is not None else np.zeros(0, dtype=np.int64)

    @property
    def is_outgrown(self) -> bool:
        """True where much came since it was built, or most of what it was built of went."""
        beside = int(self._fresh.ntotal) + len(self._gone)
        return beside > min(max(_FRESH_AT_LEAST, int(len(self) * _FRESH_SHARE)), _FRESH_AT_MOST)

    @property
    def is_scanned(self) -> bool:
        """True where there are no clusters."""
        return not _clusters(self._base)

    @property
    def ends(self) -> tuple[int, int]:
        """How many bytes at the beginning, and at the end, of what ``write_base`` writes are no vectors in clusters.

        Before them stand sizes, ranges and the clusters' middles; behind them the ids, where there are no clusters.
        """
        clusters = _clusters(self._base)
        if clusters:
            return _SIZES_BYTES + clusters * (self.dim * 4 + 16), 0
        return _SIZES_BYTES, _SIZES_BYTES + (int(self._base.ntotal) if self._base is not None else 0) * 8

    def ids(self) -> Ids:
        """Returns the ids of all vectors in it."""
        import numpy as np

        with self._lock:
            gone = np.fromiter(self._gone, dtype=np.int64)
            kept = self._base_ids[~np.isin(self._base_ids, gone)] if len(gone) else self._base_ids
            return np.concatenate([kept, _ids_in(self._fresh)])

    def add(self, ids: Iterable[int], vectors: Vectors) -> None:
        """Adds vectors under their passages' ids; ids must be new."""
        import numpy as np

        rows = np.fromiter(ids, dtype=np.int64)
        if len(rows):
            with self._lock:
                self._fresh.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), rows)

    def remove(self, ids: Iterable[int]) -> int:
        """Removes what is there of these ids and returns how many that were."""
        import numpy as np

        rows = np.fromiter(set(ids), dtype=np.int64)
        with self._lock:
            if not len(rows):
                return 0
            before = len(self)
            self._gone.update(int(i) for i in rows[np.isin(rows, self._base_ids)])
            self._fresh.remove_ids(rows)
            return before - len(self)

    def search(self, query: Vectors, k: int, among: Ids | None = None) -> list[tuple[int, float]]:
        """Returns up to ``k`` (id, cosine), best first; ``among`` limits the search to these ids."""
        if among is not None and not len(among):
            return []
        with self._lock:
            found = _search(self._fresh, query, k, None, among)
            if self._base is not None:
                found += _search(self._base, query, k, self._gone or None, among)
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))[:k]

    def write_base(self, write: Callable[[bytes], int]) -> None:
        """Gives what it was built of to ``write``, in FAISS's format."""
        faiss = _faiss()
        writer = faiss.PyCallbackIOWriter(write)
        faiss.write_index(_exact(self.dim) if self._base is None else self._base, writer)


def read(dim: int, path: Path, *, is_mapped: bool) -> FaissIndex:
    """Returns the index in a file that was found to be sound; it stays in the file where it is mapped."""
    faiss = _faiss()
    if is_mapped:
        return FaissIndex(dim, faiss.read_index(os.fspath(path), faiss.IO_FLAG_MMAP_IFC))
    with path.open("rb") as file:
        return FaissIndex(dim, faiss.read_index(faiss.PyCallbackIOReader(file.read)))


def build(dim: int, source: VectorSource) -> FaissIndex:
    """Returns an index with all that the source has, asked for in portions, so that memory stays small."""
    _faiss().omp_set_num_threads(os.cpu_count() or 1)
    count = len(source.ids)
    base = _exact(dim) if count < EXACT_BELOW else _trained(dim, source, count >= CLUSTERED_FROM)
    for some in portions_of(source.ids, _ROWS_AT_ONCE):
        ids, vectors = source.vectors(some)
        if len(ids):
            base.add_with_ids(vectors, ids)
    if _clusters(base):
        _tune(base, source)
    return FaissIndex(dim, base)


def load_library_behind() -> None:
    """Loads the library in a thread of its own: that takes as long as checking a file of 100,000 vectors."""
    threading.Thread(target=_faiss, name="loading faiss", daemon=True).start()


def _faiss() -> Any:
    """The library without its type stubs, which lack half of what is used here."""
    return importlib.import_module("faiss")


def _exact(dim: int) -> Any:
    faiss = _faiss()

    return faiss.IndexIDMap(faiss.IndexFlatIP(dim))


def _trained(dim: int, source: VectorSource, is_clustered: bool) -> Any:
    faiss = _faiss()

    kind, metric = faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    if is_clustered:
        # A power of two near the square root: as much work to choose the clusters as to look through one of them.
        count = 1 << (len(source.ids).bit_length() // 2)
        centroids: Any = faiss.IndexFlatIP(dim)
        index: Any = faiss.IndexIVFScalarQuantizer(centroids, dim, count, kind, metric)
        centroids.this.disown()
        index.own_fields = True
        index.cp.max_points_per_centroid = max(1, _CLUSTER_VECTORS // count)
        index.cp.min_points_per_centroid = 1
        index.cp.niter = _TRAINING_ROUNDS
    else:
        codes = faiss.IndexScalarQuantizer(dim, kind, metric)
        index = faiss.IndexIDMap(codes)
    step = max(1, len(source.ids) // (_CLUSTER_VECTORS if is_clustered else _RANGE_VECTORS))
    index.train(source.vectors(source.ids[::step])[1])
    return index


def _tune(index: Any, source: VectorSource) -> None:
    """Sets how many clusters are looked through: the fewest with which questions find their true neighbours.

    Questions lie farther from passages than these from each other: its own vectors, moved as far off, stand for them,
    and a share of the clusters is always looked through: with a million passages the fewest for a recall of 0.95.
    """
    import numpy as np

    step = max(1, len(source.ids) // _TUNING_QUERIES)
    queries = source.vectors(source.ids[step // 2 :: step])[1][:_TUNING_QUERIES]
    away = np.random.default_rng(0).normal(size=queries.shape) * (_QUESTION_DISTANCE / queries.shape[1] ** 0.5)
    queries = (queries + away).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    index.nprobe = index.nlist
    true = index.search(queries, _TUNING_DEPTH)[1]
    index.nprobe = max(8, index.nlist // _LEAST_SHARE)
    while index.nprobe < index.nlist:
        found = index.search(queries, _TUNING_DEPTH)[1]
        recall = np.mean([len(np.intersect1d(a, b)) / _TUNING_DEPTH for a, b in zip(found, true, strict=True)])
        if recall >= RECALL:
            return
        index.nprobe = min(index.nlist, int(index.nprobe * 1.25) + 1)


def _search(
    index: Any, query: Vectors, k: int, gone: Iterable[int] | None, among: Ids | None
) -> list[tuple[int, float]]:
    faiss = _faiss()
    import numpy as np

    k = min(k, int(index.ntotal))
    if k == 0:
        return []
    if among is not None and gone is not None:
        among = np.setdiff1d(among, np.fromiter(gone, dtype=np.int64))
    selector: Any = None
    if among is not None:
        selector = faiss.IDSelectorBatch(np.ascontiguousarray(among, dtype=np.int64))
    elif gone is not None:
        left_out = faiss.IDSelectorBatch(np.fromiter(gone, dtype=np.int64))
        selector = faiss.IDSelectorNot(left_out)
    parameters: Any = None
    if _clusters(index):
        # The fewer there are to choose from, the farther apart they lie.
        share = len(among) / int(index.ntotal) if among is not None else 1.0
        probes = min(index.nlist, int(index.nprobe / max(share, 1e-6)))
        parameters = faiss.SearchParametersIVF(sel=selector, nprobe=probes)
    elif selector is not None:
        parameters = faiss.SearchParameters(sel=selector)
    # One question is one thread's work; waiting for a team of threads costs more where the machine is busy.
    faiss.omp_set_num_threads(1)
    scores, ids = index.search(np.ascontiguousarray(query[None, :]), k, params=parameters)
    return [(int(i), float(s)) for i, s in zip(ids[0], scores[0], strict=True) if i >= 0]


def _clusters(index: Any) -> int:
    return int(getattr(index, "nlist", 0))


def _ids_in(index: Any) -> Ids:
    faiss = _faiss()
    import numpy as np

    if not _clusters(index):
        ids: Ids = faiss.vector_to_array(index.id_map).astype(np.int64)
        return ids
    lists = index.invlists
    parts = [
        faiss.rev_swig_ptr(lists.get_ids(n), size).copy() for n in range(index.nlist) if (size := lists.list_size(n))
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
