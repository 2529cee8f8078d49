"""``docs``: the knowledge base from the command line."""

from __future__ import annotations

import argparse
import sys
from contextlib import aclosing

from vpa_desktop.cli.output import Output, to_plain
from vpa_desktop.cli.session import opened
from vpa_desktop.config import Paths
from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.records import IngestProgress, IngestReport, SearchResult


async def add(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Add files and folders; one bad file never stops the others, and makes the exit code 7 only if none was good."""
    report: IngestReport | None = None
    async with (
        opened(paths, out) as system,
        aclosing(system.add_documents([p.absolute() for p in options.paths], options.collection)) as events,
    ):
        async for event in events:
            if isinstance(event, IngestReport):
                report = event
            else:
                _progress(event, out)
    return _report(report, out)


async def sync(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Look again at every file that was added."""
    async with opened(paths, out) as system:
        return _report(await system.knowledge.sync(), out)


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
    async with opened(paths, out) as system:
        report = await system.knowledge.search_knowledge(options.query, options.top_k, options.collection)
    for n, result in enumerate(report.results, 1):
        page = f", page {result.page}" if result.page is not None else ""
        out.line(f"{n}. {result.document}{page}  (score {result.score:.2f}; {_why(result)})")
        out.line("   " + " ".join(result.text.split())[:300])
        if result.also_in:
            out.line("   also in: " + ", ".join(place.document for place in result.also_in))
    if not report.results:
        out.line("Nothing was found.")
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
    out.document({"query": report.query, "ms": report.ms, "results": results})
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


def _progress(event: IngestProgress, out: Output) -> None:
    if out.as_json or not sys.stderr.isatty():
        return
    line = f"{event.files_done}/{event.files_total} files, {event.chunks_done}/{event.chunks_total} passages"
    print(f"\r\x1b[K{line}  {event.current[-50:]}", end="", file=sys.stderr, flush=True)


def _report(report: IngestReport | None, out: Output) -> int:
    if report is None:
        raise DocumentUnreadable("Nothing was added", "The work stopped before its end", "Try again")
    if sys.stderr.isatty() and not out.as_json:
        print("\r\x1b[K", end="", file=sys.stderr)
    out.line(
        f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged, {len(report.failed)} failed; "
        f"{report.chunks} passages in {report.seconds:.1f} s"
    )
    for failure in report.failed:
        out.line(f"  {failure.path}: {failure.reason}")
    out.document(report)
    good = report.added + report.updated + report.unchanged
    return 7 if report.failed and not good else 0
