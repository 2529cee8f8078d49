"""The coroutines behind the choice of the embedding model: what there is, what it costs, the change. Draws nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpa_desktop.errors import VPAError
from vpa_desktop.ui.settings.embedding_dialog import EmbeddingDialog
from vpa_desktop.ui.tasks import ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtWidgets import QWidget

    from vpa_desktop.ui.ports import EmbeddingBackend
    from vpa_desktop.ui.tasks import TaskOwner

TASK, QUOTE_TASK, CHANGE_TASK = (
    "choose the embedding model",
    "price of an embedding model",
    "change the embedding model",
)


class EmbeddingFlow:
    """Opens the dialog and does what is chosen there. ``changed`` is called after another model counts."""

    def __init__(self, tasks: TaskOwner, backend: EmbeddingBackend, changed: Callable[[], None]) -> None:
        self._tasks = tasks
        self._backend = backend
        self._changed = changed

    def start(self, parent: QWidget) -> None:
        """Opens the dialog over a widget."""
        self._tasks.spawn(TASK, self._run(EmbeddingDialog(parent)))

    async def _run(self, dialog: EmbeddingDialog) -> None:
        dialog.wanted.connect(lambda choice: self._tasks.spawn(QUOTE_TASK, self._quote(dialog, choice)))
        dialog.agreed.connect(lambda choice: self._tasks.spawn(CHANGE_TASK, self._change(dialog, choice)))
        self._tasks.spawn(QUOTE_TASK, self._offers(dialog))
        try:
            await ask(dialog)
        finally:
            for task in (QUOTE_TASK, CHANGE_TASK):
                self._tasks.cancel(task)

    async def _offers(self, dialog: EmbeddingDialog) -> None:
        try:
            offers = await self._backend.offers()
        except VPAError as error:
            dialog.refused(str(error))
            return
        dialog.show_offers(offers)

    async def _quote(self, dialog: EmbeddingDialog, choice: str) -> None:
        try:
            quote = await self._backend.quote(choice)
        except VPAError as error:
            dialog.refused(str(error))
            return
        dialog.show_quote(quote)

    async def _change(self, dialog: EmbeddingDialog, choice: str) -> None:
        try:
            await self._backend.choose(choice, agreed=True)
        except VPAError as error:
            dialog.tell(str(error))
            await self._quote_again(dialog, choice)
            return
        self._changed()
        dialog.accept()

    async def _quote_again(self, dialog: EmbeddingDialog, choice: str) -> None:
        """The button says again what it does, below the reason why it did not."""
        quote = await self._backend.quote(choice)
        dialog.show_quote(quote, keeps_error=True)
