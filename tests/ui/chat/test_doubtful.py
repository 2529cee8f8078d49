"""Statements that the passages do not have are underlined where they stand in the answer."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QTextCharFormat, QTextCursor, QTextDocument
from pytestqt.qtbot import QtBot

from tests.ui.chat.sample import answer, citation
from vpa_desktop.evidence import Evidence, Quality
from vpa_desktop.ui.chat.rows import Row
from vpa_desktop.ui.chat.segments import SegmentStyle
from vpa_desktop.ui.theme import LIGHT

pytestmark = pytest.mark.ui


def underlined(document: QTextDocument) -> str:
    found = ""
    cursor = QTextCursor(document)
    for at in range(document.characterCount() - 1):
        cursor.setPosition(at)
        cursor.movePosition(QTextCursor.MoveOperation.NextCharacter, QTextCursor.MoveMode.KeepAnchor)
        if cursor.charFormat().underlineStyle() == QTextCharFormat.UnderlineStyle.WaveUnderline:
            found += cursor.selectedText()
    return found


def row(text: str, *statements: str) -> Row:
    evidence = Evidence(quality=Quality(True, 0.7, 1.0, 0.5, 2, statements))
    return Row(answer(1, text, citations=(citation(1),), evidence=evidence), SegmentStyle(LIGHT))


def test_a_statement_is_underlined_with_its_citation_and_emphasis(qtbot: QtBot) -> None:
    made = row(
        "Good 🎉 news. The **chairman** plays [1] golf on Sundays [1]. More.", "The chairman plays golf on Sundays."
    )
    assert underlined(made.body[0].document) == "The chairman plays [1] golf on Sundays"


def test_only_the_paragraph_that_has_it_is_touched(qtbot: QtBot) -> None:
    made = row(
        "One true thing here.\n\nAnother false thing here.\n\n```\nAnother false thing here.\n```",
        "Another false thing here.",
    )
    assert [underlined(segment.document) for segment in made.body] == ["", "Another false thing here", ""]


def test_without_doubt_nothing_is_underlined(qtbot: QtBot) -> None:
    assert underlined(row("One true thing here.").body[0].document) == ""
