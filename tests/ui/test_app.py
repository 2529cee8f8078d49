"""The window's composition root as a person meets it: start, no start, second start, end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vpa_desktop import app
from vpa_desktop.config import find_paths
from vpa_desktop.errors import ConfigError

pytestmark = pytest.mark.ui
ROOT = Path(__file__).resolve().parents[2]

LIFE = """
import asyncio, json, os, sys, time
from pathlib import Path
from tests.ui.fake_backend import FakeBackend
from vpa_desktop import app
from vpa_desktop.config import find_paths
from vpa_desktop.errors import StorageError

HEAVY = ("torch", "faiss", "numpy", "pyqtgraph", "httpx", "keyring", "sqlite_utils", "onnxruntime", "aiohttp")
facts = {}

async def build(paths, environ):
    facts["heavy"] = [name for name in HEAVY if name in sys.modules]
    facts["starts"] = facts.get("starts", 0) + 1
    if MODE == "fails" and facts["starts"] == 1:
        raise StorageError("The database cannot be opened", "The disk is full", "Make room")
    backend = FakeBackend()
    backend.pause_s, backend.reply = 0.01, "word " * 5000
    facts["backend"] = backend
    return backend

async def act(window):
    if MODE == "fails":
        while window.notice.isHidden():
            await asyncio.sleep(0.01)
        facts["notice"] = window.notice.text()
        window.retry_wanted.emit()
    while not window.chat.composer._ready:
        await asyncio.sleep(0.01)
    facts["notice hidden"] = window.notice.isHidden()
    window.presenter.send("Hello")
    while len(window.chat.transcript.messages) < 2:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    facts["closed at"] = time.monotonic()
    window.close()

MODE, HOME = sys.argv[1:]
live = app._live

async def live_and_act(window, *rest):
    acting = asyncio.get_running_loop().create_task(act(window))
    try:
        return await live(window, *rest)
    finally:
        acting.cancel()

app._live = live_and_act
code = app.run_window(find_paths(Path(HOME)), environ=os.environ, build=build)
backend = facts.pop("backend")
facts |= {"code": code, "backend closed": backend.closed, "turns closed": backend.turns_closed}
facts["seconds to close"] = time.monotonic() - facts.pop("closed at")
print(json.dumps(facts))
"""


def live(mode: str, home: Path) -> dict[str, object]:
    """Runs the window in a process of its own until it was closed, and returns what was seen."""
    done = subprocess.run(
        [sys.executable, "-c", LIFE, mode, str(home)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    facts: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return facts


@pytest.mark.alone
def test_nothing_heavy_is_loaded_before_the_window_is_painted_and_it_closes_while_streaming(tmp_path: Path) -> None:
    facts = live("works", tmp_path)
    assert facts["heavy"] == []
    assert facts["code"] == 0
    assert facts["backend closed"] is True
    assert facts["turns closed"] == 1
    assert isinstance(facts["seconds to close"], float)
    assert facts["seconds to close"] < 5
    assert (tmp_path / "window.geometry").stat().st_size > 0


def test_a_start_that_fails_is_said_and_can_be_tried_again(tmp_path: Path) -> None:
    facts = live("fails", tmp_path)
    assert facts["notice"] == "The database cannot be opened. The disk is full. Make room."
    assert facts["starts"] == 2
    assert facts["notice hidden"] is True
    assert facts["code"] == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays are a matter of Linux here")
def test_without_a_display_one_sentence_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run_window(find_paths(tmp_path), environ={}) == 3
    said = capsys.readouterr().err
    assert said.startswith("error: The window cannot open. There is no display here")
    assert said.count("\n") == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Debian packages are a matter of Linux")
def test_missing_qt_libraries_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_loads", lambda library: library != "libxcb-cursor.so.0")
    with pytest.raises(ConfigError) as caught:
        app.check_qt({"DISPLAY": ":0"})
    assert "sudo apt install libxcb-cursor0" in str(caught.value)


async def test_a_second_start_raises_the_first_window(tmp_path: Path) -> None:
    from tests.ui.conftest import until
    from vpa_desktop.ui.instance import OneInstance

    raised: list[int] = []
    opened: list[Path] = []
    first = OneInstance(tmp_path)
    first.listen()
    first.raise_wanted.connect(lambda: raised.append(1))
    first.files_wanted.connect(opened.extend)
    code = (
        "import sys; from pathlib import Path; from PySide6.QtWidgets import QApplication\n"
        "from vpa_desktop.ui.instance import OneInstance\n"
        "app = QApplication([]); second = OneInstance(Path(sys.argv[1]))\n"
        "sys.exit(100 if second.is_first else second.raise_first([Path('/a b/é.pdf')]))"
    )
    second = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)},
    )
    await until(lambda: second.poll() is not None and raised and opened, 20)
    assert second.returncode == 0
    assert opened == [Path("/a b/é.pdf")]
    first.release()
