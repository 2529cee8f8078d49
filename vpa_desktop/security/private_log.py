"""The log file, for its owner's eyes only, also after it was rotated."""

from __future__ import annotations

from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from vpa_desktop.storage.files import make_private


class PrivateLogHandler(RotatingFileHandler):
    """A rotating log whose files are readable by nobody else."""

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        make_private(Path(self.baseFilename))
        return stream
