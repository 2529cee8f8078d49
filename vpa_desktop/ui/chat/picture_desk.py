"""The pictures of a conversation: small in its bubbles, whole in a window of their own. Read off the window's loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QSize, Qt
from PySide6.QtGui import QImage

from vpa_desktop.ui.chat.rows import THUMB

if TYPE_CHECKING:
    from vpa_desktop.messages import ImageData
    from vpa_desktop.ui.chat.presenter import ChatPresenter
    from vpa_desktop.ui.chat.view import ChatView
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.tasks import TaskOwner

FINE_PX: Final = 2 * THUMB
"""Twice the size shown, for fine screens."""


class PictureDesk(QObject):
    """Answers the transcript's wishes for pictures."""

    def __init__(self, view: ChatView, presenter: ChatPresenter, tasks: TaskOwner) -> None:
        super().__init__(view)
        self._view, self._presenter, self._tasks = view, presenter, tasks
        self._backend: Backend | None = None
        view.transcript.thumbs_wanted.connect(self._want_thumbs)
        view.transcript.picture_clicked.connect(self._open)

    def attach(self, backend: Backend) -> None:
        """From now on stored pictures can be had."""
        self._backend = backend

    async def _pictures(self, message_id: str) -> tuple[ImageData, ...]:
        held = self._presenter.chat.pictures.get(message_id, ())
        return held if held or self._backend is None else await self._backend.pictures(message_id)

    def _want_thumbs(self, message_id: str) -> None:
        self._tasks.spawn(f"thumbs {message_id}", self._show_thumbs(message_id))

    async def _show_thumbs(self, message_id: str) -> None:
        import asyncio

        pictures = await self._pictures(message_id)
        thumbs = [await asyncio.to_thread(thumb, picture.data) for picture in pictures]
        self._view.transcript.show_thumbs(message_id, thumbs)

    def _open(self, message_id: str, number: int) -> None:
        self._tasks.spawn("picture shown", self._show(message_id, number))

    async def _show(self, message_id: str, number: int) -> None:
        from vpa_desktop.ui.chat.picture_window import PictureWindow
        from vpa_desktop.ui.tasks import ask

        pictures = await self._pictures(message_id)
        if number < len(pictures):
            await ask(PictureWindow(pictures, number, self._view.window()))


def thumb(data: bytes) -> QImage:
    """Returns the middle of a picture as a small square; a null image where it cannot be read."""
    whole = QImage.fromData(data)
    if whole.isNull():
        return whole
    expanding, smooth = Qt.AspectRatioMode.KeepAspectRatioByExpanding, Qt.TransformationMode.SmoothTransformation
    small = whole.scaled(QSize(FINE_PX, FINE_PX), expanding, smooth)
    return small.copy((small.width() - FINE_PX) // 2, (small.height() - FINE_PX) // 2, FINE_PX, FINE_PX)
