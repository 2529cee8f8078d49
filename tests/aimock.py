"""aimock, a server of provider dialects from npm (@copilotkit/aimock), started for a test where node and it are here.

It is found through VPA_AIMOCK (its cli.js, or a folder with node_modules), where packaging/dev.py puts it, or in the
node_modules of this project or of the home folder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port

CLI = Path("node_modules/@copilotkit/aimock/dist/cli.js")
ROOT = Path(__file__).resolve().parents[1]


def find_aimock() -> Path | None:
    """The script to run with node, or None where it is not installed."""
    named = os.environ.get("VPA_AIMOCK", "")
    if named.endswith(".js"):
        return Path(named) if Path(named).is_file() else None
    places = [Path(named)] if named else [ROOT / ".venv/node", ROOT, Path.home()]
    return next((place / CLI for place in places if (place / CLI).is_file()), None)


@contextmanager
def aimock(fixtures: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Run aimock with these fixtures on a free port and yield its address; skips the test where it cannot run.

    A fixture: ``{"match": {"userMessage": "..."}, "response": {"content": "...", "usage": {...}}}``.
    """
    node, script = shutil.which("node"), find_aimock()
    if node is None or script is None:
        pytest.skip("aimock is not here (npm install @copilotkit/aimock, or set VPA_AIMOCK to its cli.js)")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fixtures.json"
        file.write_text(json.dumps({"fixtures": list(fixtures)}), encoding="utf-8")
        command = [node, str(script), "-p", str(port), "-f", str(file), "--log-level", "warn", "-l", "1", "-c", "8"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                url = f"http://127.0.0.1:{port}"
                _wait_for(url)
                yield url
            finally:
                server.kill()


def last_request(url: str) -> Any:
    """What the last request to a running aimock looked like, from its journal."""
    with urllib.request.urlopen(url + "/__aimock/journal", timeout=5) as answer:
        entries = json.loads(answer.read())
    return entries[-1]


def _wait_for(url: str) -> None:
    for _ in range(200):
        try:
            with urllib.request.urlopen(url + "/v1/models", timeout=2):
                return
        except urllib.error.HTTPError as exc:
            exc.close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail("aimock did not start")
