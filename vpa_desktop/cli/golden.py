"""``docs golden``: questions whose document must be found, and how that went over time."""

from __future__ import annotations

import argparse

from vpa_desktop.cli.output import Output, to_plain
from vpa_desktop.cli.session import opened
from vpa_desktop.config import Paths
from vpa_desktop.errors import UsageError
from vpa_desktop.golden import GoldenQuestion, GoldenRun


async def add(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Save a question with the document, and the page, that must be found."""
    async with opened(paths, out) as system:
        made = await system.golden.add(options.question, options.document, options.page, options.collection)
    out.line(f"Saved {made.id}: {_told(made)}")
    out.document(made)
    return 0


async def list_questions(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print the questions, and the runs of their collections."""
    async with opened(paths, out) as system:
        questions = await system.golden.questions(options.collection)
        names = sorted({question.collection for question in questions})
        runs = {name: await system.golden.runs(name) for name in names}
    last = {r.question_id: r.rank for some in runs.values() for run in some[-1:] for r in run.ranks}
    head = ("id", "collection", "question", "document", "page", "rank")
    out.table(head, [(q.id, q.collection or "-", q.question, q.document, q.page, last.get(q.id)) for q in questions])
    for name, some in runs.items():
        if some:
            out.line(f"{name or 'all documents'}: {_trend(some)}")
    out.document(
        {
            "questions": [{**to_plain(q), "rank": last.get(q.id)} for q in questions],
            "runs": [run for some in runs.values() for run in some],
        }
    )
    return 0


async def run(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Ask the questions now, and print at which place each found its document."""
    async with opened(paths, out) as system:
        runs = await system.golden.run(options.collection)
        questions = {q.id: q for q in await system.golden.questions(options.collection)}
        trends = {r.collection: _trend(await system.golden.runs(r.collection)) for r in runs}
    for each in runs:
        out.line(
            f"{each.collection or 'all documents'}: {each.found} of {each.questions} found; {trends[each.collection]}"
        )
        for rank in each.ranks:
            place = f"place {rank.rank}" if rank.rank is not None else "NOT FOUND"
            out.line(f"  {place}: {_told(questions[rank.question_id])}")
    if not runs:
        out.line("There are no golden questions. Save one with: vpa-desktop docs golden add")
    out.document({"runs": runs})
    return 0


async def remove(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Forget questions."""
    async with opened(paths, out) as system:
        count = await system.golden.remove(options.ids)
    if not count:
        raise UsageError(f"There is no golden question {options.ids[0]}", "", "See: vpa-desktop docs golden list")
    out.line(f"Removed {count}.")
    out.document({"removed": count})
    return 0


def _told(question: GoldenQuestion) -> str:
    page = f", page {question.page}" if question.page is not None else ""
    return f"{question.question}  ->  {question.document}{page}"


def _trend(runs: list[GoldenRun]) -> str:
    """The last runs, oldest first, as in ``7/10 8/10 10/10``."""
    return "trend " + " ".join(f"{run.found}/{run.questions}" for run in runs[-10:])
