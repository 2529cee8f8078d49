"""Showing an answer opens no connection and no file, whatever the answer contains."""

from __future__ import annotations

import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt, QUrl
from PySide6.QtGui import QColor, QImage, QPixmap, QTextDocument
from PySide6.QtTest import QTest

from tests.ui.chat.conftest import settle
from tests.ui.chat.sample import answer, message
from vpa_desktop.ui.chat.segments import SafeDocument
from vpa_desktop.ui.chat.transcript import Transcript

CANARY = "#ff00fe"


class Listener(HTTPServer):
    """A web server that remembers what was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    """Answers everything with an empty page."""

    def do_GET(self) -> None:
        assert isinstance(self.server, Listener)
        self.server.asked.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Stays silent."""


@pytest.fixture
def listener() -> Generator[Listener, None, None]:
    server = Listener()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    picture = QImage(40, 40, QImage.Format.Format_RGB32)
    picture.fill(QColor(CANARY))
    path = tmp_path / "canary.png"
    assert picture.save(str(path))
    return path


def payloads(port: int, path: Path) -> str:
    targets = [f"http://127.0.0.1:{port}/p.png", path.as_uri(), str(path), f"//127.0.0.1:{port}/p.png", "canary.png"]
    forms = [
        "![x]({0})",
        '<img src="{0}">',
        '<p style="background-image:url({0})">x</p>',
        '<body background="{0}">',
        '<table background="{0}"><tr><td>x</td></tr></table>',
        '<link rel="stylesheet" href="{0}">',
        "[![x]({0})](https://example.org)",
        "[r]: {0}\n\n![r]",
        "| ![x]({0}) |\n|--|\n| <img src={0}> |",
        "> ![x]({0})",
        "- ![x]({0})",
        "```html\n<img src={0}>\n```",
        "`![x]({0})`",
    ]
    return "\n\n".join(form.format(target) for form in forms for target in targets)


def holds_canary(picture: QImage) -> bool:
    spots = ((x, y) for x in range(0, picture.width(), 5) for y in range(0, picture.height(), 5))
    return any(picture.pixelColor(x, y).name() == CANARY for x, y in spots)


def test_rendering_reaches_nothing(
    view: Transcript, listener: Listener, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(canary.parent)
    text = payloads(listener.server_port, canary)
    view.set_messages([message(0, "user", text), answer(1, text, reasoning=text, error=text, warnings=(text[:500],))])
    view.begin_answer(message(2, "assistant", "", state="streaming"))
    for at in range(0, len(text), 97):
        view.feed("m2", text[at : at + 97])
        view.flush()
    view.finish_answer(answer(2, text))
    view.toggle_reasoning(1)
    bar = view.verticalScrollBar()
    for value in range(0, bar.maximum() + 600, 600):
        bar.setValue(value)
        settle()
        QTest.mouseMove(view.viewport(), QPoint(200, 200))
        assert not holds_canary(view.grab().toImage())
    QTest.keyClick(view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    settle()
    assert listener.asked == []


def test_the_document_itself_refuses(view: Transcript, canary: Path) -> None:
    document = SafeDocument()
    document.setHtml(f'<img src="{canary.as_uri()}"><img src="{canary}">')
    pixel = document.resource(QTextDocument.ResourceType.ImageResource.value, QUrl(canary.as_uri()))
    assert isinstance(pixel, QPixmap)
    assert (pixel.width(), pixel.height()) == (1, 1)
    from PySide6.QtGui import QPainter

    shown = QImage(200, 200, QImage.Format.Format_RGB32)
    shown.fill(QColor("#ffffff"))
    painter = QPainter(shown)
    document.drawContents(painter)
    painter.end()
    assert not holds_canary(shown)
