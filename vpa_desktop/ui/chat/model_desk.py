"""The coroutine behind the picker: when the list opens, providers are asked for their models where that is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

if TYPE_CHECKING:
    from vpa_desktop.ui.chat.picker import ProviderPicker
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.tasks import TaskOwner


class ModelDesk(QObject):
    """Brings the picker's lists up to date while it is open; what is known already is shown at once."""

    def __init__(self, picker: ProviderPicker, tasks: TaskOwner) -> None:
        super().__init__(picker)
        self._picker = picker
        self._tasks = tasks
        self._backend: Backend | None = None
        picker.opened.connect(self.refresh)

    def attach(self, backend: Backend) -> None:
        """From now on providers can be asked."""
        self._backend = backend

    def refresh(self) -> None:
        """Asks each provider that is ready; a list less than a day old is not asked for again."""
        if self._backend is not None and not self._tasks.running("models"):
            self._tasks.spawn("models", self._load(self._backend))

    async def _load(self, backend: Backend) -> None:
        import asyncio

        from vpa_desktop.ui.chat.model_wording import lists_note

        choices = await backend.route_choices()
        ready = dict.fromkeys(c.provider for c in choices if c.provider and c.is_ready)
        lists = await asyncio.gather(*(backend.models(provider) for provider in ready))
        self._picker.set_choices(await backend.route_choices())
        self._picker.popup.set_note(lists_note(lists))
