"""What is known of a document's file. Not how it is found: that is ``document_files``."""

from __future__ import annotations

from typing import NamedTuple

from vpa_desktop.records import DocumentState
from vpa_desktop.storage.documents import FileFacts

COLUMNS = "id, path, collection, title, content_hash, state, chunks, reason, size_bytes, modified_ns, file_id, folder"
_SETTLED = frozenset(("ready", "indexing"))


class KnownFile(NamedTuple):
    """A document's file as it was when it was read."""

    id: str
    path: str
    collection: str
    title: str
    content_hash: str
    state: DocumentState
    chunks: int
    reason: str
    size: int
    modified_ns: int
    file_id: str
    folder: str

    @property
    def is_settled(self) -> bool:
        """True where its text is in."""
        return self.state in _SETTLED

    @property
    def facts(self) -> FileFacts:
        """What the file system said."""
        return FileFacts(self.size, self.modified_ns, self.file_id, self.folder)
