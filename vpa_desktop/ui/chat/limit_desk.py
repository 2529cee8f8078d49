"""The coroutine behind the limit dialog: asks the person, then sends once anyway, asks the local model, or neither.

Whatever is chosen, the question is not lost: it goes back into the composer where it is not sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from vpa_desktop.ui.chat.limit_dialog import LimitChoice, LimitDialog
from vpa_desktop.ui.pages import SETTINGS
from vpa_desktop.ui.tasks import ask

if TYPE_CHECKING:
    from vpa_desktop.errors import BudgetExceeded
    from vpa_desktop.ui.main_window import MainWindow
    from vpa_desktop.ui.ports import Backend


class LimitDesk(QObject):
    """Acts on a refused answer of the shown conversation."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._backend: Backend | None = None
        window.presenter.limit_reached.connect(self._on_limit)

    def attach(self, backend: Backend) -> None:
        """From now on it can be said whether there is a local model."""
        self._backend = backend

    def _on_limit(self, answer_id: str, error: BudgetExceeded) -> None:
        if self._backend is not None:
            self._window.tasks.spawn("limit", self._ask(self._backend, answer_id, error))

    async def _ask(self, backend: Backend, answer_id: str, error: BudgetExceeded) -> None:
        presenter = self._window.presenter
        presenter.take_back(answer_id)  # first: a window that is closed now has it as a draft
        choices = await backend.route_choices()
        local = next((c.provider for c in choices if c.is_local and c.is_free and c.is_ready and c.provider), "")
        chosen = await ask(LimitDialog(self._window, error, has_local=bool(local)))
        if chosen == LimitChoice.SEND_ANYWAY:
            presenter.answer_again(answer_id, over_limit=True)
        elif chosen == LimitChoice.ASK_LOCAL:
            presenter.answer_again(answer_id, provider=local, model=None)
        elif chosen == LimitChoice.CHANGE_LIMIT:
            self._window.go(SETTINGS)
            self._window.settings.show_limits()
        else:
            self._window.chat.composer.edit.setFocus()
