"""``chats``: the stored conversations from the command line, into files and back."""

from __future__ import annotations

import argparse

from vpa_desktop.assistant.archive_desk import OURS
from vpa_desktop.cli.output import Output, counted, to_plain
from vpa_desktop.cli.session import opened
from vpa_desktop.config import Paths
from vpa_desktop.receipts import model_words
from vpa_desktop.records import ConversationRecord


async def list_conversations(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print the conversations, last changed first."""
    async with opened(paths, out) as system:
        _print(await system.list_conversations(), out)
    return 0


async def search(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print the conversations that have the words."""
    async with opened(paths, out) as system:
        _print(await system.list_conversations(" ".join(options.words)), out)
    return 0


async def show(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print one conversation."""
    async with opened(paths, out) as system:
        record = await system.archive.must_exist(options.id)
        messages = await system.messages(record.id)
    out.line(record.title)
    for message in messages:
        author = "You" if message.role == "user" else f"Assistant ({model_words(message.model) or 'no answer'})"
        note = "" if message.state == "done" else f" [{message.state}]"
        out.line(f"\n{author}{note}:\n{message.content or message.error}")
    out.document({**to_plain(record), "messages": to_plain(messages)})
    return 0


async def export(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Write one conversation, or all of them, to a file."""
    async with opened(paths, out) as system:
        ids = [options.id] if options.id else []
        count = await system.archive.export(ids, options.output, options.format, overwrite=options.force)
    out.line(f"Exported {counted(count, 'conversation')} to {options.output}")
    out.document({"file": options.output, "conversations": count})
    return 0


async def import_file(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Take in the conversations of an export that are not here yet."""
    async with opened(paths, out) as system:
        done = await system.archive.take_in(options.file)
    out.line(
        f"{counted(done.new, 'new conversation')} of {done.conversations}; "
        f"{counted(done.messages, 'message')} added, {done.unchanged} here already"
        + ("" if done.program == OURS else f" (from {done.program})")
    )
    if done.empty:
        out.line(f"{counted(done.empty, 'conversation')} had no words in it and stayed out")
    out.document(done)
    return 0


async def delete(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Delete one conversation."""
    async with opened(paths, out) as system:
        record = await system.archive.must_exist(options.id)
        await system.delete_conversation(record.id)
    out.line(f"Deleted: {record.title}")
    out.document({"deleted": record.id})
    return 0


def _print(records: list[ConversationRecord], out: Output) -> None:
    out.table(("id", "changed", "messages", "title"), [(r.id, r.updated_at, r.message_count, r.title) for r in records])
    out.document({"conversations": records})
