"""What a policy decides is said in the window where a person meets it: cards, picker, and the settings themselves."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from PySide6.QtWidgets import QLineEdit, QPushButton, QWidget

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend
from vpa_desktop.config import BudgetSettings
from vpa_desktop.errors import BudgetExceeded
from vpa_desktop.records import ProviderDraft
from vpa_desktop.ui.chat.limit_dialog import LimitDialog
from vpa_desktop.ui.main_window import MainWindow
from vpa_desktop.ui.pages import SETTINGS
from vpa_desktop.ui.settings.provider_card import ProviderCard
from vpa_desktop.ui.widgets import PlainLabel, Switch

pytestmark = pytest.mark.ui

NOT_ALLOWED = "Not allowed. Your administrator's policy allows only local."
KEPT_ON = "Your administrator's policy keeps this on."
AT_MOST = "Your administrator's policy allows at most $50.00."


def words(widget: QWidget) -> list[str]:
    """What its labels say."""
    return [label.text() for label in widget.findChildren(PlainLabel) if not label.isHidden()]


async def test_a_card_and_the_picker_say_why_a_provider_is_not_allowed(
    window: MainWindow, backend: FakeBackend
) -> None:
    await backend.save_provider(ProviderDraft("work", "openai", "gpt-6-luna", key="sk-x"))
    backend.forbidden["work"] = NOT_ALLOWED
    window.go(SETTINGS)
    window.settings.providers.refresh()
    await until(lambda: any(card.status.forbidden for card in window.findChildren(ProviderCard)))
    card = next(card for card in window.findChildren(ProviderCard) if card.status.id == "work")
    assert words(card).count(NOT_ALLOWED) == 1
    assert NOT_ALLOWED in card.accessibleName()
    choice = next(c for c in await backend.route_choices() if c.provider == "work")
    assert not choice.is_ready
    assert choice.note == NOT_ALLOWED


async def test_settings_that_a_policy_decides_can_only_be_read_and_say_so(
    window: MainWindow, backend: FakeBackend
) -> None:
    backend._settings = replace(
        backend.settings,
        budget=BudgetSettings(daily_limit_usd=Decimal(50)),
        fixed={"privacy.redact_outgoing": KEPT_ON},
        bounded={"budget.daily_limit_usd": AT_MOST},
    )
    window.go(SETTINGS)
    window.settings._fill(backend)
    rows = {key: row for page in window.settings.forms for key, row in page.rows.items()}
    masked, limit = rows["privacy.redact_outgoing"], rows["budget.daily_limit_usd"]
    assert isinstance(masked.control, Switch)
    assert (masked.control.isEnabled(), masked.control.isChecked()) == (False, True)
    assert KEPT_ON in words(masked)
    assert KEPT_ON in masked.control.accessibleDescription()
    assert isinstance(limit.control, QLineEdit)
    assert (limit.control.isEnabled(), limit.control.text()) == (True, "50.00")
    assert AT_MOST in words(limit)
    free = rows["budget.monthly_limit_usd"]
    assert free.control.isEnabled()
    assert KEPT_ON not in words(free)


@pytest.mark.parametrize(("whose", "offered"), [("", True), ("Your administrator's policy, role trainee", False)])
async def test_a_policys_limit_offers_neither_once_anyway_nor_another_limit(
    window: MainWindow, whose: str, offered: bool
) -> None:
    error = BudgetExceeded(
        "The daily limit of $1.00 is used up", limit=Decimal(1), spent=Decimal(1), needed=Decimal("0.1"), whose=whose
    )
    dialog = LimitDialog(window, error, has_local=True)
    names = [button.accessibleName() for button in dialog.findChildren(QPushButton)]
    assert ("Send once anyway" in names) is offered
    assert ("Change the limit" in names) is offered
    assert "Ask the local model" in names
    assert any(whose in said for said in words(dialog))
    dialog.deleteLater()
