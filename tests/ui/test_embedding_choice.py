"""The choice of the embedding model in the window: price and host are said first, and Enter agrees to nothing."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QWidget

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend
from vpa_desktop.errors import KnowledgeError
from vpa_desktop.ui.main_window import MainWindow
from vpa_desktop.ui.pages import SETTINGS
from vpa_desktop.ui.settings.embedding_dialog import EmbeddingDialog

pytestmark = pytest.mark.ui
OPENAI = "openai_main/text-embedding-3-small"


def words(widget: QWidget) -> str:
    return " ".join(label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget))


def dialog(window: MainWindow) -> EmbeddingDialog | None:
    return next((d for d in window.findChildren(EmbeddingDialog) if d.isVisible()), None)


async def opened(window: MainWindow) -> EmbeddingDialog:
    window.go(SETTINGS)
    window.settings.tabs.setCurrentIndex(4)
    window.settings.retrieval.embedding.click()
    await until(lambda: dialog(window) is not None)
    found = dialog(window)
    assert found is not None
    await until(found.box.isEnabled)
    return found


def choose(shown: EmbeddingDialog, choice: str) -> None:
    shown.box.setCurrentIndex(shown.box.findData(choice))
    shown.box.activated.emit(shown.box.currentIndex())


async def test_the_price_the_amount_and_the_host_are_said_before_it_is_agreed_to(
    window: MainWindow, backend: FakeBackend
) -> None:
    shown = await opened(window)
    await until(lambda: "No text leaves this computer." in words(shown))
    assert not shown.use.isEnabled()
    choose(shown, OPENAI)
    await until(lambda: "api.openai.com" in words(shown))
    said = words(shown)
    assert "$0.02 per million tokens." in said
    assert "The 1,284 passages there are now have about 256,800 tokens. They cost less than $0.01;" in said
    assert "every question to them, is sent to api.openai.com" in said
    assert "96 passages of collections that never leave stay here" in said
    assert shown.use.text() == "Send my text to api.openai.com"
    assert backend.embedding.chosen == []
    shown.use.click()
    await until(lambda: dialog(window) is None)
    assert backend.embedding.chosen == [OPENAI]
    row = window.settings.retrieval.rows["rag.embedding_model"]
    assert "is sent to api.openai.com" in words(row)


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
async def test_enter_and_escape_agree_to_nothing(key: Qt.Key, window: MainWindow, backend: FakeBackend) -> None:
    shown = await opened(window)
    choose(shown, OPENAI)
    await until(shown.use.isEnabled)
    shown.cancel.setFocus()
    QTest.keyClick(shown, key)
    await until(lambda: dialog(window) is None)
    assert backend.embedding.chosen == []


async def test_why_it_was_not_changed_stays_on_the_dialog(window: MainWindow, backend: FakeBackend) -> None:
    backend.embedding.fails = KnowledgeError("There is no key for openai_main", "It needs one", "Add one")
    shown = await opened(window)
    choose(shown, OPENAI)
    await until(shown.use.isEnabled)
    shown.use.click()
    await until(lambda: "There is no key for openai_main. It needs one. Add one." in words(shown))
    await until(shown.use.isEnabled)
    assert backend.embedding.chosen == []
    assert backend.settings.rag.embedding_model == "default"


async def test_another_name_can_be_typed_and_a_wrong_one_is_told(window: MainWindow, backend: FakeBackend) -> None:
    shown = await opened(window)
    choose(shown, "")
    assert shown.other.isVisible()
    QTest.keyClicks(shown.other, "nobody/model")
    QTest.keyClick(shown.other, Qt.Key.Key_Return)
    await until(lambda: "There is no provider nobody." in words(shown))
    assert not shown.use.isEnabled()
    shown.other.setText(OPENAI)
    shown.other.editingFinished.emit()
    await until(shown.use.isEnabled)
    assert shown.use.text() == "Send my text to api.openai.com"
    assert backend.embedding.chosen == []


async def test_a_model_that_cannot_be_used_now_says_so(window: MainWindow, backend: FakeBackend) -> None:
    shown = await opened(window)
    at = shown.box.findData("azure/embed")
    assert shown.box.itemText(at) == "embed (azure) · not now"
    assert "no key" in shown.box.itemData(at, Qt.ItemDataRole.ToolTipRole)
