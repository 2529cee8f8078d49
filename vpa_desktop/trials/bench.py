"""The benchmark: everything that is measured, one after another, and the report of it.

Honest before all: every figure says how it was come by, what could not be measured is listed with its reason, and what
else the machine was doing is told. No key is used, nothing is spent, nothing but this machine is contacted.
"""

from __future__ import annotations

import asyncio
import os
import platform
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from vpa_desktop import __version__
from vpa_desktop.analytics import savings_of
from vpa_desktop.errors import VPAError
from vpa_desktop.system import System
from vpa_desktop.trials.values import Figure

BUSY_LOAD: Final = 0.5
"""Share of the processors that were busy before, from which the times are doubtful."""


@dataclass(frozen=True, slots=True)
class Part:
    """A group of figures that are measured together."""

    title: str
    measure: Callable[[System | None], Awaitable[list[Figure]]]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """One part with its figures, and how many seconds it took."""

    title: str
    figures: tuple[Figure, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """A whole benchmark."""

    machine: dict[str, Any]
    parts: tuple[Done, ...]
    remarks: tuple[str, ...]
    seconds: float

    @property
    def figures(self) -> list[Figure]:
        """Every figure."""
        return [figure for part in self.parts for figure in part.figures]


async def run_bench(own: System | None, parts: Sequence[Part] = ()) -> AsyncIterator[Done | Report]:
    """Yield each part as it is done, then the report. ``own`` None: the person's data cannot be opened.

    ``parts`` are all of them where none is named.
    """
    machine = describe_machine()
    began, done = time.monotonic(), []
    for part in parts or PARTS:
        started = time.monotonic()
        figures = tuple(await _measured(part, own))
        done.append(Done(part.title, figures, time.monotonic() - started))
        yield done[-1]
    yield Report(machine, tuple(done), tuple(_remarks(machine)), time.monotonic() - began)


async def _measured(part: Part, own: System | None) -> list[Figure]:
    try:
        return await part.measure(own)
    except (VPAError, TimeoutError) as exc:
        why = str(exc) or "It took too long"
        return [Figure(name, None, "", "", note=f"not measured: {why}") for name in part.names]


def describe_machine() -> dict[str, Any]:
    """Return what the figures depend on: program, Python, system, processors, memory, and how busy they are."""
    import psutil

    return {
        "program": f"VPA Desktop {__version__}",
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "processors": os.cpu_count() or 1,
        "memory_mb": round(psutil.virtual_memory().total / 1e6),
        "busy_before": round(psutil.cpu_percent(interval=0.5) / 100, 2),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _remarks(machine: dict[str, Any]) -> list[str]:
    remarks = []
    if machine["busy_before"] >= BUSY_LOAD:
        remarks.append(
            f"The machine was {machine['busy_before']:.0%} busy before: times are longer than they need to be. "
            "Close other programs and measure again; processor times are less touched by it."
        )
    remarks.append(
        "Providers were stand-ins on this machine: what a real one needs over the network comes on top; "
        "vpa-desktop stats says it of those you use."
    )
    return remarks


async def _start(own: System | None) -> list[Figure]:
    from vpa_desktop.trials.start_cost import start_figures

    return await asyncio.to_thread(start_figures)


async def _window(own: System | None) -> list[Figure]:
    from vpa_desktop.trials.start_cost import window_figures

    return await asyncio.to_thread(window_figures)


async def _model(own: System | None) -> list[Figure]:
    from vpa_desktop.trials.model_cost import model_figures

    return await model_figures()


async def _router(own: System | None) -> list[Figure]:
    from vpa_desktop.trials.router_cost import router_figures

    return await router_figures()


async def _embedding(own: System | None) -> list[Figure]:
    from vpa_desktop.trials.document_cost import embedding_figures

    return await embedding_figures()


async def _search(own: System | None) -> list[Figure]:
    from vpa_desktop.trials.document_cost import search_figures

    return await search_figures(own)


async def _saved(own: System | None) -> list[Figure]:
    """What caches have spared the person so far: no measurement, their own bookings."""
    if own is None:
        raise VPAError("Your data could not be opened")
    rows = await own.manager.ledger.rows()
    savings = savings_of(rows)
    spent = sum(float(row.cost_usd) for row in rows if row.cost_usd is not None)
    saved = float(savings.saved_usd + savings.prompt_cache_saved_usd)
    asked = savings.hits + savings.misses
    note = "" if spent + saved > 0 else "nothing was paid for yet"
    part = 100 * saved / (spent + saved) if spent + saved > 0 else None
    rate = 100 * savings.hits / asked if asked else None
    return [
        Figure("cost_efficiency.saved_by_caches", part, "%", f"your own {len(rows)} requests so far", "20 to 30 %",
               None if part is None else part >= 20, note),
        Figure("caching.cache_hit_rate", rate, "%", f"your own {asked} questions so far",
               note="" if asked else "nothing was asked yet"),
    ]  # fmt: skip


PARTS: Final = (
    Part("Start", _start, ("startup.command_line",)),
    Part("Window", _window, ("startup.window_first_paint",)),
    Part("Local model", _model, ("local_model.time_to_first_token", "local_model.tokens_per_second")),
    Part("Router", _router, ("router.overhead_p50", "provider_switching.failover_time")),
    Part("Embedding", _embedding, ("rag.embedding_rate",)),
    Part("Document search", _search, ("rag.search_p50", "rag.search_p95")),
    Part("Your own figures", _saved, ("cost_efficiency.saved_by_caches",)),
)
