"""The page Providers in the real window: own fields per kind, Test beside its button, the order by mouse and keys."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAccessible, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton, QWidget

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend
from tests.ui.test_pages import named, press, words
from vpa_desktop.catalog import KINDS, ModelInfo
from vpa_desktop.provider_fields import KEY, fields_of
from vpa_desktop.records import ProviderDraft, ProviderVerdict
from vpa_desktop.ui.main_window import MainWindow
from vpa_desktop.ui.pages import SETTINGS
from vpa_desktop.ui.settings.provider_card import ProviderCard
from vpa_desktop.ui.settings.provider_form import ProviderForm
from vpa_desktop.ui.settings.providers import ProvidersPage
from vpa_desktop.ui.widgets import PlainLabel, Switch

pytestmark = pytest.mark.ui
SECRET = "sk-example-0123456789"


def add_form(window: MainWindow, kind: str = "") -> ProviderForm:
    """Opens the form for a new provider of a kind."""
    window.go(SETTINGS)
    window.settings.start_adding()
    form = window.settings.providers.form
    if kind:
        form.kind.setCurrentIndex(form.kind.findData(kind))
    return form


async def listed(window: MainWindow, backend: FakeBackend, *ids: str) -> ProvidersPage:
    """Opens the page with some providers of no key on it."""
    for name in ids:
        await backend.save_provider(ProviderDraft(name, "mock"))
    page = window.settings.providers
    window.go(SETTINGS)
    page.refresh()
    await until(lambda: set(ids) <= set(page.cards.ids()))
    return page


def card_of(page: ProvidersPage, provider_id: str) -> ProviderCard:
    card = page.cards.card(provider_id)
    assert card is not None
    return card


def seen(form: ProviderForm) -> set[str]:
    """The fields a person sees."""
    return {key for key, made in form.rows.inputs.items() if made.isVisible()}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_kind_shows_its_own_fields_and_folds_the_seldom_ones(window: MainWindow, kind: str) -> None:
    form = add_form(window, kind)
    fields = fields_of(kind)
    assert seen(form) == {f.key for f in fields if not f.advanced}
    form.rows.more.click()
    assert seen(form) == {f.key for f in fields if f.key != "allow_plain_http"}
    for made in form.rows.inputs.values():
        assert made.control.accessibleName()
    assert form.service.isVisible() == (kind == "openai_compatible")


async def test_what_is_typed_for_a_kind_is_what_is_saved(window: MainWindow, backend: FakeBackend) -> None:
    form = add_form(window, "azure")
    form.name.setText("office")
    press(form, "Save")
    assert "“Endpoint” is empty." in words(form)
    form.endpoint.setText("https://office.openai.azure.com/")
    QTest.keyClicks(form.key, SECRET)
    form.rows.line("deployment").setText("our-gpt")
    form.rows.line("input_cost_per_million").setText("2,50")
    form.rows.line("timeout_s").setText("soon")
    press(form, "Save")
    assert "“soon” cannot be used" in words(form)
    form.rows.line("timeout_s").setText("20")
    press(form, "Save")
    await until(lambda: backend.drafts)
    draft = backend.drafts[0]
    assert (draft.id, draft.kind, draft.endpoint, draft.key) == (
        "office",
        "azure",
        "https://office.openai.azure.com",
        SECRET,
    )
    assert (draft.options["deployment"], draft.options["timeout_s"]) == ("our-gpt", 20.0)
    assert draft.options["input_cost_per_million"] == Decimal("2.5")
    assert draft.options["api_version"] is None
    assert KEY not in draft.options
    await until(lambda: not form.isVisible())
    assert SECRET not in words(window)


async def test_changing_shows_what_is_stored_and_empties_what_is_emptied(
    window: MainWindow, backend: FakeBackend
) -> None:
    await backend.save_provider(ProviderDraft("work", "openai", "gpt-4o", key=SECRET, options={"proxy": "http://p:1"}))
    page = await listed(window, backend)
    await until(lambda: page.cards.card("work"))
    press(page, "Change work")
    form = page.form
    assert not form.kind.isEnabled()
    assert form.model.text() == "gpt-4o"
    assert form.rows.line("proxy").isVisible()
    assert form.key.text() == ""
    assert form.key.placeholderText().startswith("a key is stored")
    form.rows.line("proxy").clear()
    press(form, "Save")
    await until(lambda: not form.isVisible())
    assert backend.settings.providers["work"].proxy is None
    assert backend.drafts[-1].key is None


async def test_a_service_fills_its_address_and_knows_its_key_page(window: MainWindow) -> None:
    form = add_form(window, "openai_compatible")
    assert not form.rows.key_page.isVisible()
    form.service.setCurrentIndex(form.service.findData("openrouter"))
    form.service.activated.emit(form.service.currentIndex())
    assert form.endpoint.text() == "https://openrouter.ai/api/v1"
    assert form.name.text() == "openrouter"
    links: list[str] = []
    form.link_wanted.disconnect()
    form.link_wanted.connect(links.append)
    press(form, "Get a key")
    assert links == ["https://openrouter.ai/settings/keys"]
    form.endpoint.setText("https://example.org/v1")
    assert form.service.currentText() == "Another one"


async def test_plain_http_is_only_a_question_for_another_machine(window: MainWindow) -> None:
    form = add_form(window, "openai_compatible")
    for address, asked in (
        ("https://example.org/v1", False),
        ("http://127.0.0.1:8000/v1", False),
        ("http://box.lan:8000/v1", True),
    ):
        form.endpoint.setText(address)
        assert ("allow_plain_http" in seen(form)) == asked
    assert "Anyone on the way can read the key" in words(form)
    switch = named(form, Switch, "Allow plain http")
    assert isinstance(switch, Switch)
    switch.click()
    assert form.draft().options["allow_plain_http"] is True


async def test_a_test_waits_can_be_stopped_and_says_what_came_of_it(window: MainWindow, backend: FakeBackend) -> None:
    form = add_form(window)
    QTest.keyClicks(form.key, SECRET)
    backend.may_answer.clear()
    form.test.setFocus()
    form.test.click()
    await until(lambda: backend.tested)
    assert not form.test.isEnabled()
    assert "Asking openai_main" in words(form)
    assert form.window().focusWidget() is form.verdict.stop
    press(form, "Stop the test")
    assert form.test.isEnabled()
    assert "The test was stopped." in words(form)
    assert form.window().focusWidget() is form.test
    backend.may_answer.set()
    backend.verdict = ProviderVerdict(
        "", False, "x", 9.0, reason="wrong_model", headline="It does not know X.", advice="Choose one of Y."
    )
    form.test.click()
    await until(lambda: "It does not know X.\nChoose one of Y." in words(form))
    assert form.verdict.property("verdict") == "error"
    assert form.verdict.accessibleName() == "It does not know X. Choose one of Y."
    assert backend.tested[-1].key == SECRET
    assert backend.asked == [True, True]


async def test_models_are_loaded_on_demand_with_what_they_can(window: MainWindow, backend: FakeBackend) -> None:
    form = add_form(window)
    facts = (
        ModelInfo(
            "gpt-6-luna", 400_000, images=True, tools=True, reasoning=True, retires_on="2020-01-01",
            input_cost_per_million=Decimal("1.25"), output_cost_per_million=Decimal(10),
        ),
        ModelInfo("text-embedding", chat=False),
    )  # fmt: skip
    backend.verdict = ProviderVerdict("", True, "ok", 9.0, tuple(m.id for m in facts), model_facts=facts)
    field = form.rows.inputs["model"].model
    assert field.open.accessibleName() == "Load models"
    field.open.click()
    await until(lambda: form.model.completer() is not None)
    assert backend.asked == [False]
    names = form.model.completer().model()
    assert [names.index(n, 0).data() for n in range(names.rowCount())] == ["gpt-6-luna"]
    popup = form.model.completer().popup()
    assert popup is not None
    popup.hide()
    form.model.setText("gpt-6-luna")
    assert "400k tokens · images · tools · thinking · $1.25 in, $10 out per million · ended 2020-01-01" in words(form)
    assert field.open.accessibleName() == "Show the models"


async def test_a_card_keeps_its_last_test_and_shows_what_its_model_can(
    window: MainWindow, backend: FakeBackend
) -> None:
    page = await listed(window, backend, "one")
    fact = ModelInfo("mock", 8192, tools=True)
    backend.verdict = ProviderVerdict(
        "", True, "It answers.", 9.0, ("mock",), headline="It answers.", model_facts=(fact,)
    )
    press(page, "Test one")
    await until(lambda: "It answers." in words(page))
    await until(lambda: "8k tokens\ntools" in words(page))
    assert "Tested at " in words(page)
    page.refresh()
    await until(lambda: not page._tasks.running("providers"))
    assert "It answers." in words(page)


async def test_the_order_is_changed_by_keyboard_and_stays_in_the_focus(
    window: MainWindow, backend: FakeBackend
) -> None:
    page = await listed(window, backend, "one", "two")
    assert "They are asked in this order" in words(page)
    assert page.cards.ids() == ["one", "two", "local"]
    card_of(page, "two").setFocus()
    QTest.keyClick(card_of(page, "two"), Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    await until(lambda: backend.orders == [["two", "one", "local"]])
    await until(lambda: card_of(page, "two").status.is_default)
    assert card_of(page, "two").accessibleName().startswith("1. two")
    assert page.window().focusWidget() is card_of(page, "two")
    card_of(page, "local").order_actions()[0].trigger()
    await until(lambda: backend.orders[-1] == ["local", "two", "one"])
    assert backend.settings.routing.default_provider == "local"
    QTest.keyClick(card_of(page, "local"), Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert len(backend.orders) == 2


def mouse(widget: QWidget, kind: QMouseEvent.Type, at: QPoint) -> None:
    """Sends one event of the left button at a place on the screen."""
    left = Qt.MouseButton.LeftButton
    held = Qt.MouseButton.NoButton if kind == QMouseEvent.Type.MouseButtonRelease else left
    event = QMouseEvent(
        kind, QPointF(widget.mapFromGlobal(at)), QPointF(at), left, held, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(widget, event)


async def test_a_card_is_dragged_to_another_place(window: MainWindow, backend: FakeBackend) -> None:
    page = await listed(window, backend, "one", "two")
    await until(lambda: card_of(page, "two").y() > 50)
    card = card_of(page, "one")
    grip = card.grip
    start = grip.mapToGlobal(QPoint(5, 5))
    below = card_of(page, "two").mapToGlobal(QPoint(5, card_of(page, "two").height() - 5))
    mouse(grip, QMouseEvent.Type.MouseButtonPress, start)
    mouse(grip, QMouseEvent.Type.MouseMove, below)
    assert page.cards.ids() == ["two", "one", "local"]
    QTest.keyClick(card, Qt.Key.Key_Escape)
    assert page.cards.ids() == ["one", "two", "local"]
    mouse(grip, QMouseEvent.Type.MouseButtonRelease, below)
    assert backend.orders == []
    mouse(grip, QMouseEvent.Type.MouseButtonPress, start)
    mouse(grip, QMouseEvent.Type.MouseMove, below)
    mouse(grip, QMouseEvent.Type.MouseButtonRelease, below)
    await until(lambda: backend.orders == [["two", "one", "local"]])


async def test_weights_are_on_the_cards_only_where_they_count(window: MainWindow, backend: FakeBackend) -> None:
    page = await listed(window, backend, "one")
    assert not [w for w in page.findChildren(QWidget) if w.accessibleName() == "Weight of one"]
    window.settings.save("routing.strategy", "weighted")
    await until(lambda: "shared out by weight" in words(page))
    boxes = [w for w in card_of(page, "one").findChildren(QWidget) if w.accessibleName() == "Weight of one"]
    boxes[0].setProperty("value", 0.3)
    QTest.keyClick(boxes[0], Qt.Key.Key_Return)
    await until(lambda: backend.saved.get("providers.one.weight") == 0.3)


async def test_tab_goes_through_the_form_from_top_to_bottom(window: MainWindow) -> None:
    form = add_form(window)
    passed: list[str] = []
    widget: QWidget | None = form.kind
    while widget is not None and widget is not form.save and len(passed) < 60:
        if widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.accessibleName():
            passed.append(widget.accessibleName())
        widget = widget.nextInFocusChain()
    assert passed == ["Kind of provider", "Name", "API key", "Model", "Load models", "Advanced", "Ask this one first"]


async def test_a_screen_reader_sees_fields_and_cards_by_their_names(window: MainWindow, backend: FakeBackend) -> None:
    page = await listed(window, backend, "one")
    form = add_form(window)
    for name, kind in (("API key", QLineEdit), ("Model", QLineEdit), ("Test this provider", QPushButton)):
        interface = QAccessible.queryAccessibleInterface(named(form, kind, name))
        assert interface is not None
        assert interface.text(QAccessible.Text.Name) == name
    card = QAccessible.queryAccessibleInterface(card_of(page, "one"))
    assert card is not None
    assert card.text(QAccessible.Text.Name) == "1. one, Mock (for demonstrations), mock. Ready. It needs no key."
    assert "Alt+Up" in card.text(QAccessible.Text.Description)


async def test_the_page_stays_where_it_was_and_the_focus_on_what_was_changed(
    window: MainWindow, backend: FakeBackend
) -> None:
    window.resize(900, 600)
    page = await listed(window, backend, *(f"p{n}" for n in range(8)))
    bar = page.verticalScrollBar()
    await until(lambda: bar.maximum() > 300)
    bar.setValue(250)
    switch = named(page, Switch, "Use p3")
    assert isinstance(switch, Switch)
    switch.setFocus()
    switch.click()
    await until(lambda: "Not in use." in words(card_of(page, "p3")))
    await asyncio.sleep(0.05)
    assert bar.value() == 250
    assert window.focusWidget() is card_of(page, "p3").enabled
    card_of(page, "p3").setFocus()
    QTest.keyClick(card_of(page, "p3"), Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    await until(lambda: backend.orders and not page._tasks.running("order providers"))
    await asyncio.sleep(0.05)
    assert bar.value() < bar.maximum() - 100
    assert window.focusWidget() is card_of(page, "p3")
    assert not card_of(page, "p3").visibleRegion().isEmpty()


async def test_after_save_remove_and_cancel_the_focus_is_where_one_goes_on(
    window: MainWindow, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sure(*_: object) -> bool:
        return True

    monkeypatch.setattr("vpa_desktop.ui.settings.providers.confirm", sure)
    window.resize(900, 600)
    page = await listed(window, backend, *(f"p{n}" for n in range(8)))
    press(page, "Change p6")
    page.form.save.setFocus()
    page.form.save.click()
    await until(lambda: not page.form.isVisible())
    await until(lambda: window.focusWidget() is card_of(page, "p6"))
    await until(lambda: not card_of(page, "p6").visibleRegion().isEmpty())
    press(page, "Remove p6")
    await until(lambda: page.cards.card("p6") is None)
    await until(lambda: window.focusWidget() is card_of(page, "p7"))
    press(page, "Change p2")
    press(page.form, "Cancel editing")
    assert window.focusWidget() is card_of(page, "p2")
    page.add.click()
    press(page.form, "Cancel editing")
    assert window.focusWidget() is page.add


@pytest.mark.parametrize("strategy", ["failover", "weighted"])
async def test_everything_fits_a_small_window_whatever_is_set_up(
    window: MainWindow, backend: FakeBackend, strategy: str
) -> None:
    window.resize(900, 600)
    await backend.save_settings({"routing.strategy": strategy})
    for kind in KINDS:
        long = "a-model-with-a-long-name-2026-01-01-preview"
        await backend.save_provider(ProviderDraft(f"{kind}_with_a_long_name_of_its_own", kind, long))
    page = await listed(window, backend)
    await until(lambda: len(page.cards.cards) > len(KINDS) - 1)
    form = add_form(window)
    for kind in KINDS:
        form.kind.setCurrentIndex(form.kind.findData(kind))
        form.rows.unfold()
        await asyncio.sleep(0.02)
        assert page.horizontalScrollBar().maximum() == 0, kind
    for card in page.cards.cards:
        assert card.rect().contains(card.enabled.geometry())
        assert card.rect().contains(card.menu.geometry())


async def test_chips_go_on_in_the_next_row(window: MainWindow, backend: FakeBackend) -> None:
    window.resize(900, 600)
    page = await listed(window, backend, "one")
    fact = ModelInfo("mock", 8192, tools=True, images=True, reasoning=True, retires_on="2099-01-01")
    backend.verdict = ProviderVerdict("", True, "It answers.", 9.0, ("mock",), model_facts=(fact,))
    press(page, "Test one")
    await until(lambda: "ends 2099-01-01" in words(page))
    await asyncio.sleep(0.05)
    chips = [label for label in card_of(page, "one").findChildren(PlainLabel) if label.property("chip")]
    assert len({chip.y() for chip in chips}) > 1
    assert all(chip.mapTo(page, chip.rect().topRight()).x() < page.viewport().width() for chip in chips)


async def test_a_changed_address_asks_for_its_own_key(window: MainWindow, backend: FakeBackend) -> None:
    address = "https://one.example/v1"
    await backend.save_provider(ProviderDraft("work", "openai_compatible", "m", address, key=SECRET))
    page = await listed(window, backend)
    await until(lambda: page.cards.card("work"))
    press(page, "Change work")
    form = page.form
    assert form.key.placeholderText().startswith("a key is stored")
    form.endpoint.setText("https://two.example/v1")
    assert form.key.placeholderText() == "type the key for this address"
    form.test.click()
    await until(lambda: "It answers, but was not tested with a key." in words(form))
    assert form.verdict.property("verdict") == "warn"
    QTest.keyClicks(form.key, SECRET)
    form.test.click()
    await until(lambda: form.verdict.property("verdict") == "ok")
    form.endpoint.setText("https://one.example/v1/other")
    assert form.key.placeholderText().startswith("a key is stored")


async def test_a_mistake_is_marked_where_it_is_and_goes_with_the_next_letter(
    window: MainWindow, backend: FakeBackend
) -> None:
    form = add_form(window, "openai")
    line = form.rows.line("timeout_s")
    line.setText("soon")
    QTest.keyClick(form.name, Qt.Key.Key_Return)
    assert line.isVisible()
    assert window.focusWidget() is line
    assert line.styleSheet()
    assert "“soon” cannot be used" in words(form)
    line.setText("20")
    assert not form.verdict.isVisible()
    assert not line.styleSheet()
    form.name.setText("two words")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert window.focusWidget() is form.name
    form.name.setText("mine")
    assert not form.verdict.isVisible()
    QTest.keyClick(form.name, Qt.Key.Key_Return)
    await until(lambda: backend.drafts)
    assert backend.drafts[0].id == "mine"
