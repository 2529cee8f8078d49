"""Conversations into files and back: the formats, and what is noted of it in the audit. Draws and prints nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from vpa_desktop.assistant.conversation_file import write_conversations
from vpa_desktop.assistant.import_child import OURS as OURS
from vpa_desktop.assistant.import_child import ExportReader
from vpa_desktop.errors import UsageError
from vpa_desktop.messages import ImageData
from vpa_desktop.providers.pictures import for_keeping
from vpa_desktop.records import ConversationRecord, MessageRecord
from vpa_desktop.security.audit import AuditLog
from vpa_desktop.storage.conversation_archive import PICTURES, Arrived, ConversationArchive, picture_from, plain_picture
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.output_files import output_file

ExportFormat = Literal["md", "json", "html"]
FORMATS: Final[tuple[ExportFormat, ...]] = get_args(ExportFormat)
ENDINGS: Final[dict[str, ExportFormat]] = {
    ".md": "md",
    ".markdown": "md",
    ".json": "json",
    ".html": "html",
    ".htm": "html",
}

Pairs = list[tuple[ConversationRecord, list[MessageRecord]]]


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import: conversations that are new here, messages added, and messages that were here."""

    conversations: int
    new: int
    messages: int
    unchanged: int
    arrived: tuple[Arrived, ...] = ()
    program: str = OURS
    empty: int = 0


def format_of(path: Path) -> ExportFormat:
    """Return the format that a file's ending names; raises UsageError where it names none."""
    try:
        return ENDINGS[path.suffix.lower()]
    except KeyError as exc:
        raise UsageError(
            f"The format of {path.name} is not known", "Its ending says none", "Add --format md, json or html"
        ) from exc


class ArchiveDesk:
    """Writes conversations to files, and takes in our own files and the exports of other programs."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._store = ConversationStore(db)
        self._archive = ConversationArchive(db)

    async def export(
        self, ids: Sequence[str], path: Path, kind: ExportFormat | None = None, *, overwrite: bool = False
    ) -> int:
        """Write conversations, all of them where no id is given; returns how many. Raises UsageError, StorageError.

        Without ``kind`` the file's ending decides.
        """
        kind = kind or format_of(path)
        wanted = list(ids) or await self._archive.ids()
        for each in ids:
            await self.must_exist(each)
        with output_file(path, overwrite=overwrite) as file:
            if kind == "json":
                count = await write_conversations(file, self._whole(wanted))
            else:
                pairs = await self._pairs(wanted)
                file.write(_rendered(pairs, kind, await self._pictures(pairs) if kind == "html" else {}).encode())
                count = len(pairs)
        await self._note("conversations exported", path.name, conversations=count, format=kind)
        return count

    async def take_in(self, path: Path, tell: Callable[[int, int], None] | None = None) -> Imported:
        """Add the conversations of an export, ours or another program's, that are not here yet.

        ``tell`` hears how many of how many are done. Raises UsageError, StorageError; then nothing was added. Where
        it is cancelled, what was added stays, and taking it in again adds the rest.
        """
        export, arrived = ExportReader(path), list[Arrived]()
        try:
            await asyncio.to_thread(export.look)
            while some := await asyncio.to_thread(export.some):  # what waits together is one commit
                for conversation in () if export.program == OURS else some:
                    await _keep_as_ours(conversation)
                arrived += await asyncio.gather(*(self._archive.put_in(each) for each in some))
                if tell is not None:
                    tell(len(arrived), export.count)
        finally:
            export.close()
        done = Imported(
            len(arrived),
            sum(each.is_new for each in arrived),
            sum(each.added for each in arrived),
            sum(each.unchanged for each in arrived),
            tuple(arrived),
            export.program,
            export.empty,
        )
        facts = {"program": export.program, "conversations": done.new, "messages": done.messages}
        await self._note("conversations imported", path.name, **facts)
        return done

    async def must_exist(self, conversation_id: str) -> ConversationRecord:
        """Return the conversation of an id; raises UsageError where there is none."""
        record = await self._store.get(conversation_id)
        if record is None:
            raise UsageError(
                f"There is no conversation {conversation_id}",
                "It was deleted, or the id is mistyped",
                "See: vpa-desktop chats list",
            )
        return record

    async def _whole(self, ids: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
        for each in ids:
            if (found := await self._archive.take_out(each)) is not None:
                yield found

    async def _pairs(self, ids: Sequence[str]) -> Pairs:
        records = [await self._store.get(each) for each in ids]
        return [(record, await self._store.messages(record.id)) for record in records if record is not None]

    async def _pictures(self, pairs: Pairs) -> dict[str, tuple[ImageData, ...]]:
        shown = (message.id for _, messages in pairs for message in messages if message.pictures)
        return {message_id: await self._store.pictures(message_id) for message_id in shown}

    async def _note(self, action: str, target: str, **facts: object) -> None:
        if not self._db.read_only:
            await AuditLog(self._db).append(action, target, "done", **facts)


async def _keep_as_ours(conversation: dict[str, Any]) -> None:
    """Make the pictures of another program's conversation what ours are: small, and without place and device."""
    for message in conversation["messages"]:
        if given := message.get(PICTURES):
            message[PICTURES] = list(map(plain_picture, await for_keeping(list(map(picture_from, given)))))


def _rendered(pairs: Pairs, kind: ExportFormat, pictures: Mapping[str, tuple[ImageData, ...]]) -> str:
    if kind == "html":
        from vpa_desktop.assistant.conversation_html import to_html

        return to_html(pairs, pictures)
    from vpa_desktop.assistant.conversation_text import to_markdown

    return "\n---\n\n".join(to_markdown(record, messages) for record, messages in pairs)
