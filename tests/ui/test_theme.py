"""The theme: readable colours, bundled fonts, icons that draw."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from vpa_desktop.ui.theme import DARK, LIGHT, Theme, apply_theme, icon, icon_pixmap, load_fonts

TEXT_ON = [
    *(
        ("text", ground)
        for ground in ("bg", "side", "card", "raised", "bubble", "hover", "sel", "code_bg", "chip", "mark")
    ),
    *(("dim", ground) for ground in ("bg", "side", "card", "raised", "hover", "code_head", "line")),
    *(("faint", ground) for ground in ("bg", "side", "card", "chip", "bubble")),
    *(("accent", ground) for ground in ("bg", "side", "card", "soft", "bubble")),
    *((name, "bg") for name in ("ok", "warn", "danger")),
    ("danger", "danger_soft"),
    ("on_accent", "accent"),
    *((f"code_{kind}", "code_bg") for kind in ("keyword", "string", "number", "comment", "name", "class")),
]


def luminance(colour: str) -> float:
    def linear(channel: float) -> float:
        return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4

    parsed = QColor(colour)
    return 0.2126 * linear(parsed.redF()) + 0.7152 * linear(parsed.greenF()) + 0.0722 * linear(parsed.blueF())


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT_ON)
def test_text_is_readable(theme: Theme, ink: str, ground: str) -> None:
    assert contrast(getattr(theme, ink), getattr(theme, ground)) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_borders_of_controls_are_visible(theme: Theme) -> None:
    assert contrast(theme.edge, theme.card) >= 3
    assert contrast(theme.accent, theme.card) >= 3


def test_fonts_are_bundled(qtbot: QtBot) -> None:
    assert {"Inter", "JetBrains Mono"} <= set(load_fonts())


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_theme_applies_without_warnings(qapp: QApplication, theme: Theme) -> None:
    apply_theme(qapp, theme)
    assert qapp.palette().window().color().name() == theme.bg
    assert qapp.font().family() == "Inter"


def test_icon_is_drawn_in_its_colour(qtbot: QtBot) -> None:
    image = icon_pixmap("check", "#ff0000", 24, 2.0).toImage()
    assert (image.width(), image.devicePixelRatio()) == (48, 2.0)
    inked = [image.pixelColor(x, y) for x in range(48) for y in range(48) if image.pixelColor(x, y).alpha() == 255]
    assert inked
    assert {colour.name() for colour in inked} == {"#ff0000"}
    assert not icon("copy", "#000000").isNull()


def test_unknown_icon_is_an_error(qtbot: QtBot) -> None:
    with pytest.raises(FileNotFoundError):
        icon("no-such-icon", "#000000")
