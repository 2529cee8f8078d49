"""Marks the words that Ctrl+F found: selects them in their message and brings them into sight. Seeks in no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vpa_desktop.ui.chat.selection import Place

if TYPE_CHECKING:
    from PySide6.QtGui import QTextCursor

    from vpa_desktop.ui.chat.segments import Segment
    from vpa_desktop.ui.chat.transcript import Transcript

EDGE_PX: Final = 60
"""Found words are not left nearer than this to an edge."""


def mark_words(transcript: Transcript, number: int, words: str) -> None:
    """Selects the first place of ``words`` in a message, where it is shown as it was written."""
    transcript.selection.clear()
    for at, segment in enumerate(transcript.row(number).segments):
        found = segment.document.find(words)
        if not found.isNull():
            first, last = (Place(number, at, place) for place in (found.selectionStart(), found.selectionEnd()))
            transcript.selection.select(first, last)
            _bring_into_sight(transcript, number, segment, found)
            break
    transcript.viewport().update()


def _bring_into_sight(transcript: Transcript, number: int, segment: Segment, found: QTextCursor) -> None:
    line = segment.document.documentLayout().blockBoundingRect(found.block()).top()
    y = transcript.row_top(number) + round(segment.origin.y() + line)
    height, bar = transcript.viewport().height(), transcript.verticalScrollBar()
    if not EDGE_PX <= y <= height - EDGE_PX:
        bar.setValue(bar.value() + y - height // 3)
