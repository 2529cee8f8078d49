"""The one place that opens a link: asked for by a click, shown in full, opened only after a yes. Fetches nothing."""

from __future__ import annotations

import re
import sys

from PySide6.QtCore import QProcess, QProcessEnvironment, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from vpa_desktop.errors import PolicyRefused
from vpa_desktop.ui.tasks import ask
from vpa_desktop.ui.widgets import PlainLabel

SCHEMES = ("http", "https", "mailto")
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|^VPA_", re.IGNORECASE)


def checked_url(link: str) -> QUrl:
    """Returns the link as a URL that may be offered; raises PolicyRefused with the reason."""
    url = QUrl(link, QUrl.ParsingMode.StrictMode)
    named = url.scheme().lower() in SCHEMES
    if not url.isValid() or not named or (url.scheme().lower() != "mailto" and not url.host()):
        raise PolicyRefused(
            "This link is not opened",
            "Only web pages (http, https) and mail addresses (mailto) are opened from an answer",
            "Copy it from the answer if you trust it",
            rule="links",
        )
    return url


def clean_environment(environment: QProcessEnvironment) -> QProcessEnvironment:
    """Returns the environment without keys and other secrets, for a program that is not ours."""
    clean = QProcessEnvironment(environment)
    for name in environment.keys():  # noqa: SIM118
        if _SECRET_NAME.search(name):
            clean.remove(name)
    return clean


def launch(url: QUrl) -> bool:
    """Hands the URL to the system and returns whether that worked."""
    if not sys.platform.startswith("linux"):
        return QDesktopServices.openUrl(url)
    opener = QProcess()
    opener.setProgram("xdg-open")
    opener.setArguments([encoded(url)])
    opener.setProcessEnvironment(clean_environment(QProcessEnvironment.systemEnvironment()))
    started = opener.startDetached()
    return bool(started[0] if isinstance(started, tuple) else started)


def encoded(url: QUrl) -> str:
    """Returns the whole URL in ASCII: an international host in its punycode form, everything odd in percent form."""
    return bytes(url.toEncoded().data()).decode("ascii")


class LinkDialog(QDialog):
    """Shows where a link leads. Results: 0 closed, 1 open; Copy is the default and closes."""

    def __init__(self, parent: QWidget, url: QUrl) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Open this link?"))
        self.setMinimumWidth(520)
        self._address = encoded(url)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 18)
        column.setSpacing(10)
        host = bytes(QUrl.toAce(url.host()).data()).decode()
        place = self._address.partition(":")[2] if url.scheme() == "mailto" else host
        column.addWidget(PlainLabel(self.tr("An answer can lead anywhere. This link goes to:"), "dim"))
        column.addWidget(PlainLabel(f"{url.scheme()}  ·  {place}", "heading", wraps=True))
        if url.userInfo():
            warning = self.tr("The part before the @ is not the address; it is often used to mislead.")
            column.addWidget(PlainLabel(warning, "warn", wraps=True))
        whole = QPlainTextEdit(self._address)
        whole.setReadOnly(True)
        whole.setAccessibleName(self.tr("Whole link"))
        whole.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        whole.setTabChangesFocus(True)
        whole.setFixedHeight(84)
        column.addWidget(whole)
        column.addWidget(self._buttons())

    def _buttons(self) -> QDialogButtonBox:
        box = QDialogButtonBox()
        copy = QPushButton(self.tr("Copy"))
        copy.setDefault(True)
        copy.clicked.connect(self._copy)
        go = QPushButton(self.tr("Open in the browser"))
        go.setObjectName("open_link")
        go.setAutoDefault(False)
        go.clicked.connect(self.accept)
        close = QPushButton(self.tr("Cancel"))
        close.setAutoDefault(False)
        close.clicked.connect(self.reject)
        box.addButton(close, QDialogButtonBox.ButtonRole.RejectRole)
        box.addButton(go, QDialogButtonBox.ButtonRole.ActionRole)
        box.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
        return box

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._address)
        self.reject()


async def follow(parent: QWidget, link: str) -> None:
    """Asks about a link and opens it after a yes; raises PolicyRefused where it may not or cannot be opened."""
    url = checked_url(link)
    if await ask(LinkDialog(parent, url)) != QDialog.DialogCode.Accepted:
        return
    if not launch(url):
        QGuiApplication.clipboard().setText(encoded(url))
        raise PolicyRefused("No browser could be started", "The link was copied instead", "Paste it into your browser")
