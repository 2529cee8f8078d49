"""The pinned PySide6 keeps None's reference count: a release that loses one per call aborts after thousands."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("PySide6")
pytest.importorskip("qasync")

PROGRAM = """
import asyncio, os, sys
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication
from qasync import QEventLoop

application = QApplication([])
loop = QEventLoop(application)
finished = asyncio.Event()
thing = QObject()
counts = []

def tick(left):
    thing.setObjectName("x")
    if left % 10_000 == 0:
        counts.append(sys.getrefcount(None))
    loop.call_soon(tick, left - 1) if left else finished.set()

async def main():
    tick(int(sys.argv[1]))
    await finished.wait()

with loop:
    loop.run_until_complete(main())
# The first interval holds what the loop keeps once it runs. CPython 3.12 and newer never change the
# count, whatever the binding does: there only survival is tested.
print(max(abs(b - a) for a, b in zip(counts[1:], counts[2:])), flush=True)
"""


@pytest.mark.ui
@pytest.mark.slow
def test_two_hundred_thousand_callbacks_neither_abort_nor_lose_references() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "200000"], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 100
