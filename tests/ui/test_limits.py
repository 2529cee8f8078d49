"""The limit dialog and the page Limits: nothing costs money by mistake, and no word of the question is lost."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton, QWidget

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend
from vpa_desktop.analytics import Dashboard
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import Settings
from vpa_desktop.errors import BudgetExceeded
from vpa_desktop.messages import ImageData
from vpa_desktop.ui.chat.attachments import Attachment
from vpa_desktop.ui.chat.limit_dialog import LimitDialog
from vpa_desktop.ui.main_window import MainWindow
from vpa_desktop.ui.pages import SETTINGS

pytestmark = pytest.mark.ui

RGB = QImage.Format.Format_RGB32
QUESTION = "Compare the two offers"


def refused(needed: str | None = "0.12", spent: str = "4.93", period: str = "daily") -> BudgetExceeded:
    return BudgetExceeded(
        "The daily limit of $5.00 would be passed",
        "$4.9300 is spent",
        "Raise the limit",
        limit=Decimal(5),
        spent=Decimal(spent),
        needed=Decimal(needed) if needed else None,
        reserved=Decimal("0.05"),
        period=period,
    )


def words(widget: QWidget) -> str:
    return " ".join(label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget))


def dialog(window: MainWindow) -> LimitDialog | None:
    return next((d for d in window.findChildren(LimitDialog) if d.isVisible()), None)


def button(parent: QWidget, name: str) -> QPushButton:
    return next(b for b in parent.findChildren(QPushButton) if b.accessibleName() == name)


async def asked(window: MainWindow, backend: FakeBackend, error: BudgetExceeded | None = None) -> LimitDialog:
    """Types and sends the question; returns the dialog that asks what to do."""
    backend.refuses = error or refused()
    QTest.keyClicks(window.chat.composer.edit, QUESTION)
    QTest.keyClick(window.chat.composer.edit, Qt.Key.Key_Return)
    await until(lambda: dialog(window))
    shown = dialog(window)
    assert shown is not None
    return shown


def said(window: MainWindow) -> list[tuple[str, str]]:
    window.chat.transcript.flush()
    return [(m.role, m.content) for m in window.chat.transcript.messages]


async def test_the_dialog_says_limit_spent_and_the_most_the_answer_can_cost(
    window: MainWindow, backend: FakeBackend
) -> None:
    shown = await asked(window, backend)
    text = words(shown)
    assert shown.accessibleName() == "Spending limit"
    for piece in ("Your daily limit could be passed", "$5.00", "$4.93", "$0.05", "$0.12", "Nothing was sent"):
        assert piece in text
    names = [b.accessibleName() for b in shown.findChildren(QPushButton)]
    assert names == ["Send once anyway", "Ask the local model", "Change the limit", "Cancel"]
    shown.reject()
    await until(lambda: dialog(window) is None)


@pytest.mark.parametrize("key", [Qt.Key.Key_Escape, Qt.Key.Key_Return])
async def test_escape_and_enter_cancel_and_the_question_is_in_the_composer(
    window: MainWindow, backend: FakeBackend, key: Qt.Key
) -> None:
    shown = await asked(window, backend)
    assert window.chat.composer.text() == QUESTION
    QTest.keyClick(shown.focusWidget() or shown, key)
    await until(lambda: dialog(window) is None)
    assert len(backend.requests) == 1
    assert window.chat.composer.text() == QUESTION
    assert window.chat.composer.send.isEnabled()


async def test_the_same_question_sent_again_is_answered_and_not_asked_twice(
    window: MainWindow, backend: FakeBackend
) -> None:
    shown = await asked(window, backend)
    shown.reject()
    await until(lambda: dialog(window) is None)
    backend.refuses = None
    window.chat.composer.send.click()
    await until(lambda: not window.presenter.chat.busy and len(backend.requests) == 2)
    assert said(window) == [("user", QUESTION), ("assistant", backend.reply)]
    assert window.chat.composer.text() == ""


async def test_another_question_leaves_the_refused_one_where_it_is(window: MainWindow, backend: FakeBackend) -> None:
    shown = await asked(window, backend)
    shown.reject()
    await until(lambda: dialog(window) is None)
    backend.refuses = None
    window.chat.composer.set_text("Something shorter")
    window.chat.composer.send.click()
    await until(lambda: not window.presenter.chat.busy and len(backend.requests) == 2)
    assert [text for role, text in said(window) if role == "user"] == [QUESTION, "Something shorter"]


async def test_once_anyway_passes_the_limit_for_this_question_only(window: MainWindow, backend: FakeBackend) -> None:
    shown = await asked(window, backend)
    button(shown, "Send once anyway").click()
    await until(lambda: not window.presenter.chat.busy and len(backend.requests) == 2)
    assert [r.over_limit for r in backend.requests] == [False, True]
    assert said(window) == [("user", QUESTION), ("assistant", backend.reply)]
    assert window.chat.composer.text() == ""
    QTest.keyClicks(window.chat.composer.edit, "And now?")
    QTest.keyClick(window.chat.composer.edit, Qt.Key.Key_Return)
    await until(lambda: dialog(window))
    assert not backend.requests[-1].over_limit


async def test_the_local_model_answers_instead(window: MainWindow, backend: FakeBackend) -> None:
    shown = await asked(window, backend)
    button(shown, "Ask the local model").click()
    await until(lambda: not window.presenter.chat.busy and len(backend.requests) == 2)
    assert (backend.requests[1].provider, backend.requests[1].model) == ("local", None)
    assert not backend.requests[1].over_limit


async def test_a_local_model_that_has_a_price_is_passed_over(window: MainWindow, backend: FakeBackend) -> None:
    priced = LLMProviderConfig(
        "ollama",
        "llama3.2",
        provider_id="metered",
        api_endpoint="http://127.0.0.1:11434",
        input_cost_per_million=Decimal(3),
        output_cost_per_million=Decimal(6),
    )
    assert priced.is_local
    free = backend.settings.providers["local"]
    backend._settings = replace(backend.settings, providers={"metered": priced, "local": free})
    shown = await asked(window, backend)
    button(shown, "Ask the local model").click()
    await until(lambda: not window.presenter.chat.busy and len(backend.requests) == 2)
    assert backend.requests[1].provider == "local"
    backend._settings = replace(backend.settings, providers={"metered": priced})
    window.chat.composer.set_text("Another question")
    window.chat.composer.send.click()
    await until(lambda: dialog(window))
    again = dialog(window)
    assert again is not None
    assert "Ask the local model" not in [b.accessibleName() for b in again.findChildren(QPushButton)]


async def test_without_a_local_model_none_is_offered(window: MainWindow, backend: FakeBackend) -> None:
    backend._settings = Settings(providers={"cloud": LLMProviderConfig("openai", "gpt-6-luna", provider_id="cloud")})
    shown = await asked(window, backend)
    assert "Ask the local model" not in [b.accessibleName() for b in shown.findChildren(QPushButton)]


async def test_change_the_limit_opens_the_page_and_keeps_the_question(window: MainWindow, backend: FakeBackend) -> None:
    shown = await asked(window, backend)
    button(shown, "Change the limit").click()
    await until(lambda: window.pages.currentIndex() == SETTINGS)
    assert window.settings.stack.currentWidget() is window.settings.limits
    await until(lambda: window.settings.limits.daily.control.hasFocus() or not window.isActiveWindow())
    assert window.chat.composer.text() == QUESTION


async def test_an_unknown_price_is_said_as_such(window: MainWindow, backend: FakeBackend) -> None:
    shown = await asked(window, backend, refused(None))
    assert "The price of this answer is not known" in words(shown)
    assert "unknown" in words(shown)


async def test_what_was_typed_meanwhile_is_not_overwritten(window: MainWindow, backend: FakeBackend) -> None:
    backend.refuses = refused()
    QTest.keyClicks(window.chat.composer.edit, QUESTION)
    window.chat.composer.send.click()
    QTest.keyClicks(window.chat.composer.edit, "a later thought")
    await until(lambda: dialog(window))
    assert window.chat.composer.text() == "a later thought"
    assert said(window)[0] == ("user", QUESTION)


async def test_pictures_come_back_with_their_question(window: MainWindow, backend: FakeBackend) -> None:
    attachment = Attachment("offer.png", ImageData("image/png", b"picture", "offer.png"), QImage(8, 8, RGB))
    window.chat.composer.pictures.show_all([attachment])
    await asked(window, backend)
    assert [a.name for a in window.chat.composer.pictures.attachments] == ["offer.png"]


BOARD = Dashboard((), (), Decimal("4.10"), Decimal("31.5"), Decimal(5), Decimal(50), Decimal("62.20"), 9, 0)


async def shown_page(window: MainWindow, backend: FakeBackend, board: Dashboard = BOARD) -> QWidget:
    backend.board = board
    window.go(SETTINGS)
    window.settings.show_limits()
    await until(lambda: "Forecast for the month" in words(window.settings.limits))
    return window.settings.limits


async def test_the_page_shows_what_is_spent_and_where_the_month_leads(window: MainWindow, backend: FakeBackend) -> None:
    page = await shown_page(window, backend)
    text = words(page)
    for piece in ("$4.10", "of $5.00", "$31.50", "of $50.00", "$62.20", "over the limit"):
        assert piece in text


async def test_unknown_prices_and_warnings_are_set_in_plain_words(window: MainWindow, backend: FakeBackend) -> None:
    page = await shown_page(window, backend)
    boxes = {box.accessibleName(): box for box in page.findChildren(QComboBox)}
    price = boxes["When a price is not known"]
    price.setCurrentIndex(1)
    price.activated.emit(1)
    await until(lambda: backend.settings.budget.unknown_price == "allow")
    lines = {line.accessibleName(): line for line in page.findChildren(QLineEdit)}
    warn = lines["Warn at"]
    assert warn.text() == "50, 80, 100"
    warn.setText("often")
    warn.editingFinished.emit()
    assert "“often” is no list of percentages" in words(page)
    warn.setText("90 %, 75")
    warn.editingFinished.emit()
    await until(lambda: backend.settings.budget.warn_at == (0.75, 0.9))
    daily = lines["Limit per day"]
    daily.setText("-3")
    daily.editingFinished.emit()
    assert "The limit cannot be below zero" in words(page)
    assert backend.settings.budget.daily_limit_usd is None
    for typed, shown in (("0.001", "0.001"), ("5", "5.00"), ("2.5", "2.50")):  # what was saved is what is shown
        daily.setText(typed)
        daily.editingFinished.emit()
        await until(lambda amount=Decimal(typed): backend.settings.budget.daily_limit_usd == amount)  # type: ignore[misc]
        await until(lambda text=shown: daily.text() == text)  # type: ignore[misc]


async def test_the_status_line_shows_the_months_limit_where_the_day_has_none(
    window: MainWindow, backend: FakeBackend
) -> None:
    backend.report_status = replace(
        backend.report_status, spent_month_usd=Decimal("31.5"), monthly_limit_usd=Decimal(50)
    )
    window.refresh_status()
    await until(lambda: "$31.50 of $50.00 this month" in window.status.accessibleDescription())
