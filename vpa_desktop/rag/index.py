"""VectorIndex: passages' vectors in FAISS, with a sidecar file. Not the truth: that is the vectors in the database.

Exact search over floats while there are few, over eight bits a dimension (trained on the vectors themselves) from
``EXACT_BELOW`` on. The file says which database, model and generation it belongs to and carries its checksum;
whatever does not match raises IndexCorrupt, and the owner builds it again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpa_desktop.errors import DiskFull, IndexCorrupt, StorageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Ids = NDArray[np.int64]

EXACT_BELOW = 2_000
_RETRAIN_AT_GROWTH = 4
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class IndexIdentity:
    """What an index belongs to: the database, the model that made the vectors, and the state of both."""

    database: str
    model: str
    generation: int


class VectorIndex:
    """Adds, removes and searches vectors of length one by their cosine. Thread-safe, blocking."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._lock = threading.RLock()
        self._trained_on = 0
        self._index = self._empty_flat()

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, ids: Iterable[int], vectors: Vectors) -> None:
        """Adds vectors under their passages' ids; ids must be new."""
        import numpy as np

        rows = np.fromiter(ids, dtype=np.int64)
        if not len(rows):
            return
        with self._lock:
            total = len(self) + len(rows)
            if total >= EXACT_BELOW and total >= self._trained_on * _RETRAIN_AT_GROWTH:
                old_ids, old = self._everything()
                self._train(np.concatenate([old_ids, rows]), np.concatenate([old, vectors]))
            else:
                self._index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), rows)

    def remove(self, ids: Iterable[int]) -> int:
        """Removes what is there of these ids and returns how many that were."""
        import numpy as np

        rows = np.fromiter(ids, dtype=np.int64)
        with self._lock:
            return int(self._index.remove_ids(rows)) if len(rows) else 0

    def search(self, query: Vectors, k: int, among: Ids | None = None) -> list[tuple[int, float]]:
        """Returns up to ``k`` (id, cosine), best first; ``among`` limits the search to these ids."""
        import faiss
        import numpy as np

        with self._lock:
            k = min(k, len(self))
            if k == 0 or (among is not None and not len(among)):
                return []
            parameters = None
            if among is not None:
                selector = faiss.IDSelectorBatch(np.ascontiguousarray(among, dtype=np.int64))
                parameters = faiss.SearchParameters()
                parameters.sel = selector
            scores, ids = self._index.search(np.ascontiguousarray(query[None, :]), k, params=parameters)
        return [(int(i), float(s)) for i, s in zip(ids[0], scores[0], strict=True) if i >= 0]

    def vectors(self, ids: Iterable[int]) -> dict[int, Vectors]:
        """Returns the stored vectors of those of these ids that are there, as exact as they are kept."""
        found: dict[int, Vectors] = {}
        with self._lock:
            for chunk_id in ids:
                with contextlib.suppress(RuntimeError):  # faiss: key not found
                    found[chunk_id] = self._index.reconstruct(int(chunk_id))
        return found

    def save(self, path: Path, identity: IndexIdentity) -> None:
        """Writes the file beside itself first and then in its place. Raises StorageError when it cannot."""
        import faiss

        with self._lock:
            body = bytes(faiss.serialize_index(self._index))
            facts = asdict(identity) | {"format": _FORMAT, "dim": self.dim, "count": len(self)}
            facts |= {"trained_on": self._trained_on, "sha256": hashlib.sha256(body).hexdigest()}
        header = json.dumps(facts).encode() + b"\n"
        part = path.with_suffix(".part")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(header)
                file.write(body)
            part.replace(path)
        except OSError as exc:
            kind = DiskFull if exc.errno == 28 else StorageError
            raise kind(
                "The vector index could not be written",
                f"The system says: {exc.strerror or exc}",
                "Nothing is lost: it is built again from the database at the next start",
            ) from exc

    @classmethod
    def load(cls, path: Path, identity: IndexIdentity, dim: int) -> VectorIndex:
        """Reads a saved index. Raises IndexCorrupt when it is missing, damaged or belongs to something else."""
        import faiss
        import numpy as np

        try:
            with path.open("rb") as file:
                facts: dict[str, Any] = json.loads(file.readline(4096))
                body = file.read()
        except (OSError, ValueError) as exc:
            raise _corrupt("it cannot be read") from exc
        wanted = asdict(identity) | {"format": _FORMAT, "dim": dim}
        if not isinstance(facts, dict) or any(facts.get(key) != value for key, value in wanted.items()):
            raise _corrupt("it belongs to another database, model or state")
        if hashlib.sha256(body).hexdigest() != facts.get("sha256"):
            raise _corrupt("its checksum is wrong")
        index = cls(dim)
        index._index = faiss.deserialize_index(np.frombuffer(body, dtype=np.uint8))
        index._trained_on = int(facts["trained_on"])
        if len(index) != facts["count"]:
            raise _corrupt("its count is wrong")
        return index

    def _empty_flat(self) -> Any:
        import faiss

        return faiss.IndexIDMap2(faiss.IndexFlatIP(self.dim))

    def _train(self, ids: Ids, vectors: Vectors) -> None:
        import faiss
        import numpy as np

        quantizer = faiss.IndexScalarQuantizer(self.dim, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
        index = faiss.IndexIDMap2(quantizer)
        index.train(np.ascontiguousarray(vectors, dtype=np.float32))
        index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), ids)
        self._index, self._trained_on = index, len(ids)

    def _everything(self) -> tuple[Ids, Vectors]:
        import faiss
        import numpy as np

        ids: Ids = faiss.vector_to_array(self._index.id_map).astype(np.int64)
        count = len(self)
        stored = self._index.index.reconstruct_n(0, count) if count else np.zeros((0, self.dim), dtype=np.float32)
        return ids, stored


def _corrupt(why: str) -> IndexCorrupt:
    return IndexCorrupt("The vector index cannot be used", f"Of its file: {why}", "It is built again by itself")
