"""The settings: seven pages beside a bar of tabs. A change is saved at once; a mistake is shown where it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from vpa_desktop.errors import VPAError
from vpa_desktop.ui.nav import NavBar
from vpa_desktop.ui.settings.cache_form import FormWithCache
from vpa_desktop.ui.settings.embedding_flow import EmbeddingFlow
from vpa_desktop.ui.settings.forms import PAGES, RetrievalPage
from vpa_desktop.ui.settings.keys import KeysPage
from vpa_desktop.ui.settings.limits import LimitsPage
from vpa_desktop.ui.settings.providers import ProvidersPage
from vpa_desktop.ui.widgets import PlainLabel

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QShowEvent

    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.settings.form import FormPage
    from vpa_desktop.ui.tasks import TaskOwner


class SettingsPage(QWidget):
    """All settings. ``changed`` comes after something was stored; ``providers_changed`` when a route may differ."""

    changed = Signal()
    providers_changed = Signal()

    def __init__(self, tasks: TaskOwner) -> None:
        super().__init__()
        self._tasks = tasks
        self._backend: Backend | None = None
        self.providers = ProvidersPage(tasks, self.save)
        self.keys = KeysPage(tasks, self.save)
        self.forms: list[FormPage] = [make(self.save) for make in PAGES]
        self.limits = next(form for form in self.forms if isinstance(form, LimitsPage))
        entries = (
            ("globe", self.tr("Providers")),
            ("key", self.tr("Keys")),
            ("route", self.tr("Routing")),
            ("coins", self.tr("Limits")),
            ("file-text", self.tr("Documents")),
            ("shield", self.tr("Privacy")),
            ("sun", self.tr("Appearance")),
        )
        self.tabs = NavBar(self.tr("Settings pages"), entries)
        self.stack = QStackedWidget()
        for page in (self.providers, self.keys, *self.forms):
            self.stack.addWidget(page)
        self.tabs.currentChanged.connect(self.stack.setCurrentIndex)
        self.tabs.currentChanged.connect(lambda _: self._count_kept())
        self._kept = next(page.kept for page in self.forms if isinstance(page, FormWithCache))
        self._kept.button.clicked.connect(self._forget_kept)
        self.retrieval = next(form for form in self.forms if isinstance(form, RetrievalPage))
        self.retrieval.embedding.clicked.connect(self._choose_embedding)
        bar = QFrame()
        bar.setProperty("side", True)
        bar.setFixedWidth(200)
        column = QVBoxLayout(bar)
        column.setContentsMargins(12, 20, 12, 12)
        column.setSpacing(10)
        column.addWidget(PlainLabel(self.tr("  Settings"), "heading"))
        column.addWidget(self.tabs)
        column.addStretch()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(bar)
        row.addWidget(self.stack, 1)
        self.providers.changed.connect(self._on_providers)
        self.keys.changed.connect(self._on_providers)

    def attach(self, backend: Backend) -> None:
        """From now on settings can be shown and changed."""
        self._backend = backend
        self.limits.attach(backend, self._tasks)
        self._fill(backend)
        self.providers.attach(backend)
        self.keys.attach(backend)

    def showEvent(self, event: QShowEvent) -> None:
        """Counts the kept answers anew."""
        super().showEvent(event)
        self._count_kept()

    def _count_kept(self) -> None:
        if self._backend is not None and self.isVisible():
            self._tasks.spawn("count kept answers", self._show_kept(self._backend))

    def _forget_kept(self) -> None:
        if self._backend is not None:
            self._tasks.spawn("forget kept answers", self._show_kept(self._backend, forget=True))

    async def _show_kept(self, backend: Backend, *, forget: bool = False) -> None:
        try:
            if forget:
                await backend.kept_answers.forget()
            self._kept.show_count(await backend.kept_answers.count())
        except VPAError as error:
            self._kept.tell(str(error))
            return
        self._kept.tell("")

    def _choose_embedding(self) -> None:
        if self._backend is not None:
            EmbeddingFlow(self._tasks, self._backend.embedding, self._on_embedding).start(self)

    def _on_embedding(self) -> None:
        if self._backend is not None:
            self._fill(self._backend)
            self.changed.emit()

    def start_adding(self) -> None:
        """Opens the form for a new provider."""
        self.tabs.setCurrentIndex(0)
        self.providers.start_adding()

    def show_limits(self) -> None:
        """Shows the page Limits, ready to type the daily limit."""
        self.tabs.setCurrentIndex(self.stack.indexOf(self.limits))
        self.limits.daily.control.setFocus()

    def save(self, key: str, value: Any, told: Callable[[str], None] | None = None) -> None:
        """Stores one setting, and tells in words where that failed."""
        if self._backend is not None:
            self._tasks.spawn(f"save {key}", self._save(self._backend, key, value, told))

    async def _save(self, backend: Backend, key: str, value: Any, told: Callable[[str], None] | None) -> None:
        try:
            await backend.save_settings({key: value})
        except VPAError as error:
            if told is None:
                raise
            told(str(error))
            return
        if told is not None:
            told("")
        self._fill(backend)
        self.changed.emit()
        if key.startswith(("routing.", "providers.")):
            self.providers.refresh()
            self.providers_changed.emit()

    def _on_providers(self) -> None:
        if self._backend is not None:
            self._fill(self._backend)
        for page in (self.providers, self.keys):
            page.refresh()
        self.changed.emit()
        self.providers_changed.emit()

    def _fill(self, backend: Backend) -> None:
        for page in self.forms:
            page.remember(backend.settings)
