"""The panels beside the transcript: what they show, literally, and how they close."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from tests.ui.chat.sample import answer, citation
from vpa_desktop.evidence import Evidence, LeftOut, Quality
from vpa_desktop.messages import Attempt
from vpa_desktop.ui.chat import wording
from vpa_desktop.ui.chat.receipt import ReceiptPanel
from vpa_desktop.ui.chat.sources import SourcePanel


def words(panel: QFrame) -> list[str]:
    return [label.text() for label in panel.findChildren(QLabel) if label.text()]


def row(panel: SourcePanel, name: str) -> QPushButton:
    return next(each for each in panel.findChildren(QPushButton) if each.accessibleName().startswith(name))


def test_list_of_sources_lets_one_be_chosen(qtbot: QtBot) -> None:
    panel = SourcePanel()
    qtbot.addWidget(panel)
    panel.show_sources(answer(1, "x", citations=(citation(1), citation(2, page=9))))
    with qtbot.waitSignal(panel.citation_chosen, timeout=500) as caught:
        row(panel, "Source 2").click()
    assert caught.args == [2]
    panel.show_sources(answer(1, "x"))
    assert any("without passages" in text for text in words(panel))


def test_a_source_names_the_other_documents_that_say_the_same(qtbot: QtBot) -> None:
    panel = SourcePanel()
    qtbot.addWidget(panel)
    panel.show_sources(answer(1, "x", citations=(replace(citation(1), also_in=("b.pdf", "c<b>.txt")),)))
    assert "Also in b.pdf, c<b>.txt" in words(panel)
    assert row(panel, "Source 1").accessibleName().endswith("Also in b.pdf, c<b>.txt")


LEFT_OUT = LeftOut("menu.pdf", 2, "", 0.2, "Soup of the day", "It is about something else.", "d2", 9)


def test_sources_say_what_was_searched_for_what_was_left_out_and_what_nothing_supports(qtbot: QtBot) -> None:
    quality = Quality(True, 0.7, 0.5, 0.5, 2, ("The chairman plays <b>golf</b>.",))
    panel = SourcePanel()
    qtbot.addWidget(panel)
    evidence = Evidence("and in 2022? (revenue)", (LEFT_OUT,), quality)
    panel.show_sources(answer(1, "x", citations=(citation(1),), evidence=evidence))
    shown = words(panel)
    assert "Searched for: and in 2022? (revenue)" in shown
    assert "The passages fit the question well  ·  1 of 2 statements are in them  ·  1 of 2 name their source." in shown
    assert "“The chairman plays <b>golf</b>.”" in shown
    with qtbot.waitSignal(panel.left_out_chosen, timeout=500) as caught:
        row(panel, "Not used: menu.pdf  p. 2. It is about something else.").click()
    assert caught.args == [LEFT_OUT]


def test_feedback_is_given_and_taken_back(qtbot: QtBot) -> None:
    panel = SourcePanel()
    qtbot.addWidget(panel)
    panel.show_sources(answer(1, "x", citations=(citation(1),)))
    given: list[str] = []
    panel.feedback_given.connect(given.append)
    for _ in range(2):
        content = panel._area.widget()
        assert content is not None
        next(b for b in content.findChildren(QToolButton) if b.accessibleName() == "This answer is wrong").click()
    assert given == ["bad", ""]


def test_what_documents_do_not_carry_is_said_under_the_answer() -> None:
    quality = Quality(True, 0.7, 1.0, 0.5, 2, ("The chairman plays golf.",))
    lines = wording.state_lines(answer(1, "x", evidence=Evidence(quality=quality)), has_text=True)
    assert [line.text for line in lines] == [
        "1 of 2 statements is not in the passages that were sent. Sources shows which."
    ]
    lines = wording.state_lines(answer(1, "x", evidence=Evidence(quality=Quality(False))), has_text=True)
    assert lines[0].text.startswith("Nothing in your documents fits this question")
    said_itself = answer(1, "x", model="extracts", evidence=Evidence(quality=Quality(False)))
    assert wording.state_lines(said_itself, has_text=True) == []


def test_receipt_lists_the_attempts(qtbot: QtBot) -> None:
    panel = ReceiptPanel()
    qtbot.addWidget(panel)
    attempts = (
        Attempt("openai", "gpt-5-mini", "failed", "It answered <b>503</b>.", 310.0),
        Attempt("local", "qwen", "ok", "", 2_100.0, 420.0, Decimal("0.0012")),
    )
    compared = {"first_choice": "openai", "first_choice_usd": Decimal("0.01"), "saved_usd": Decimal("0.002")}
    panel.show_receipt(answer(1, "x", attempts=attempts, ttft_ms=420.0, cost_usd=None, provider="local", **compared))
    shown = words(panel)
    assert "It answered <b>503</b>." in shown
    assert "Failed after 310 ms" in shown
    assert "Answered after 2.1 s" in shown
    assert shown[shown.index("First token") + 1] == "420 ms"
    assert shown[shown.index("Price") + 1] == "price unknown"
    assert "First token after 420 ms  ·  $0.0012" in shown
    assert shown[shown.index("Saved by the cache") + 1] == "$0.0020"
    would = "Answered by local, at a price that is not known; openai, your first choice, would have cost $0.0100."
    assert would in shown
    named = [frame.accessibleName() for frame in panel.findChildren(QFrame) if frame.accessibleName()]
    assert "Attempt 1, openai  ·  gpt-5-mini: failed after 310 ms: It answered <b>503</b>." in named
    assert "Attempt 2, local  ·  qwen: answered after 2.1 s, first token after 420 ms, $0.0012" in named
    focusable = [
        f.accessibleName() for f in panel.findChildren(QFrame) if f.focusPolicy() == Qt.FocusPolicy.StrongFocus
    ]
    assert would in focusable


def test_panels_close_with_escape_and_with_their_button(qtbot: QtBot) -> None:
    panel = ReceiptPanel()
    qtbot.addWidget(panel)
    panel.show_receipt(answer(1, "x"))
    with qtbot.waitSignal(panel.closed, timeout=500):
        QTest.keyClick(panel, Qt.Key.Key_Escape)
    assert not panel.isVisible()
    panel.show_receipt(answer(1, "x"))
    with qtbot.waitSignal(panel.closed, timeout=500):
        panel.close_button.click()
    assert panel.close_button.accessibleName() == "Close route receipt"


def test_the_receipt_of_an_answer_from_the_cache_says_what_it_spared(qtbot: QtBot) -> None:
    panel = ReceiptPanel()
    qtbot.addWidget(panel)
    line = Attempt("openai_main", "gpt-6-luna", "cached", "Given again from the cache, saved $0.0021 and 3.4 s", 0.2)
    record = answer(2, "Hello.", attempts=(line,), cost_usd=Decimal(), latency_ms=0.2)
    panel.show_receipt(record)
    shown = words(panel)
    assert "Not asked again" in shown
    assert "Given again from the cache, saved $0.0021 and 3.4 s" in shown
    assert shown[shown.index("Price") + 1] == "from the cache"
    assert wording.cost(record).endswith("from the cache")
