"""Documents, settings and dashboard in the real window over a backend in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QToolButton,
    QTreeWidget,
    QWidget,
)

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend, busy_month
from vpa_desktop.errors import ConfigError
from vpa_desktop.records import ProviderVerdict
from vpa_desktop.ui.documents.strip import IngestStrip
from vpa_desktop.ui.main_window import MainWindow
from vpa_desktop.ui.pages import DASHBOARD, DOCUMENTS, SETTINGS
from vpa_desktop.ui.settings.form import Row
from vpa_desktop.ui.widgets import PlainLabel, theme_now

pytestmark = pytest.mark.ui


def named(window: QWidget, kind: type[QWidget], name: str) -> QWidget:
    """The control with an accessible name (or, for a button, a text)."""
    for widget in window.findChildren(kind):
        if name in (widget.accessibleName(), getattr(widget, "text", str)()):
            return widget
    raise AssertionError(f"no {kind.__name__} named {name}")


def press(window: QWidget, name: str) -> None:
    """Presses a button by its name."""
    button = named(window, QPushButton, name)
    assert isinstance(button, QPushButton)
    button.click()


def words(widget: QWidget) -> str:
    """Every visible word of a part of the window."""
    return "\n".join(label.text() for label in widget.findChildren(PlainLabel) if label.isVisible())


def rows(window: MainWindow) -> list[list[str]]:
    """The documents list as text."""
    model = window.documents.list.model()
    return [[str(model.index(r, c).data()) for c in range(model.columnCount())] for r in range(model.rowCount())]


def drop(window: MainWindow, *paths: Path) -> None:
    """Drops files on the window, as the desktop would."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(window, QDragEnterEvent(QPointF(300, 300).toPoint(), copy, data, left, none))
    assert window.overlay.isVisible()
    QApplication.sendEvent(window, QDropEvent(QPointF(300, 300), copy, data, left, none))
    assert not window.overlay.isVisible()


async def test_dropped_files_are_added_and_a_bad_one_is_named_with_its_reason(
    window: MainWindow, backend: FakeBackend
) -> None:
    backend.pause_s, backend.bad_files = 0.02, {"scan.pdf": "scan.pdf is protected by a password"}
    drop(window, Path("/home/me/contract.pdf"), Path("/home/me/scan.pdf"))
    strip = window.chat.findChild(IngestStrip)
    assert strip is not None
    await until(strip.isVisible)
    await until(lambda: "1 added" in words(strip))
    assert "1 could not be read" in words(strip)
    assert strip._failures.item(0).text() == "scan.pdf: it is protected by a password"
    window.go(DOCUMENTS)
    await until(lambda: len(rows(window)) == 2)
    assert rows(window)[0][:3] == ["contract.pdf", "Ready", "12"]
    assert rows(window)[1][1] == "Could not be read: it is protected by a password"


async def test_of_several_bad_files_the_chat_says_only_how_many_and_where_the_reasons_stand(
    window: MainWindow, backend: FakeBackend
) -> None:
    backend.bad_files = {"a.pdf": "a.pdf is empty", "b.pdf": "b.pdf is empty"}
    window.ingestion.add([Path("/x/a.pdf"), Path("/x/b.pdf")])
    in_chat, in_documents = window.chat.findChild(IngestStrip), window.documents.findChild(IngestStrip)
    assert in_chat is not None
    assert in_documents is not None
    await until(lambda: "2 could not be read; Documents says why" in words(in_chat))
    assert in_chat._failures.isHidden()
    assert (in_documents._failures.isHidden(), in_documents._failures.count()) == (False, 2)
    window.go(DOCUMENTS)
    in_documents._close.click()
    assert (in_documents.isHidden(), in_chat.isHidden()) == (True, True)


async def test_adding_can_be_cancelled_and_what_waits_is_forgotten(window: MainWindow, backend: FakeBackend) -> None:
    backend.pause_s = 0.05
    window.ingestion.add([Path(f"/x/{n}.md") for n in range(100)])
    window.ingestion.add([Path("/x/later.md")])
    await until(lambda: len(backend.documents) >= 2)
    press(window.chat, "Cancel adding")
    count = len(backend.documents)
    await until(lambda: not window.tasks.running("ingest"))
    assert len(backend.documents) <= count + 1 < 100


