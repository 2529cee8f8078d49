"""``docs``: the knowledge base from the command line."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager

from vpa_desktop.cli.output import Output, to_plain
from vpa_desktop.cli.scope import scope_of
from vpa_desktop.cli.session import opened
from vpa_desktop.config import Paths
from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.keeping import Steps
from vpa_desktop.rag.pace import Pace
from vpa_desktop.records import IngestProgress, IngestReport, SearchResult

_HELD = {"paused": "paused", "battery": "waits, the battery is low", "question": "waits for a question"}
_FOLDER_KEYS = ("path", "collection", "documents", "added_at")


async def add(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Add files and folders; one bad file never stops the others, and makes the exit code 7 only if none was good."""
    async with opened(paths, out) as system, pausable(system.knowledge.pace, out):
        given = [p.absolute() for p in options.paths]
        return _report(await _followed_to_the_end(system.add_documents(given, options.collection), out), out)


async def sync(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Look again at every folder and every file that was added."""
    async with opened(paths, out) as system, pausable(system.knowledge.pace, out):
        return _report(await _followed_to_the_end(system.knowledge.keeping.sync(), out), out)


async def watch(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Add folders, and follow them until Ctrl+C; without one, follow those that were added before."""
    async with opened(paths, out) as system, pausable(system.knowledge.pace, out):
        given = [p.absolute() for p in options.paths]
        for path in given:
            if not path.is_dir():
                raise DocumentUnreadable(f"{path} cannot be followed", "It is not a folder", "Name a folder")
        report = await _followed_to_the_end(system.add_documents(given, options.collection), out)
        folders = [folder.path for folder in await system.list_folders()]
        if not folders:
            raise DocumentUnreadable(
                "There is nothing to follow", "No folder was added yet", "Name one: vpa-desktop docs watch PATH"
            )
        for failure in report.failed:
            out.note(f"  {failure.path}: {failure.reason}")
        out.line(f"{_summary(report)}. Following {', '.join(folders)} (Ctrl+C ends it).")
        out.document({**to_plain(report), "following": folders, "pid": os.getpid()})
        system.hear_of_documents(lambda step: _tell(step, out))
        await system.folder_watch().run()
    return 0


async def folders(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print the folders that are followed."""
    async with opened(paths, out) as system:
        found = await system.list_folders()
    out.table(("folder", "collection", "documents"), [(f.path, f.collection or "-", f.documents) for f in found])
    out.document({"folders": [{k: to_plain(getattr(f, k)) for k in _FOLDER_KEYS} for f in found]})
    return 0


async def forget(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Follow folders no longer; their documents stay."""
    given = [os.path.abspath(path) for path in options.paths]  # noqa: PTH100, ASYNC240 - as it was added
    async with opened(paths, out) as system:
        followed = {folder.path for folder in await system.list_folders()}
        if missing := [path for path in given if path not in followed]:
            raise DocumentUnreadable(
                f"{missing[0]} is not followed",
                "It was never added, or forgotten before",
                "See: vpa-desktop docs folders",
            )
        for path in given:
            await system.forget_folder(path)
    out.line(f"Following {len(given)} fewer. The documents stay; docs remove takes them out.")
    out.document({"forgotten": given})
    return 0


async def list_documents(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print the documents."""
    async with opened(paths, out) as system:
        documents = await system.list_documents(options.collection)
    rows = [(d.id, d.name, d.collection or "-", d.state, d.chunks, d.reason) for d in documents]
    out.table(("id", "document", "collection", "state", "passages", "reason"), rows)
    out.document({"documents": [{**to_plain(d), "document": d.name} for d in documents]})
    return 0


async def remove(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Take documents out of the knowledge base."""
    async with opened(paths, out) as system:
        known = {d.id for d in await system.list_documents()}
        missing = [i for i in options.ids if i not in known]
        if missing:
            raise DocumentUnreadable(
                f"There is no document {missing[0]}",
                "It was removed, or the id is mistyped",
                "See: vpa-desktop docs list",
            )
        await system.remove_documents(options.ids)
    out.line(f"Removed {len(options.ids)}. The files stay where they are.")
    out.document({"removed": options.ids})
    return 0


async def search(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print the passages that fit best, and why each was found."""
    scope = scope_of(options)
    async with opened(paths, out) as system:
        report = await system.knowledge.search_knowledge(options.query, options.top_k, options.collection, scope)
    for n, result in enumerate(report.results, 1):
        page = f", page {result.page}" if result.page is not None else ""
        out.line(f"{n}. {result.document}{page}  (score {result.score:.2f}; {_why(result)})")
        out.line("   " + " ".join(result.text.split())[:300])
        if result.also_in:
            out.line("   also in: " + ", ".join(place.document for place in result.also_in))
    if not report.results:
        out.line("Nothing was found.")
    if report.notice:
        out.note(f"warning: {report.notice}")
    keys = ("document", "path", "title", "page", "section", "score", "text", "also_in")
    results = [
        {
            **{k: to_plain(getattr(r, k)) for k in keys},
            "chunk": r.chunk_id,
            "why": to_plain(r.why),
            "kept": not r.left_out,
            "left_out": r.left_out,
        }
        for r in report.results
    ]
    out.document({"query": report.query, "ms": report.ms, "results": results, "notice": report.notice})
    return 0


def _why(result: SearchResult) -> str:
    """Why a passage was found, and whether it would go into a prompt."""
    ranks = (("words", result.why.keyword_rank), ("meaning", result.why.dense_rank))
    by = ", ".join(f"{side} rank {rank}" for side, rank in ranks if rank is not None)
    sent = f"left out of an answer: {result.left_out.rstrip('.').lower()}" if result.left_out else "kept for an answer"
    return f"{by}; {sent}" if by else sent


async def check(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Check the index against the database; what does not match is made again."""
    async with opened(paths, out) as system:
        found = await system.knowledge.check()
    for key, value in found.items():
        out.line(f"{key}: {value}")
    out.document(found)
    return 0


@contextmanager
def _on_signal(act: Callable[[], None]) -> Iterator[None]:
    """Calls ``act`` at each USR1, where the system has that signal."""
    if not hasattr(signal, "SIGUSR1"):
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, act)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)


@asynccontextmanager
async def pausable(pace: Pace, out: Output) -> AsyncIterator[None]:
    """Lets the signal USR1 pause the work on documents, and let it go on."""

    def switch() -> None:
        if pace.is_paused:
            pace.go_on()
            out.note("Goes on.")
        else:
            pace.pause()
            out.note(f"Paused. It goes on with: kill -USR1 {os.getpid()}")

    with _on_signal(switch):
        yield


async def _followed_to_the_end(steps: Steps, out: Output) -> IngestReport:
    async with aclosing(steps) as events:
        async for event in events:
            if isinstance(event, IngestReport):
                return event
            show_progress(event, out)
    raise DocumentUnreadable("Nothing was added", "The work stopped before its end", "Try again")


def _tell(step: IngestProgress | IngestReport, out: Output) -> None:
    if isinstance(step, IngestProgress):
        show_progress(step, out)
        return
    end_progress(out)
    out.line(_summary(step))
    for failure in step.failed:
        out.line(f"  {failure.path}: {failure.reason}")


def show_progress(event: IngestProgress, out: Output) -> None:
    """Draw how it stands over the line before, where a person looks on."""
    if out.as_json or not sys.stderr.isatty():
        return
    line = f"{event.files_done}/{event.files_total} files, {event.chunks_done}/{event.chunks_total} passages"
    if event.held:
        line += f", {_HELD[event.held]}"
    elif event.chunks_per_s:
        line += f", {event.chunks_per_s:.0f} passages/s"
    elif event.files_per_s:
        line += f", {event.files_per_s:.1f} files/s"
    if event.left_s is not None:
        line += f", about {event.left_s / 60:.0f} min left" if event.left_s >= 60 else f", {event.left_s:.0f} s left"
    current = "".join(c if c.isprintable() else "?" for c in event.current[-50:])
    print(f"\r\x1b[K{line}  {current}", end="", file=sys.stderr, flush=True)


def end_progress(out: Output) -> None:
    """Clear the line of the progress."""
    if sys.stderr.isatty() and not out.as_json:
        print("\r\x1b[K", end="", file=sys.stderr)


def _summary(report: IngestReport) -> str:
    counts = (
        f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged, {len(report.failed)} failed"
    )
    if report.moved:
        counts += f", {report.moved} moved"
    if report.removed:
        counts += f", {report.removed} gone"
    return f"{counts}; {report.chunks} passages in {report.seconds:.1f} s"


def _report(report: IngestReport, out: Output) -> int:
    end_progress(out)
    out.line(_summary(report))
    for failure in report.failed:
        out.line(f"  {failure.path}: {failure.reason}")
    out.document(report)
    good = report.added + report.updated + report.unchanged + report.moved + report.removed
    return 7 if report.failed and not good else 0
