"""The words around an answer: who, when, how it ended, what it cost. No Qt, no layout."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from vpa_desktop.assistant.citing import cited
from vpa_desktop.evidence import EXTRACT_MODEL
from vpa_desktop.evidence_words import unsupported
from vpa_desktop.receipts import duration as duration
from vpa_desktop.receipts import model_words
from vpa_desktop.receipts import price as price
from vpa_desktop.ui.chat.markdown import visible
from vpa_desktop.ui.chat.plain_text import plain_text

if TYPE_CHECKING:
    from vpa_desktop.messages import Citation, Seam
    from vpa_desktop.records import MessageRecord


NO_PROVIDER = "documents"
"""What stands for the provider where nobody was asked, since the documents hold nothing about the question."""


@dataclass(frozen=True, slots=True)
class Words:
    """A line of words with its kind."""

    kind: Literal["state", "error", "warning"]
    text: str


def author(record: MessageRecord) -> str:
    """Returns You or Assistant."""
    return "You" if record.role == "user" else "Assistant"


def origin(record: MessageRecord) -> str:
    """Returns the model and the local time, as in ``gpt-5-mini  ·  14:32``."""
    time = record.created_at.astimezone().strftime("%H:%M")
    model = "" if _is_nobodys(record) else record.model or record.provider
    return "  ·  ".join(visible(part) for part in (model_words(model), time) if part)


def _is_nobodys(record: MessageRecord) -> bool:
    """Whether an answer says that the documents hold nothing, which no model wrote."""
    quality = record.evidence.quality
    is_vain = quality is not None and not quality.found
    return (record.provider == NO_PROVIDER and not record.model) or (record.model == EXTRACT_MODEL and is_vain)


def spoken(record: MessageRecord) -> str:
    """Returns the whole message as a screen reader says it, beginning with its author."""
    lines = [line.text for line in state_lines(record, has_text=bool(record.content))]
    said_too = [f"{pictures}."] if (pictures := pictures_of(record)) else []
    text = visible(record.content) if record.role == "user" else plain_text(record.content)
    return " ".join([f"{author(record)}:", *(part for part in (text, *said_too, *lines) if part)])


def pictures_of(record: MessageRecord) -> str:
    """Returns what was sent along with a message, as in ``1 picture: a.png``; empty where nothing was."""
    names = [visible(name) for name in record.pictures]
    count = "1 picture" if len(names) == 1 else f"{len(names)} pictures"
    return f"{count}: {', '.join(names)}" if names else ""


def picture_label(name: str) -> str:
    """Returns what a picture in the person's bubble is called."""
    return f"Picture {visible(name)}" if name else "Picture"


ENDS = {
    "length": "The answer reached its length limit and ends here.",
    "content_filter": "The provider's content filter stopped this answer. Put the question in other words.",
    "refusal": "The model declined to answer this.",
    "pause": "The model paused before its end. Ask it to go on.",
    "continue": "The answer is not whole: its rest could not be had. Ask it to go on.",
    "tool_calls": "The model asked for a tool, which this version does not run.",
}
"""What is said of answers that ended for another reason than being complete."""


def state_lines(record: MessageRecord, *, has_text: bool) -> list[Words]:
    """Returns what is said about the state of an answer, in words."""
    if record.role == "user":
        return []
    lines = [Words("warning", visible(text)) for text in record.warnings]
    lines += ground_lines(record)
    if record.state == "done" and (missing := stood_in_for(record)):
        lines.append(Words("warning", visible(f"{missing} failed; {record.provider} answered instead.")))
    if record.state == "streaming" and not has_text:
        lines.append(Words("state", "Reasoning…" if record.reasoning else "Thinking…"))
    elif record.state == "stopped":
        lines.append(Words("state", "You stopped this answer."))
    elif record.state == "interrupted":
        why = record.error or "This answer was interrupted before its end."
        lines.append(Words("error", visible(why)))
    elif record.state == "failed":
        lines.append(Words("error", visible(record.error or "This answer could not be given.")))
    elif record.state == "done" and (end := ENDS.get(record.finish_reason or "")):
        lines.append(Words("state", end))
    elif record.state == "done" and not has_text:
        lines.append(Words("state", "The model gave an empty answer."))
    return lines