async def test_the_dialog_shows_every_kind_that_is_read_and_adds_what_was_chosen(
    window: MainWindow, backend: FakeBackend, tmp_path: Path
) -> None:
    book = tmp_path / "costs.xlsx"
    book.write_bytes(b"x")
    press(window, "Add files")
    await until(lambda: window.findChild(QFileDialog))
    dialog = window.findChild(QFileDialog)
    assert dialog is not None
    documents, everything = dialog.nameFilters()
    assert all(f"*{suffix}" in documents for suffix in (".pdf", ".xlsx", ".pptx", ".epub", ".eml", ".py", ".zip"))
    assert everything == "All files (*)"
    dialog.selectedFiles = lambda: [str(book)]  # type: ignore[method-assign]
    dialog.done(QFileDialog.DialogCode.Accepted)
    await until(lambda: [d.name for d in backend.documents.values()] == ["costs.xlsx"])


async def test_documents_are_filtered_searched_and_removed(window: MainWindow, backend: FakeBackend) -> None:
    backend.add_document("a.pdf", "work")
    backend.add_document("b.md")
    window.go(DOCUMENTS)
    window.documents.refresh()
    await until(lambda: len(rows(window)) == 2)
    window.documents.collections.choices.actions()[1].trigger()
    await until(lambda: [row[0] for row in rows(window)] == ["a.pdf"])
    QTest.keyClicks(window.documents.search, "penalty")
    await until(lambda: window.documents.passages.count() == 1)
    text = window.documents.passages.item(0).text()
    assert "contract.pdf" in text
    assert "p. 4" in text
    assert "its words: rank 2" in text
    window.documents.search.clear()
    await until(window.documents.list.isVisible)
    window.documents.list.selectAll()
    window.documents.remove.click()
    await until(lambda: window.findChild(QPushButton, "confirm"))
    window.findChild(QPushButton, "confirm").click()  # type: ignore[union-attr]
    await until(lambda: [d.name for d in backend.documents.values()] == ["b.md"])


async def test_a_provider_is_added_with_its_key_which_leaves_the_field(
    window: MainWindow, backend: FakeBackend
) -> None:
    window.chat.welcome.add_provider_wanted.emit()
    assert window.pages.currentIndex() == SETTINGS
    form = window.settings.providers.form
    kind = form.findChild(QComboBox)
    assert kind is not None
    kind.setCurrentText("Anthropic")
    assert not form.endpoint.isVisible()
    assert form.key.echoMode() == QLineEdit.EchoMode.Password
    QTest.keyClicks(form.key, "sk-ant-example-1234")
    press(form, "Test this provider")
    await until(lambda: "It answered in 0.4 s." in words(form))
    assert backend.tested[0].key == "sk-ant-example-1234"
    press(form, "Save")
    await until(lambda: backend.keys == {"anthropic_main": "sk-ant-example-1234"})
    await until(lambda: not form.isVisible())
    assert form.key.text() == ""
    await until(lambda: "Ready. Its key is in your key store." in words(window.settings.providers))
    assert "sk-ant-example-1234" not in words(window)
    await until(lambda: "anthropic_main" in ready_in_picker(window))


def ready_in_picker(window: MainWindow) -> list[str]:
    """The providers that can be chosen."""
    rows = window.chat.composer.picker.popup.rows
    found = [rows.choice(rows.index(n)) for n in range(rows.rowCount())]
    return [choice.provider for choice in found if choice and choice.is_ready]


async def test_only_an_endpoint_of_ones_own_asks_for_an_address(window: MainWindow, backend: FakeBackend) -> None:
    window.go(SETTINGS)
    window.settings.start_adding()
    form = window.settings.providers.form
    form.kind.setCurrentText("OpenAI-compatible endpoint")
    assert form.endpoint.isVisible()
    form.endpoint.setText("example.org/v1")
    press(form, "Save")
    assert "The address begins with https://" in words(form)
    form.endpoint.setText("https://example.org/v1")
    form.model.setText("some-model")
    press(form, "Save")
    await until(lambda: "endpoint" in backend.settings.providers)
    assert backend.settings.providers["endpoint"].api_endpoint == "https://example.org/v1"


