"""Pictures for the next message: which files count, how one is read, and its small preview. No widgets here.

Reading runs in a thread. What a provider takes is the provider's matter: it scales and encodes anew before it sends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QBuffer, QByteArray, QCoreApplication, QIODevice, QSize, Qt
from PySide6.QtGui import QImage, QImageReader

from vpa_desktop.errors import VPAError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from vpa_desktop.messages import ImageData

MOST: Final = 10
MOST_BYTES: Final = 20_000_000
PREVIEW_PX: Final = 64
SCALED_PX: Final = 2 * PREVIEW_PX
"""Twice the size shown, for fine screens."""

HUGE_PIXELS: Final = 16_000_000
"""From here on Qt may refuse to unpack a sound picture, by its limit on memory: it then has no preview."""

SUFFIXES: Final = frozenset((".png", ".jpg", ".jpeg", ".jpe", ".webp", ".gif", ".bmp", ".tif", ".tiff"))
_FORMATS: Final = frozenset(("png", "jpeg", "webp", "gif", "bmp", "tiff"))


@dataclass(eq=False)
class Attachment:
    """One picture in the composer; ``image`` is None while it is being read."""

    name: str
    image: ImageData | None = None
    preview: QImage = field(default_factory=QImage)
    failed: bool = False

    @property
    def is_reading(self) -> bool:
        """Whether it may still come to something."""
        return self.image is None and not self.failed


def is_picture(path: Path) -> bool:
    """Says whether a file is looked at rather than read, by its name."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def images(attachments: Iterable[Attachment]) -> tuple[ImageData, ...]:
    """Returns what goes into the request."""
    return tuple(one.image for one in attachments if one.image is not None)


def read_file(name: str, path: Path) -> tuple[ImageData, QImage]:
    """Reads a picture file and its preview; raises VPAError where it cannot be attached."""
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise refused(name, error.strerror or str(error), _tr("Check that the file is still there")) from error
    if size > MOST_BYTES:
        raise _too_large(name, size)
    return read_bytes(name, data)


def read_bytes(name: str, data: bytes) -> tuple[ImageData, QImage]:
    """Takes a picture's bytes after a look at them; raises VPAError where they are no picture."""
    from vpa_desktop.messages import ImageData

    buffer = QBuffer()
    buffer.setData(QByteArray(data))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    kind, whole, preview = _decode(buffer)
    if kind not in _FORMATS or (preview.isNull() and whole.width() * whole.height() < HUGE_PIXELS):
        raise _no_picture(name)
    return ImageData(f"image/{kind}", data, name), preview


def _decode(buffer: QBuffer) -> tuple[str, QSize, QImage]:
    """Returns the format, the size and the preview. The reader ends here: it must not outlive the buffer."""
    reader = QImageReader(buffer)
    reader.setDecideFormatFromContent(True)
    reader.setAutoTransform(True)
    kind = bytes(reader.format().data()).decode() if reader.canRead() else ""
    kind = {"jpg": "jpeg", "tif": "tiff"}.get(kind, kind)
    whole = reader.size()
    if kind not in _FORMATS:
        return "", whole, QImage()
    if whole.isValid() and max(whole.width(), whole.height()) > SCALED_PX:
        fitted = whole.scaled(SCALED_PX, SCALED_PX, Qt.AspectRatioMode.KeepAspectRatio)
        reader.setScaledSize(fitted.expandedTo(QSize(1, 1)))
    return kind, whole, reader.read()


def read_image(name: str, image: QImage) -> tuple[ImageData, QImage]:
    """Turns an image of the clipboard into a PNG; raises VPAError where that cannot be attached."""
    from vpa_desktop.messages import ImageData

    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if image.isNull() or not image.save(buffer, "PNG"):  # type: ignore[call-overload]
        raise _no_picture(name)
    encoded = bytes(buffer.data().data())
    if len(encoded) > MOST_BYTES:
        raise _too_large(name, len(encoded))
    smooth = Qt.TransformationMode.SmoothTransformation
    preview = image.scaled(SCALED_PX, SCALED_PX, Qt.AspectRatioMode.KeepAspectRatio, smooth)
    return ImageData("image/png", encoded, name), preview


def refused(name: str, why: str, next_step: str) -> VPAError:
    """Returns the sentences about a picture that is not attached."""
    return VPAError(_tr("{0} was not attached").format(name), why, next_step)


def too_many() -> VPAError:
    """Returns the sentences about more pictures than one message takes."""
    return VPAError(
        _tr("Not all pictures were attached"),
        _tr("One message takes {0} at most").format(MOST),
        _tr("Send these first, then the others"),
    )


def _too_large(name: str, size: int) -> VPAError:
    why = _tr("It has {0} MB, and a picture may have {1} at most").format(
        f"{size / 1_000_000:.1f}", MOST_BYTES // 1_000_000
    )
    return refused(name, why, _tr("Save it smaller and attach that"))


def _no_picture(name: str) -> VPAError:
    return refused(
        name,
        _tr("It cannot be read as a picture; it is damaged or of another kind"),
        _tr("Open it in an image program and save it as PNG or JPEG"),
    )


def _tr(text: str) -> str:
    return QCoreApplication.translate("Attachments", text)
