"""The Qt style sheet of a theme, written once for the whole window.

Properties that widgets set to be styled: ``nav``, ``pill``, ``chip``, ``primary``, ``danger``, ``ghost`` on buttons;
``dim``, ``faint``, ``heading``, ``error`` on labels; ``card`` and ``side`` on frames. Object names: side, top,
status, composer, search, send, title. Colours come from the theme alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vpa_desktop.ui.theme import Theme


def style_sheet(theme: Theme) -> str:
    """Returns the style sheet for ``theme``."""
    return "".join(part(theme) for part in (_frames, _labels, _buttons, _inputs, _views, _menus, _bars))


def _frames(t: Theme) -> str:
    return f"""
* {{ outline: 0; }}
QDialog, QMessageBox, QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
#side, QFrame[side="true"] {{ background: {t.side}; border: 0; border-right: 1px solid {t.line}; }}
#top {{ background: {t.bg}; border: 0; border-bottom: 1px solid {t.line}; }}
#status {{ background: {t.side}; border: 0; border-top: 1px solid {t.line}; }}
#status QLabel {{ color: {t.dim}; font-size: 12px; }}
#composer {{ background: {t.card}; border: 1px solid {t.line}; border-radius: 18px; }}
#composer[focused="true"] {{ border: 1px solid {t.accent}; }}
#composer QPlainTextEdit, #composer QTextEdit {{ background: transparent; border: 0; font-size: 14px; padding: 0; }}
QFrame[card="true"] {{ background: {t.card}; border: 1px solid {t.line}; border-radius: 12px; }}
QFrame[card="true"]:focus {{ border: 2px solid {t.accent}; }}
QFrame[lifted="true"] {{ background: {t.raised}; border: 1px solid {t.accent}; }}
QFrame[verdict] {{ background: {t.soft}; border: 1px solid {t.line}; border-radius: 8px; }}
QFrame[verdict="ok"] {{ background: transparent; border: 1px solid {t.ok}; }}
QFrame[verdict="warn"] {{ background: transparent; border: 1px solid {t.warn}; }}
QFrame[verdict="error"] {{ background: {t.danger_soft}; border: 1px solid {t.danger}; }}
QFrame[notice="true"] {{ background: {t.soft}; border: 1px solid {t.line}; border-radius: 10px; }}
QFrame[notice="error"] {{ background: {t.danger_soft}; border: 1px solid {t.danger}; border-radius: 10px; }}
QFrame[attachment="true"] {{ background: {t.chip}; border: 1px solid {t.line}; border-radius: 10px; }}
QFrame[attachment="true"]:focus {{ border: 2px solid {t.accent}; }}
QFrame[rule="true"] {{ background: {t.line}; border: 0; }}
QSplitter::handle {{ background: {t.line}; }}
QGroupBox {{ border: 1px solid {t.line}; border-radius: 10px; margin-top: 18px; padding: 12px; font-weight: 600; }}
QGroupBox::title {{ subcontrol-origin: margin; left: 4px; color: {t.text}; }}
QToolTip {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line}; padding: 5px 8px; }}
"""


def _labels(t: Theme) -> str:
    return f"""
#title, QLabel[title="true"] {{ font-weight: 600; font-size: 14px; }}
QLabel[heading="true"] {{ font-weight: 600; font-size: 18px; }}
QLabel[strong="true"] {{ font-weight: 600; }}
QLabel[dim="true"] {{ color: {t.dim}; font-size: 12px; }}
QLabel[faint="true"] {{ color: {t.faint}; font-size: 11px; font-weight: 600; }}
QLabel[error="true"] {{ color: {t.danger}; }}
QLabel[ok="true"] {{ color: {t.ok}; }}
QLabel[warn="true"] {{ color: {t.warn}; }}
QLabel[figure="true"] {{ font-size: 24px; font-weight: 600; }}
"""


def _buttons(t: Theme) -> str:
    return f"""
