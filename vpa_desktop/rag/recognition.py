"""Text recognition (OCR) by the program tesseract, where it is installed: a picture in, the text in it out.

The picture goes over a pipe; nothing is written to disk and nothing leaves this computer.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import time
from functools import lru_cache
from typing import Any

_PROGRAM = "tesseract"
_NOT_LANGUAGES = ("osd", "equ", "snum")
_MAX_LANGUAGES = 6
_PICTURE_S = 60.0
_LIST_S = 10.0
_LONGEST_SIDE = 5_000
_SHORTEST_SIDE = 24
NEXT_STEP = "Install the program tesseract, which reads what is written in pictures, and add it again"


class OutOfTime(Exception):
    """The time for recognition is over; the pictures that are left are counted as not read."""


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """The languages whose data is installed, ``osd`` (the direction of the text) among them; none where there is none.

    The answer is kept for the life of the process: one that was installed later counts from the next start of a reader.
    """
    program = shutil.which(_PROGRAM)
    if program is None:
        return ()
    try:
        listed = subprocess.run(
            [program, "--list-langs"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIST_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    lines = (listed.stdout or listed.stderr).decode("utf-8", "replace").splitlines()[1:]
    return tuple(line.strip() for line in lines if line.strip() and " " not in line.strip())


def is_installed() -> bool:
    """True where pictures can be read."""
    return any(name not in _NOT_LANGUAGES for name in languages())


class Tesseract:
    """Reads pictures until its time is over."""

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds

    def __call__(self, picture: Any) -> str:
        """Returns the text in an image of PIL; nothing where there is none, or where it takes too long.

        Raises OutOfTime when there is no time left for another picture.
        """
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise OutOfTime
        if min(picture.size) < _SHORTEST_SIDE:
            return ""
        known = languages()
        wanted = [name for name in known if name not in _NOT_LANGUAGES]
        # Mode 1 turns a page upright first, for which it needs data of its own.
        mode = "1" if "osd" in known else "3"
        command = [_PROGRAM, "-", "-", "-l", "+".join(_chosen(wanted)), "--psm", mode]
        try:
            done = subprocess.run(
                command,
                input=_as_bytes(picture),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=min(left, _PICTURE_S),
                check=False,
                env=os.environ | {"OMP_THREAD_LIMIT": "1"},
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout.decode("utf-8", "replace").replace("\x0c", "\n").strip() if done.returncode == 0 else ""


def _chosen(wanted: list[str]) -> list[str]:
    """A few languages, as each takes its time: English and what is spoken here first."""
    here = os.environ.get("LANGUAGE", "") + os.environ.get("LC_ALL", "") + os.environ.get("LANG", "")
    wanted = [name for name in wanted if "/" not in name]
    return sorted(wanted, key=lambda name: (name[:2] not in here[:2], name != "eng", name))[:_MAX_LANGUAGES]


def _as_bytes(picture: Any) -> bytes:
    """The picture as grey PNM, which costs no packing. Larger ones are made smaller."""
    from PIL import Image

    flat = picture
    if picture.mode in ("RGBA", "LA", "P", "PA"):
        flat = Image.new("RGBA", picture.size, "white")
        flat.alpha_composite(picture.convert("RGBA"))
    grey = flat.convert("L")
    grey.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    made = io.BytesIO()
    grey.save(made, "PPM")
    return made.getvalue()
