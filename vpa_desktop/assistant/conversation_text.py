"""A conversation as Markdown, for people and other programs to read. What is lost in it is in the JSON export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from vpa_desktop.messages import Citation
from vpa_desktop.receipts import comparison, figures, outcome
from vpa_desktop.records import ConversationRecord, MessageRecord

STATES = {
    "interrupted": "broke off",
    "stopped": "stopped",
    "failed": "failed",
    "streaming": "was still being written",
}


def to_markdown(conversation: ConversationRecord, messages: Sequence[MessageRecord]) -> str:
    """Return the conversation with its answers' sources and routes."""
    lines = [f"# {title_of(conversation)}", "", f"{span_of(conversation)}.", ""]
    for message in messages:
        lines += [f"## {author_of(message)}", "", message.content or message.error, ""]
        lines += [f"*{pictures_said(message.pictures)}*", ""] if message.pictures else []
        lines += _under(message)
    return "\n".join(lines).rstrip() + "\n"


def title_of(conversation: ConversationRecord) -> str:
    """Return the title in one line."""
    return " ".join(conversation.title.split()) or "Conversation"


def span_of(conversation: ConversationRecord) -> str:
    """Return when it began and was last changed, in this machine's time."""
    return f"Begun {moment(conversation.created_at)}, last changed {moment(conversation.updated_at)}"


def moment(at: datetime) -> str:
    """Return a time for people, in this machine's zone."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M")


def author_of(message: MessageRecord) -> str:
    """Return who wrote it, with what and when."""
    if message.role == "user":
        return f"You, {moment(message.created_at)}"
    by = " ".join(part for part in (message.model, f"({message.provider})" if message.provider else "") if part)
    state = f", {STATES[message.state]}" if message.state in STATES else ""
    return f"Answer{' by ' + by if by else ''}, {moment(message.created_at)}{state}"


def pictures_said(names: Sequence[str]) -> str:
    """Return what was sent along with a question."""
    said = ", ".join(name or "a picture" for name in names)
    return f"Sent with it: {said}"


def place_of(citation: Citation) -> str:
    """Return where a cited passage is."""
    where = f", page {citation.page}" if citation.page is not None else ""
    return f"{citation.document}{where}" + (f", {citation.section}" if citation.section else "")


def route_lines(message: MessageRecord) -> Iterator[str]:
    """Yield a line for each provider that was asked, then what the first choice would have cost."""
    for attempt in message.attempts:
        model = f" ({attempt.model})" if attempt.model else ""
        told = "; ".join(part for part in (outcome(attempt), figures(attempt), attempt.reason) if part)
        yield f"{attempt.provider}{model}: {told}"
    if said := comparison(message.provider, message.cost_usd, message.first_choice, message.first_choice_usd):
        yield said


def _under(message: MessageRecord) -> list[str]:
    lines: list[str] = []
    if message.citations:
        lines += ["**Sources**", ""]
        lines += [f"{c.n}. {place_of(c)}: “{' '.join(c.text.split())}”" for c in message.citations] + [""]
    if route := list(route_lines(message)):
        lines += ["**Route**", "", *(f"- {line}" for line in route), ""]
    if message.warnings:
        lines += ["**Notes**", "", *(f"- {warning}" for warning in message.warnings), ""]
    return lines
