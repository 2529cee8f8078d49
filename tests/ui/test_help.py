"""The help in the window: all sections of the README, searched by words, links followed inside."""

from __future__ import annotations

from PySide6.QtCore import Qt, QUrl
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from vpa_desktop.manual import read_topics
from vpa_desktop.ui.help import HelpDialog
from vpa_desktop.ui.keys import KeysDialog
from vpa_desktop.ui.main_window import MainWindow


async def opened(window: MainWindow) -> HelpDialog:
    QTest.keyClick(window, Qt.Key.Key_F1, Qt.KeyboardModifier.ShiftModifier)
    dialog = window.findChild(HelpDialog)
    assert dialog is not None
    return dialog


def titles(dialog: HelpDialog) -> list[str]:
    return [dialog.list.item(row).text().strip() for row in range(dialog.list.count())]


async def test_every_section_is_listed_and_read(window: MainWindow) -> None:
    dialog = await opened(window)
    sections = [topic for topic in read_topics() if topic.level > 1 and topic.text]
    assert titles(dialog) == [topic.title for topic in sections]
    for row, topic in enumerate(sections):
        dialog.list.setCurrentRow(row)
        assert dialog.page.toPlainText().startswith(topic.title)
    assert "<img" not in dialog.page.toHtml()
    dialog.close()


async def test_words_find_sections_and_none_is_said(window: MainWindow) -> None:
    dialog = await opened(window)
    QTest.keyClicks(dialog.search, "exit codes")
    assert titles(dialog) == ["Exit codes"]
    assert "a spending limit was reached" in dialog.page.toPlainText()
    dialog.search.setText("monthly limit")
    assert "Limits" in titles(dialog)[:1]
    dialog.search.setText("zebra crossing")
    assert titles(dialog) == []
    assert not dialog.nothing.isHidden()
    dialog.close()


async def test_a_link_to_a_section_leads_there_and_any_other_is_asked_about(window: MainWindow) -> None:
    dialog = await opened(window)
    dialog.search.setText("exit codes")
    dialog.page.anchorClicked.emit(QUrl("https://help.invalid/#limits"))
    assert dialog.page.toPlainText().startswith("Limits")
    asked: list[str] = []
    dialog.link_wanted.disconnect()
    dialog.link_wanted.connect(asked.append)
    dialog.page.anchorClicked.emit(QUrl("https://example.org/x"))
    assert asked == ["https://example.org/x"]
    dialog.close()


async def test_the_list_of_keys_leads_to_the_help(window: MainWindow) -> None:
    QTest.keyClick(window, Qt.Key.Key_F1)
    keys = window.findChild(KeysDialog)
    assert keys is not None
    button = next(each for each in keys.findChildren(QPushButton) if each.text() == "Help")
    button.click()
    dialog = window.findChild(HelpDialog)
    assert dialog is not None
    dialog.close()
