"""The window as assistive technology and the keyboard see it, and links."""

from __future__ import annotations

from decimal import Decimal

import pytest
from PySide6.QtCore import QCoreApplication, QProcessEnvironment, Qt, QUrl
from PySide6.QtGui import QAccessible, QAccessibleInterface
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QPushButton, QScrollArea, QScrollBar, QWidget

from tests.ui.conftest import until
from tests.ui.fake_backend import FakeBackend
from vpa_desktop.errors import PolicyRefused, StorageError
from vpa_desktop.records import SystemStatus
from vpa_desktop.ui import links
from vpa_desktop.ui.keys import KEYS, KeysDialog
from vpa_desktop.ui.links import LinkDialog, checked_url, clean_environment, encoded
from vpa_desktop.ui.main_window import MainWindow
from vpa_desktop.ui.pages import CHAT, DASHBOARD, DOCUMENTS, SETTINGS

pytestmark = pytest.mark.ui
ROLE = QAccessible.Role
CONTROL = Qt.KeyboardModifier.ControlModifier


def tree(root: QAccessibleInterface) -> list[tuple[str, QAccessible.Role]]:
    """Every name and role below an element that a person can see."""
    found = []
    for n in range(root.childCount()):
        child = root.child(n)
        if child is None or child.state().invisible:
            continue
        found.append((child.text(QAccessible.Text.Name), child.role()))
        found += tree(child)
    return found


def seen(widget: QWidget) -> list[tuple[str, QAccessible.Role]]:
    """The accessible tree of a widget."""
    root = QAccessible.queryAccessibleInterface(widget)
    assert root is not None
    return tree(root)


async def test_the_names_of_the_contract_are_in_the_tree_with_their_roles(
    window: MainWindow, backend: FakeBackend
) -> None:
    backend.add_conversation("Budget", ("user", "numbers"))
    window.desk.refresh()
    await until(lambda: window.sidebar.conversations.model().rowCount() == 1)
    window.presenter.send("Hello")
    await until(lambda: window.chat.transcript.messages and not window.presenter.chat.busy)
    found = seen(window)
    for name, role in (
        ("Message", ROLE.EditableText),
        ("Send", ROLE.Button),
        ("New conversation", ROLE.Button),
        ("Conversations", ROLE.List),
        ("Budget", ROLE.ListItem),
        ("Search conversations", ROLE.EditableText),
        ("Transcript", ROLE.List),
        ("Attach files", ROLE.Button),
        ("Chat", ROLE.PageTab),
        ("Documents", ROLE.PageTab),
        ("Dashboard", ROLE.PageTab),
        ("Settings", ROLE.PageTab),
        ("Status", ROLE.StatusBar),
    ):
        assert (name, role) in found, f"{name} {role} is not in {found}"
    assert any(name == "Provider and model" for name, _ in found)
    assert any(name.startswith("You: Hello") for name, role in found if role == ROLE.ListItem)
    assert any(name.startswith("Assistant: Hello") for name, role in found if role == ROLE.ListItem)
    for name in ("Copy", "Regenerate", "Sources", "Route receipt"):
        assert (name, ROLE.Button) in found
    window.go(DOCUMENTS)
    names = {name for name, _ in seen(window)}
    assert {"Add files", "Add folder", "Collections", "Search documents"} <= names
    backend.add_document("a.pdf")
    window.documents.refresh()
    await until(window.documents.list.isVisible)
    assert "Documents list" in {name for name, _ in seen(window)}
    window.go(SETTINGS)
    tabs = [name for name, role in seen(window.settings) if role == ROLE.PageTab]
    assert tabs == ["Providers", "Keys", "Routing", "Limits", "Documents", "Privacy", "Appearance"]


async def test_stop_is_in_the_tree_while_an_answer_comes(window: MainWindow, backend: FakeBackend) -> None:
    backend.pause_s = 0.05
    window.presenter.send("Hello")
    names = {name for name, _ in seen(window)}
    assert "Stop" in names
    assert "Send" not in names
    window.presenter.stop()


async def test_pressing_a_tab_through_the_tree_shows_its_page(window: MainWindow) -> None:
    bar = QAccessible.queryAccessibleInterface(window.sidebar.tabs)
    assert bar is not None
    tab = next(bar.child(n) for n in range(bar.childCount()) if bar.child(n).text(QAccessible.Text.Name) == "Dashboard")
    actions = tab.actionInterface()
    assert actions is not None
    actions.doAction(actions.pressAction())
    assert window.pages.currentIndex() == DASHBOARD