async def test_a_provider_that_fails_the_test_or_cannot_be_saved_says_why(
    window: MainWindow, backend: FakeBackend
) -> None:
    backend.verdict = ProviderVerdict("", False, "OpenAI refused the key. Get another one.", 90.0)
    window.go(SETTINGS)
    window.settings.start_adding()
    form = window.settings.providers.form
    QTest.keyClicks(form.key, "sk-wrong")
    press(form, "Test this provider")
    await until(lambda: "OpenAI refused the key. Get another one." in words(form))
    backend.fails_to_save = ConfigError("settings.toml cannot be written", "It is read-only", "Mend its permissions")
    press(form, "Save")
    await until(lambda: "settings.toml cannot be written. It is read-only. Mend its permissions." in words(form))
    assert form.key.text() == "sk-wrong"


async def test_keys_are_stored_and_deleted_without_being_shown(window: MainWindow, backend: FakeBackend) -> None:
    window.settings.start_adding()
    form = window.settings.providers.form
    QTest.keyClicks(form.key, "sk-first-key-9876")
    form.save.click()
    await until(lambda: "openai_main" in backend.keys)
    window.go(SETTINGS)
    window.settings.tabs.setCurrentIndex(1)
    await until(lambda: "system keyring, ends in …9876" in words(window.settings.keys))
    press(window.settings.keys, "Replace the key for openai_main")
    field = named(window.settings.keys, QLineEdit, "New key for openai_main")
    assert isinstance(field, QLineEdit)
    QTest.keyClicks(field, "sk-second-key-5432")
    press(window.settings.keys, "Store the key for openai_main")
    await until(lambda: backend.keys["openai_main"] == "sk-second-key-5432")
    await until(lambda: "ends in …5432" in words(window.settings.keys))
    press(window.settings.keys, "Delete the key default for openai_main")
    await until(lambda: window.findChild(QPushButton, "confirm"))
    window.findChild(QPushButton, "confirm").click()  # type: ignore[union-attr]
    await until(lambda: backend.keys == {})


async def test_a_limit_is_saved_at_once_and_a_wrong_one_is_said_beside_it(
    window: MainWindow, backend: FakeBackend
) -> None:
    window.go(SETTINGS)
    window.settings.tabs.setCurrentIndex(3)
    field = named(window.settings.forms[1], QLineEdit, "Limit per day")
    assert isinstance(field, QLineEdit)
    QTest.keyClicks(field, "much")
    field.editingFinished.emit()
    assert "“much” is not an amount" in words(window.settings.forms[1])
    field.setText("$2,50")
    field.editingFinished.emit()
    await until(lambda: backend.settings.budget.daily_limit_usd == Decimal("2.50"))
    backend.fails_to_save = ConfigError("settings.toml cannot be written")
    field.setText("7")
    field.editingFinished.emit()
    await until(lambda: "settings.toml cannot be written." in words(window.settings.forms[1]))


async def test_kept_answers_are_counted_limited_and_forgotten(window: MainWindow, backend: FakeBackend) -> None:
    window.go(SETTINGS)
    window.settings.tabs.setCurrentIndex(2)
    page = window.settings.forms[0]
    await until(lambda: "1,234 are kept." in words(page))
    most = named(page, QSpinBox, "At most")
    assert isinstance(most, QSpinBox)
    most.setValue(100)
    most.editingFinished.emit()
    await until(lambda: backend.settings.cache.max_entries == 100)
    how_long = named(page, QComboBox, "Keep for")
    assert isinstance(how_long, QComboBox)
    assert how_long.currentText() == "A day"
    QTest.keyClick(how_long, Qt.Key.Key_Down)
    how_long.activated.emit(how_long.currentIndex())
    await until(lambda: backend.settings.cache.ttl_s == 7 * 24 * 3600)
    press(page, "Forget kept answers")
    await until(lambda: "None is kept." in words(page))
    assert not named(page, QPushButton, "Forget kept answers").isEnabled()


async def test_dark_and_text_size_are_remembered(window: MainWindow, backend: FakeBackend) -> None:
    window.sidebar.theme_button.click()
    assert theme_now().is_dark
    await until(lambda: backend.settings.window.theme == "dark")
    QTest.keyClick(window, Qt.Key.Key_Equal, Qt.KeyboardModifier.ControlModifier)
    await until(lambda: backend.settings.window.text_scale == 1.1)
    window.sidebar.theme_button.click()
    await until(lambda: backend.settings.window.theme == "light")


async def test_documents_and_status_count_passages_alike(window: MainWindow, backend: FakeBackend) -> None:
    for name in ("a.pdf", "b.pdf"):
        backend.add_document(name)
    window.go(DOCUMENTS)
    window.documents.refresh()
    await until(lambda: "2 documents, 24 passages" in words(window.documents).split("\n"))
    backend.twice = 5  # texts that both say
    window.documents.refresh()
    said = "2 documents, 19 passages in 24 places: the same text counts once"
    await until(lambda: said in words(window.documents).split("\n"))


