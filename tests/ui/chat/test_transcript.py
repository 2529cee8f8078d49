"""The transcript as a person meets it: streaming, scrolling, selecting, clicking, keys."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QGuiApplication, QImage, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.ui.chat.conftest import settle
from tests.ui.chat.sample import DATES, LONG, PENALTY, answer, citation, contract, conversation, grab, message
from vpa_desktop.messages import Attempt, Seam, Usage
from vpa_desktop.ui.chat import wording
from vpa_desktop.ui.chat.flow import KEPT_ROWS
from vpa_desktop.ui.chat.painting import within
from vpa_desktop.ui.chat.receipt import figures
from vpa_desktop.ui.chat.rows import Action, Zone
from vpa_desktop.ui.chat.transcript import Transcript
from vpa_desktop.ui.theme import DARK, LIGHT, text_font


def texts(view: Transcript, number: int) -> list[str]:
    return [segment.document.toPlainText() for segment in view.row(number).segments]


def zone(view: Transcript, number: int, action: Action) -> Zone:
    found = view.row(number).zone(action)
    assert found is not None
    return found


def click(view: Transcript, number: int, point: QPointF) -> None:
    place = QPoint(round(point.x()), round(point.y()) + view.row_top(number))
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)


def drag(view: Transcript, start: QPoint, end: QPoint) -> None:
    port = view.viewport()
    QTest.mousePress(port, Qt.MouseButton.LeftButton, pos=start)
    move = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(end),
        QPointF(port.mapToGlobal(end)),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(port, move)
    QTest.mouseRelease(port, Qt.MouseButton.LeftButton, pos=end)


def key(view: Transcript, which: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(view, which, modifier)


CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.mark.parametrize("size", [1, 7, 400])
def test_streamed_answer_equals_the_loaded_one(view: Transcript, qtbot: QtBot, size: int) -> None:
    whole = f"{LONG}\n\n{PENALTY}\n\n{DATES}"
    view.set_messages([message(0, "user", "q")])
    view.begin_answer(message(1, "assistant", "", state="streaming"))
    for at in range(0, len(whole), size):
        view.feed("m1", whole[at : at + size])
        if size > 1 or at % 50 == 0:
            view.flush()
    view.flush()
    streamed = texts(view, 1)
    view.finish_answer(answer(1, whole))
    loaded = Transcript()
    qtbot.addWidget(loaded)
    loaded.resize(900, 700)
    loaded.set_messages([answer(1, whole)])
    loaded.show()
    settle()
    assert streamed == texts(view, 1) == texts(loaded, 0)
    assert view.row(1).height == loaded.row(0).height


def test_pieces_show_without_a_flush(view: Transcript, qtbot: QtBot) -> None:
    view.begin_answer(message(1, "assistant", "", state="streaming"))
    assert [line.text for line in view.row(0).lines] == ["Thinking…"]
    view.feed("m1", "Hello")
    view.feed("m1", " there")
    qtbot.waitUntil(lambda: texts(view, 0) == ["Hello there"], timeout=1_000)


def test_late_and_foreign_pieces_change_nothing(view: Transcript) -> None:
    view.set_messages([answer(1, "whole")])
    view.feed("m1", " more")
    view.feed("other", "x")
    view.flush()
    assert texts(view, 0) == ["whole"]


def test_states_are_said_in_words(view: Transcript) -> None:
    states = [
        (answer(1, "half", state="stopped"), "You stopped this answer."),
        (answer(2, "half", state="interrupted"), "This answer was interrupted before its end."),
        (answer(3, "", state="failed", error="The key was refused."), "The key was refused."),
        (answer(4, "", state="done"), "The model gave an empty answer."),
    ]
    view.set_messages([record for record, _ in states])
    for number, (_, words) in enumerate(states):
        assert words in [line.text for line in view.row(number).lines]


def test_seam_is_shown_where_the_answer_broke(view: Transcript) -> None:
    view.begin_answer(message(1, "assistant", "", state="streaming"))
    view.feed("m1", "One.\n\nTwo bro")
    view.add_seam("m1", Seam("openai", "local", "The connection was lost."))
    view.feed("m1", "ken.\n\nThree.\n\nFour.\n\n")
    view.finish_answer(answer(1, "One.\n\nTwo broken.\n\nThree.\n\nFour."))
    row = view.row(0)
    assert [line.text for line in row.lines] == ["Continued by local, because the connection was lost."]
    tops = [segment.rect.top() for segment in row.body]
    assert tops[1] < row.lines[0].rect.top() < tops[2]


def test_an_answer_that_begins_anew_shows_the_reason_and_only_the_new_text(view: Transcript) -> None:
    view.begin_answer(message(1, "assistant", "", state="streaming"))
    view.feed("m1", "The first half")
    view.add_seam("m1", Seam("openai", "local", "The connection was lost.", restarts=True))
    view.feed("m1", "The whole answer.")
    view.flush()
    assert texts(view, 0) == ["The whole answer."]
    assert view.messages[0].content == "The whole answer."
    seam, *_ = view.row(0).lines
    assert seam.text == "Begun anew by local, because the connection was lost."
    assert seam.rect.bottom() <= view.row(0).segments[0].rect.top()


def test_seam_of_a_stored_answer_is_told_from_its_attempts(view: Transcript) -> None:
    attempts = (Attempt("openai", "gpt", "interrupted", "The connection was lost."), Attempt("local", "qwen", "ok"))
    view.set_messages([answer(1, "One. Two.", attempts=attempts)])
    assert [line.text for line in view.row(0).lines] == ["Continued by local, because the connection was lost."]


def test_bottom_sticks_and_lets_go(view: Transcript) -> None:
    view.set_messages(conversation(40))
    settle()
    bar = view.verticalScrollBar()
    assert bar.value() == bar.maximum() > 1_000
    view.begin_answer(message(99, "assistant", "", state="streaming"))
    view.feed("m99", "line\n\n" * 30)
    view.flush()
    settle()
    assert bar.value() == bar.maximum()
    key(view, Qt.Key.Key_Home)
    settle()
    assert bar.value() == 0
    view.feed("m99", "line\n\n" * 30)
    view.flush()
    settle()
    assert bar.value() == 0
    key(view, Qt.Key.Key_End)
    view.feed("m99", "line\n\n" * 30)
    view.flush()
    settle()
    assert bar.value() == bar.maximum()


def test_reading_place_stays_while_an_answer_grows(view: Transcript) -> None:
    view.set_messages(conversation(40))
    settle()
    view.verticalScrollBar().setValue(view.verticalScrollBar().maximum() // 2)
    settle()
    number, _ = view.row_at(300)
    top = view.row_top(number)
    view.begin_answer(message(99, "assistant", "", state="streaming"))
    view.feed("m99", PENALTY)
    view.flush()
    settle()
    assert view.row_top(number) == top


def test_only_what_shows_is_laid_out(view: Transcript) -> None:
    view.set_messages(conversation(3_000))
    settle()
    assert len(view.flow.laid_out) < 30
    for value in range(0, 60_000, 900):
        view.verticalScrollBar().setValue(value)
        settle()
    assert len(view.flow.laid_out) <= KEPT_ROWS


def test_selection_across_messages(view: Transcript) -> None:
    view.set_messages(
        [
            message(0, "user", "alpha one"),
            answer(1, "beta `two`\n\n```py\nx = 1\n```\n\nend"),
            message(2, "user", "gamma"),
        ]
    )
    settle()
    left, width = view.column()
    drag(view, QPoint(int(left), view.row_top(0) + 4), QPoint(int(left + width), view.row_top(2) + 40))
    key(view, Qt.Key.Key_C, CTRL)
    assert QGuiApplication.clipboard().text() == "alpha one\n\nbeta two\nx = 1\nend\n\ngamma"


def test_a_table_is_copied_with_tabs(view: Transcript) -> None:
    view.set_messages([answer(1, "| a | b |\n|--|--|\n| 1 | two words |"), message(2, "user", "end")])
    settle()
    left, width = view.column()
    drag(view, QPoint(int(left), view.row_top(0) + 2), QPoint(int(left + width), view.row_top(1) + 40))
    key(view, Qt.Key.Key_C, CTRL)
    assert QGuiApplication.clipboard().text() == "a\tb\n1\ttwo words\n\nend"


def test_select_all_copies_the_source_without_laying_out(view: Transcript) -> None:
    records = conversation(500)
    view.set_messages(records)
    settle()
    made = len(view.flow.laid_out)
    key(view, Qt.Key.Key_A, CTRL)
    key(view, Qt.Key.Key_C, CTRL)
    assert QGuiApplication.clipboard().text() == "\n\n".join(record.content for record in records)
    assert len(view.flow.laid_out) == made


def test_link_is_emitted_and_not_opened(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([answer(1, "[docs](https://example.org/a)")])
    settle()
    with qtbot.waitSignal(view.link_activated, timeout=500) as caught:
        click(view, 0, view.row(0).body[0].origin + QPointF(10, 16))
    assert caught.args == ["https://example.org/a"]


def test_citation_chips_and_marks_are_clickable(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([answer(1, "[2] and [1] say so.", citations=(citation(1), citation(2, page=9), citation(3)))])
    settle()
    chips = [each for each in view.row(0).zones if each.action == "cite"]
    assert [chip.label for chip in chips] == [
        "Source 1: supplier-contract.pdf, page 4",
        "Source 2: supplier-contract.pdf, page 9",
    ]
    with qtbot.waitSignal(view.citation_clicked, timeout=500) as caught:
        click(view, 0, chips[1].rect.center())
    assert caught.args == ["m1", 2]
    with qtbot.waitSignal(view.citation_clicked, timeout=500) as caught:
        click(view, 0, view.row(0).body[0].origin + QPointF(9, 16))
    assert caught.args == ["m1", 2]


def test_a_source_is_shortened_where_it_has_little_room(view: Transcript) -> None:
    metrics = QFontMetricsF(text_font(12))
    name, page = "KG-RAG-2022-annual-performance-report.pdf", "p. 117"
    for room in (120.0, 180.0, 240.0, 1_000.0):
        short, where = within(name, page, metrics, room)
        assert where == page
        assert short.endswith("f")
        assert metrics.horizontalAdvance(short) + 8 + metrics.horizontalAdvance(where) <= room
    long = "A case study of model inference"
    assert within("a.html", long, metrics, 150.0)[0] == "a.html"
    assert within("a.html", long, metrics, 150.0)[1].endswith("…")


def test_an_answer_that_names_no_source_shows_all_that_were_sent(view: Transcript) -> None:
    view.set_messages([answer(1, "It says so.", citations=(citation(1), citation(2)))])
    settle()
    assert [each.number for each in view.row(0).zones if each.action == "cite"] == [1, 2]


def test_citations_may_come_while_streaming(view: Transcript) -> None:
    view.begin_answer(message(1, "assistant", "", state="streaming"))
    view.feed("m1", "First.\n\nAs said [1] and ")
    view.set_citations("m1", [citation(1)])
    view.feed("m1", "so on [1].")
    view.flush()
    assert texts(view, 0) == ["First.", "As said [1] and so on [1]."]
    assert view.row(0).body[1].document.toHtml().count("vpa:cite/1") == 2


def test_code_copy(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([answer(1, "```python\nprint(1)\n```")])
    settle()
    with qtbot.waitSignal(view.code_copied, timeout=500):
        click(view, 0, zone(view, 0, "code").rect.center())
    assert QGuiApplication.clipboard().text() == "print(1)"


def test_code_in_a_list_can_be_copied(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([answer(1, "1. run\n\n   ```bash\n   vpa check\n   ```")])
    settle()
    segment = view.row(0).body[0]
    width = segment.document.size().width()
    spots = (segment.origin + QPointF(width - 20, y) for y in range(4, 90, 3))
    spot = next(point for point in spots if segment.link_at(point) == "vpa:copy/0")
    with qtbot.waitSignal(view.code_copied, timeout=500) as caught:
        click(view, 0, spot)
    assert caught.args == ["vpa check"]


def test_buttons_emit(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages(contract())
    settle()
    signals = {
        "copy": view.copy_requested,
        "regenerate": view.regenerate_requested,
        "sources": view.sources_requested,
        "receipt": view.receipt_requested,
    }
    names: tuple[Action, ...] = ("copy", "regenerate", "sources", "receipt")
    for name in names:
        with qtbot.waitSignal(signals[name], timeout=500) as caught:
            click(view, 3, zone(view, 3, name).rect.center())
        assert caught.args == ["m3"]


def test_keys(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages(contract())
    settle()
    key(view, Qt.Key.Key_Up)
    assert view.current == 3
    for which, signal in (
        (Qt.Key.Key_C, view.copy_requested),
        (Qt.Key.Key_R, view.regenerate_requested),
        (Qt.Key.Key_Return, view.sources_requested),
        (Qt.Key.Key_T, view.receipt_requested),
    ):
        with qtbot.waitSignal(signal, timeout=500) as caught:
            key(view, which)
        assert caught.args == ["m3"]
    key(view, Qt.Key.Key_Up)
    with qtbot.waitSignal(view.copy_requested, timeout=500) as caught:
        key(view, Qt.Key.Key_C)
    assert caught.args == ["m2"]
    key(view, Qt.Key.Key_Down)
    key(view, Qt.Key.Key_Right)
    key(view, Qt.Key.Key_Right)
    with qtbot.waitSignal(view.citation_clicked, timeout=500) as clicked:
        key(view, Qt.Key.Key_Return)
    assert clicked.args == ["m3", 2]


def test_current_message_has_a_visible_ring(view: Transcript, tmp_path: Path) -> None:
    view.set_messages(contract())
    settle()
    before = view.grab().toImage()
    view.setFocus()
    view.make_current(3)
    settle()
    if not view.hasFocus():
        pytest.skip("the platform gives no focus")
    assert view.grab().toImage() != before


def test_unknown_price_is_never_zero(view: Transcript) -> None:
    from vpa_desktop.ui.chat import wording

    assert "price unknown" in wording.cost(answer(1, "x", cost_usd=None))
    assert "free" in wording.cost(answer(1, "x", cost_usd=Decimal(0)))
    assert wording.cost(answer(1, "x")) == "1,842 tokens  ·  $0.0031  ·  2.4 s"
    assert wording.cost(message(1, "assistant", "x")) == ""


def test_reasoning_opens_and_closes(view: Transcript) -> None:
    view.set_messages([answer(1, "So.", reasoning="Because of *this*.")])
    settle()
    assert texts(view, 0) == ["So."]
    click(view, 0, zone(view, 0, "reasoning").rect.center())
    assert texts(view, 0) == ["Because of this.", "So."]
    click(view, 0, zone(view, 0, "reasoning").rect.center())
    assert texts(view, 0) == ["So."]


def test_regenerated_answer_streams_in_its_place(view: Transcript) -> None:
    view.set_messages([message(0, "user", "q"), answer(1, "old")])
    view.begin_answer(message(1, "assistant", "", state="streaming"))
    view.feed("m1", "new")
    view.flush()
    assert len(view.messages) == 2
    assert texts(view, 1) == ["new"]


def test_right_to_left_text_stands_right(view: Transcript) -> None:
    view.set_messages([answer(1, "مرحبا بالعالم"), answer(2, "hello")])
    settle()
    arabic = view.row(0).body[0].document.firstBlock().layout().lineAt(0).naturalTextRect()
    latin = view.row(1).body[0].document.firstBlock().layout().lineAt(0).naturalTextRect()
    assert arabic.left() > 300
    assert latin.left() < 5


def test_theme_and_scale_change_the_picture(view: Transcript) -> None:
    view.set_messages(contract())
    settle()
    height = view.heights.total
    view.set_theme(DARK)
    settle()
    assert view.viewport().grab().toImage().pixelColor(2, 2).name() == DARK.bg
    view.set_text_scale(1.5)
    settle()
    assert view.heights.total > height
    view.set_theme(LIGHT)
    settle()
    assert view.viewport().grab().toImage().pixelColor(2, 2).name() == LIGHT.bg


def test_theme_may_change_while_streaming(view: Transcript) -> None:
    view.begin_answer(message(1, "assistant", "", state="streaming"))
    view.feed("m1", "One.\n\nTwo.\n\nThr")
    view.flush()
    view.set_theme(DARK)
    view.feed("m1", "ee.")
    view.flush()
    assert texts(view, 0) == ["One.", "Two.", "Three."]


def test_person_text_is_shown_as_typed(view: Transcript) -> None:
    typed = "**not bold** <b>x</b>\n  indented\n\n[l](https://e.org)"
    view.set_messages([message(0, "user", typed)])
    settle()
    assert texts(view, 0) == [typed]


def test_bombs_are_painted_in_bounded_time(view: Transcript) -> None:
    import time

    from tests.ui.chat.test_markdown import BOMBS

    for name, text in BOMBS.items():
        start = time.process_time()
        view.set_messages([message(0, "user", text[:200_000]), answer(1, text)])
        settle()
        assert time.process_time() - start < 4, name


def test_grabs_in_both_themes(view: Transcript, tmp_path: Path) -> None:
    view.set_messages(contract())
    pictures = []
    for theme, name in ((LIGHT, "light"), (DARK, "dark")):
        view.set_theme(theme)
        pictures.append(QImage(str(grab(view, tmp_path / f"{name}.png"))))
    assert all(not picture.isNull() for picture in pictures)
    assert [picture.pixelColor(3, 3) for picture in pictures] == [QColor(LIGHT.bg), QColor(DARK.bg)]


def test_empty_state_paints_its_text(view: Transcript) -> None:
    blank = view.grab().toImage()
    view.set_empty_text("What can I help you with?\nAsk a question.")
    settle()
    assert view.grab().toImage() != blank
    view.append(message(0, "user", "hello"))
    assert len(view.messages) == 1
    view.append(replace(view.messages[0], content="hello again"))
    assert texts(view, 0) == ["hello again"]


def test_a_column_of_the_same_width_moves_with_the_window(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([message(0, "user", "Say hello."), answer(1, "Hello.")])
    view.resize(1300, 600)
    settle()
    before = view.row(0).bubble.right()
    view.resize(900, 600)
    settle()
    left, width = view.column()
    assert view.row(0).bubble.right() <= left + width < before


def test_an_answer_given_in_anothers_place_says_so() -> None:
    asked = (Attempt("openai", "gpt-5-mini", "failed", "It answered 503.", 310.0), Attempt("local", "qwen", "ok"))
    said = wording.spoken(answer(1, "x", provider="local", attempts=asked))
    assert said == "Assistant: x openai failed; local answered instead."
    assert wording.stood_in_for(answer(1, "x")) == ""


def test_tokens_that_were_not_reported_are_not_shown_as_the_price() -> None:
    shown = dict(figures(answer(1, "x", usage=Usage(), cost_usd=Decimal(0))))
    assert shown["Tokens"] == "not reported"
    assert shown["Price"] == "free"


@pytest.mark.parametrize(("reason", "said"), [("content_filter", "content filter"), ("continue", "not whole")])
def test_an_answer_that_ended_early_says_why(view: Transcript, reason: str, said: str) -> None:
    view.append(replace(answer(1, "Half of it"), finish_reason=reason))
    assert said in view.row(0).lines[-1].text
