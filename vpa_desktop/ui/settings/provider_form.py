"""The form of one provider: a kind with only its own fields, a masked key, Test in words. It stores nothing itself."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QCompleter,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QWidget,
)

from vpa_desktop.catalog import KINDS, PROVIDER_ID, LLMProvider, ProviderKind
from vpa_desktop.records import ProviderDraft, ProviderStatus, ProviderVerdict
from vpa_desktop.ui.widgets import Card, ChoiceBox, PlainLabel

OFFERED = (
    LLMProvider.OPENAI,
    LLMProvider.ANTHROPIC,
    LLMProvider.OPENAI_COMPATIBLE,
    LLMProvider.LLAMA_CPP,
    LLMProvider.MOCK,
)
"""The kinds a person can add here; the others come with their own fields."""


class ProviderForm(Card):
    """Signals carry a ProviderDraft; the key is in it once and the field is emptied when it was stored."""

    save_wanted = Signal(object)
    test_wanted = Signal(object)
    link_wanted = Signal(str)
    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__(margins=20, spacing=10)
        self._status: ProviderStatus | None = None
        self._taken: frozenset[str] = frozenset()
        self._heading = PlainLabel("", "strong")
        self._heading.setStyleSheet("font-size: 15px")
        self.kind = ChoiceBox()
        self.kind.setAccessibleName(self.tr("Kind of provider"))
        for kind in OFFERED:
            self.kind.addItem(KINDS[kind].label, str(kind))
        self.kind.currentIndexChanged.connect(lambda _: self._show_kind())
        self.name = self._line(self.tr("Name"), self.tr("a short name of your own, such as openai_main"))
        self.model = self._line(self.tr("Model"), "")
        self.endpoint = self._line(self.tr("Address"), "https://…/v1")
        self.key = self._line(self.tr("API key"), "")
        self.key.setEchoMode(QLineEdit.EchoMode.Password)
        self.key.setInputMethodHints(Qt.InputMethodHint.ImhSensitiveData | Qt.InputMethodHint.ImhHiddenText)
        self._key_page = QPushButton(self.tr("Get a key"))
        self._key_page.setProperty("ghost", True)
        self._key_page.clicked.connect(lambda: self.link_wanted.emit(self._kind().key_page))
        self.default = QCheckBox(self.tr("Ask this one first"))
        self._note = PlainLabel("", "dim", wraps=True)
        self._said = PlainLabel("", wraps=True)
        self._form = QFormLayout()
        self._form.setHorizontalSpacing(18)
        self._form.setVerticalSpacing(10)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._key_row = QWidget()
        key = QHBoxLayout(self._key_row)
        key.setContentsMargins(0, 0, 0, 0)
        key.addWidget(self.key, 1)
        key.addWidget(self._key_page)
        for text, field in (
            (self.tr("Kind"), self.kind),
            (self.tr("Name"), self.name),
            (self.tr("Address"), self.endpoint),
            (self.tr("API key"), self._key_row),
            (self.tr("Model"), self.model),
            ("", self.default),
        ):
            label = PlainLabel(text, "dim")
            label.setMinimumHeight(32)
            label.setBuddy(field)
            self._form.addRow(label, field)
        self.column.addWidget(self._heading)
        self.column.addLayout(self._form)
        self.column.addWidget(self._note)
        self.column.addWidget(self._said)
        self.column.addLayout(self._buttons())
        self.start()

    def _line(self, name: str, hint: str) -> QLineEdit:
        line = QLineEdit()
        line.setAccessibleName(name)
        line.setPlaceholderText(hint)
        line.setAcceptDrops(False)
        return line

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self.save = QPushButton(self.tr("Save"))
        self.save.setProperty("primary", True)
        self.save.clicked.connect(lambda: self._hand_over(self.save_wanted))
        self.test = QPushButton(self.tr("Test"))
        self.test.setAccessibleName(self.tr("Test this provider"))
        self.test.clicked.connect(lambda: self._hand_over(self.test_wanted))
        cancel = QPushButton(self.tr("Cancel"))
        cancel.setProperty("ghost", True)
        cancel.setAccessibleName(self.tr("Cancel editing"))
        cancel.clicked.connect(self._cancel)
        row.addWidget(self.save)
        row.addWidget(self.test)
        row.addStretch()
        row.addWidget(cancel)
        return row

    def start(self, status: ProviderStatus | None = None, taken: frozenset[str] = frozenset()) -> None:
        """Empties the form for a new provider, or fills it with one that is there."""
        self._status, self._taken = status, taken
        self._heading.setText(self.tr("Add a provider") if status is None else self.tr("Change {0}").format(status.id))
        self.key.clear()
        self.kind.setEnabled(status is None)
        self.name.setEnabled(status is None)
        if status is not None and self.kind.findData(status.kind) < 0:
            self.kind.addItem(status.kind_label, status.kind)
        self.kind.setCurrentIndex(0 if status is None else self.kind.findData(status.kind))
        self.name.setText("" if status is None else status.id)
        self.default.setChecked(status is not None and status.is_default)
        self._show_kind()
        if status is not None:
            self.model.setText(status.model)
            self.endpoint.setText(status.endpoint)
        self.say("")

    def _kind(self) -> ProviderKind:
        return KINDS[str(self.kind.currentData())]

    def _show_kind(self) -> None:
        kind = self._kind()
        remote = not kind.is_local
        takes_key = remote and (kind.needs_key or kind.kind == LLMProvider.OPENAI_COMPATIBLE)
        self._form.setRowVisible(self.endpoint, kind.kind == LLMProvider.OPENAI_COMPATIBLE)
        self._form.setRowVisible(self._key_row, takes_key)
        self._key_page.setVisible(bool(kind.key_page))
        has_key = self._status is not None and bool(self._status.key_source)
        self.key.setPlaceholderText(
            self.tr("a key is stored; type another to replace it")
            if has_key
            else self.tr("paste it here; it goes to your key store only")
            if kind.needs_key
            else self.tr("only where the endpoint asks for one")
        )
        self.model.setText(str(kind.default_model))
        self.model.setPlaceholderText(str(kind.default_model) or self.tr("the model's name at this endpoint"))
        self.endpoint.setText(kind.default_endpoint if kind.kind == LLMProvider.OPENAI_COMPATIBLE else "")
        self._note.setText(self._words(kind))
        self._note.setVisible(bool(self._note.text()))
        if self._status is None:
            self.name.setText(self._free_name(str(kind.kind)))
        self.say("")

    def _words(self, kind: ProviderKind) -> str:
        if kind.kind == LLMProvider.LLAMA_CPP:
            return self.tr("Runs on this computer. The model that came with the program is a small demonstration.")
        if kind.kind == LLMProvider.MOCK:
            return self.tr("Answers with fixed text, for trying things out. It contacts nobody.")
        return ""

    def _free_name(self, kind: str) -> str:
        base = {"openai": "openai_main", "anthropic": "anthropic_main", "openai_compatible": "endpoint"}.get(kind, kind)
        n, name = 2, base
        while name in self._taken:
            name, n = f"{base}_{n}", n + 1
        return name

    def draft(self) -> ProviderDraft:
        """Returns what is typed in."""
        kind = self._kind()
        own_address = kind.kind == LLMProvider.OPENAI_COMPATIBLE
        kept = self._status.endpoint if self._status is not None else ""
        return ProviderDraft(
            id=self.name.text().strip(),
            kind=str(kind.kind),
            model=self.model.text().strip(),
            endpoint=self.endpoint.text().strip() if own_address else ("" if kept == kind.default_endpoint else kept),
            key=self.key.text().strip() or None,
            enabled=self._status.enabled if self._status is not None else True,
            weight=self._status.weight if self._status is not None else 1.0,
            make_default=self.default.isChecked(),
        )

    def _hand_over(self, signal: object) -> None:
        draft = self.draft()
        if problem := self._problem(draft):
            self.say(problem, good=False)
            return
        self.say(self.tr("Asking the provider…") if signal is self.test_wanted else self.tr("Saving…"))
        signal.emit(draft)  # type: ignore[attr-defined]

    def _problem(self, draft: ProviderDraft) -> str:
        if not PROVIDER_ID.fullmatch(draft.id):
            return self.tr("The name can have letters, digits, - and _, and begins with a letter or digit.")
        if self._status is None and draft.id in self._taken:
            return self.tr("There is already a provider named {0}. Choose another name.").format(draft.id)
        if draft.kind == LLMProvider.OPENAI_COMPATIBLE and not draft.endpoint.startswith(("http://", "https://")):
            return self.tr("The address begins with https:// (or http:// on this computer).")
        return ""

    def say(self, words: str, *, good: bool | None = None) -> None:
        """Shows a result or a mistake in words."""
        self._said.setText(words)
        self._said.set_look("ok", good is True)
        self._said.set_look("error", good is False)
        self._said.setVisible(bool(words))

    def show_verdict(self, verdict: ProviderVerdict) -> None:
        """Shows the result of Test, and offers the models the provider named."""
        self.say(verdict.sentence, good=verdict.ok)
        if verdict.models:
            completer = QCompleter(list(verdict.models), self.model)
            completer.setFilterMode(Qt.MatchFlag.MatchContains)
            completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
            self.model.setCompleter(completer)

    def forget_key(self) -> None:
        """Empties the key field, as after the key was stored."""
        self.key.clear()

    def _cancel(self) -> None:
        self.forget_key()
        self.cancelled.emit()
