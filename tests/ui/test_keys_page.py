"""The page Keys in the real window: several keys of one provider, how each stands, Test, Replace, Delete, Unlock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QPushButton

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend
from tests.ui.test_pages import named, press, words
from vpa_desktop.records import KeyInfo, ProviderDraft, ProviderVerdict
from vpa_desktop.ui.main_window import MainWindow
from vpa_desktop.ui.pages import SETTINGS
from vpa_desktop.ui.settings.keys import KeysPage

pytestmark = pytest.mark.ui


async def open_keys(window: MainWindow, backend: FakeBackend, *more: str) -> KeysPage:
    """The page over a provider with a first key and one for each further name."""
    await backend.save_provider(ProviderDraft("main", "openai", "gpt-6-luna", key="sk-first-key-9876"))
    for n, name in enumerate(more):
        await backend.key_desk.set_key("main", f"sk-more-key-{n}00{n}", name)
    window.settings.providers.refresh()
    window.go(SETTINGS)
    window.settings.tabs.setCurrentIndex(1)
    page = window.settings.keys
    page.refresh()
    await until(lambda: "ends in …9876" in words(page))
    return page


def type_key(page: KeysPage, key: str) -> None:
    field = named(page, QLineEdit, "New key for main")
    assert isinstance(field, QLineEdit)
    QTest.keyClicks(field, key)


async def test_another_key_is_added_with_a_name_or_gets_one(window: MainWindow, backend: FakeBackend) -> None:
    page = await open_keys(window, backend)
    type_key(page, "sk-second-key-5432")
    press(page, "Store the key for main")
    await until(lambda: backend.key_desk.more == {("main", "key-2"): "sk-second-key-5432"})
    await until(lambda: "2 keys" in words(page))
    type_key(page, "sk-third-key-1111")
    name = named(page, QLineEdit, "Name of the new key for main")
    QTest.keyClicks(name, "team")
    QTest.keyClick(name, Qt.Key.Key_Return)
    await until(lambda: "3 keys" in words(page))
    assert {"default", "key-2", "team"} <= set(words(page).splitlines())
    assert backend.keys["main"] == "sk-first-key-9876"
    assert not any("sk-" in line for line in words(page).splitlines())
    window.settings.tabs.setCurrentIndex(0)
    await until(lambda: "Ready. 3 keys, all in use." in words(window.settings.providers))


async def test_each_key_says_how_it_stands_to_eye_and_ear(window: MainWindow, backend: FakeBackend) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=1)
    facts = backend.key_desk.facts
    facts["main", ""] = KeyInfo("", "", "", last_used=datetime.now(UTC))
    facts["main", "team"] = KeyInfo("", "", "", state="refused", reason="It was refused: it answered 401", until=soon)
    facts["main", "night"] = KeyInfo("", "", "", state="waiting", reason="It has reached its limit", until=soon)
    page = await open_keys(window, backend, "team", "night")
    said = words(page)
    assert "3 keys, 1 refused, 1 waiting" in said
    assert "It was refused: it answered 401. Asked again at " in said
    spoken = [row.accessibleName() for card in page.cards() for row in card.rows]
    assert spoken[1].startswith("the key team for main: system keyring, ends in …0000. It was refused")
    assert "In use, last at " in spoken[0]
    window.settings.providers.refresh()
    window.settings.tabs.setCurrentIndex(0)
    await until(lambda: "3 keys, 1 refused or waiting" in words(window.settings.providers))


async def test_one_key_is_tested_and_its_verdict_stands_at_its_row(window: MainWindow, backend: FakeBackend) -> None:
    page = await open_keys(window, backend, "team")
    backend.verdict = ProviderVerdict("", False, "It refused the key.", 90.0, headline="OpenAI refused the key.")
    press(page, "Test the key team for main")
    await until(lambda: "OpenAI refused the key." in words(page))
    assert backend.key_desk.tested == [("main", "team")]
    first, team = page.cards()[0].rows
    assert "OpenAI refused the key." in words(team)
    assert "OpenAI" not in words(first)


async def test_a_key_is_replaced_only_by_one_that_passes(window: MainWindow, backend: FakeBackend) -> None:
    page = await open_keys(window, backend, "team")
    backend.verdict = ProviderVerdict("", False, "It refused the key.", 90.0, headline="OpenAI refused the key.")
    press(page, "Replace the key team for main")
    assert "helps out for ten minutes more" in words(page)
    type_key(page, "sk-newer-key-2222")
    press(page, "Store the key for main")
    await until(lambda: "OpenAI refused the key." in words(page))
    assert backend.key_desk.more["main", "team"].endswith("0000")
    backend.verdict = ProviderVerdict("", True, "It answers.", 90.0)
    press(page, "Store the key for main")
    await until(lambda: backend.key_desk.more.get(("main", "team")) == "sk-newer-key-2222")
    await until(lambda: "The old key: it helps out" in words(page))
    assert "helps out for ten minutes more" not in words(page)


async def test_replacing_is_given_up_with_escape(window: MainWindow, backend: FakeBackend) -> None:
    page = await open_keys(window, backend)
    press(page, "Replace the key for main")
    field = named(page, QLineEdit, "New key for main")
    assert isinstance(field, QLineEdit)
    QTest.keyClicks(field, "sk-half")
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert field.text() == ""
    assert window.settings.isVisible()
    assert "helps out for ten minutes more" not in words(page)


async def test_one_of_several_keys_is_deleted(window: MainWindow, backend: FakeBackend) -> None:
    page = await open_keys(window, backend, "team")
    press(page, "Delete the key team for main")
    await until(lambda: window.findChild(QPushButton, "confirm"))
    window.findChild(QPushButton, "confirm").click()  # type: ignore[union-attr]
    await until(lambda: backend.key_desk.more == {})
    assert backend.keys == {"main": "sk-first-key-9876"}
    await until(lambda: "2 keys" not in words(page))


async def test_a_locked_key_file_is_opened_here(window: MainWindow, backend: FakeBackend) -> None:
    backend.key_desk.passphrase = "correct horse"
    page = await open_keys(window, backend)
    field = named(page, QLineEdit, "Passphrase of the key file")
    assert isinstance(field, QLineEdit)
    assert field.echoMode() == QLineEdit.EchoMode.Password
    QTest.keyClicks(field, "wrong")
    press(page, "Unlock the key file")
    await until(lambda: "The passphrase is wrong." in words(page))
    field.clear()
    QTest.keyClicks(field, "correct horse")
    QTest.keyClick(field, Qt.Key.Key_Return)
    await until(lambda: not page.unlock.isVisible())
    assert field.text() == ""
