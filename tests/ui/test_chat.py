"""The chat in the real window over a backend in memory: typing, streaming, stopping, failing, finding."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QToolButton

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend
from vpa_desktop.errors import ProviderUnavailable, StorageError
from vpa_desktop.messages import Citation
from vpa_desktop.page_views import Place
from vpa_desktop.records import MessageRecord, RouteChoice
from vpa_desktop.ui.chat.composer import Composer
from vpa_desktop.ui.chat.sources import SourcePanel
from vpa_desktop.ui.documents.viewer import ViewerPanel
from vpa_desktop.ui.main_window import MainWindow

pytestmark = pytest.mark.ui


def shown(window: MainWindow) -> list[MessageRecord]:
    """The messages the person sees."""
    window.chat.transcript.flush()
    return window.chat.transcript.messages


def is_idle(window: MainWindow) -> bool:
    """Whether Send is there again."""
    return not window.chat.composer.send.isHidden()


def titles(window: MainWindow) -> list[str]:
    """The titles in the list."""
    model = window.sidebar.conversations.model()
    return [str(model.index(row, 0).data()) for row in range(model.rowCount())]


def open_listed(window: MainWindow, title: str) -> None:
    """Chooses a conversation in the list."""
    model = window.sidebar.conversations.model()
    window.sidebar.conversations.setCurrentIndex(model.index(titles(window).index(title), 0))


async def answered(window: MainWindow, text: str) -> None:
    """Types a message, sends it with Enter and waits for the end of the answer."""
    QTest.keyClicks(window.chat.composer.edit, text)
    QTest.keyClick(window.chat.composer.edit, Qt.Key.Key_Return)
    await until(lambda: is_idle(window) and not window.presenter.chat.busy)


async def test_enter_sends_and_the_answer_is_shown_and_listed(window: MainWindow, backend: FakeBackend) -> None:
    await answered(window, "What is a breaker?")
    assert [(m.role, m.content) for m in shown(window)] == [
        ("user", "What is a breaker?"),
        ("assistant", "Hello **there**. This is the answer."),
    ]
    assert window.chat.composer.text() == ""
    await until(lambda: titles(window) == ["What is a breaker?"])
    assert window.chat.header.title() == "What is a breaker?"


async def test_shift_enter_makes_a_line_and_the_editor_grows_to_eight_lines(window: MainWindow) -> None:
    edit = window.chat.composer.edit
    low = edit.height()
    for _ in range(12):
        QTest.keyClicks(edit, "line")
        QTest.keyClick(edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert edit.toPlainText().count("\n") == 12
    assert low < edit.height() <= 9 * edit.fontMetrics().lineSpacing()
    assert not shown(window)


async def test_where_enter_makes_a_line_control_enter_sends(window: MainWindow, backend: FakeBackend) -> None:
    edit = window.chat.composer.edit
    edit.enter_sends = False
    QTest.keyClicks(edit, "one")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    assert not backend.requests
    QTest.keyClick(edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    await until(lambda: len(backend.requests) == 1)


async def test_text_shows_while_it_comes_and_stop_ends_it_at_once(window: MainWindow, backend: FakeBackend) -> None:
    backend.pause_s, backend.reply = 0.01, " ".join(f"word{n}" for n in range(500))
    window.chat.composer.set_text("Go on")
    window.chat.composer.send.click()
    await until(lambda: len(shown(window)) == 2 and "word3" in shown(window)[1].content)
    assert shown(window)[1].state == "streaming"
    window.chat.composer.stop.click()
    assert is_idle(window)
    assert shown(window)[1].state == "stopped"
    assert "word3" in shown(window)[1].content
    await until(lambda: backend.turns_closed == 1)


async def test_a_second_message_stops_the_answer_and_keeps_its_text(window: MainWindow, backend: FakeBackend) -> None:
    backend.pause_s, backend.reply = 0.01, " ".join(f"word{n}" for n in range(500))
    window.presenter.send("first")
    await until(lambda: len(shown(window)) == 2 and "word2" in shown(window)[1].content)
    backend.pause_s, backend.reply = 0.0, "second answer"
    window.presenter.send("second")
    await until(lambda: not window.presenter.chat.busy)
    assert [m.state for m in shown(window)] == ["done", "stopped", "done", "done"]
    assert shown(window)[3].content == "second answer"
    assert backend.requests[1].conversation_id == backend.requests[0].conversation_id or len(backend.conversations) == 1


async def test_a_failure_says_what_why_and_next_and_can_be_tried_again(
    window: MainWindow, backend: FakeBackend
) -> None:
    backend.fails = ProviderUnavailable("OpenAI does not answer", "The connection was refused", "Try again later")
    await answered(window, "Hello")
    failed = shown(window)[1]
    assert failed.state == "failed"
    assert failed.error == "OpenAI does not answer. The connection was refused. Try again later."
    backend.fails = None
    window.chat.transcript.regenerate_requested.emit(failed.id)
    await until(lambda: not window.presenter.chat.busy)
    assert [m.state for m in shown(window)] == ["done", "done"]
    assert backend.requests[1].regenerates == failed.id


async def test_control_r_gives_the_last_answer_anew(window: MainWindow, backend: FakeBackend) -> None:
    await answered(window, "Hello")
    backend.reply = "Another answer."
    QTest.keyClick(window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    await until(lambda: len(backend.requests) == 2 and not window.presenter.chat.busy)
    assert [m.content for m in shown(window)] == ["Hello", "Another answer."]
    assert backend.requests[1].regenerates is not None


async def test_an_earlier_answer_is_replaced_in_its_place(window: MainWindow, backend: FakeBackend) -> None:
    backend.add_conversation("Old", ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))
    window.desk.refresh()
    await until(lambda: titles(window) == ["Old"])
    open_listed(window, "Old")
    await until(lambda: len(shown(window)) == 4)
    backend.reply = "new b"
    window.presenter.regenerate(shown(window)[1].id)
    await until(lambda: len(backend.requests) == 1 and not window.presenter.chat.busy)
    assert [m.content for m in shown(window)] == ["a", "new b", "c", "d"]
    assert backend.requests[0].user_query == "a"


async def test_an_answer_goes_on_while_another_conversation_is_shown(window: MainWindow, backend: FakeBackend) -> None:
    backend.add_conversation("Old", ("user", "old question"), ("assistant", "old answer"), days_ago=1)
    window.desk.refresh()
    await until(lambda: "Old" in titles(window))
    backend.pause_s, backend.reply = 0.01, " ".join(f"word{n}" for n in range(60))
    window.presenter.send("A long story")
    await until(lambda: len(shown(window)) == 2 and "word2" in shown(window)[1].content)
    await until(lambda: "A long story" in titles(window))
    open_listed(window, "Old")
    await until(lambda: shown(window)[-1].content == "old answer")
    assert is_idle(window)
    open_listed(window, "A long story")
    await until(lambda: shown(window)[0].content == "A long story")
    assert "word2" in shown(window)[1].content
    await until(lambda: shown(window)[1].state == "done")
    assert shown(window)[1].content.endswith("word59")


async def test_a_draft_is_kept_for_each_conversation(window: MainWindow, backend: FakeBackend) -> None:
    backend.add_conversation("Old", ("user", "old question"))
    window.desk.refresh()
    await until(lambda: titles(window) == ["Old"])
    window.chat.composer.set_text("half a thought")
    open_listed(window, "Old")
    await until(lambda: bool(shown(window)))
    assert window.chat.composer.text() == ""
    QTest.keyClick(window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert window.chat.composer.text() == "half a thought"


async def test_the_choice_of_provider_and_documents_goes_into_the_request(
    window: MainWindow, backend: FakeBackend
) -> None:
    composer = window.chat.composer
    composer.documents.click()
    composer.picker.set_choices(
        [RouteChoice("", "", "Automatic", False, True), RouteChoice("local", "m", "L", True, True)]
    )
    composer.picker.open_popup()
    QTest.keyClick(composer.picker.popup.view, Qt.Key.Key_Down)
    QTest.keyClick(composer.picker.popup.view, Qt.Key.Key_Return)
    await answered(window, "Hello")
    request = backend.requests[0]
    assert (request.provider, request.model, request.use_rag) == ("local", "m", False)


async def test_a_citation_opens_its_document_at_the_page_with_the_passage_marked(
    window: MainWindow, backend: FakeBackend
) -> None:
    backend.citations = (Citation(1, "contract.pdf", "/c.pdf", "Contract", 4, "7.3", 0.9, "short text", "d1", 7),)
    await answered(window, "What is the penalty?")
    window.chat.transcript.citation_clicked.emit(shown(window)[1].id, 1)
    panel = window.chat.panel()
    assert isinstance(panel, ViewerPanel)
    await until(lambda: panel.view is not None)
    assert panel.heading.text() == "Source 1"
    assert backend.viewer.places == [(Place("d1", 4, 7, "short text"), None)]
    assert panel.canvas.accessibleName() == "Page 4 of 5, contract.pdf"
    assert panel.canvas.accessibleDescription() == "Marked: short text"
    window._escape()
    assert window.chat.panel() is None


async def test_sources_are_opened_by_keyboard_and_lead_back_to_the_list(
    window: MainWindow, backend: FakeBackend
) -> None:
    backend.citations = (
        Citation(1, "contract.pdf", "/c.pdf", "Contract", 4, "7.3", 0.9, "short text", "d1", 7),
        Citation(2, "annex.pdf", "/a.pdf", "Annex", 2, "", 0.8, "other text", "d2", 9),
    )
    await answered(window, "What is the penalty?")
    window.chat.transcript.sources_requested.emit(shown(window)[1].id)
    listed = window.chat.panel()
    assert isinstance(listed, SourcePanel)
    second = next(b for b in listed.findChildren(QPushButton) if b.accessibleName().startswith("Source 2"))
    QTest.keyClick(second, Qt.Key.Key_Space)
    panel = window.chat.panel()
    assert isinstance(panel, ViewerPanel)
    await until(lambda: panel.view is not None)
    assert backend.viewer.places[-1][0].document_id == "d2"
    back = next(b for b in panel.findChildren(QToolButton) if b.accessibleName() == "All sources")
    QTest.keyClick(back, Qt.Key.Key_Space)
    assert isinstance(window.chat.panel(), SourcePanel)


async def test_the_list_of_sources_goes_along_with_the_next_answer(window: MainWindow, backend: FakeBackend) -> None:
    backend.citations = (Citation(1, "contract.pdf", "/c.pdf", "Contract", 4, "", 0.9, "short text", "d1", 7),)
    await answered(window, "What is the penalty?")
    window.chat.transcript.sources_requested.emit(shown(window)[1].id)
    backend.citations = (Citation(1, "annex.pdf", "/a.pdf", "Annex", 2, "", 0.8, "other text", "d2", 9),)
    window.chat.composer.edit.setFocus()
    await answered(window, "And the bonus?")
    listed = window.chat.panel()
    assert isinstance(listed, SourcePanel)
    names = [b.accessibleName() for b in listed.findChildren(QPushButton)]
    assert "Source 1: annex.pdf, page 2" in names
    assert not any("contract.pdf" in name for name in names)
    assert not listed.hasFocus()


async def test_f3_opens_the_sources_that_the_answer_names_one_after_the_other(
    window: MainWindow, backend: FakeBackend
) -> None:
    backend.citations = tuple(
        Citation(n, f"{name}.pdf", f"/{name}.pdf", name, n, "", 0.9, f"text of {name}", f"d{n}", n)
        for n, name in enumerate(("annex", "contract", "letter", "offer"), 1)
    )
    backend.reply = "The penalty is 5 % [2]. The letter repeats it [4], and the annex too [1]."
    await answered(window, "What is the penalty?")
    QTest.keyClick(window, Qt.Key.Key_F3)
    panel = window.chat.panel()
    assert isinstance(panel, ViewerPanel)
    heard: list[tuple[str, str, str]] = []
    for _ in range(4):
        await until(lambda: panel.view is not None and len(backend.viewer.places) == len(heard) + 1)
        heard.append((panel.heading.text(), panel.stepper.place(), backend.viewer.places[-1][0].document_id))
        await until(lambda: panel.canvas.accessibleDescription() == f"Marked: {panel.place.passage}")
        QTest.keyClick(window, Qt.Key.Key_F3)
    assert heard == [
        ("Source 1", "1 of 3", "d1"),
        ("Source 2", "2 of 3", "d2"),
        ("Source 4", "3 of 3", "d4"),
        ("Source 1", "1 of 3", "d1"),
    ]
    QTest.keyClick(window, Qt.Key.Key_F3, Qt.KeyboardModifier.ShiftModifier)
    assert panel.heading.text() == "Source 1"
    QTest.keyClick(window, Qt.Key.Key_F3, Qt.KeyboardModifier.ShiftModifier)
    assert panel.heading.text() == "Source 4"
    assert window.chat.panel() is panel


async def test_copy_puts_the_answer_on_the_clipboard(window: MainWindow, backend: FakeBackend) -> None:
    await answered(window, "Hello")
    window.chat.transcript.copy_requested.emit(shown(window)[1].id)
    assert QGuiApplication.clipboard().text() == backend.reply


async def test_find_goes_through_the_places(window: MainWindow, backend: FakeBackend) -> None:
    backend.add_conversation("Old", ("user", "apple"), ("assistant", "pear"), ("user", "apple pie"))
    window.desk.refresh()
    await until(lambda: titles(window) == ["Old"])
    open_listed(window, "Old")
    await until(lambda: len(shown(window)) == 3)
    QTest.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(window.chat.find_bar.words, "apple")
    first = window.chat.transcript.current
    QTest.keyClick(window.chat.find_bar.words, Qt.Key.Key_Return)
    assert {first, window.chat.transcript.current} == {0, 2}
    QTest.keyClick(window.chat.find_bar.words, Qt.Key.Key_Escape)
    assert window.chat.find_bar.isHidden()


async def test_conversations_are_searched_renamed_and_deleted(window: MainWindow, backend: FakeBackend) -> None:
    kept = backend.add_conversation("Budget", ("user", "numbers"))
    backend.add_conversation("Holiday", ("user", "Vienna in March"))
    window.desk.refresh()
    await until(lambda: len(titles(window)) == 2)
    QTest.keyClicks(window.sidebar.search, "vienna")
    await until(lambda: titles(window) == ["Holiday"])
    window.sidebar.search.clear()
    await until(lambda: len(titles(window)) == 2)
    window.sidebar.conversations.renamed.emit(kept, "Budget 2027")
    await until(lambda: "Budget 2027" in titles(window))
    open_listed(window, "Holiday")
    QTest.keyClick(window.sidebar.conversations, Qt.Key.Key_Delete)
    await until(lambda: dialog_button(window))
    button = dialog_button(window)
    assert button is not None
    button.click()
    await until(lambda: titles(window) == ["Budget 2027"])
    assert list(backend.conversations) == [kept]


def dialog_button(window: MainWindow) -> QPushButton | None:
    """The dangerous button of the dialog that is open."""
    return window.findChild(QPushButton, "confirm")


async def test_a_fault_behind_the_list_is_shown_above_the_page(window: MainWindow, backend: FakeBackend) -> None:
    async def broken(conversation_id: str) -> list[MessageRecord]:
        raise StorageError("The conversation cannot be read", "The disk has an error", "Restore a backup")

    backend.messages = broken  # type: ignore[method-assign]
    backend.add_conversation("Old", ("user", "x"))
    window.desk.refresh()
    await until(lambda: titles(window) == ["Old"])
    open_listed(window, "Old")
    await until(lambda: not window.notice.isHidden())
    assert window.notice.text() == "The conversation cannot be read. The disk has an error. Restore a backup."


async def test_leaving_while_an_answer_comes_ends_in_time_and_closes_the_stream(
    window: MainWindow, backend: FakeBackend
) -> None:
    backend.pause_s, backend.reply = 0.01, " ".join("word" for _ in range(5000))
    window.presenter.send("Go on")
    await until(lambda: len(shown(window)) == 2)
    await window.tasks.aclose(timeout_s=1.0)
    assert backend.turns_closed == 1


async def test_found_words_are_marked_and_in_sight_also_far_down_a_long_message(
    window: MainWindow, backend: FakeBackend
) -> None:
    long = "\n\n".join(f"Paragraph {n} of a long answer." for n in range(400))
    backend.add_conversation("Long", ("user", "Tell me"), ("assistant", long.replace("300 of", "300, the Kumquat, of")))
    window.desk.refresh()
    await until(lambda: "Long" in titles(window))
    open_listed(window, "Long")
    await until(lambda: len(shown(window)) == 2)
    QTest.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(window.chat.find_bar.words, "kumquat")
    transcript = window.chat.transcript
    assert transcript.selected_text() == "Kumquat"
    transcript.grab()
    assert transcript.selection.bounds is not None
    segment = transcript.row(1).segments[transcript.selection.bounds[0].segment]
    cursor = transcript.selection.cursor(1, transcript.selection.bounds[0].segment, segment)
    assert cursor is not None
    line = segment.document.documentLayout().blockBoundingRect(cursor.block()).top()
    assert 0 <= transcript.row_top(1) + segment.origin.y() + line <= transcript.viewport().height()


@pytest.mark.parametrize("width", [776, 780, 784, 790])
def test_a_long_message_wraps_and_does_not_scroll_sideways(qapp: QApplication, width: int) -> None:
    composer = Composer()
    composer.resize(width, 300)
    composer.show()
    QTest.keyClicks(composer.edit, "word " * 300)
    sideways = composer.edit.horizontalScrollBar()
    assert (sideways.maximum(), sideways.value(), sideways.isVisible()) == (0, 0, False)
    composer.close()
    composer.deleteLater()
