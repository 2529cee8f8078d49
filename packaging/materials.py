"""Writes the bill of materials (CycloneDX 1.6) of what is really in the frozen program. build.py runs it.

    python materials.py TAKEN FOLDER TARGET LICENCES     TAKEN: the files that PyInstaller took, one a line

A file belongs to the installed distribution whose record names it. What came from elsewhere (Python itself, libraries
of the build system, fonts, models) is listed too. The document is checked against its schema before it is written.
LICENCES becomes a folder with the texts that the packages bring along.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path
from typing import Any

import notices
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, order=True)
class Material:
    """One thing that was packaged. ``origin`` is "pypi", "deb" or "" for what comes with the repository."""

    name: str
    version: str
    licence: str
    origin: str
    used_as: str = ""


def of_distributions(files: Iterable[Path], installed: Iterable[Distribution]) -> list[Material]:
    """The installed distributions that at least one of the files belongs to, without the program itself."""
    owners = {
        Path(str(package.locate_file(file))): package
        for package in installed
        for file in package.files or ()
        if not str(file).startswith("..")
    }
    found = {package.metadata["Name"]: package for path in files if (package := owners.get(path)) is not None}
    return sorted(
        Material(canonicalize_name(name), package.version, notices.licence_of(package), "pypi")
        for name, package in found.items()
        if canonicalize_name(name) != "vpa-desktop"
    )


def sources_of_modules(folder: Path) -> list[Path]:
    """The installed sources of the compiled modules in a frozen folder, which PyInstaller took from elsewhere."""
    installed = Path(sysconfig.get_paths()["purelib"])
    return [installed / path.relative_to(folder).with_suffix(".py") for path in folder.rglob("*.pyc")]


def check_whole(materials: list[Material]) -> None:
    """Raises ValueError where something that the project asks for is not among the materials."""
    found = {material.name for material in materials}
    wanted = {name for name in notices.asked_for() if name not in found}
    if wanted:
        raise ValueError(f"The program should have these and has not: {', '.join(sorted(wanted))}")


def of_the_repository() -> list[Material]:
    """Fonts, icons, models and tables that lie in resources/."""
    return [Material(name, "", licence, "", use) for name, use, licence, _ in notices.BUNDLED]


def of_the_build_system(files: Iterable[Path]) -> list[Material]:
    """Debian packages whose libraries were taken; none where there is no dpkg."""
    outside = sorted(
        {str(path.resolve()) for path in files if path.is_relative_to("/lib") or path.is_relative_to("/usr")}
    )
    names: set[str] = set()
    for path in outside:
        # Debian records libraries by the path they had before /lib became a link into /usr.
        for candidate in (path, path.removeprefix("/usr")):
            done = _ask(["dpkg-query", "-S", candidate])
            names |= {line.partition(": ")[0] for line in done.splitlines() if ": " in line}
    listed = _ask(["dpkg-query", "-W", "-f=${Package} ${Version}\n", *sorted(names)]) if names else ""
    pairs = [line.split() for line in listed.splitlines()]
    return [Material(name, version, "see /usr/share/doc of the package", "deb") for name, version in sorted(pairs)]


def _ask(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def all_of(files: list[Path]) -> list[Material]:
    """Everything that is in the frozen program."""
    python = Material("python", platform.python_version(), "PSF-2.0", "", "the interpreter and its library")
    return [python, *of_distributions(files, distributions()), *of_the_build_system(files), *of_the_repository()]


def document(materials: list[Material], version: str) -> str:
    """The materials as CycloneDX JSON; raises ValueError where it does not fit the schema."""
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    licences = LicenseFactory()
    program = Component(
        name="vpa-desktop",
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref="vpa-desktop",
        licenses=[licences.make_from_string("MIT")],
    )
    bom = Bom()
    bom.metadata.component = program
    parts = [_component(material, licences) for material in materials]
    bom.components.update(parts)
    bom.register_dependency(program, parts)
    text: str = JsonV1Dot6(bom).output_as_string(indent=2)
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem is not None:
        raise ValueError(f"The bill of materials does not fit its schema: {problem}")
    return text


def _component(material: Material, licences: Any) -> Any:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    space = {"pypi": None, "deb": "debian"}
    url = None
    if material.origin:
        url = PackageURL(material.origin, space[material.origin], material.name, material.version)
    is_model = "model" in material.used_as
    return Component(
        name=material.name,
        version=material.version or None,
        type=ComponentType.MACHINE_LEARNING_MODEL if is_model else ComponentType.LIBRARY,
        bom_ref=f"{material.origin or 'own'}:{material.name}",
        description=material.used_as or None,
        purl=url,
        licenses=[licences.make_from_string(material.licence)],
    )


def gather_texts(materials: list[Material], target: Path) -> list[str]:
    """Copy each package's own licence texts into ``target``; returns the names of those that bring none."""
    without = []
    for material in materials:
        if material.origin == "pypi":
            package = distribution(material.name)
            texts = [Path(str(package.locate_file(file))) for file in package.files or () if _is_licence(str(file))]
        elif material.origin == "deb":
            texts = [Path("/usr/share/doc") / material.name / "copyright"]
        else:
            continue
        texts = [text for text in texts if text.is_file()]
        if not texts:
            without.append(material.name)
            continue
        folder = target / material.name
        folder.mkdir(parents=True, exist_ok=True)
        for number, text in enumerate(texts):
            shutil.copyfile(text, folder / (f"{number}-{text.name}" if number else text.name))
    return without


def _is_licence(file: str) -> bool:
    """True for a file of a distribution that states its terms, in its metadata or beside its modules."""
    name = file.rpartition("/")[2].upper()
    named = name.startswith(("LICEN", "COPYING", "NOTICE", "COPYRIGHT", "THIRDPARTYNOTICES"))
    return ".dist-info/licenses/" in file or (named and file.count("/") <= 1)


def main(taken: Path, folder: Path, target: Path, licences: Path) -> None:
    """Read what was taken and write the document and the texts."""
    sys.path.insert(0, str(ROOT))
    from vpa_desktop import __version__

    files = [Path(line) for line in taken.read_text(encoding="utf-8").splitlines() if line]
    materials = all_of([*files, *sources_of_modules(folder)])
    check_whole(materials)
    target.write_text(document(materials, __version__), encoding="utf-8")
    without = gather_texts(materials, licences)
    print(f"{len(materials)} materials; no licence text came with: {', '.join(without) or 'none'}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
