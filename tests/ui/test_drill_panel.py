"""The dashboard's health panel and the fire drill in the real window: what is shown, said, and done by keys."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QWidget

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend
from tests.ui.fake_drill import busy_health
from vpa_desktop.config import RoutingSettings
from vpa_desktop.ui.dashboard.drill import DrillPanel
from vpa_desktop.ui.dashboard.sparkline import Sparkline
from vpa_desktop.ui.main_window import MainWindow
from vpa_desktop.ui.pages import DASHBOARD

pytestmark = pytest.mark.ui


def words(widget: QWidget) -> list[str]:
    return [label.text() for label in widget.findChildren(QLabel) if label.text() and label.isVisible()]


def cards(widget: QWidget) -> list[str]:
    return [frame.accessibleName() for frame in widget.findChildren(QFrame) if frame.property("card")]


def steps(panel: DrillPanel) -> list[str]:
    return [panel.steps.item(row).text() for row in range(panel.steps.count())]


async def opened(window: MainWindow) -> DrillPanel:
    window.go(DASHBOARD)
    window.dashboard.health.drill_button.click()
    panel = window.dashboard.drill
    await until(lambda: panel.provider.count() == 4)
    return panel


async def test_health_says_how_each_provider_stands_and_did(window: MainWindow, backend: FakeBackend) -> None:
    backend.health.told = busy_health()
    window.go(DASHBOARD)
    health = window.dashboard.health
    await until(lambda: "openai_main" in words(health))
    shown = words(health)
    assert "left alone after failures, tried again in 12 s" in shown
    assert "it takes no more requests for now; asked again in 31 s" in shown
    assert "Last error: Anthropic (anthropic_main) is overloaded. It answered 529" in shown
    assert any(text.startswith("Breaker: open ") and "(5 failures in a row)" in text for text in shown)
    (first,) = (name for name in cards(health) if name.startswith("openai_main"))
    assert first == (
        "openai_main: in use. 310 requests, 96.2% success, 1.2 s median, 3.9 s 95 %, 380 ms first token, 62 tokens/s, "
        "2 in flight"
    )
    line = health.findChildren(Sparkline)[0]
    assert line.accessibleName() == "The last 40 answers, the latest after 2.3 s"
    assert len(line.points()) == 40
    backend.health.told = tuple(replace(each, in_flight=7) for each in busy_health())
    window.dashboard.refresh()
    await until(lambda: "7" in words(health))


async def test_a_provider_that_mostly_fails_is_not_shown_as_well(window: MainWindow, backend: FakeBackend) -> None:
    backend.health.told = tuple(replace(each, success_rate=0.1) for each in busy_health()[:1])
    window.go(DASHBOARD)
    health = window.dashboard.health
    await until(lambda: "in use, but most of its requests fail" in words(health))
    assert any(name.startswith("openai_main: in use, but most of its requests fail.") for name in cards(health))


async def test_a_drill_shows_the_chain_act(window: MainWindow, backend: FakeBackend) -> None:
    panel = await opened(window)
    assert not window.dashboard.health.isVisible()
    assert [name.split(",")[0] for name in cards(panel.chain)] == ["openai_main", "anthropic_main", "local"]
    panel.fault.setCurrentIndex(panel.fault.findData("500"))
    panel.start_button.click()
    assert not panel.start_button.isEnabled()
    await until(lambda: panel.start_button.isEnabled(), 20)
    assert backend.drills.asked == [("500", "")]
    told = steps(panel)
    assert any(text.startswith("openai_main failed after") for text in told)
    assert any("Request 6: openai_main is left out" in text for text in told)
    assert "answered. 6 of 6 requests came whole" in " ".join(words(panel))
    assert cards(panel.chain)[0] == ("openai_main, gpt-6-luna: answered. Breaker closed. 5 of 6 failed")


async def test_all_faults_run_one_after_another(window: MainWindow, backend: FakeBackend) -> None:
    panel = await opened(window)
    panel.provider.setCurrentIndex(panel.provider.findData("anthropic_main"))
    panel.start()
    await until(lambda: "The chain held against all 5 faults." in words(panel), 30)
    assert [provider for _, provider in backend.drills.asked] == ["anthropic_main"] * 5


async def test_a_chain_that_does_not_hold_says_why(window: MainWindow, backend: FakeBackend) -> None:
    backend.drills.routing = RoutingSettings(fallback_enabled=False)
    panel = await opened(window)
    panel.fault.setCurrentIndex(panel.fault.findData("500"))
    panel.start()
    await until(lambda: any("Failover is switched off" in text for text in words(panel)), 20)


async def test_stop_ends_a_drill_and_its_servers(window: MainWindow, backend: FakeBackend) -> None:
    backend.drills.most_pause_s = 5.0
    panel = await opened(window)
    panel.start()
    await until(lambda: panel.steps.count() > 1)
    panel.stop_button.click()
    await until(backend.drills.is_closed.is_set)
    assert "You stopped the drill." in words(panel)
    assert panel.start_button.isEnabled()


async def test_it_can_be_used_by_keys_alone(window: MainWindow, backend: FakeBackend) -> None:
    window.resize(900, 600)
    panel = await opened(window)
    backend.drills.most_pause_s = 5.0
    window.activateWindow()
    await until(panel.start_button.hasFocus)
    QTest.keyClick(panel.start_button, Qt.Key.Key_Return)
    await until(lambda: panel.steps.count() > 0)
    assert panel.stop_button.hasFocus()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    await until(panel.start_button.isEnabled)
    assert panel.isVisible()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert not panel.isVisible()
    assert window.pages.currentIndex() == DASHBOARD
    assert window.dashboard.health.drill_button.hasFocus()


async def test_every_control_has_a_name(window: MainWindow) -> None:
    panel = await opened(window)
    names = [panel.fault.accessibleName(), panel.provider.accessibleName(), panel.steps.accessibleName()]
    assert names == ["Fault", "Provider that fails", "Steps of the drill"]
    assert {"Start", "Stop"} <= {button.text().strip() for button in panel.findChildren(QPushButton)}


async def test_the_receipt_of_a_new_answer_says_what_the_first_choice_would_have_cost(
    window: MainWindow, backend: FakeBackend
) -> None:
    backend.said_too = {"first_choice": "office", "first_choice_usd": Decimal("0.01")}
    window.presenter.send("Hello")
    await until(lambda: bool(window.chat.transcript.messages) and window.chat.transcript.messages[-1].first_choice)
    window.chat.transcript.receipt_requested.emit(window.chat.transcript.messages[-1].id)
    panel = window.chat.panel()
    assert panel is not None
    assert "Answered by local for $0.0031; office, your first choice, would have cost $0.0100." in words(panel)
