"""ZIP archives: their members read by their own kinds, named in the sections. Nothing is unpacked to disk."""

from __future__ import annotations

from pathlib import Path

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.loaders import LoadedDocument, Reading, titled, within_limit
from vpa_desktop.rag.packed import Packed
from vpa_desktop.rag.zipguard import Container


def load_zip(data: bytes, path: Path, reading: Reading) -> LoadedDocument:
    """Reads an archive. Raises DocumentUnreadable when it is damaged, protected or built to blow up."""
    packed, container = Packed(reading), Container(data, path)
    for name in container.names:
        try:
            content = container.read(name)
        except DocumentUnreadable as unreadable:
            packed.leave_out(f"{name}: {unreadable.why}")
        else:
            packed.add(name, content)
    parts = within_limit(packed.parts, path)
    only_pictures = not parts and packed.pictures > 0
    return LoadedDocument(
        titled(path, ""), parts, image_only=only_pictures, pictures=packed.pictures, remarks=packed.remarks
    )
