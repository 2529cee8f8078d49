"""The keys of the window, as one table, and the list of them that F1 shows. What they do is the window's business."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, QSize, Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from vpa_desktop.ui.widgets import PlainLabel

LEAST_PX = 160
AROUND_PX = 80
SCREENFUL = 4_000


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
    Key("next_source", ("F3",), str(QT_TRANSLATE_NOOP("keys", "Next source, or next passage found"))),
    Key("previous_source", ("Shift+F3",), str(QT_TRANSLATE_NOOP("keys", "Previous source, or passage"))),
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
        self.setAccessibleName(self.tr("Keyboard shortcuts"))
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 12, 16)
        column.addWidget(PlainLabel(self.tr("Keyboard shortcuts"), "heading"))
        column.addWidget(self._list(), 1)
        box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        box.setContentsMargins(0, 8, 12, 0)
        box.rejected.connect(self.reject)
        manual = QPushButton(self.tr("Help"))
        manual.setAutoDefault(False)
        manual.clicked.connect(self.reject)
        manual.clicked.connect(self.manual_wanted)
        box.addButton(manual, QDialogButtonBox.ButtonRole.HelpRole)
        column.addWidget(box)
        self.resize(self.sizeHint().boundedTo(QSize(SCREENFUL, _room_px(self))))

    def _list(self) -> QScrollArea:
        """The keys and what they do, scrolled where the screen is low; the arrow keys scroll it."""
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(0, 0, 16, 0)
        grid.setHorizontalSpacing(28)
        grid.setVerticalSpacing(6)
        listed = [(_native(key.sequences[0]), key.words) for key in KEYS] + [(_native(k), w) for k, w in WRITING]
        for row, (sequence, words) in enumerate(listed):
            grid.addWidget(PlainLabel(sequence, "chip"), row, 0, Qt.AlignmentFlag.AlignRight)
            grid.addWidget(PlainLabel(QCoreApplication.translate("keys", words)), row, 1)
        area = _WholeArea()
        area.setWidget(body)
        area.setAccessibleName(self.tr("Keys"))
        area.setAccessibleDescription("; ".join(f"{sequence}: {words}" for sequence, words in listed))
        return area


class _WholeArea(QScrollArea):
    """Would like to show all that is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def sizeHint(self) -> QSize:
        """As large as what it shows, and the bar beside it."""
        bar = self.verticalScrollBar().sizeHint().width()
        body = self.widget()
        return body.sizeHint() + QSize(bar, 0) if body is not None else super().sizeHint()

    def minimumSizeHint(self) -> QSize:
        """As wide as what it shows, and a few lines high."""
        return QSize(self.sizeHint().width(), min(LEAST_PX, self.sizeHint().height()))


def _room_px(dialog: QWidget) -> int:
    """How high a dialog may be, so that the window's frame and a panel of the desktop stay in sight."""
    screen = dialog.screen()
    return screen.availableGeometry().height() - AROUND_PX if screen is not None else SCREENFUL


def _native(sequence: str) -> str:
    return QKeySequence(sequence).toString(QKeySequence.SequenceFormat.NativeText)
