"""The arguments that limit a search for passages: which documents, of which types, changed when."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from vpa_desktop.records import SearchScope


def add_scope(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that :func:`scope_of` reads."""
    parser.add_argument(
        "--document",
        action="append",
        default=[],
        metavar="NAME",
        help="search only documents with this in their file name or title",
    )
    parser.add_argument(
        "--type", type=_types, action="extend", default=[], metavar="TYPE", help="search only these: pdf or docx,odt"
    )
    for flag, text in (("--after", "changed on that day or later"), ("--before", "changed before that day")):
        parser.add_argument(flag, type=_day, default=None, metavar="DAY", help=f"search only documents {text}")


def scope_of(options: argparse.Namespace) -> SearchScope | None:
    """Returns what the search is limited to; None where it is not."""
    from vpa_desktop.records import SearchScope

    scope = SearchScope(
        names=tuple(options.document), types=tuple(options.type), after=options.after, before=options.before
    )
    return None if scope.is_everything else scope


def _types(text: str) -> list[str]:
    types = [kind.strip().strip(".").lower() for kind in text.split(",")]
    if not all(map(str.isalnum, types)):
        raise argparse.ArgumentTypeError(f"{text!r} is no file type such as pdf")
    return types


def _day(text: str) -> date:
    from vpa_desktop.rag.filters import day_of

    day = day_of(text)
    if day is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-11-30, no month and no year")
    return day
