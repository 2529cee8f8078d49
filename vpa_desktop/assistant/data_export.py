"""Everything a person has, in open formats, as one ZIP file. No key goes in.

Documents are files already and stay where they are; the text goes in of those that are gone or never were a file.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from vpa_desktop import __version__
from vpa_desktop.assistant.conversation_file import write_conversations
from vpa_desktop.assistant.conversation_text import to_markdown
from vpa_desktop.config import Paths
from vpa_desktop.rag.viewer import runs_of
from vpa_desktop.records import DocumentRecord, UsageRow
from vpa_desktop.security.audit import AuditLog
from vpa_desktop.security.redaction import redact
from vpa_desktop.storage.conversation_archive import ConversationArchive
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.document_files import FileStore
from vpa_desktop.storage.documents import DocumentStore
from vpa_desktop.storage.golden import GoldenStore
from vpa_desktop.storage.usage import UsageLedger

if TYPE_CHECKING:
    from vpa_desktop.storage.database import Database

_SECRET_LINE: Final = re.compile(r"^(\s*[\w.\"'-]*(?:key|token|secret|password|passphrase)[\"']?\s*=).*$", re.I | re.M)
_IN_NAMES: Final = re.compile(r"[^\w-]+")
ABOUT: Final = """Exported from VPA Desktop {version}.

conversations.json   every conversation without loss; take it in again with: vpa-desktop chats import conversations.json
conversations/       the same for reading, one Markdown file each
usage.csv            every request: when, whom, tokens, cost in US dollars, time in milliseconds
documents.json       the documents that were added, with their paths; the files themselves are where they were
documents/           the text of those whose file is gone, or that came without one
questions.json       golden questions, and how their runs went
audit.jsonl          what was done, one entry a line, with the hashes that show a change
settings.toml        your settings; keys are not in it, they are in your keyring
policy.toml          the policy beside your settings, where there is one
"""


async def write_everything(file: IO[bytes], db: Database, paths: Paths) -> dict[str, int]:
    """Write the ZIP; returns how many there are of each."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", ABOUT.format(version=__version__))
        counts = {"conversations": await _conversations(archive, db)}
        counts["requests"] = await _usage(archive, db)
        counts["documents"] = await _documents(archive, db)
        counts["questions"] = await _questions(archive, db)
        lines = [line async for line in AuditLog(db).lines()]
        archive.writestr("audit.jsonl", "".join(f"{line}\n" for line in lines))
        counts["audit_entries"] = len(lines)
        for path in (paths.settings_file, paths.policy_file):
            if path.is_file():
                archive.writestr(path.name, without_secrets(path.read_text("utf-8", errors="replace")))
    return counts


def without_secrets(settings: str) -> str:
    """The text of a settings file without anything that is or could be a key."""
    return redact(_SECRET_LINE.sub(r'\1 ""  # left out of the export', settings))


async def _conversations(archive: zipfile.ZipFile, db: Database) -> int:
    store, source = ConversationStore(db), ConversationArchive(db)
    ids = await source.ids()

    async def whole() -> AsyncIterator[dict[str, Any]]:
        for each in ids:
            if (found := await source.take_out(each)) is not None:
                yield found

    with archive.open("conversations.json", "w", force_zip64=True) as inside:
        count = await write_conversations(inside, whole())
    for each in ids:
        if (record := await store.get(each)) is not None:
            day = record.created_at.astimezone().strftime("%Y-%m-%d")
            name = f"conversations/{day} {_file_name(record.title)} {each}.md"
            archive.writestr(name, to_markdown(record, await store.messages(each)))
    return count


async def _usage(archive: zipfile.ZipFile, db: Database) -> int:
    rows = await UsageLedger(db).rows()
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(UsageRow._fields)
    writer.writerows([row.at.isoformat(), *row[1:]] for row in rows)
    archive.writestr("usage.csv", text.getvalue())
    return len(rows)


async def _documents(archive: zipfile.ZipFile, db: Database) -> int:
    store = DocumentStore(db)
    records = [each.record for each in await store.all()]
    gone = [record for record in records if not record.path or not await asyncio.to_thread(Path(record.path).is_file)]
    for record in gone:
        archive.writestr(f"documents/{_file_name(record.title)} {record.id[:16]}.txt", await _text_of(store, record))
    documents = [asdict(record) for record in records]
    folders = [asdict(each) for each in await FileStore(db).folders()]
    archive.writestr("documents.json", _json({"documents": documents, "followed_folders": folders}))
    return len(documents)


async def _text_of(store: DocumentStore, record: DocumentRecord) -> str:
    """The text of a document as it was read."""
    runs = runs_of(await store.passages_of(record.id, 0, max(record.chunks, 1)), None)
    return "".join(f"\n\n{run.text}\n\n" if run.kind == "heading" else run.text for run in runs).strip() + "\n"


def _file_name(title: str) -> str:
    return " ".join(_IN_NAMES.sub(" ", title).split())[:50]


async def _questions(archive: zipfile.ZipFile, db: Database) -> int:
    store = GoldenStore(db)
    questions = await store.questions()
    runs = [run for name in sorted({each.collection for each in questions}) for run in await store.runs(name)]
    archive.writestr("questions.json", _json({"questions": questions, "runs": runs}))
    return len(questions)


def _json(value: object) -> str:
    def plain(each: Any) -> Any:
        return asdict(each) if hasattr(each, "__dataclass_fields__") else str(each)

    return json.dumps(value, default=plain, ensure_ascii=False, indent=1)
