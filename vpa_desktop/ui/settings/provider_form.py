"""The form of one provider: a kind with only its own fields, a masked key, Test in words. It stores nothing itself."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLayout, QLineEdit, QPushButton, QSizePolicy, QWidget

from vpa_desktop.catalog import KINDS, PROVIDER_ID, LLMProvider, split_address
from vpa_desktop.errors import VPAError
from vpa_desktop.provider_fields import KEY, PRESETS, fields_of, key_page_of, preset_of, read_text, shown_text
from vpa_desktop.records import ProviderDraft, ProviderStatus, ProviderVerdict
from vpa_desktop.ui.settings.field_inputs import LEAST_PX, translated
from vpa_desktop.ui.settings.provider_rows import KindRows, add_row, grid
from vpa_desktop.ui.settings.verdict_line import VerdictLine
from vpa_desktop.ui.widgets import Card, ChoiceBox, PlainLabel, Switch, theme_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DRAFT_KEYS = (KEY, "model", "api_endpoint", "weight")
"""Fields that have a place of their own in a draft."""


class ProviderForm(Card):
    """Signals carry a ProviderDraft; the key is in it once and the field is emptied when it was stored."""

    save_wanted = Signal(object)
    test_wanted = Signal(object)
    models_wanted = Signal(object)
    stop_wanted = Signal()
    choose_wanted = Signal(object)
    link_wanted = Signal(str)
    cancelled = Signal()

    def __init__(self, kinds: Sequence[str] = ()) -> None:
        super().__init__(margins=20, spacing=12)
        self._status: ProviderStatus | None = None
        self._taken: frozenset[str] = frozenset()
        self._wrong: QWidget | None = None
        self._heading = PlainLabel("", "title")
        self.kind = ChoiceBox()
        self.kind.setAccessibleName(self.tr("Kind of provider"))
        self.kind.currentIndexChanged.connect(lambda _: self._show_kind())
        self.service = ChoiceBox()
        self.service.setAccessibleName(self.tr("Service"))
        self.service.addItem(self.tr("Another one"), "")
        for preset in PRESETS:
            self.service.addItem(preset.label, preset.id)
        for box in (self.kind, self.service):
            box.setMinimumWidth(LEAST_PX)
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.service.activated.connect(lambda _: self._use_service())
        self.name = QLineEdit()
        self.name.setAccessibleName(self.tr("Name"))
        self.name.setPlaceholderText(self.tr("a short name of your own, such as openai_main"))
        self.name.textChanged.connect(lambda _: self._edited(self.name))
        self.name.returnPressed.connect(lambda: self.save.click())
        self.default = Switch()
        self.default.setAccessibleName(self.tr("Ask this one first"))
        self._note = PlainLabel("", "dim", wraps=True)
        top = grid()
        add_row(top, self.tr("Kind"), self.kind)
        self._service_row = add_row(top, self.tr("Service"), self.service)
        add_row(top, self.tr("Name"), self.name)
        self.verdict = VerdictLine()
        self.verdict.stop_wanted.connect(self.stop_wanted)
        self.rows = KindRows(LLMProvider.OPENAI)
        self.column.addWidget(self._heading)
        self.column.addLayout(top)
        self.column.addWidget(self._note)
        self.column.addWidget(self.rows)
        foot = grid()
        add_row(foot, self.tr("Ask first"), self.default)
        self.column.addLayout(foot)
        self.column.addLayout(self._buttons())
        self.column.addWidget(self.verdict)
        self.offer(kinds)

    def offer(self, kinds: Sequence[str]) -> None:
        """Says which kinds can be added."""
        self.kind.blockSignals(True)
        self.kind.clear()
        for kind in kinds:
            self.kind.addItem(KINDS[kind].label, kind)
        self.kind.blockSignals(False)
        if kinds:
            self.start()

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self.save = QPushButton(self.tr("Save"))
        self.save.setProperty("primary", True)
        self.save.clicked.connect(lambda: self._hand_over(self.save_wanted))
        self.test = QPushButton(self.tr("Test"))
        self.test.setAccessibleName(self.tr("Test this provider"))
        self.test.setToolTip(self.tr("Asks for its models and for one word of an answer, with what is typed in here"))
        self.test.clicked.connect(lambda: self._hand_over(self.test_wanted))
        cancel = QPushButton(self.tr("Cancel"))
        cancel.setProperty("ghost", True)
        cancel.setAccessibleName(self.tr("Cancel editing"))
        cancel.clicked.connect(self._cancel)
        for button in (self.save, self.test, cancel):
            row.addWidget(button)
        row.addStretch()
        return row

    @property
    def provider_id(self) -> str:
        """The provider that is changed; "" for a new one."""
        return "" if self._status is None else self._status.id

    @property
    def key(self) -> QLineEdit:
        """The line for the key."""
        return self.rows.line(KEY)

    @property
    def model(self) -> QLineEdit:
        """The line for the model."""
        return self.rows.line("model")

    @property
    def endpoint(self) -> QLineEdit:
        """The line for the address."""
        return self.rows.line("api_endpoint")

    def start(self, status: ProviderStatus | None = None, taken: frozenset[str] = frozenset()) -> None:
        """Empties the form for a new provider, or fills it with one that is there."""
        self._status, self._taken = status, taken
        self._heading.setText(self.tr("Add a provider") if status is None else self.tr("Change {0}").format(status.id))
        self.kind.setEnabled(status is None)
        self.name.setEnabled(status is None)
        self.kind.blockSignals(True)
        if status is not None and self.kind.findData(status.kind) < 0:
            self.kind.addItem(status.kind_label, status.kind)
        self.kind.setCurrentIndex(0 if status is None else self.kind.findData(status.kind))
        self.kind.blockSignals(False)
        self.name.setText("" if status is None else status.id)
        self.default.setChecked(status is not None and status.is_default)
        self._show_kind()

    def _show_kind(self) -> None:
        kind = str(self.kind.currentData())
        rows = KindRows(kind)
        rows.address_changed.connect(self._on_address)
        rows.link_wanted.connect(lambda: self.link_wanted.emit(self._key_page()))
        rows.choose_wanted.connect(self.choose_wanted)
        rows.load_wanted.connect(lambda: self._hand_over(self.models_wanted))
        for made in rows.inputs.values():
            made.changed.connect(partial(self._edited, made.control))
            if isinstance(made.control, QLineEdit):
                made.control.returnPressed.connect(lambda: self.save.click())
        self._edited(self._wrong)
        self.column.replaceWidget(self.rows, rows)
        self.rows.setParent(None)  # gone at once, for a screen reader too
        self.rows.deleteLater()
        self.rows = rows
        rows.show()
        for part in self._service_row:
            part.setVisible(kind == LLMProvider.OPENAI_COMPATIBLE)
        self._note.setText(self._words(kind))
        self._note.setVisible(bool(self._note.text()))
        if self._status is None:
            self.service.setCurrentIndex(0)
            self._suggest_name()
        else:
            rows.fill(self._stored(self._status))
        self._on_address()
        self._set_tab_order()
        self.verdict.clear()
        self.set_busy(False)

    def _stored(self, status: ProviderStatus) -> dict[str, str]:
        values = {key: shown_text(value) for key, value in status.options.items()}
        kind = KINDS[status.kind]
        own_address = status.endpoint != kind.default_endpoint or status.kind == LLMProvider.OPENAI_COMPATIBLE
        values["api_endpoint"] = status.endpoint if own_address else ""
        values["model"] = status.model if status.model != str(kind.default_model) else ""
        values["weight"] = "" if status.weight == 1.0 else shown_text(status.weight)
        return values

    def _words(self, kind: str) -> str:
        if kind == LLMProvider.LLAMA_CPP:
            return self.tr("Runs on this computer. The model that came with the program is a small demonstration.")
        if kind == LLMProvider.TRANSFORMERS:
            return self.tr("Runs on this computer. It needs torch and transformers; nothing is fetched.")
        if kind == LLMProvider.OLLAMA:
            return self.tr("A program of its own that runs models on this computer. It needs no key.")
        if kind == LLMProvider.MOCK:
            return self.tr("Answers with fixed text, for trying things out. It contacts nobody.")
        return ""

    def _on_address(self) -> None:
        preset = preset_of(self.rows.text("api_endpoint"))
        self.service.setCurrentIndex(max(0, self.service.findData(preset.id if preset is not None else "")))
        self.rows.key_page.setVisible(bool(self._key_page()))
        if KEY in self.rows.inputs:
            self.key.setPlaceholderText(self._key_hint())

    def _key_hint(self) -> str:
        if self._leaves_key():
            return self.tr("type the key for this address")
        if self._status is not None and self._status.key_source:
            return self.tr("a key is stored; type another to replace it")
        return self.tr("paste it here") if KINDS[self.rows.kind].needs_key else ""

    def _leaves_key(self) -> bool:
        """True where a key is stored, but for another host than the one typed in: it is not sent there."""
        if self._status is None or not self._status.key_source:
            return False
        old, new = split_address(self._status.endpoint), split_address(self.rows.address())
        return (old.scheme, old.hostname, old.port) != (new.scheme, new.hostname, new.port)

    def _key_page(self) -> str:
        return key_page_of(str(self.kind.currentData()), self.rows.text("api_endpoint"))

    def _use_service(self) -> None:
        chosen = next((p for p in PRESETS if p.id == self.service.currentData()), None)
        self.rows.inputs["api_endpoint"].set_text(chosen.endpoint if chosen is not None else "")
        if self._status is None:
            self._suggest_name(chosen.id if chosen is not None else "")

    def _suggest_name(self, wanted: str = "") -> None:
        kind = str(self.kind.currentData())
        base = {"openai": "openai_main", "anthropic": "anthropic_main", "openai_compatible": "endpoint"}.get(kind, kind)
        base = wanted or base
        n, name = 2, base
        while name in self._taken:
            name, n = f"{base}_{n}", n + 1
        self.name.setText(name)

    def _set_tab_order(self) -> None:
        before: QWidget | None = None
        for widget in _in_order(self.column):
            if widget.focusPolicy() == Qt.FocusPolicy.NoFocus:
                continue
            if before is not None:
                QWidget.setTabOrder(before, widget)
            before = widget

    # What is typed in

    def draft(self) -> ProviderDraft:
        """Returns what is typed in; raises VPAError where a field cannot be read."""
        kind = KINDS[str(self.kind.currentData())]
        values = {f.key: read_text(f, self.rows.text(f.key)) for f in fields_of(kind.kind) if f.key != KEY}
        typed = str(values.get("api_endpoint") or "").rstrip("/")
        is_usual = typed == kind.default_endpoint and kind.kind != LLMProvider.OPENAI_COMPATIBLE
        weight = values.get("weight")
        options = {key: value for key, value in values.items() if key not in DRAFT_KEYS}
        if not values.get("model"):
            options["model"] = None
        return ProviderDraft(
            id=self.name.text().strip(),
            kind=str(kind.kind),
            model=str(values.get("model") or kind.default_model),
            endpoint="" if is_usual else typed,
            key=self.rows.text(KEY) or None,
            enabled=self._status.enabled if self._status is not None else True,
            weight=1.0 if weight is None else float(weight),
            make_default=self.default.isChecked() and not (self._status is not None and self._status.is_default),
            options=options,
        )

    def _hand_over(self, signal: object) -> None:
        for field in fields_of(self.rows.kind):
            try:
                if field.key != KEY:
                    read_text(field, self.rows.text(field.key))
            except VPAError as error:
                self.complain(str(error), self.rows.inputs[field.key].control)
                return
        draft = self.draft()
        if problem := self._problem(draft):
            self.complain(*problem)
            return
        self._edited(self._wrong)
        if signal is self.save_wanted:
            self.say(self.tr("Saving…"))
        signal.emit(draft)  # type: ignore[attr-defined]

    def complain(self, words: str, control: QWidget | None = None) -> None:
        """Says what cannot stay, marks the field and goes there; the key's, where it is left at another host."""
        if control is None and self._leaves_key() and not self.rows.text(KEY):
            control = self.key
        self._edited(self._wrong)
        self.say(words, good=False)
        if control is not None:
            self._wrong = control
            self.rows.reveal(control)
            control.setStyleSheet(f"border: 1px solid {theme_now().danger};")
            control.setFocus(Qt.FocusReason.OtherFocusReason)

    def _edited(self, control: QWidget | None) -> None:
        """Takes the mark away from the field that was wrong, and the words about it."""
        if control is not None and control is self._wrong:
            self._wrong = None
            control.setStyleSheet("")
            self.verdict.clear()

    def _problem(self, draft: ProviderDraft) -> tuple[str, QWidget] | None:
        if not PROVIDER_ID.fullmatch(draft.id):
            words = self.tr("The name can have letters, digits, - and _, and begins with a letter or digit.")
            return words, self.name
        if self._status is None and draft.id in self._taken:
            words = self.tr("There is already a provider named {0}. Choose another name.").format(draft.id)
            return words, self.name
        for field in fields_of(draft.kind):
            if field.required and field.key != KEY and not self.rows.text(field.key):
                words = self.tr("“{0}” is empty. {1}.").format(translated(field.label), translated(field.hint))
                return words, self.rows.inputs[field.key].control
        if draft.endpoint and not draft.endpoint.startswith(("http://", "https://")):
            return self.tr("The address begins with https:// (or http:// on this computer)."), self.endpoint
        return None

    # What came of it

    def set_busy(self, busy: bool) -> None:
        """Says that a test is running: there is one at a time."""
        had_focus = self.window().focusWidget() in (self.test, self.verdict.stop)
        if busy:
            self.verdict.wait_for(self.name.text().strip())
            if had_focus:
                self.verdict.stop.setFocus()
        self.test.setEnabled(not busy)
        self.save.setEnabled(not busy)
        if had_focus and not busy:
            self.test.setFocus()

    def say(self, words: str, *, good: bool | None = None) -> None:
        """Shows a result or a mistake in words."""
        self.verdict.say(words, good=good)

    def show_verdict(self, verdict: ProviderVerdict) -> None:
        """Shows the result of Test, and offers the models the provider named."""
        self.set_busy(False)
        if verdict.ok and self._leaves_key() and not self.rows.text(KEY):
            headline, advice = self.tr("It answers, but was not tested with a key."), self._key_hint()
            advice = f"{advice[:1].upper()}{advice[1:]}."
            verdict = replace(verdict, ok=False, reason="untested_key", headline=headline, advice=advice)
        self.verdict.show_verdict(verdict)
        self.show_models(verdict)

    def show_models(self, verdict: ProviderVerdict) -> None:
        """Offers the models a provider named."""
        made = self.rows.inputs.get("model")
        if made is not None and made.field.shape == "model":
            made.model.set_busy(False)
            if verdict.model_facts:
                made.model.offer(verdict.model_facts)

    def set_loading(self) -> None:
        """Says that the list of models is on its way."""
        made = self.rows.inputs.get("model")
        if made is not None and made.field.shape == "model":
            made.model.set_busy(True)

    def forget_key(self) -> None:
        """Empties the key field, as after the key was stored."""
        if KEY in self.rows.inputs:
            self.key.clear()

    def _cancel(self) -> None:
        self.forget_key()
        self.cancelled.emit()


def _in_order(layout: QLayout) -> Iterator[QWidget]:
    """Every widget of a layout and of those inside it, from top to bottom."""
    for n in range(layout.count()):
        item = layout.itemAt(n)
        if item is None:
            continue
        widget, inner = item.widget(), item.layout()
        if widget is not None:
            yield widget
            inner = widget.layout()
        if inner is not None:
            yield from _in_order(inner)
