"""Wraps the frozen program for macOS: signs the application, makes a disk image, has Apple notarise it.

Runs on a Mac only: codesign, hdiutil, xcrun. Without VPA_CODESIGN_IDENTITY nothing is signed and the person must allow
the program in System Settings; with it, VPA_NOTARY_PROFILE names the profile that ``notarytool store-credentials``
made.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

import environment as env
import frozen

ENTITLEMENTS = env.ROOT / "packaging" / "macos" / "entitlements.plist"


def wrap(folder: Path, target: Path) -> Path:
    """Write the disk image into ``target`` and return it; raises SetupFailed."""
    if platform.system() != "Darwin":
        raise env.SetupFailed("The program for macOS can only be made on a Mac")
    application = folder.parent / "VPA Desktop.app"
    made = target / f"vpa-desktop-{frozen.version()}-macos-{platform.machine()}.dmg"
    made.unlink(missing_ok=True)
    identity = os.environ.get("VPA_CODESIGN_IDENTITY")
    for what, command in commands(application, made, identity, os.environ.get("VPA_NOTARY_PROFILE")):
        if what.startswith("making the disk image"):
            _stage(application)
        frozen.run(command, what)
    if not identity:
        print("-- not signed: VPA_CODESIGN_IDENTITY is not set, so macOS will refuse the first start", file=sys.stderr)
    return made


def commands(application: Path, made: Path, identity: str | None, profile: str | None) -> list[tuple[str, list[str]]]:
    """The steps in order, each with what it does. PyInstaller has signed each file; the bundle is sealed here."""
    image = ["hdiutil", "create", "-volname", "VPA Desktop", "-srcfolder", str(_stage_of(application)), "-fs", "HFS+"]
    steps = [("making the disk image", [*image, "-format", "UDZO", "-ov", str(made)])]
    if identity:
        sign = ["codesign", "--force", "--timestamp", "--options", "runtime", "--sign", identity]
        whole = [*sign, "--entitlements", str(ENTITLEMENTS), str(application)]
        steps.insert(0, ("sealing the application", whole))
        steps.insert(1, ("checking the seal", ["codesign", "--verify", "--strict", "--deep", str(application)]))
        steps.append(("signing the disk image", [*sign, str(made)]))
    if identity and profile:
        submit = ["xcrun", "notarytool", "submit", str(made), "--keychain-profile", profile, "--wait"]
        steps.append(("asking Apple to notarise it", submit))
        steps.append(("stapling the ticket", ["xcrun", "stapler", "staple", str(made)]))
        steps.append(("asking Gatekeeper", ["spctl", "--assess", "--type", "install", "--verbose", str(made)]))
    return steps


def _stage_of(application: Path) -> Path:
    return application.parent / "image"


def _stage(application: Path) -> None:
    """The folder that the image shows: the application and the place to drag it to."""
    stage = _stage_of(application)
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    shutil.copytree(application, stage / application.name, symlinks=True)
    (stage / "Applications").symlink_to("/Applications")