async def test_the_dashboard_says_there_is_nothing_then_shows_figures(window: MainWindow, backend: FakeBackend) -> None:
    window.go(DASHBOARD)
    await until(lambda: "No requests yet" in words(window.dashboard))
    month = busy_month(date.today())
    free = tuple(replace(day, by_provider=()) for day in month.days)
    backend.board = replace(month, days=free, unpriced=0)
    window.dashboard.refresh()
    await until(lambda: "No costs yet" in words(window.dashboard), 20)
    backend.board = month
    window.dashboard.refresh()
    await until(lambda: "$11.52" in words(window.dashboard), 20)
    await until(lambda: "46 without a known price" in words(window.dashboard), 20)
    saved = "61 of 401 answers from the cache · 3 min 34 s of waiting · $0.94 by providers' own caches"
    assert {"$2.81", saved} <= set(words(window.dashboard).split("\n"))
    tables = window.dashboard.findChildren(QTreeWidget)
    table = next(each for each in tables if each.accessibleName() == "Providers in figures")
    first = table.topLevelItem(0)
    assert first is not None
    assert [first.text(n) for n in range(7)] == ["anthropic_main", "120", "99.1%", "1.8 s", "4.2 s", "610 ms", "$3.10"]


async def test_what_came_with_the_program_has_no_remove_button(window: MainWindow, backend: FakeBackend) -> None:
    window.go(SETTINGS)
    await until(lambda: any(b.accessibleName() == "Test local" for b in window.findChildren(QPushButton)))
    names = {button.accessibleName() for button in window.findChildren(QPushButton)}
    assert "Change local" in names
    assert "Remove local" not in names


async def test_the_examples_are_in_sight_in_a_small_window(window: MainWindow) -> None:
    window.resize(900, 600)
    welcome = window.chat.welcome
    welcome.show_demo(True)
    await until(lambda: window.width() == 900 and welcome.verticalScrollBar().maximum() == 0)
    last = named(welcome, QPushButton, "Make a table of three ways to back up photos.")
    assert last.visibleRegion().boundingRect().height() == last.height()


async def test_icons_follow_the_theme_and_the_search_can_be_cleared_by_name(window: MainWindow) -> None:
    button = named(window, QPushButton, "Add folder")
    assert isinstance(button, QPushButton)
    before = button.icon().pixmap(16, 16).toImage()
    window.sidebar.theme_button.click()
    await until(lambda: button.icon().pixmap(16, 16).toImage() != before)
    window.sidebar.search.setText("words")
    assert [b.accessibleName() for b in window.sidebar.search.findChildren(QToolButton)] == ["Clear the search"]


async def test_a_search_stays_in_the_collection_shown_and_is_made_again_where_the_documents_change(
    window: MainWindow, backend: FakeBackend
) -> None:
    backend.add_document("contract.pdf", "work")
    window.go(DOCUMENTS)
    window.documents.refresh()
    await until(lambda: len(rows(window)) == 1)
    QTest.keyClicks(window.documents.search, "penalty")
    await until(lambda: backend.searched == [("penalty", ())])
    window.documents.show_collection("work")
    await until(lambda: backend.searched[1:] == [("penalty", ("work",))])
    window.ingestion.add([Path("/x/new.md")])
    await until(lambda: len(backend.searched) > 2)
    assert backend.searched[-1] == ("penalty", ("work",))
    await until(lambda: "Passages found: 1" in words(window.documents))


async def test_a_setting_stands_below_its_words_where_the_window_is_narrow(window: MainWindow) -> None:
    window.go(SETTINGS)
    window.settings.tabs.setCurrentIndex(2)
    row = next(r for r in window.settings.findChildren(Row) if r.control.accessibleName() == "How a provider is chosen")
    await until(row.isVisible)
    for width, is_below in ((1400, False), (900, True), (1400, False)):
        window.resize(width, 600)
        await until(lambda is_below=is_below: (row.control.y() > row.height() // 2 - 4) is is_below)  # type: ignore[misc]
        name = next(label for label in row.findChildren(PlainLabel) if label.text() == "How a provider is chosen")
        assert name.height() < 2.5 * name.fontMetrics().lineSpacing()
        assert row.control.geometry().right() <= row.width()
