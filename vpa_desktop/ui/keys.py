"""The keys of the window, as one table, and the list of them that F1 shows. What they do is the window's business."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QPushButton, QVBoxLayout, QWidget

from vpa_desktop.ui.widgets import PlainLabel


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what the window calls it, the sequences, and the words for it."""

    action: str
    sequences: tuple[str, ...]
    words: str


KEYS: tuple[Key, ...] = (
    Key("new", ("Ctrl+N",), str(QT_TRANSLATE_NOOP("keys", "New conversation"))),
    Key("search", ("Ctrl+K",), str(QT_TRANSLATE_NOOP("keys", "Search all conversations"))),
    Key("find", ("Ctrl+F",), str(QT_TRANSLATE_NOOP("keys", "Find in this conversation"))),
    Key("model", ("Ctrl+Shift+M",), str(QT_TRANSLATE_NOOP("keys", "Choose provider and model"))),
    Key("regenerate", ("Ctrl+R",), str(QT_TRANSLATE_NOOP("keys", "Give the last answer anew"))),
    Key("export", ("Ctrl+E",), str(QT_TRANSLATE_NOOP("keys", "Export this conversation"))),
    Key("escape", ("Esc",), str(QT_TRANSLATE_NOOP("keys", "Stop the answer, or close what is open"))),
    Key("settings", ("Ctrl+,",), str(QT_TRANSLATE_NOOP("keys", "Settings"))),
    Key("tab1", ("Ctrl+1",), str(QT_TRANSLATE_NOOP("keys", "Chat"))),
    Key("tab2", ("Ctrl+2",), str(QT_TRANSLATE_NOOP("keys", "Documents"))),
    Key("tab3", ("Ctrl+3",), str(QT_TRANSLATE_NOOP("keys", "Dashboard"))),
    Key("tab4", ("Ctrl+4",), str(QT_TRANSLATE_NOOP("keys", "Settings"))),
    Key("larger", ("Ctrl+=", "Ctrl++"), str(QT_TRANSLATE_NOOP("keys", "Larger text"))),
    Key("smaller", ("Ctrl+-",), str(QT_TRANSLATE_NOOP("keys", "Smaller text"))),
    Key("sidebar", ("Ctrl+B",), str(QT_TRANSLATE_NOOP("keys", "Show or hide the sidebar"))),
    Key("help", ("F1",), str(QT_TRANSLATE_NOOP("keys", "This list"))),
    Key("manual", ("Shift+F1",), str(QT_TRANSLATE_NOOP("keys", "Help"))),
)
"""Every key the window itself listens to."""

WRITING: tuple[tuple[str, str], ...] = (
    ("Enter", str(QT_TRANSLATE_NOOP("keys", "Send the message"))),
    ("Shift+Enter", str(QT_TRANSLATE_NOOP("keys", "New line in the message"))),
    ("F2", str(QT_TRANSLATE_NOOP("keys", "Rename the conversation in the list"))),
    ("Del", str(QT_TRANSLATE_NOOP("keys", "Delete the conversation in the list"))),
    ("PgDown", str(QT_TRANSLATE_NOOP("keys", "Go on in the document that is open"))),
    ("+", str(QT_TRANSLATE_NOOP("keys", "Show the page larger"))),
)
"""Keys that belong to one control."""


class KeysDialog(QDialog):
    """The list of keys. ``manual_wanted`` comes when the whole help is asked for."""

    manual_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.addWidget(PlainLabel(self.tr("Keyboard shortcuts"), "heading"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(28)
        grid.setVerticalSpacing(6)
        listed = [(_native(key.sequences[0]), key.words) for key in KEYS] + [(_native(k), w) for k, w in WRITING]
        for row, (sequence, words) in enumerate(listed):
            grid.addWidget(PlainLabel(sequence, "chip"), row, 0, Qt.AlignmentFlag.AlignRight)
            grid.addWidget(PlainLabel(QCoreApplication.translate("keys", words)), row, 1)
        column.addLayout(grid)
        box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        box.rejected.connect(self.reject)
        manual = QPushButton(self.tr("Help"))
        manual.setAutoDefault(False)
        manual.clicked.connect(self.reject)
        manual.clicked.connect(self.manual_wanted)
        box.addButton(manual, QDialogButtonBox.ButtonRole.HelpRole)
        column.addWidget(box)


def _native(sequence: str) -> str:
    return QKeySequence(sequence).toString(QKeySequence.SequenceFormat.NativeText)
