"""Pictures: what is written in them, where a program that recognises text is installed. Each frame is a page."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.loaders import LoadedDocument, Part, Reading, Recogniser, titled, within_limit
from vpa_desktop.rag.recognition import OutOfTime

_MAX_FRAMES = 200


def load_picture(data: bytes, path: Path, reading: Reading) -> LoadedDocument:
    """Counts the frames, and reads them where the reading recognises text.

    Raises DocumentUnreadable when the picture is damaged or too large.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data))
        with picture:
            frames = min(int(getattr(picture, "n_frames", 1)) if picture.format == "TIFF" else 1, _MAX_FRAMES)
            recognise = reading.recognise
            parts = within_limit(_pages(picture, frames, recognise), path) if recognise else ()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as exc:
        raise DocumentUnreadable(
            f"{path.name} is too large a picture", "It has too many points", "Make it smaller"
        ) from exc
    # PIL meets broken pictures with any of these.
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        TypeError,
        IndexError,
        KeyError,
        EOFError,
        OverflowError,
    ) as exc:
        raise DocumentUnreadable(f"{path.name} is damaged", "It is not a picture that can be opened") from exc
    unread = frames - len(parts)
    return LoadedDocument(titled(path, path.name), parts, frames, image_only=not parts, pictures=unread)


def _pages(picture: Any, frames: int, recognise: Recogniser) -> Iterator[Part]:
    from PIL import ImageOps

    for number in range(frames):
        picture.seek(number)
        try:
            yield Part(recognise(ImageOps.exif_transpose(picture.copy())), page=number + 1)
        except OutOfTime:
            return