async def test_every_control_that_takes_the_focus_has_a_name(window: MainWindow, backend: FakeBackend) -> None:
    backend.add_document("a.pdf")
    await backend.key_desk.set_key("x", "y")
    window.settings.start_adding()
    nameless = []
    for page in (CHAT, DOCUMENTS, DASHBOARD, SETTINGS):
        window.go(page)
        for n in range(7 if page == SETTINGS else 1):
            window.settings.tabs.setCurrentIndex(n)
            await until(lambda: not window.tasks.running("documents") and not window.tasks.running("providers"))
            for widget in window.findChildren(QWidget):
                takes_focus = widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isEnabled()
                if not takes_focus or not widget.isVisible() or isinstance(widget, QLabel | QScrollBar):
                    continue
                if widget.objectName().startswith("qt_") or widget.focusProxy() is not None:
                    continue
                element = QAccessible.queryAccessibleInterface(widget)
                if element is None or not element.text(QAccessible.Text.Name):
                    nameless.append((page, n, widget))
    assert not nameless


async def test_the_keys_do_what_the_list_says(window: MainWindow) -> None:
    for key, page in (
        (Qt.Key.Key_2, DOCUMENTS),
        (Qt.Key.Key_3, DASHBOARD),
        (Qt.Key.Key_4, SETTINGS),
        (Qt.Key.Key_1, CHAT),
        (Qt.Key.Key_Comma, SETTINGS),
    ):
        QTest.keyClick(window, key, CONTROL)
        assert window.pages.currentIndex() == page
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.pages.currentIndex() == CHAT
    QTest.keyClick(window, Qt.Key.Key_K, CONTROL)
    assert window.focusWidget() is window.sidebar.search
    QTest.keyClick(window, Qt.Key.Key_M, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    popup = window.chat.composer.picker.popup
    await until(popup.isVisible)
    QTest.keyClick(popup, Qt.Key.Key_Escape)
    assert not popup.isVisible()
    QTest.keyClick(window, Qt.Key.Key_B, CONTROL)
    assert window.sidebar.isHidden()
    QTest.keyClick(window, Qt.Key.Key_B, CONTROL)
    assert not window.sidebar.isHidden()
    QTest.keyClick(window, Qt.Key.Key_F1)
    dialog = window.findChild(KeysDialog)
    assert dialog is not None
    listed = {label.text() for label in dialog.findChildren(QLabel)}
    assert {"Ctrl+N", "Ctrl+K", "Esc", "F1"} <= listed
    assert len(listed) > len(KEYS)
    dialog.close()


async def test_the_list_of_keys_fits_a_low_screen_and_scrolls(window: MainWindow) -> None:
    window._show_keys()
    dialog = window.findChild(KeysDialog)
    assert dialog is not None
    dialog.resize(dialog.width(), 300)
    dialog.show()
    area = dialog.findChild(QScrollArea)
    close = next(b for b in dialog.findChildren(QPushButton) if b.text().replace("&", "") == "Close")
    assert area is not None
    assert dialog.height() == 300
    assert dialog.rect().contains(close.geometry())
    assert area.verticalScrollBar().maximum() > 0
    assert area.horizontalScrollBar().maximum() == 0
    area.setFocus()
    QTest.keyClick(area, Qt.Key.Key_PageDown)
    assert area.verticalScrollBar().value() > 0
    assert dialog.screen().availableGeometry().height() > dialog.sizeHint().boundedTo(dialog.size()).height()
    dialog.close()


async def test_escape_stops_the_answer(window: MainWindow, backend: FakeBackend) -> None:
    backend.pause_s = 0.05
    window.presenter.send("Hello")
    await until(lambda: len(window.chat.transcript.messages) == 2)
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.chat.transcript.messages[1].state == "stopped"


async def test_the_status_line_says_route_key_place_passages_and_money(
    window: MainWindow, backend: FakeBackend
) -> None:
    backend.report_status = SystemStatus(
        "openai_main", "system keyring", 1284, Decimal("0.42"), Decimal(5), True, ("settings.toml, line 3: <b>x</b>",)
    )
    window.refresh_status()
    await until(lambda: "1,284" in window.status.accessibleDescription())
    assert window.status.accessibleDescription() == (
        "Offline: openai_main · Keys: system keyring · 1,284 passages · settings.toml, line 3: <b>x</b>"
        " · $0.42 of $5.00 today"
    )


async def test_a_start_that_fails_leaves_a_window_with_a_button_to_try_again(window: MainWindow) -> None:
    wanted = []
    window.retry_wanted.connect(lambda: wanted.append(1))
    window.show_start_failure(StorageError("The database cannot be opened", "The disk is full", "Make room"))
    assert window.notice.text() == "The database cannot be opened. The disk is full. Make room."
    next(b for b in window.notice.findChildren(QPushButton) if b.text() == "Try again").click()
    assert wanted == [1]


@pytest.mark.parametrize(
    "link",
    [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/html,x",
        "smb://host/x",
        "ms-msdt:/id",
        "vpa:x",
        "https://",
        "x",
    ],
)
def test_other_schemes_are_refused(link: str) -> None:
    with pytest.raises(PolicyRefused):
        checked_url(link)


async def test_a_link_is_opened_only_after_a_yes_and_is_shown_in_full(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def pretend(url: QUrl) -> bool:
        opened.append(encoded(url))
        return True

    monkeypatch.setattr(links, "launch", pretend)
    window.chat.transcript.link_activated.emit("https://paypal.com@xn--80ak6aa92e.example/a?b=ü")
    await until(lambda: window.findChild(LinkDialog))
    dialog = window.findChild(LinkDialog)
    assert dialog is not None
    text = "\n".join(label.text() for label in dialog.findChildren(QLabel))
    assert "https  ·  xn--80ak6aa92e.example" in text
    assert "before the @" in text
    assert opened == []
    default = next(b for b in dialog.findChildren(QPushButton) if b.isDefault())
    assert default.text() == "Copy"
    dialog.findChild(QPushButton, "open_link").click()  # type: ignore[union-attr]
    await until(lambda: opened)
    assert opened == ["https://paypal.com@xn--80ak6aa92e.example/a?b=%C3%BC"]


def test_the_browser_gets_no_key() -> None:
    environment = QProcessEnvironment()
    for name in ("OPENAI_API_KEY", "VPA_KEY_X", "GITHUB_TOKEN", "DISPLAY", "HOME"):
        environment.insert(name, "value")
    assert sorted(clean_environment(environment).keys()) == ["DISPLAY", "HOME"]


async def test_what_others_wrote_is_shown_literally(window: MainWindow, backend: FakeBackend) -> None:
    title = "<img src=/canary.png><b>x</b>"
    conversation_id = backend.add_conversation(title, ("user", "x"))
    window.desk.refresh()
    await until(lambda: window.sidebar.conversations.model().rowCount() == 1)
    window.sidebar.conversations.delete_wanted.emit(conversation_id)
    await until(lambda: window.findChild(QPushButton, "confirm"))
    box = window.findChild(QDialog)
    assert box is not None
    labels = [label for label in box.findChildren(QLabel) if title in label.text()]
    assert labels
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in labels)
    box.reject()
    assert QApplication.topLevelWidgets()


async def test_a_long_notice_ends_in_an_ellipsis_and_cuts_nothing_else_off(
    window: MainWindow, backend: FakeBackend
) -> None:
    notice = "The system keyring does not answer. It gave no reply within 10 seconds; unlock it, or set it up."
    backend.report_status = SystemStatus(
        "Local demonstration model", "system keyring", 1284, Decimal("0.01"), Decimal("0.01"), False, (notice,)
    )
    window.refresh_status()
    await until(lambda: notice in window.status.accessibleDescription())
    for width in (900, 1000, 1280, 1800):
        window.resize(width, 600)
        QCoreApplication.processEvents()
        labels = [label for label in window.status.findChildren(QLabel) if label.isVisible() and label.text()]
        told = next(label for label in labels if label.accessibleName() == notice)
        assert told.text() == notice or told.text().endswith("…")
        assert told.width() >= 200
        assert told.toolTip() == notice
        cut = [each.text() for each in labels if each is not told and each.width() < each.sizeHint().width()]
        assert cut == []
        assert {"Local demonstration model", "$0.01 of $0.01 today"} <= {each.text() for each in labels}
