"""The list of passages that a search found says where else the same stands."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6")

from pytestqt.qtbot import QtBot

from vpa_desktop.records import OtherPlace, SearchReport, SearchResult, SearchWhy
from vpa_desktop.ui.documents.results import PassageList


def test_a_passage_that_other_documents_hold_too_names_them(qtbot: QtBot) -> None:
    shown = PassageList()
    qtbot.addWidget(shown)
    others = (OtherPlace("d2", "copy.pdf", "/home/copy.pdf", 3), OtherPlace("d3", "old.pdf", "/home/old.pdf", 1))
    one = SearchResult("d1", "lease.pdf", "/home/lease.pdf", "", 1, "", 1, 0.9, "The rent.", SearchWhy(1, 2))
    two = SearchResult("d1", "lease.pdf", "", "", 2, "", 2, 0.5, "The keys.", SearchWhy(2, None), also_in=others)
    shown.show_report(SearchReport("rent", 1.0, (one, two)))
    first, second = (shown.item(row).text().split("\n")[2] for row in range(2))
    assert not first.startswith("Also in")
    assert second.startswith("Also in copy.pdf, old.pdf")
