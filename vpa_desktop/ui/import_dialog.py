"""The dialog of an import of conversations: how far it is, what came of it, or why nothing did. It imports nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from vpa_desktop.ui.announcing import announce
from vpa_desktop.ui.chat.markdown import visible
from vpa_desktop.ui.widgets import ElidedLabel, PlainLabel
from vpa_desktop.ui.wording import tr, whole

if TYPE_CHECKING:
    from vpa_desktop.assistant.archive_desk import Imported
    from vpa_desktop.errors import VPAError

WIDTH_PX = 460


class ImportDialog(QDialog):
    """Shows one import. ``stop_wanted`` comes when the person cancels it or closes the dialog while it runs."""

    stop_wanted = Signal()

    def __init__(self, parent: QWidget, name: str) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Import conversations"))
        self.setAccessibleName(self.tr("Import conversations"))
        self.setFixedWidth(WIDTH_PX)
        self._is_running = True
        self._heading = PlainLabel(self.tr("Importing conversations"), "heading")
        self._file = ElidedLabel(visible(name), "dim")
        self._bar = QProgressBar()
        self._bar.setAccessibleName(self.tr("Progress of the import"))
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 0)
        self._said = PlainLabel(self.tr("Reading the file…"), wraps=True)
        self._button = QPushButton(self.tr("Cancel"))
        self._button.clicked.connect(self.reject)
        row = QHBoxLayout()
        row.addStretch()
        row.addWidget(self._button)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 18)
        column.setSpacing(10)
        for widget in (self._heading, self._file, self._bar, self._said):
            column.addWidget(widget)
        column.addSpacing(4)
        column.addLayout(row)

    def reject(self) -> None:
        """Cancels the import where it runs, and closes."""
        if self._is_running:
            self._is_running = False
            self.stop_wanted.emit()
        super().reject()

    def show_progress(self, done: int, total: int) -> None:
        """Says how many conversations have been looked at."""
        self._bar.setRange(0, max(1, total))
        self._bar.setValue(done)
        self._said.setText(self.tr("{0} of {1} conversations").format(whole(done), whole(total)))

    def show_result(self, done: Imported) -> None:
        """Says what came of it."""
        heading = self.tr("Conversations imported") if done.new or done.messages else self.tr("Nothing new to import")
        self._end(heading, "\n".join(told(done)))

    def show_error(self, error: VPAError) -> None:
        """Says why nothing was taken in."""
        self._end(self.tr("Nothing was imported"), visible(str(error)))

    def text(self) -> str:
        """Returns the words shown."""
        return f"{self._heading.text()}\n{self._said.text()}"

    def _end(self, heading: str, said: str) -> None:
        self._is_running = False
        self._heading.setText(heading)
        self._said.setText(said)
        self._bar.hide()
        self._button.setText(self.tr("Close"))
        self._button.setFocus()
        self.setAccessibleDescription(said)
        self.adjustSize()
        announce(self, f"{heading}. {said}")


def told(done: Imported) -> list[str]:
    """Returns what came of an import in sentences; of what is not there nothing is said."""
    new = tr("1 new conversation") if done.new == 1 else tr("{0} new conversations").format(whole(done.new))
    messages = tr("1 message") if done.messages == 1 else tr("{0} messages").format(whole(done.messages))
    lines = [tr("{0} from {1}, {2} added.").format(new, done.program, messages)]
    if known := done.conversations - done.new:
        one = known == 1
        lines.append(tr("1 was here already.") if one else tr("{0} were here already.").format(whole(known)))
    if done.empty:
        one = done.empty == 1
        lines.append(
            tr("1 conversation has no words in it and stayed out.")
            if one
            else tr("{0} conversations have no words in them and stayed out.").format(whole(done.empty))
        )
    return lines
