"""The look of the window: colours, fonts, tinted icons, and their way into Qt (palette and style sheet).

Not a place for layout: widgets set their own margins on the 4 px grid. Every text colour here has a
contrast of at least 4.5:1 on each background it is used on; a test checks it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer

from vpa_desktop.config import resource_path
from vpa_desktop.ui.style_sheet import style_sheet

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtWidgets import QApplication

TEXT_FAMILY = "Inter"
CODE_FAMILY = "JetBrains Mono"
BASE_PX = 13


@dataclass(frozen=True, slots=True)
class Theme:
    """One set of colours, as ``#rrggbb``."""

    is_dark: bool
    bg: str
    side: str
    card: str
    raised: str
    line: str
    edge: str
    text: str
    dim: str
    faint: str
    accent: str
    on_accent: str
    soft: str
    bubble: str
    hover: str
    sel: str
    code_bg: str
    code_head: str
    chip: str
    ok: str
    warn: str
    danger: str
    danger_soft: str
    mark: str
    code_keyword: str
    code_string: str
    code_number: str
    code_comment: str
    code_name: str
    code_class: str


LIGHT = Theme(
    is_dark=False,
    bg="#ffffff",
    side="#f6f7f9",
    card="#ffffff",
    raised="#ffffff",
    line="#e4e7ec",
    edge="#868f9e",
    text="#1a1d23",
    dim="#555e6c",
    faint="#626b7a",
    accent="#3b5bdb",
    on_accent="#ffffff",
    soft="#edf1ff",
    bubble="#eef1f6",
    hover="#eceff3",
    sel="#e4e9f7",
    code_bg="#f7f8fa",
    code_head="#eef0f4",
    chip="#f1f3f7",
    ok="#0f7a4e",
    warn="#8f5600",
    danger="#c2262e",
    danger_soft="#fdeeee",
    mark="#fff0b8",
    code_keyword="#8250df",
    code_string="#0a7346",
    code_number="#a34f00",
    code_comment="#656e79",
    code_name="#0550ae",
    code_class="#953800",
)
DARK = Theme(
    is_dark=True,
    bg="#17191d",
    side="#121417",
    card="#1d2025",
    raised="#22262c",
    line="#2c3138",
    edge="#6b7584",
    text="#e7e9ed",
    dim="#a2abb8",
    faint="#929cab",
    accent="#7c9bff",
    on_accent="#0e1220",
    soft="#222b45",
    bubble="#252a33",
    hover="#22262d",
    sel="#262e42",
    code_bg="#111317",
    code_head="#1b1e23",
    chip="#23272e",
    ok="#4cc38a",
    warn="#f0b04f",
    danger="#ff8080",
    danger_soft="#3a2225",
    mark="#4d4320",
    code_keyword="#c69cff",
    code_string="#7fd8a4",
    code_number="#ffb26b",
    code_comment="#848d97",
    code_name="#7fb8ff",
    code_class="#ffb38a",
)


def theme_for(scheme: Qt.ColorScheme) -> Theme:
    """Returns the theme for the desktop's colour scheme; unknown counts as light."""
    return DARK if scheme == Qt.ColorScheme.Dark else LIGHT


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Gives the application Fusion, the bundled fonts, the palette and the style sheet of ``theme``."""
    apply_palette(app, theme)
    apply_style_sheet(app, theme)


def apply_palette(app: QApplication, theme: Theme) -> None:
    """Gives the application all of ``theme`` but its style sheet: what widgets need to know while they are made."""
    load_fonts()
    app.setStyle("Fusion")
    app.setFont(text_font())
    app.setPalette(palette(theme))


def apply_style_sheet(app: QApplication, theme: Theme) -> None:
    """Gives the application the style sheet.

    At the start this comes after the window is made: with it, Qt styles every widget again at each new parent, which
    costs four times as much as styling the finished window once.
    """
    app.setStyleSheet(style_sheet(theme))


@lru_cache(1)
def load_fonts() -> tuple[str, ...]:
    """Loads the bundled fonts once and returns the families found in them."""
    families: set[str] = set()
    for path in sorted(resource_path("fonts").glob("*.[ot]tf")):
        number = QFontDatabase.addApplicationFont(str(path))
        families.update(QFontDatabase.applicationFontFamilies(number) if number >= 0 else ())
    return tuple(sorted(families))


def text_font(px: float = BASE_PX, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """Returns the reading font at ``px`` pixels."""
    return _font(TEXT_FAMILY, px, weight)


def code_font(px: float = BASE_PX, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """Returns the fixed-width font at ``px`` pixels."""
    font = _font(CODE_FAMILY, px, weight)
    font.setStyleHint(QFont.StyleHint.Monospace)
    return font


def _font(family: str, px: float, weight: QFont.Weight) -> QFont:
    font = QFont(family)
    font.setPixelSize(max(1, round(px)))
    font.setWeight(weight)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return font


def palette(theme: Theme) -> QPalette:
    """Builds the palette that Fusion and our own painting read."""
    colours = QPalette()
    for role, colour in _palette_roles(theme).items():
        colours.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
        colours.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.edge))
    return colours


def _palette_roles(theme: Theme) -> dict[QPalette.ColorRole, str]:
    role = QPalette.ColorRole
    return {
        role.Window: theme.bg,
        role.Base: theme.bg,
        role.AlternateBase: theme.side,
        role.Button: theme.card,
        role.Text: theme.text,
        role.WindowText: theme.text,
        role.ButtonText: theme.text,
        role.BrightText: theme.danger,
        role.PlaceholderText: theme.faint,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.on_accent,
        role.Accent: theme.accent,
        role.Link: theme.accent,
        role.LinkVisited: theme.accent,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.Light: theme.raised,
        role.Midlight: theme.hover,
        role.Mid: theme.line,
        role.Dark: theme.edge,
        role.Shadow: theme.line,
    }


def icon(name: str, color: str, size: int = 18) -> QIcon:
    """Returns the Lucide icon ``name`` in one colour, sharp at the finest screen's ratio."""
    return QIcon(icon_pixmap(name, color, size))


def icon_pixmap(name: str, color: str, size: int = 18, ratio: float | None = None) -> QPixmap:
    """Renders the Lucide icon ``name`` at ``size`` logical pixels; raises FileNotFoundError for an unknown name."""
    return _render(name, color, size, ratio if ratio is not None else _screen_ratio())


@lru_cache(512)
def _render(name: str, color: str, size: int, ratio: float) -> QPixmap:
    svg = _svg(name).replace("currentColor", color)
    pixmap = QPixmap(QSize(round(size * ratio), round(size * ratio)))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(pixmap.rect()))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


@lru_cache(128)
def _svg(name: str) -> str:
    return resource_path("icons", f"{name}.svg").read_text(encoding="utf-8")


def _screen_ratio() -> float:
    app = QGuiApplication.instance()
    return app.devicePixelRatio() if isinstance(app, QGuiApplication) else 1.0


def icon_file(name: str) -> Path:
    """Returns where the SVG of an icon is, for a style sheet's ``url()``."""
    return resource_path("icons", f"{name}.svg")
