"""The picker: what models can do, which of them end, found by words and keys among hundreds."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QModelIndex, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend
from vpa_desktop.catalog import ModelInfo
from vpa_desktop.records import ModelList, ProviderDraft, RouteChoice
from vpa_desktop.ui.chat.model_popup import ModelPopup
from vpa_desktop.ui.chat.model_rows import GROUP_ROLE
from vpa_desktop.ui.chat.model_wording import abilities, ending_mark, lists_note, tokens
from vpa_desktop.ui.main_window import MainWindow

pytestmark = pytest.mark.ui
TODAY = date.today()


def offered(model: ModelInfo, provider: str = "p", *, is_local: bool = False) -> RouteChoice:
    return RouteChoice(provider, model.id, f"{model.id} · {provider}", is_local, True, "", model, False)


def shown(popup: ModelPopup) -> list[str]:
    """The titles in the list."""
    return [str(popup.rows.index(n).data()) for n in range(popup.rows.rowCount())]


def spoken(popup: ModelPopup, index: QModelIndex) -> str:
    return str(index.data(Qt.ItemDataRole.AccessibleTextRole))


@pytest.mark.parametrize(
    ("info", "is_local", "text"),
    [
        (ModelInfo("m", 200_000, images=True, tools=True, reasoning=True, input_cost_per_million=Decimal(3),
                   output_cost_per_million=Decimal(15)), False, "200k · images · tools · thinking · $3/$15"),
        (ModelInfo("m", 1_050_000, input_cost_per_million=Decimal("0.10"), output_cost_per_million=Decimal("0.5")),
         False, "1.05M · $0.10/$0.50"),
        (ModelInfo("m", images=False, tools=None), False, ""),
        (ModelInfo("m", 4_096), True, "4k · free"),
        (ModelInfo("m", input_cost_per_million=Decimal(0), output_cost_per_million=Decimal(0)), False, "free"),
        (ModelInfo("m", input_cost_per_million=Decimal(1)), False, ""),
    ],
)  # fmt: skip
def test_what_a_model_can_do_is_said_shortly_and_only_where_it_is_known(
    info: ModelInfo, is_local: bool, text: str
) -> None:
    assert abilities(offered(info, is_local=is_local)) == text


def test_windows_are_written_as_people_say_them() -> None:
    assert [tokens(n) for n in (512, 8_192, 128_000, 1_000_000, 1_048_576)] == ["512", "8k", "128k", "1M", "1.05M"]


def test_an_end_is_marked() -> None:
    def mark(days: int) -> tuple[str, str]:
        day = (TODAY + timedelta(days=days)).isoformat()
        return ending_mark(offered(ModelInfo("m", retires_on=day)))

    assert mark(90) == ("", "")
    assert mark(19)[0].startswith("ends ")
    assert mark(-1)[0].startswith("no longer answers since ")
    assert ending_mark(offered(ModelInfo("m"))) == ("", "")


def test_an_old_list_says_its_age_and_why() -> None:
    old = ModelList("main", (), datetime.now(UTC) - timedelta(hours=5), True, "OpenAI does not answer.")
    assert lists_note([old]) == "main: list from 5 h ago. OpenAI does not answer."
    assert lists_note([replace(old, error="")]) == ""
    assert "3 days" in lists_note([replace(old, fetched_at=datetime.now(UTC) - timedelta(days=3, hours=1))])


async def with_models(window: MainWindow, backend: FakeBackend, *models: ModelInfo) -> ModelPopup:
    """The popup, open, over a provider with these models."""
    await backend.save_provider(ProviderDraft("main", "openai", "gpt-6-luna", key="sk-example"))
    backend.model_lists["main"] = ModelList("main", models, datetime.now(UTC), False)
    picker = window.chat.composer.picker
    picker.open_popup()
    await until(lambda: not window.tasks.running("models"))
    return picker.popup


async def test_opening_asks_ready_providers_and_lists_their_models_under_their_name(
    window: MainWindow, backend: FakeBackend
) -> None:
    luna = ModelInfo("gpt-6-luna", 1_050_000, tools=True)
    popup = await with_models(window, backend, luna, ModelInfo("gpt-6-sol"))
    assert backend.asked_models == ["local", "main"]
    at = shown(popup).index("gpt-6-luna")
    assert shown(popup)[at + 1] == "gpt-6-sol"
    assert popup.rows.index(at).data(GROUP_ROLE) == "main"
    assert not popup.rows.index(at + 1).data(GROUP_ROLE)
    assert spoken(popup, popup.rows.index(at)) == "gpt-6-luna, main, 1.05M · tools"


async def test_a_model_is_found_by_words_and_chosen_with_return(window: MainWindow, backend: FakeBackend) -> None:
    popup = await with_models(window, backend, *(ModelInfo(f"family-{n}-chat") for n in range(30)))
    assert popup.search.hasFocus() or popup.search.isVisible()
    QTest.keyClicks(popup.search, "17 FAMILY")
    assert shown(popup) == ["family-17-chat"]
    QTest.keyClick(popup.search, Qt.Key.Key_Return)
    assert not popup.isVisible()
    choice = window.chat.composer.picker.choice
    assert choice is not None
    assert (choice.provider, choice.model) == ("main", "family-17-chat")
    popup.search.setText("no such")
    assert shown(popup) == []
    assert not popup.none.isHidden()


async def test_the_keys_go_from_the_line_into_the_list_and_letters_back(
    window: MainWindow, backend: FakeBackend
) -> None:
    popup = await with_models(window, backend, *(ModelInfo(f"m{n:02}") for n in range(30)))
    first = popup.view.currentIndex().row()
    QTest.keyClick(popup.search, Qt.Key.Key_Down)
    assert popup.view.currentIndex().row() == first + 1
    QTest.keyClicks(popup.view, "m2")
    assert popup.search.text() == "m2"
    QTest.keyClick(popup, Qt.Key.Key_Escape)
    assert not popup.isVisible()


async def test_an_ended_model_warns_above_the_message_and_can_still_be_asked(
    window: MainWindow, backend: FakeBackend
) -> None:
    gone = ModelInfo("gpt-4", retires_on=(TODAY - timedelta(days=30)).isoformat())
    soon = ModelInfo("gpt-5", retires_on=(TODAY + timedelta(days=19)).isoformat())
    popup = await with_models(window, backend, ModelInfo("gpt-6-luna"), gone, soon)
    composer = window.chat.composer
    at = shown(popup).index("gpt-4")
    assert "no longer answers since" in spoken(popup, popup.rows.index(at))
    popup.view.clicked.emit(popup.rows.index(at))
    assert composer.ending.isVisible()
    assert "gpt-4 no longer answers since" in composer.ending.text()
    assert composer.ending.property("error")
    popup.view.clicked.emit(popup.rows.index(at + 1))
    assert "gpt-5 ends on" in composer.ending.text()
    assert composer.ending.property("warn")
    assert not composer.ending.property("error")
    composer.set_text("Hello")
    composer.send.click()
    await until(lambda: backend.requests)
    assert backend.requests[0].model == "gpt-5"
    popup.view.clicked.emit(popup.rows.index(at - 1))
    assert composer.ending.isHidden()


@pytest.mark.alone
async def test_hundreds_of_models_open_at_once(window: MainWindow, backend: FakeBackend) -> None:
    many = [ModelInfo(f"vendor/model-{n}", 128_000, retires_on="2026-12-11") for n in range(400)]
    popup = await with_models(window, backend, *many)
    times = []
    for _ in range(3):
        popup.hide()
        started = time.perf_counter()
        window.chat.composer.picker.open_popup()
        popup.view.viewport().repaint()
        times.append((time.perf_counter() - started) * 1000)
        await until(lambda: not window.tasks.running("models"))
    assert min(times) < 150  # 50 ms is the aim on a quiet machine
    popup.search.setText("399")
    assert shown(popup) == ["vendor/model-399"]


@pytest.mark.parametrize("note", ["", "main: list from 5 h ago. OpenAI does not answer, so what it offers may be old."])
@pytest.mark.parametrize("count", [2, 60])
@pytest.mark.parametrize("screen", [QRect(0, 0, 1400, 900), QRect(0, 0, 800, 420)])
@pytest.mark.parametrize("button", [QRect(40, 840, 200, 32), QRect(1300, 4, 90, 32)])
async def test_it_opens_on_the_screen_with_its_first_row_whole(
    window: MainWindow, screen: QRect, button: QRect, count: int, note: str
) -> None:
    choices = [offered(ModelInfo(f"model-{n}")) for n in range(count)]
    parent = QWidget()
    popup = ModelPopup(parent)
    popup.set_choices(choices, choices[0])
    popup.set_note(note)
    popup.open_at(button, screen)
    await until(popup.isVisible)
    assert screen.contains(popup.geometry()), popup.geometry()
    assert popup.view.height() >= 92
    assert popup.add.geometry().bottom() < popup.height()
    first = popup.view.visualRect(popup.rows.index(0))
    assert popup.view.viewport().rect().contains(first), first
    popup.close()
    parent.deleteLater()
