"""The rows about kept answers: whether, how long and how many, and a button that forgets them. Knows no backend."""

from __future__ import annotations

from PySide6.QtWidgets import QPushButton

from vpa_desktop.ui.settings.form import FormPage, Row
from vpa_desktop.ui.widgets import ChoiceBox, PlainLabel
from vpa_desktop.ui.wording import whole

HOUR_S = 3_600.0


class KeptAnswersRow(Row):
    """Says how many answers are kept, and offers to forget them."""

    def __init__(self) -> None:
        self.button = QPushButton(self.tr("Forget kept answers"))
        super().__init__(self.tr("Forget kept answers"), self.tr("Counting…"), self.button)
        self.button.setEnabled(False)

    def show_count(self, count: int) -> None:
        """Says how many there are now."""
        words = {0: self.tr("None is kept."), 1: self.tr("One is kept.")}.get(count)
        self.set_hint(words or self.tr("{0} are kept.").format(whole(count)))
        self.button.setEnabled(count > 0)


class FormWithCache(FormPage):
    """A page that has the rows about kept answers; ``kept`` is the one with the button."""

    kept: KeptAnswersRow

    def cache_rows(self) -> None:
        """Adds the rows."""
        self.column.addSpacing(18)
        self.column.addWidget(PlainLabel(self.tr("Cache"), "strong"))
        lead = self.tr("The same question, with the same history and passages, is not paid for twice.")
        self.column.addWidget(PlainLabel(lead, "dim", wraps=True))
        self.switch(
            "cache.enabled",
            self.tr("Keep answers"),
            self.tr("On this computer only. Never those of temporary chats, and never ones with masked secrets."),
            lambda s: s.cache.enabled,
        )
        self._kept_for()
        self.number(
            "cache.max_entries",
            self.tr("At most"),
            self.tr("Answers; past this those longest out of use go first."),
            (0, 1_000_000),
            lambda s: s.cache.max_entries,
            step=100,
        )
        self.kept = KeptAnswersRow()
        self._add("cache.kept", self.kept)

    def _kept_for(self) -> None:
        box = ChoiceBox()
        box.setMinimumWidth(220)
        for words, hours in (
            (self.tr("An hour"), 1),
            (self.tr("A day"), 24),
            (self.tr("A week"), 7 * 24),
            (self.tr("30 days"), 30 * 24),
            (self.tr("A year"), 365 * 24),
        ):
            box.addItem(words, hours * HOUR_S)
        row = self._add("cache.ttl_s", Row(self.tr("Keep for"), self.tr("An older answer is asked for anew."), box))
        box.activated.connect(lambda _: self._put(row, "cache.ttl_s", box.currentData()))

        def fill(ttl_s: float) -> None:
            if box.findData(ttl_s) < 0:  # as settings.toml has it
                box.addItem(self.tr("{0} hours").format(f"{ttl_s / HOUR_S:g}"), ttl_s)
            box.setCurrentIndex(box.findData(ttl_s))

        self._readers.append(lambda settings: fill(settings.cache.ttl_s))
