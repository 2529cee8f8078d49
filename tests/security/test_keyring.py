"""KeyringVault against a real Secret Service on a private bus, and against every way of not having one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("secret_service.py")

needs_bus = pytest.mark.skipif(shutil.which("dbus-run-session") is None, reason="dbus-run-session is not installed")
needs_keyring = pytest.mark.skipif(
    shutil.which("gnome-keyring-daemon") is None, reason="gnome-keyring-daemon is not installed"
)


def run(home: Path, situation: str, *, before: str = "", bus: bool = True, **extra: str) -> dict[str, Any]:
    home.mkdir(mode=0o700, exist_ok=True)
    keep = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LD_LIBRARY_PATH")}
    folders = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "XDG_DATA_HOME": str(home / "data")}
    environment = {**keep, **folders, "PYTHONPATH": str(ROOT), **extra}
    if not bus:
        environment["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={home}/none"
    script = f'{before}\n"{sys.executable}" -W error "{SCRIPT}" {situation}'
    command = ["dbus-run-session", "--", "sh", "-c", script] if bus else ["sh", "-c", script]
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip(), done.stderr
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def unlock(password: str) -> str:
    return f"printf {password} | gnome-keyring-daemon --unlock --components=secrets >/dev/null"


@needs_bus
@needs_keyring
def test_keys_are_set_read_listed_and_deleted(tmp_path: Path) -> None:
    found = run(tmp_path / "h", "round_trip", before=unlock("test"))
    assert found["missing"] is None
    assert found["ids"] == ["anthropic", "openai"]
    assert found["got"] == "sk-changed-0003"
    assert found["after"] is None
    assert found["left"] == ["anthropic"]


@needs_bus
@needs_keyring
def test_erasing_leaves_no_entry_of_ours(tmp_path: Path) -> None:
    found = run(tmp_path / "h", "forget", before=unlock("test"))
    assert found["gone"] == ["anthropic", "openai", "openai#team"]
    assert found["ids"] == []
    assert found["items"] == []


@needs_bus
@needs_keyring
def test_the_selftest_stores_reads_and_removes_an_entry_and_leaves_the_persons(tmp_path: Path) -> None:
    found = run(tmp_path / "h", "selftest", before=unlock("test"))
    assert found["outcome"] == "passed", found["detail"]
    assert found["ids"] == ["openai"]


@needs_bus
@needs_keyring
def test_a_locked_keyring_says_so(tmp_path: Path) -> None:
    home = tmp_path / "h"
    assert "error" not in run(home, "one_set", before=unlock("test"))
    found = run(home, "one_get", before=unlock("wrong"))
    assert found["error"] == "VaultLocked"
    assert "Unlock" in found["sentence"]


@needs_bus
@needs_keyring
def test_a_look_makes_no_keyring_and_opens_none(tmp_path: Path) -> None:
    """A person who has no key yet would be asked for a password by both."""
    found = run(tmp_path / "h", "look", before="gnome-keyring-daemon --start --components=secrets >/dev/null")
    assert "error" not in found, found
    assert "Default" not in found["collections"]
    assert run(tmp_path / "none", "look", bus=False)["error"] == "VaultUnavailable"


@needs_bus
@pytest.mark.alone
def test_a_service_that_never_answers_meets_the_deadline(tmp_path: Path) -> None:
    found = run(tmp_path / "h", "hung")
    assert found["kind"] == "VaultUnavailable"
    assert "does not answer" in found["sentence"]
    assert 0.9 < found["first_s"] < 3
    assert found["second_s"] < 0.1  # nothing piles up behind the call that is stuck
    assert found["ticks"] > 15  # the loop went on
    assert found["seconds"] < 10  # and the program could end


def test_no_bus_at_all_is_a_sentence(tmp_path: Path) -> None:
    found = run(tmp_path / "h", "one_get", bus=False)
    assert found["error"] == "VaultUnavailable"
    assert "encrypted file" in found["sentence"]


@pytest.mark.parametrize(
    "backend", ["keyring.backends.null.Keyring", "keyring.backends.fail.Keyring", "nowhere.Keyring", "nonsense"]
)
def test_an_unsafe_backend_is_refused_by_name(tmp_path: Path, backend: str) -> None:
    for situation in ("one_set", "one_get"):
        found = run(tmp_path / "h", situation, bus=False, PYTHON_KEYRING_BACKEND=backend)
        assert found["error"] == "VaultUnavailable"
        assert backend in found["sentence"]
        assert "PYTHON_KEYRING_BACKEND" in found["sentence"]


_PLAINTEXT = """
from keyring.backend import KeyringBackend
class Plaintext(KeyringBackend):
    priority = 50
    def get_password(self, service, username): return "stolen"
    def set_password(self, service, username, password): open("plain.txt", "w").write(password)
    def delete_password(self, service, username): pass
"""


def test_a_plain_text_backend_that_ranks_first_is_not_used(tmp_path: Path) -> None:
    extra = tmp_path / "site"
    info = extra / "plain-1.0.dist-info"
    info.mkdir(parents=True)
    (extra / "plain.py").write_text(_PLAINTEXT)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plain\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[keyring.backends]\nplain = plain\n")
    path = f"{ROOT}{os.pathsep}{extra}"
    assert run(tmp_path / "h", "one_set", bus=False, PYTHONPATH=path)["error"] == "VaultUnavailable"
    assert "error" in run(tmp_path / "h", "one_get", bus=False, PYTHONPATH=path)
    assert list((tmp_path / "h").rglob("plain.txt")) == []
