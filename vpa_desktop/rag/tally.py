"""Counts what an ingestion has done, how fast, and about how long it still takes."""

from __future__ import annotations

import time
from collections.abc import Callable

from vpa_desktop.rag.file_reading import Outcome
from vpa_desktop.records import HeldBy, IngestFailure, IngestProgress, IngestReport

READING_SHARE = 0.2
"""How much of the whole work reading is while nothing was embedded yet (measured on a folder of a hundred files)."""
_FAILURES_KEPT = 10_000


class Tally:
    """One for each ingestion. ``files_total`` and ``chunks_total`` grow as files are found and read."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._began = clock()
        self._held_s = 0.0
        self._held_since: float | None = None
        self._embedding_since: float | None = None
        self._counts = {"added": 0, "updated": 0, "unchanged": 0, "failed": 0, "moved": 0, "removed": 0, "gone": 0}
        self._failed: list[IngestFailure] = []
        self.silent: list[str] = []
        """Folders that do not answer, so that nothing below them is asked for again."""
        self.files_done = self.files_total = 0
        self.chunks_read = self.chunks_done = self.chunks_total = 0

    def count(self, path: str, outcome: Outcome) -> None:
        """Notes what became of one file."""
        self.files_done += 1
        self._counts[outcome.result] += 1
        self.chunks_read += outcome.chunks
        if outcome.result == "failed":
            self.fail(path, outcome.reason)

    def fail(self, name: str, reason: str) -> None:
        """Notes what could not be done; of very many the first ones are told."""
        if len(self._failed) < _FAILURES_KEPT:
            self._failed.append(IngestFailure(name, reason))

    def count_unchanged(self, files: int) -> None:
        """Notes files that are as they were."""
        self._counts["unchanged"] += files
        self.files_done += files
        self.files_total += files

    def count_removed(self, documents: int) -> None:
        """Notes documents whose files are gone."""
        self._counts["removed"] += documents

    def begin_embedding(self, waiting: int) -> None:
        """From now on passages are counted, and these wait."""
        self._embedding_since = self._working_s()
        self.chunks_total = waiting

    def embedded(self, chunks: int) -> None:
        """Notes how many passages have their vectors now."""
        self.chunks_done = chunks
        self.chunks_total = max(self.chunks_total, chunks)

    def hold(self, held: HeldBy) -> None:
        """Notes that the work waits, or does no longer: that time counts for no pace."""
        if held and self._held_since is None:
            self._held_since = self._clock()
        elif not held and self._held_since is not None:
            self._held_s += self._clock() - self._held_since
            self._held_since = None

    def progress(self, current: str = "", held: HeldBy = "") -> IngestProgress:
        """Returns how it stands. While files are read, the passages so far are the total that is known."""
        working = self._working_s()
        reading = working if self._embedding_since is None else self._embedding_since
        embedding = working - reading
        return IngestProgress(
            self.files_done,
            self.files_total,
            current,
            self.chunks_done,
            self.chunks_total or self.chunks_read,
            self._clock() - self._began,
            self.files_done / reading if reading > 0 else 0.0,
            self.chunks_done / embedding if embedding > 0 else 0.0,
            None if held else self._left_s(working, embedding),
            held,
        )

    def report(self) -> IngestReport:
        """Returns the result."""
        counts = self._counts
        return IngestReport(
            counts["added"],
            counts["updated"],
            counts["unchanged"],
            tuple(self._failed),
            self.chunks_read,
            self._clock() - self._began,
            counts["moved"],
            counts["removed"],
        )

    def _left_s(self, working: float, embedding: float) -> float | None:
        if self._embedding_since is not None:
            left = self.chunks_total - self.chunks_done
            return left * embedding / self.chunks_done if self.chunks_done and embedding > 0 else None
        if not self.files_done:
            return None
        return working * (self.files_total / self.files_done / READING_SHARE - 1)

    def _working_s(self) -> float:
        now = self._clock()
        return now - self._began - self._held_s - (now - self._held_since if self._held_since is not None else 0.0)
