"""``chats``: the stored conversations from the command line."""

from __future__ import annotations

import argparse

from vpa_desktop.cli.output import Output, to_plain
from vpa_desktop.cli.session import opened
from vpa_desktop.config import Paths
from vpa_desktop.errors import UsageError
from vpa_desktop.records import ConversationRecord
from vpa_desktop.system import System


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
        record = await _must_exist(system, options.id)
        messages = await system.messages(record.id)
    out.line(record.title)
    for message in messages:
        author = "You" if message.role == "user" else f"Assistant ({message.model or 'no answer'})"
        note = "" if message.state == "done" else f" [{message.state}]"
        out.line(f"\n{author}{note}:\n{message.content or message.error}")
    out.document({**to_plain(record), "messages": to_plain(messages)})
    return 0


async def delete(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Delete one conversation."""
    async with opened(paths, out) as system:
        record = await _must_exist(system, options.id)
        await system.delete_conversation(record.id)
    out.line(f"Deleted: {record.title}")
    out.document({"deleted": record.id})
    return 0


async def _must_exist(system: System, conversation_id: str) -> ConversationRecord:
    record = await system.conversations.get(conversation_id)
    if record is None:
        raise UsageError(
            f"There is no conversation {conversation_id}",
            "It was deleted, or the id is mistyped",
            "See: vpa-desktop chats list",
        )
    return record


def _print(records: list[ConversationRecord], out: Output) -> None:
    out.table(("id", "changed", "messages", "title"), [(r.id, r.updated_at, r.message_count, r.title) for r in records])
    out.document({"conversations": records})
