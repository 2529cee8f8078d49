"""packaging/dev.py: what it passes on, when it does nothing, and what it says. No package is installed here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = "import json, os, sys\nprint(json.dumps([sys.argv[1:], os.getcwd()]))\nsys.exit(5)\n"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in environment is made of links")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A clone with a space in its path, whose environment looks finished, and a program that tells its arguments."""
    project = tmp_path / "my clone"
    (project / "vpa_desktop").mkdir(parents=True)
    (project / "vpa_desktop" / "__init__.py").write_text("")
    (project / "vpa_desktop" / "__main__.py").write_text(PROGRAM)
    shutil.copytree(ROOT / "packaging", project / "packaging", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", project)
    binaries = project / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").write_text(f'#!/bin/sh\nPYTHONPATH="{project}" exec "{sys.executable}" "$@"\n')
    (binaries / "python").chmod(0o755)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import environment as e; "
        "e.write_stamp([e.BASE, e.LOCAL_MODEL, e.DEV, e.MODELS])"
    )
    subprocess.run([sys.executable, "-c", code, str(project / "packaging")], check=True)
    return project


def dev(project: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": "/nowhere"}  # no dpkg-query and no apt-get: only this Python
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [sys.executable, str(project / "packaging" / "dev.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        env=environment,
    )


@pytest.mark.alone
def test_run_passes_arguments_exit_code_and_working_directory_on(project: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    started = time.monotonic()
    done = dev(project, "run", "ask", "hello, it's me", "--models", "--json", cwd=elsewhere)
    assert time.monotonic() - started < 2
    assert done.returncode == 5
    assert json.loads(done.stdout) == [["ask", "hello, it's me", "--models", "--json"], str(elsewhere)]
    assert done.stderr == ""


def test_a_file_of_the_working_directory_is_never_imported(project: Path, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    assert dev(project, "run", cwd=tmp_path).returncode == 5


def test_a_changed_pyproject_sets_up_again(project: Path, tmp_path: Path) -> None:
    with (project / "pyproject.toml").open("a") as file:
        file.write("\n# changed\n")
    (project / ".venv" / "bin" / "python").write_text("#!/bin/sh\nexit 3\n")
    (project / ".venv" / "pyvenv.cfg").touch()
    code = "import sys; sys.path.insert(0, sys.argv[1]); import environment as e; print(e.read_stamp())"
    done = subprocess.run(
        [sys.executable, "-c", code, str(project / "packaging")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_half_installed_packages_are_forgotten_and_whole_ones_kept(project: Path) -> None:
    folder = project / ".venv" / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"
    for name, whole in (("cut-1.0.dist-info", False), ("whole-1.0.dist-info", True)):
        (folder / name).mkdir(parents=True)
        (folder / name / "METADATA").touch()
        if whole:
            (folder / name / "INSTALLER").touch()
    code = "import sys; sys.path.insert(0, sys.argv[1]); import environment as e; e._remove_half_installed()"
    subprocess.run([sys.executable, "-c", code, str(project / "packaging")], check=True)
    assert [path.name for path in folder.iterdir()] == ["whole-1.0.dist-info"]


def test_an_unknown_command_is_a_usage_error_that_names_the_known_ones(project: Path, tmp_path: Path) -> None:
    done = dev(project, "start", cwd=tmp_path)
    assert done.returncode == 2
    assert '"start" is not known' in done.stderr
    assert "run, test, setup" in done.stderr


def test_test_starts_pytest_in_the_project_without_a_screen(project: Path, tmp_path: Path) -> None:
    (tmp_path / "test_here.py").touch()
    (project / "pytest.py").write_text(
        "import json, os, sys\nprint(json.dumps([sys.argv[1:], os.getcwd(), os.environ['QT_QPA_PLATFORM']]))\n"
    )
    done = dev(project, "test", "-x", "test_here.py::test_a", cwd=tmp_path)
    assert json.loads(done.stdout) == [["-x", f"{tmp_path / 'test_here.py'}::test_a"], str(project), "offscreen"]


STAND_IN = """
import importlib.util, json, os, sys
where = "without Qt" if importlib.util.find_spec("PySide6") is None else "with Qt"
print(json.dumps([where, sys.argv[1:-1], os.getcwd()]))
other = {"without Qt": "skipped", "with Qt": "failure"}[where]
report = f"<testsuites><testcase/><testcase><{other}/></testcase></testsuites>"
open(sys.argv[-1].partition("=")[2], "w").write(report)
sys.exit(os.environ.get("FAIL") == where)
"""


@pytest.fixture
def packages(project: Path) -> Path:
    """The stand-in environment's installed packages: Qt, and a pytest that tells where it was started."""
    folder = project / ".venv" / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"
    (folder / "PySide6").mkdir(parents=True)
    (folder / "PySide6" / "__init__.py").touch()
    (folder / "pytest.py").write_text(STAND_IN)
    binary = project / ".venv" / "bin" / "python"
    binary.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}" exec "{sys.executable}" "$@"\n')
    return folder


@pytest.mark.parametrize(("fails", "code"), [("", 0), ("without Qt", 1), ("with Qt", 1)])
def test_all_tests_are_four_passes_each_run_whatever_came_of_the_others(
    project: Path, packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str, code: int
) -> None:
    monkeypatch.setenv("FAIL", fails)
    done = dev(project, "test", cwd=tmp_path)
    assert done.returncode == code, done.stderr
    runs = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert [where for where, _, _ in runs] == ["without Qt", "without Qt", "with Qt", "with Qt"]
    assert {folder for _, _, folder in runs} == {str(project)}
    chosen = [arguments[arguments.index("-m") + 1] for _, arguments, _ in runs]
    assert chosen == ["not (alone or model)", "alone or model"] * 2
    ignored = {word.removeprefix("--ignore=") for word in runs[0][1] if word.startswith("--ignore=")}
    assert ignored == {word for word in runs[2][1] if word.startswith("tests/")} == {"tests/ui", "tests/e2e"}
    assert done.stdout.splitlines()[-1].startswith("2 failed, 4 passed, 2 skipped in ")


def test_the_environment_without_qt_follows_the_first_one(project: Path, packages: Path, tmp_path: Path) -> None:
    assert dev(project, "test", cwd=tmp_path).returncode == 0
    without = project / ".venv" / "without-qt" / packages.relative_to(project / ".venv")
    (without.parents[2] / "kept").touch()
    assert dev(project, "test", cwd=tmp_path).returncode == 0
    assert (without.parents[2] / "kept").exists(), "it was made again for nothing"
    (packages / "new.py").touch()
    assert dev(project, "test", cwd=tmp_path).returncode == 0
    assert {path.name for path in without.iterdir()} == {"pytest.py", "new.py"}


def test_clean_removes_the_environment_and_nothing_else(project: Path, tmp_path: Path) -> None:
    assert dev(project, "clean", cwd=tmp_path).returncode == 0
    assert not (project / ".venv").exists()
    assert (project / "vpa_desktop").is_dir()


def test_every_requirement_has_an_upper_or_lower_bound_and_torch_is_only_an_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [line for line in project["dependencies"] if ">=" not in line and "==" not in line] == []
    assert not any("torch" in line or "transformers" in line for line in project["dependencies"])
    assert any(line.startswith("torch") for line in project["optional-dependencies"]["models"])
