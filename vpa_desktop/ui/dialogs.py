"""The few questions the window asks, each as a coroutine over an open (never a nested) dialog."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFileDialog, QInputDialog, QLabel, QLineEdit, QMessageBox, QWidget

from vpa_desktop.document_kinds import DOCUMENT_KINDS
from vpa_desktop.ui.tasks import ask


def question(parent: QWidget, title: str, text: str, detail: str, action: str, cancel: str) -> QMessageBox:
    """Builds a box that asks for one dangerous action; its default button is the harmless one."""
    box = QMessageBox(parent)
    box.setWindowTitle(title)
    box.setText(text)
    box.setInformativeText(detail)
    box.setIcon(QMessageBox.Icon.Warning)
    yes = box.addButton(action, QMessageBox.ButtonRole.DestructiveRole)
    yes.setObjectName("confirm")
    no = box.addButton(cancel, QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(no)
    box.setEscapeButton(no)
    return box


async def confirm(parent: QWidget, title: str, text: str, detail: str, action: str) -> bool:
    """Asks and returns True where the person chose the action. Texts are shown literally."""
    box = question(parent, title, text, detail, action, parent.tr("Cancel"))
    for label in box.findChildren(QLabel):
        label.setTextFormat(Qt.TextFormat.PlainText)
    chosen = box.findChild(QWidget, "confirm")
    await ask(box)
    return box.clickedButton() is chosen


async def choose_files(parent: QWidget, title: str) -> list[Path]:
    """Lets the person choose files of any kind; returns none where they cancelled."""
    return await _choose(QFileDialog(parent, title), QFileDialog.FileMode.ExistingFiles)


async def choose_documents(parent: QWidget, title: str) -> list[Path]:
    """Lets the person choose files that can be asked about, or others; returns none where they cancelled."""
    dialog = QFileDialog(parent, title)
    patterns = " ".join(f"*{suffix}" for kind in DOCUMENT_KINDS for suffix in kind.suffixes)
    dialog.setNameFilters([f"{parent.tr('Documents')} ({patterns})", parent.tr("All files (*)")])
    # Without the hundred endings behind the word.
    dialog.setOption(QFileDialog.Option.HideNameFilterDetails)
    return await _choose(dialog, QFileDialog.FileMode.ExistingFiles)


async def choose_file(parent: QWidget, title: str, pattern: str = "") -> list[Path]:
    """Lets the person choose one file, those of a pattern (*.gguf) first; returns none where they cancelled."""
    dialog = QFileDialog(parent, title)
    if pattern:
        dialog.setNameFilters([f"{pattern} ({pattern})", parent.tr("All files (*)")])
    return await _choose(dialog, QFileDialog.FileMode.ExistingFile)


async def choose_export(parent: QWidget, title: str) -> list[Path]:
    """Lets the person choose another program's export, or one of ours; returns none where they cancelled."""
    dialog = QFileDialog(parent, title)
    exports = parent.tr("Exports of conversations")
    dialog.setNameFilters([f"{exports} (*.json *.jsonl *.zip *.sqlite *.db)", parent.tr("All files (*)")])
    return await _choose(dialog, QFileDialog.FileMode.ExistingFile)


async def choose_folder(parent: QWidget, title: str) -> list[Path]:
    """Lets the person choose one folder; returns none where they cancelled."""
    return await _choose(QFileDialog(parent, title), QFileDialog.FileMode.Directory)


async def choose_new_file(parent: QWidget, title: str, name: str, kinds: dict[str, str]) -> Path | None:
    """Lets the person name a file to write, of one of these kinds (words to ending); None where they cancelled.

    The dialog itself asks before a file that is there is written over.
    """
    dialog = QFileDialog(parent, title)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    filters = {f"{words} (*{ending})": ending for words, ending in kinds.items()}
    dialog.setNameFilters(list(filters))
    first = next(iter(kinds.values()))
    dialog.setDefaultSuffix(first[1:])
    dialog.filterSelected.connect(lambda chosen: dialog.setDefaultSuffix(filters.get(chosen, first)[1:]))
    dialog.selectFile(name)
    chosen = await _choose(dialog, QFileDialog.FileMode.AnyFile)
    return chosen[0] if chosen else None


async def _choose(dialog: QFileDialog, mode: QFileDialog.FileMode) -> list[Path]:
    dialog.setFileMode(mode)
    result = await ask(dialog)
    return [Path(name) for name in dialog.selectedFiles()] if result == QDialog.DialogCode.Accepted else []


async def ask_text(parent: QWidget, title: str, label: str, text: str) -> str:
    """Asks for one line of text; returns an empty one where the person cancelled."""
    dialog = QInputDialog(parent)
    dialog.setWindowTitle(title)
    dialog.setLabelText(label)
    dialog.setTextValue(text)
    dialog.setMinimumWidth(420)
    for line in dialog.findChildren(QLineEdit):
        line.setAccessibleName(label)
    result = await ask(dialog)
    return dialog.textValue().strip() if result == QDialog.DialogCode.Accepted else ""
