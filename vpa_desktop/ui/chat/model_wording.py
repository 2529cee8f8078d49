"""What a model can do, costs and when it ends, in few words. Pure functions; no widget."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from vpa_desktop.ui.wording import tr

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vpa_desktop.catalog import ModelInfo
    from vpa_desktop.model_facts import Ending
    from vpa_desktop.records import ModelList, RouteChoice


def title(choice: RouteChoice) -> str:
    """Returns what a line of the picker is called where its provider stands above it."""
    return choice.label.removesuffix(f" · {choice.provider}") if choice.provider else choice.label


def abilities(choice: RouteChoice) -> str:
    """Returns ``200k · images · tools · thinking · $3/$15``, as much of it as is known."""
    info = choice.info
    if info is None or not choice.provider:
        return ""
    can = ((info.images, tr("images")), (info.tools, tr("tools")), (info.reasoning, tr("thinking")))
    parts = [tokens(info.context_tokens) if info.context_tokens else "", *(word for known, word in can if known)]
    return " · ".join(part for part in (*parts, price(info, is_local=choice.is_local)) if part)


def tokens(count: int) -> str:
    """Returns a number of tokens as ``8k``, ``128k`` or ``1.05M``."""
    if count < 1_000:
        return str(count)
    if count < 999_500:
        return f"{count / 1_000:.0f}k"
    return f"{count / 1_000_000:.2f}".rstrip("0").rstrip(".") + "M"


def price(info: ModelInfo, *, is_local: bool) -> str:
    """Returns the price of a million tokens in and out; empty where it is not known."""
    both = (info.input_cost_per_million, info.output_cost_per_million)
    if None in both:
        return tr("free") if is_local else ""
    if not any(both):
        return tr("free")
    return "/".join(_dollars(amount) for amount in both if amount is not None)


def _dollars(amount: Decimal) -> str:
    exact = f"{amount.normalize():f}"
    return f"${amount:.2f}" if len(exact.partition(".")[2]) == 1 else f"${exact}"


def ending_mark(choice: RouteChoice) -> tuple[str, Ending]:
    """Returns ``ends 11 Dec 2026`` or ``no longer answers since …``, and which of the two it is."""
    from vpa_desktop.model_facts import ending, last_day

    last = last_day(choice.info) if choice.info else None
    state = ending(choice.info, date.today()) if choice.info else ""
    if last is None or not state:
        return "", ""
    day = f"{last.day} {last:%b} {last.year}"
    return (tr("ends {0}") if state == "ending" else tr("no longer answers since {0}")).format(day), state


def ending_words(choice: RouteChoice | None) -> tuple[str, Ending]:
    """Returns the sentence about the end of the chosen model, and whether it has ended or will."""
    from vpa_desktop.model_facts import ending, ending_sentence

    if choice is None or choice.info is None:
        return "", ""
    sentence = ending_sentence(choice.info, date.today())
    return (f"{sentence}.", ending(choice.info, date.today())) if sentence else ("", "")


def lists_note(lists: Iterable[ModelList]) -> str:
    """Returns what is to be said of lists that are old or could not be had; empty where all are fresh."""
    told = [found for found in lists if found.error]
    lines = [f"{found.provider}: {_age(found.fetched_at)}. {found.error}" for found in told[:2]]
    return "\n".join(lines) + (tr("\nand {0} more").format(len(told) - 2) if len(told) > 2 else "")


def _age(at: datetime | None) -> str:
    if at is None:
        return tr("no list of models yet")
    hours = int((datetime.now(UTC) - at).total_seconds() // 3_600)
    if hours < 48:
        return tr("list from {0} h ago").format(max(0, hours))
    return tr("list from {0} days ago").format(hours // 24)
