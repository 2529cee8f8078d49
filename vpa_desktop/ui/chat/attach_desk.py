"""The way of files into the chat: chosen, dropped or pasted. Pictures go to the next message, all else to documents."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtGui import QImage

from vpa_desktop.errors import VPAError
from vpa_desktop.ui.chat.attachments import Attachment, is_picture, read_file, read_image, too_many
from vpa_desktop.ui.dialogs import choose_files
from vpa_desktop.ui.drop import dropped_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PySide6.QtCore import QMimeData

    from vpa_desktop.messages import ImageData
    from vpa_desktop.ui.chat.composer import Composer
    from vpa_desktop.ui.documents.ingestion import Ingestion
    from vpa_desktop.ui.tasks import TaskOwner

    _Read = Callable[[str], tuple[ImageData, QImage]]

_numbers = count(1)


class AttachDesk(QObject):
    """Sorts files and reads the pictures among them beside the window's loop."""

    def __init__(
        self, composer: Composer, ingestion: Ingestion, tasks: TaskOwner, collection: Callable[[], str]
    ) -> None:
        """``collection`` says where documents go that are chosen with the paperclip."""
        super().__init__(composer)
        self._composer, self._strip = composer, composer.pictures
        self._ingestion = ingestion
        self._tasks = tasks
        self._collection = collection
        composer.attach_wanted.connect(self.choose)
        composer.edit.data_pasted.connect(self.take_data)

    def choose(self) -> None:
        """Asks for files; afterwards the person can go on writing."""
        self._tasks.spawn("attach", self._choose())

    async def _choose(self) -> None:
        paths = await choose_files(self._composer, self.tr("Attach pictures, or add files to your documents"))
        self._composer.edit.setFocus()
        self.take_files(paths, self._collection)

    def take_files(self, paths: Sequence[Path], collection: Callable[[], str] = str) -> None:
        """Attaches the pictures and adds everything else to the documents."""
        pictures = [path for path in paths if is_picture(path)]
        self._take([(path.name, _reader_of(path)) for path in pictures])
        if others := [path for path in paths if path not in pictures]:
            self._ingestion.add(others, collection())

    def take_data(self, data: QMimeData) -> None:
        """Takes what was dropped or pasted: files, or else an image."""
        paths, image = dropped_paths(data), data.imageData() if data.hasImage() else None
        if paths:
            self.take_files(paths)
        elif isinstance(image, QImage):
            self._take([(self._pasted_name(), lambda name: read_image(name, image))])

    def _pasted_name(self) -> str:
        taken = {attachment.name for attachment in self._strip.attachments}
        names = (self.tr("Pasted picture{0}.png").format(f" {n}" if n > 1 else "") for n in count(1))
        return next(name for name in names if name not in taken)

    def _take(self, wanted: Sequence[tuple[str, _Read]]) -> None:
        if not wanted:
            return
        room = self._strip.room
        self._strip.say(str(too_many()) if len(wanted) > room else "")
        for name, read in wanted[:room]:
            attachment = Attachment(name)
            self._strip.add(attachment)
            self._tasks.spawn(f"picture {next(_numbers)}", self._read(attachment, read))

    async def _read(self, attachment: Attachment, read: _Read) -> None:
        import asyncio

        try:
            attachment.image, attachment.preview = await asyncio.to_thread(read, attachment.name)
        except VPAError as error:
            self._strip.say(f"{self._strip.note.text()} {error}".strip())
        finally:
            attachment.failed = attachment.image is None
            self._strip.settle(attachment)


def _reader_of(path: Path) -> _Read:
    return lambda name: read_file(name, path)