def ground_lines(record: MessageRecord) -> list[Words]:
    """Returns what is said of an answer that the documents do not carry, or not all of it."""
    quality = record.evidence.quality
    if quality is None:
        return []
    if not quality.found and record.provider != NO_PROVIDER and record.model != EXTRACT_MODEL:
        return [Words("state", "Nothing in your documents fits this question; this answer is not from them.")]
    return [Words("warning", missing)] if (missing := unsupported(quality)) else []


def stood_in_for(record: MessageRecord) -> str:
    """Returns the provider that was asked first and failed, where another one gave the answer; else nothing."""
    failed = [attempt.provider for attempt in record.attempts if attempt.outcome == "failed"]
    return failed[0] if failed and record.provider and record.provider not in failed else ""


def seam(part: Seam) -> str:
    """Returns the line shown where another provider goes on."""
    reason = part.reason.rstrip(". ")
    because = f", because {reason[:1].lower()}{reason[1:]}" if reason else ""
    how = "Begun anew" if part.restarts else "Continued"
    return visible(f"{how} by {part.to_provider}{because}.")


def stored_seams(record: MessageRecord) -> list[str]:
    """Returns the seams of a stored answer, from its attempts: where they were in the text is not kept."""
    from vpa_desktop.messages import Seam

    asked = [attempt for attempt in record.attempts if attempt.outcome != "skipped"]
    return [
        seam(Seam(before.provider, after.provider, before.reason))
        for before, after in pairwise(asked)
        if before.outcome == "interrupted"
    ]


def named(record: MessageRecord) -> tuple[Citation, ...]:
    """Returns the sources that an answer names; all that were sent while it comes, or where it names none."""
    numbers = cited(record.content) if record.state != "streaming" else ()
    return tuple(c for c in record.citations if c.n in numbers) or record.citations


def chip(citation: Citation) -> tuple[str, str]:
    """Returns a citation's document and its page or section."""
    name = visible(citation.document or citation.title or "source")
    where = f"p. {citation.page}" if citation.page is not None else visible(citation.section)
    return _short(name, 40), _short(where, 24)


def where(citation: Citation) -> list[str]:
    """Returns where a passage stands in its document: its page and section."""
    page = f"Page {citation.page}" if citation.page is not None else ""
    return [part for part in (page, visible(citation.section)) if part]


def chip_label(citation: Citation) -> str:
    """Returns a citation in words."""
    page = f", page {citation.page}" if citation.page is not None else ""
    section = f", {visible(citation.section)}" if citation.section else ""
    return f"Source {citation.n}: {visible(citation.document)}{page}{section}"


def cost(record: MessageRecord) -> str:
    """Returns tokens, price and duration; what is not known is said or left out, never shown as zero."""
    counted = tokens(record)
    parts = [counted] if counted else []
    parts += [price_of(record)] if counted or record.cost_usd is not None else []
    is_timed = record.latency_ms is not None and not is_kept(record) and record.model != EXTRACT_MODEL
    parts += [duration(record.latency_ms)] if record.latency_ms is not None and is_timed else []
    return "  ·  ".join(parts)


def tokens(record: MessageRecord) -> str:
    """Returns the tokens of an answer in words; empty where they are not known."""
    usage = record.usage
    counts = [count for count in (usage.input_tokens, usage.output_tokens) if count is not None] if usage else []
    about = "about " if usage and usage.estimated else ""
    return f"{about}{sum(counts):,} tokens" if counts else ""


def price_of(record: MessageRecord) -> str:
    """Returns the price of an answer in words; "about" where it was computed from an estimate."""
    if is_kept(record):
        return "from the cache"
    about = "about " if record.usage and record.usage.estimated and record.cost_usd else ""
    return f"{about}{price(record.cost_usd)}"


def is_kept(record: MessageRecord) -> bool:
    """True for an answer that was not bought: it was kept, or somebody else was just getting it."""
    return any(attempt.outcome == "cached" for attempt in record.attempts)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