QPushButton {{ background: {t.card}; color: {t.text}; border: 1px solid {t.edge}; border-radius: 8px;
  padding: 6px 14px; min-height: 18px; font-weight: 500; }}
QPushButton:hover {{ background: {t.hover}; }}
QPushButton:pressed {{ background: {t.sel}; }}
QPushButton:focus {{ border: 2px solid {t.accent}; padding: 5px 13px; }}
QPushButton:disabled {{ color: {t.edge}; border-color: {t.line}; }}
QPushButton[primary="true"], QPushButton:default {{ background: {t.accent}; color: {t.on_accent};
  border: 1px solid {t.accent}; font-weight: 600; }}
QPushButton[primary="true"]:focus, QPushButton:default:focus {{ border: 2px solid {t.text}; }}
QPushButton[primary="true"]:disabled, QPushButton:default:disabled {{ background: {t.line}; color: {t.dim};
  border-color: {t.line}; }}
QPushButton[danger="true"] {{ color: {t.danger}; border-color: {t.danger}; }}
QPushButton[danger="true"]:hover {{ background: {t.danger_soft}; }}
QPushButton[ghost="true"] {{ background: transparent; border: 1px solid transparent; color: {t.accent}; }}
QPushButton[ghost="true"]:focus {{ border: 2px solid {t.accent}; }}
QPushButton[example="true"] {{ text-align: left; border: 1px solid {t.line}; border-radius: 12px; padding: 11px 14px;
  color: {t.dim}; font-weight: 400; }}
QPushButton[example="true"]:hover {{ color: {t.text}; background: {t.hover}; }}
QPushButton[example="true"]:focus {{ border: 2px solid {t.accent}; padding: 10px 13px; }}
QToolButton {{ border: 2px solid transparent; border-radius: 8px; padding: 4px; background: transparent;
  color: {t.text}; }}
QToolButton:hover {{ background: {t.hover}; }}
QToolButton:focus {{ border: 2px solid {t.accent}; }}
QToolButton:disabled {{ color: {t.edge}; }}
QToolButton::menu-indicator {{ image: none; width: 0; }}
QToolButton[nav="true"] {{ text-align: left; padding: 5px 8px; }}
QToolButton[nav="true"]:checked {{ background: {t.sel}; font-weight: 600; }}
QToolButton[pill="true"] {{ border: 1px solid {t.line}; border-radius: 14px; padding: 4px 10px; font-size: 12px;
  color: {t.dim}; }}
QToolButton[pill="true"]:checked {{ background: {t.soft}; border: 1px solid transparent; color: {t.accent};
  font-weight: 600; }}
QToolButton[pill="true"]:focus {{ border: 2px solid {t.accent}; padding: 3px 9px; }}
QToolButton[chip="true"], QLabel[chip="true"] {{ background: {t.chip}; border: 1px solid {t.line};
  border-radius: 12px; padding: 3px 10px; font-size: 12px; color: {t.text}; }}
QToolButton[chip="true"]:focus {{ border: 2px solid {t.accent}; padding: 2px 9px; }}
#send {{ background: {t.accent}; border: 2px solid {t.accent}; border-radius: 16px; padding: 0; }}
#send:hover {{ background: {t.accent}; }}
#send:focus {{ border: 2px solid {t.text}; }}
#send:disabled {{ background: {t.line}; border-color: {t.line}; }}
QCheckBox, QRadioButton {{ spacing: 8px; border: 2px solid transparent; border-radius: 6px; padding: 2px; }}
QCheckBox:focus, QRadioButton:focus {{ border: 2px solid {t.accent}; }}
"""


def _inputs(t: Theme) -> str:
    return f"""
QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox, QComboBox, QDateEdit {{ background: {t.card};
  color: {t.text}; border: 1px solid {t.edge}; border-radius: 8px; padding: 6px 10px;
  selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus,
QDateEdit:focus {{ border: 2px solid {t.accent}; padding: 5px 9px; }}
QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled {{ color: {t.edge};
  border-color: {t.line}; }}
QAbstractSpinBox QLineEdit, QAbstractSpinBox QLineEdit:focus {{ border: 0; padding: 0 10px; background: transparent; }}
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ width: 0; height: 0; border: 0; }}
QLineEdit#search {{ border: 1px solid {t.line}; padding: 6px 10px 6px 6px; }}
QLineEdit#search:focus {{ border: 2px solid {t.accent}; padding: 5px 9px 5px 5px; }}
QComboBox::drop-down {{ border: 0; width: 22px; }}
QComboBox QAbstractItemView {{ background: {t.raised}; border: 1px solid {t.line}; padding: 4px;
  selection-background-color: {t.sel}; selection-color: {t.text}; }}
"""


def _views(t: Theme) -> str:
    return f"""
QListView, QTreeView, QTableView {{ background: transparent; border: 0; color: {t.text};
  alternate-background-color: {t.side}; gridline-color: {t.line}; }}
QListView:focus, QTreeView:focus, QTableView:focus {{ border: 2px solid {t.accent}; border-radius: 8px; }}
QListView[popup="true"], QListView[popup="true"]:focus {{ background: {t.raised}; border: 1px solid {t.line};
  border-radius: 0; padding: 0; }}
QListView::item, QTreeView::item {{ padding: 6px 8px; border-radius: 8px; }}
QListView::item:hover, QTreeView::item:hover {{ background: {t.hover}; }}
QListView::item:selected, QTreeView::item:selected, QTableView::item:selected {{ background: {t.sel};
  color: {t.text}; }}
QTableView::item {{ padding: 4px 8px; border: 0; }}
QHeaderView {{ background: transparent; }}
QHeaderView::section {{ background: {t.bg}; color: {t.dim}; border: 0; border-bottom: 1px solid {t.line};
  padding: 6px 8px; font-size: 12px; font-weight: 600; }}
QTableCornerButton::section {{ background: {t.bg}; border: 0; }}
QTabWidget::pane {{ border: 0; border-top: 1px solid {t.line}; }}
QTabBar::tab {{ background: transparent; color: {t.dim}; padding: 8px 14px; border: 0;
  border-bottom: 2px solid transparent; font-weight: 500; }}
QTabBar::tab:hover {{ color: {t.text}; }}
QTabBar::tab:selected {{ color: {t.accent}; border-bottom: 2px solid {t.accent}; font-weight: 600; }}
QTabBar::tab:focus {{ background: {t.soft}; border-radius: 6px; }}
"""


def _menus(t: Theme) -> str:
    return f"""
QMenu {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line}; padding: 5px; }}
QMenu::item {{ padding: 6px 24px 6px 12px; border-radius: 6px; }}
QMenu::item:selected {{ background: {t.sel}; }}
QMenu::item:disabled {{ color: {t.edge}; }}
QMenu::separator {{ height: 1px; background: {t.line}; margin: 4px 8px; }}
#models {{ background: {t.raised}; border: 1px solid {t.line}; }}
QMenuBar {{ background: {t.bg}; color: {t.text}; border-bottom: 1px solid {t.line}; }}
QMenuBar::item {{ padding: 5px 10px; background: transparent; border-radius: 6px; }}
QMenuBar::item:selected {{ background: {t.hover}; }}
"""


def _bars(t: Theme) -> str:
    return f"""
QProgressBar {{ background: {t.line}; border: 0; border-radius: 3px; max-height: 6px; min-height: 6px; }}
QProgressBar::chunk {{ background: {t.ok}; border-radius: 3px; }}
QProgressBar[level="warn"]::chunk {{ background: {t.warn}; }}
QProgressBar[level="over"]::chunk {{ background: {t.danger}; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 2px; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 2px; }}
QScrollBar::handle {{ background: {t.edge}; border-radius: 3px; }}
QScrollBar::handle:vertical {{ min-height: 40px; }}
QScrollBar::handle:horizontal {{ min-width: 40px; }}
QScrollBar::handle:hover {{ background: {t.faint}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
"""
