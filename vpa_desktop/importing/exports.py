"""Which program an export comes from, and its conversations. Reads JSON files, ZIP archives and Jan's folders."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
import zipfile
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Final, Protocol, TypeVar, cast

from vpa_desktop.errors import StorageError, UsageError
from vpa_desktop.importing import (
    chatbox,
    chatgpt,
    cherry_database,
    cherry_studio,
    claude,
    jan,
    librechat,
    open_webui,
)
from vpa_desktop.importing.trees import ForeignChat, Plain, to_conversations

MOST_BYTES: Final = 1_000_000_000
"""The most that is read of one export; unpacked, where it is packed."""

MOST_PICTURE_BYTES: Final = 20_000_000
_KINDS: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
}

_File = TypeVar("_File", Path, PurePosixPath)


class Reader(Protocol):
    """What each program's file offers."""

    NAME: str

    def is_it(self, document: Any) -> bool: ...
    def read(self, document: Any) -> Iterator[ForeignChat]: ...


READERS: Final = tuple(
    cast(Reader, each)
    for each in (cherry_database, jan, cherry_studio, open_webui, chatgpt, claude, librechat, chatbox)
)
KNOWN: Final = ", ".join(sorted({"VPA Desktop", *(each.NAME for each in READERS)}, key=str.lower))


@dataclass(frozen=True, slots=True)
class Export:
    """The conversations of an export, the program it comes from, and how many had no words in them."""

    program: str
    conversations: list[Plain]
    empty: int = 0


def read_export(path: Path) -> Export:
    """Return the conversations of another program's export; raises UsageError, StorageError in one sentence.

    ``path`` is a JSON file, a ZIP archive that holds one, Cherry Studio's database, or a data folder of Cherry Studio
    or Jan (for Jan also its ``threads``, or one of them).
    """
    try:
        documents = _documents(path)
    except FileNotFoundError as exc:
        raise UsageError(f"There is no file {path}", "It was moved, or the name is mistyped", "Name the file") from exc
    except OSError as exc:
        raise StorageError(f"{path} cannot be read", exc.strerror or str(exc), "Mend its permissions") from exc
    except (ValueError, RecursionError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as exc:
        raise _refused(path, "It is not whole JSON text in UTF-8, or a damaged archive", "Export it again") from exc
    found = [(reader, each) for each in documents for reader in READERS if reader.is_it(each)]
    if not found:
        raise _refused(path, "It is no export of conversations that is known", f"Known are those of {KNOWN}")
    program = found[0][0]
    chats = [chat for reader, each in found if reader is program for chat in reader.read(each)]
    made = [to_conversations(chat) for chat in chats]
    conversations = [each for many in made for each in many]
    if not conversations:
        raise _refused(path, f"This export of {program.NAME} has no message in it", "Choose another file")
    return Export(program.NAME, conversations, sum(not many for many in made))


def _refused(path: Path, why: str, next_step: str) -> UsageError:
    return UsageError(f"{path.name} was not taken in", why, next_step)


def _documents(path: Path) -> list[Any]:
    if path.is_dir():
        if database := next(iter(sorted(path.rglob(cherry_database.FILE))), None):
            return [_database(database, path)]
        return [_threads(sorted(path.rglob("thread.json")), _bytes_or_none)]
    if path.name in ("thread.json", "messages.jsonl"):
        return [_threads([path.with_name("thread.json")], _bytes_or_none)]
    if path.stat().st_size > MOST_BYTES:
        raise _too_large(path)
    with path.open("rb") as file:
        head = file.read(len(cherry_database.MAGIC))
    if head == cherry_database.MAGIC:
        return [_database(path, path)]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            return _packed(path, packed)
    return [_loaded(path.read_bytes())]


def _loaded(data: bytes) -> Any:
    return json.loads(data.decode("utf-8-sig"))


def _packed(path: Path, packed: zipfile.ZipFile) -> list[Any]:
    """The JSON files of an archive that may be exports: those at its top, or of Jan and Chatbox in their folders."""
    databases = [info for info in packed.infolist() if PurePosixPath(info.filename).name == cherry_database.FILE]
    if databases:
        return [_packed_database(path, packed, databases[0])]
    infos = {info.filename: info for info in packed.infolist() if info.filename.endswith((".json", ".jsonl"))}
    if sum(info.file_size for info in infos.values()) > MOST_BYTES:
        raise _too_large(path)
    names = [PurePosixPath(name) for name in sorted(infos)]
    threads = [name for name in names if name.name == "thread.json"]
    if threads:
        return [_threads(threads, lambda name: packed.read(str(name)) if str(name) in infos else None)]
    top = min((len(name.parts) for name in names), default=0)
    wanted = [name for name in names if len(name.parts) == top or name.name == "session.json"]
    documents = [_loaded(packed.read(str(name))) for name in wanted if name.suffix == ".json"]
    for document in documents:
        if chatgpt.is_it(document):
            _put_pictures(document, packed)
    return documents


def _put_pictures(document: Any, packed: zipfile.ZipFile) -> None:
    """Put the pictures of questions into ChatGPT's conversations, as far as the archive has them."""
    infos = {PurePosixPath(info.filename).name: info for info in packed.infolist()}
    names, left = sorted(infos), MOST_BYTES
    for begins, part in chatgpt.pictures_in(document):
        name = _named(names, begins)
        info, kind = infos.get(name), _KINDS.get(PurePosixPath(name).suffix.lower())
        if info is None or kind is None or info.file_size > min(left, MOST_PICTURE_BYTES):
            continue
        left -= info.file_size
        part[chatgpt.HELD] = f"data:{kind};base64,{base64.b64encode(packed.read(info)).decode('ascii')}"
        part[chatgpt.HELD_AS] = name.removeprefix(begins).lstrip("-_")


def _named(names: Sequence[str], begins: str) -> str:
    """The first of the sorted names that goes on after ``begins`` as a file's name does; empty where none does."""
    for name in islice(names, bisect_left(names, begins), None):
        if not name.startswith(begins):
            break
        if name[len(begins) : len(begins) + 1] in ("-", "_", "."):
            return name
    return ""


def _database(database: Path, named: Path) -> Any:
    if database.stat().st_size > MOST_BYTES:
        raise _too_large(named)
    return cherry_database.read_rows(database)


def _packed_database(path: Path, packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    wanted = [info, *(each for each in packed.infolist() if each.filename == f"{info.filename}-wal")]
    if sum(each.file_size for each in wanted) > MOST_BYTES:
        raise _too_large(path)
    with tempfile.TemporaryDirectory(prefix="vpa-import-") as folder:
        for each in wanted:
            target = Path(folder) / PurePosixPath(each.filename).name
            with packed.open(each) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
        return cherry_database.read_rows(Path(folder) / cherry_database.FILE)


def _threads(files: Sequence[_File], read: Callable[[_File], bytes | None]) -> list[dict[str, Any]]:
    """The threads as one document; ``read`` returns None for a file that is not there."""
    found = []
    for file in files:
        thread, lines = read(file), (read(file.with_name("messages.jsonl")) or b"").decode("utf-8-sig").splitlines()
        messages = [json.loads(line) for line in lines if line.strip()]
        found.append({"thread": _loaded(thread) if thread else {}, "messages": messages})
    return found


def _bytes_or_none(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def _too_large(path: Path) -> UsageError:
    return _refused(path, f"It is larger than {MOST_BYTES // 1_000_000} MB", "Export fewer conversations at once")
