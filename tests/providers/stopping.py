"""How quickly a local model stops: what its process still computes after an answer was closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

import psutil

from vpa_desktop.messages import StreamEvent, TextDelta


async def stops_at_once(stream: AsyncGenerator[StreamEvent, None], process: psutil.Process) -> bool:
    """Read the beginning of an answer and close it: True where its process has nothing to do soon after."""
    for _ in range(3):
        assert isinstance(await anext(stream), TextDelta)
    started = time.perf_counter()
    await stream.aclose()
    took_s = time.perf_counter() - started
    await asyncio.sleep(0.2)
    before = process.cpu_times().user
    await asyncio.sleep(0.3)
    return took_s < 0.2 and process.cpu_times().user - before < 0.1
