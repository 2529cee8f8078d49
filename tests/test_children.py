"""The one way to start a child: the same in a checkout and in a frozen program, without secrets, and it really runs."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from vpa_desktop import children


def test_a_frozen_program_starts_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert children.child_command("worker", ["parser"]) == [sys.executable, children.CHILD_FLAG, "worker", "parser"]


def test_the_starter_of_a_frozen_child_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "PYINSTALLER_RESET_ENVIRONMENT" not in children.child_environment()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert children.child_environment()["PYINSTALLER_RESET_ENVIRONMENT"] == "1"


def test_an_unknown_child_is_refused_before_anything_starts() -> None:
    with pytest.raises(KeyError):
        children.child_command("shell")


@pytest.mark.parametrize("name", sorted(set(children.CHILDREN) - {"qt-check"}))
def test_each_child_is_a_module_with_a_main(name: str) -> None:
    assert callable(import_module(children.CHILDREN[name]).main)


def test_a_child_starts_anywhere_whatever_lies_there(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    (tmp_path / "vpa_desktop.py").write_text("raise SystemExit('the wrong program')")
    done = subprocess.run(
        children.child_command("worker", ["parser"]),
        input=b"",
        capture_output=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env=children.child_environment(),
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "VPA_KEY_MAIN", "VPA_VAULT_PASSPHRASE", "HF_TOKEN", "db_password"])
def test_a_child_gets_no_secrets(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "canary")
    assert "canary" not in children.child_environment({"OMP_NUM_THREADS": "1"}).values()
    assert children.child_environment({"OMP_NUM_THREADS": "1"})["OMP_NUM_THREADS"] == "1"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only there does the starter set it")
@pytest.mark.parametrize("before", [None, "/opt/lib"])
def test_programs_of_the_system_find_their_own_libraries(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/lib/vpa-desktop/1.0/_internal")
    if before is None:
        monkeypatch.delenv("LD_LIBRARY_PATH_ORIG", raising=False)
    else:
        monkeypatch.setenv("LD_LIBRARY_PATH_ORIG", before)
    children.give_back_library_path()
    assert os.environ.get("LD_LIBRARY_PATH") == before
    assert "LD_LIBRARY_PATH_ORIG" not in os.environ


def test_from_a_checkout_the_library_path_is_the_persons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/lib")
    children.give_back_library_path()
    assert os.environ["LD_LIBRARY_PATH"] == "/opt/lib"
