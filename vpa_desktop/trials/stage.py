"""A data folder for a trial, with a provider that plays and a few documents; gone when the trial is over.

Nothing of the person's is read or written there, no key is looked for, and nothing but this machine is contacted.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vpa_desktop.config import Paths, find_paths
from vpa_desktop.records import IngestReport
from vpa_desktop.security.vault import MemoryVault
from vpa_desktop.system import System, build_system

SETTINGS: Final = """[providers.player]
kind = "mock"
model = "mock"
input_cost_per_million = 1000.0
output_cost_per_million = 1000.0
[providers.local]
kind = "llama_cpp"
enabled = false
[routing]
default_provider = "player"
"""
ENVIRON: Final[Mapping[str, str]] = {"VPA_OFFLINE": "1", "VPA_VAULT": "memory"}

_SUBJECTS: Final = ("The tenant", "The supplier", "The insurer", "The office", "The buyer", "The engineer")
_DOINGS: Final = (
    "gives notice of three months in writing",
    "delivers the parts within fourteen days",
    "pays the invoice without deduction",
    "keeps the records for ten years",
    "checks the pressure valve every spring",
    "reports damage on the same working day",
    "agrees to a penalty of half a per cent a week",
    "returns the keys at the end of the lease",
)
_PLACES: Final = ("in Hamburg", "at the north gate", "for the second floor", "under clause seven", "before winter")


@dataclass(frozen=True, slots=True)
class Stage:
    """The data folder of a trial."""

    paths: Paths

    @asynccontextmanager
    async def system(self) -> AsyncIterator[System]:
        """The whole program without a window, on this folder."""
        made = await build_system(
            self.paths, environ=ENVIRON, vault=MemoryVault(), system_policy=self.paths.home / "no-policy.toml"
        )
        try:
            await made.keys_ready()
            yield made
        finally:
            await made.aclose()


@contextmanager
def stage(settings: str = SETTINGS) -> Iterator[Stage]:
    """Make a data folder in the system's place for temporary files, and remove it."""
    with tempfile.TemporaryDirectory(prefix="vpa-trial-", ignore_cleanup_errors=True) as folder:
        paths = find_paths(Path(folder) / "home", {})
        paths.make()
        paths.settings_file.write_text(settings, "utf-8")
        yield Stage(paths)


def passages(count: int) -> list[str]:
    """Return so many texts of about a hundred words, no two alike, as contracts and manuals have them."""
    made = []
    for n in range(count):
        sentences = [
            f"{_SUBJECTS[(n + k) % len(_SUBJECTS)]} {_DOINGS[(n * 3 + k * 5) % len(_DOINGS)]} "
            f"{_PLACES[(n + k * 2) % len(_PLACES)]}, as order {1000 + n * 7 + k} says."
            for k in range(8)
        ]
        made.append(" ".join(sentences))
    return made


async def add_files(system: System, *files: Path) -> IngestReport:
    """Add files to the documents and return what came of it."""
    last: object = None
    async for step in system.add_documents(files):
        last = step
    assert isinstance(last, IngestReport)
    return last
