"""Pictures as a conversation keeps them: as they are sent, small, upright, and without place, device and time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from vpa_desktop.errors import RequestRejected
from vpa_desktop.messages import ImageData
from vpa_desktop.providers._failures import Peer
from vpa_desktop.providers._images import ImageLimits, made

_NOBODY = Peer("", "", "", "", False, 0.0)


async def for_keeping(pictures: Sequence[ImageData]) -> tuple[ImageData, ...]:
    """Return pictures in the form in which they are kept; without those that cannot be read, which nobody is sent."""
    found = await asyncio.gather(*(asyncio.to_thread(_kept, picture) for picture in pictures))
    return tuple(picture for picture in found if picture is not None)


def _kept(picture: ImageData) -> ImageData | None:
    try:
        return made(picture, ImageLimits(), _NOBODY)
    except RequestRejected:
        return None
