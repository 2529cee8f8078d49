"""Both sides of "not in your documents": answerable questions refused, and others answered. Asserts nothing.

Run: python -m tests.benchmarks.retrieval_gate SETS [--home DIR] [--queries N] [--model FOLDER] [--only NAME...],
SETS and DIR as in ``retrieval``. Each library is asked its own questions, those of the other sets in English, and,
where its documents come in articles, of a library of every second article those about the others: they are of the same
kind, in the same language. Questions of another set can by chance be answered from a library on the same subject; that
counts as a mistake here.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.retrieval import ENGLISH, SPANS, Library
from tests.benchmarks.retrieval_sets import read_judgements, read_lines, read_spans

_PARTED = "xquad_"


def questions_of(folder: Path, most: int) -> list[tuple[str, str]]:
    """Returns questions with a document that answers each, chosen at random but always the same."""
    if folder.name == SPANS:
        found = [(question.text, "") for question in read_spans(folder)]
    else:
        judged = read_judgements(folder)
        rows = [row for row in read_lines(folder / "queries.jsonl") if row["_id"] in judged]
        found = [(row["text"], max(judged[row["_id"]], key=judged[row["_id"]].__getitem__)) for row in rows]
    return random.Random(11).sample(found, min(most, len(found)))


async def answered(library: Library, questions: Sequence[str]) -> int:
    """Returns how many questions get any passages."""
    return sum([bool(await library.knowledge.context_for(question)) for question in questions])


def is_in_half(document: str) -> bool:
    """True for the paragraphs of every second article; they are named article-paragraph."""
    return int(document.split("-")[0]) % 2 == 0


async def both_sides(folder: Path, home: Path, others: Sequence[Path], most: int, model: str) -> None:
    """Prints what one library refuses of its own and answers of others' questions."""
    own = questions_of(folder, most)
    library = await Library.of(folder, home / folder.name, model)
    refused = len(own) - await answered(library, [text for text, _ in own])
    wrong = []
    for other in others:
        foreign = [text for text, _ in questions_of(other, most)]
        wrong.append(f"{other.name} {100 * await answered(library, foreign) / len(foreign):.0f}")
    await library.aclose()
    if folder.name.startswith(_PARTED):
        half = await Library.of(folder, home / f"{folder.name}_half", model, is_wanted=is_in_half)
        foreign = [text for text, document in own if not is_in_half(document)]
        wrong.append(f"its other half {100 * await answered(half, foreign) / len(foreign):.0f}")
        await half.aclose()
    print(f"  {folder.name:12}{len(own):6}{100 * refused / len(own):12.1f}   {', '.join(wrong)}", flush=True)


async def measure(arguments: argparse.Namespace, home: Path) -> None:
    """Prints a line for each library."""
    sets = sorted(folder for folder in arguments.sets.iterdir() if folder.is_dir())
    english = [folder for folder in sets if folder.name in (*ENGLISH, SPANS)]
    print(f"Questions, of 100 (load {os.getloadavg()[0]:.1f})")
    print(f"  {'':12}{'asked':>6}{'own refused':>12}   answered though they are about something else")
    for folder in sets:
        if arguments.only and folder.name not in arguments.only:
            continue
        others = [other for other in english if other != folder] if folder in english else []
        await both_sides(folder, home, others, arguments.queries, arguments.model)


def main() -> None:
    """Reads the arguments and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", type=Path)
    parser.add_argument("--queries", type=int, default=150)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--only", nargs="+", default=[])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(measure(arguments, arguments.home or Path(temporary)))


if __name__ == "__main__":
    main()
