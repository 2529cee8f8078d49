"""``data``: backups, restoring one, everything as open formats, erasing everything, and checking it."""

from __future__ import annotations

import argparse
import os
from typing import Any

from vpa_desktop.assistant.data_desk import restore_backup
from vpa_desktop.assistant.data_export import write_everything
from vpa_desktop.assistant.erasing import Plan, erase, failed, plan
from vpa_desktop.cli.output import Output, counted, to_plain
from vpa_desktop.cli.session import opened
from vpa_desktop.config import Paths, apply_environment
from vpa_desktop.errors import DatabaseCorrupt, UsageError
from vpa_desktop.security.audit import AuditLog
from vpa_desktop.security.vault import KeyVault, open_vault
from vpa_desktop.settings_file import load_settings
from vpa_desktop.storage.output_files import output_file
from vpa_desktop.storage.soundness import look_at

COUNTED = {
    "conversations": "conversation",
    "messages": "message",
    "documents": "document",
    "usage": "request",
    "audit": "audit entry",
}
EXPORTED = {
    "conversations": "conversation",
    "requests": "request",
    "documents": "document",
    "questions": "golden question",
    "audit_entries": "audit entry",
}


async def backup(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Make a verified copy of the database."""
    async with opened(paths, out) as system:
        made = await system.db.backup()
        if not system.db.read_only:
            await AuditLog(system.db).append("data backed up", made.name, "done")
    size = made.stat().st_size
    out.line(f"Backed up to {made} ({_size(size)}, checked). The newest three are kept.")
    out.line("Settings and keys are not in it: settings.toml is a file of its own, keys are in the keyring.")
    out.document({"file": made, "bytes": size})
    return 0


async def restore(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Put a backup in the place of the database."""
    paths.make()
    done = await restore_backup(paths, options.file)
    out.line(f"Restored {done.file}: {_counts(done.rows)}.")
    if done.kept_as is not None:
        out.line(f"What was there before is kept as {done.kept_as}")
    out.document(done)
    return 0


async def export(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Write everything in open formats into one ZIP file."""
    async with opened(paths, out) as system:
        with output_file(options.output, overwrite=options.force) as file:
            counts = await write_everything(file, system.db, paths)
        if not system.db.read_only:
            await AuditLog(system.db).append("data exported", options.output.name, "done", **counts)
    told = ", ".join(counted(counts[name], noun) for name, noun in EXPORTED.items())
    out.line(f"Exported to {options.output}: {told}.")
    out.line(
        "Keys are not in it. Documents are where they are: in it are their paths, and the text of those that are gone."
    )
    out.document({"file": options.output, **counts})
    return 0


async def erase_data(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Remove everything, or only say what would be removed (exit code 2)."""
    vault = None if options.keep_keys else _vault(paths)
    found = await plan(paths, vault)
    for line in _told(found):
        out.line(line)
    if not options.yes:
        out.document({"removed": False, **to_plain(found)})
        raise UsageError(
            "Nothing was removed",
            "This cannot be undone, and --yes was not given",
            "Make an export first (vpa-desktop data export -o FILE), then add --yes",
        )
    problems = await erase(paths, found, vault)
    out.line("All of this was removed." if not problems else "")
    out.document({"removed": not problems, **to_plain(found), "problems": problems})
    if problems:
        raise failed(problems)
    return 0


async def check(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Check the database, the index, the audit and the backups; exit code 8 where something is wrong."""
    async with opened(paths, out) as system:
        found = await look_at(system.db, paths.backups)
        audit = await AuditLog(system.db).verify()
        index = {} if system.db.read_only else await system.knowledge.check()
        notices = system.db.notices
    faults = [*found.faults, *([] if audit.ok else [f"The audit is not as it was written: {audit.why}"])]
    out.line(f"Database: {_size(found.bytes)}, version {found.version}, {_counts(found.rows)}")
    if found.mended:
        out.line(f"Search by words was out of step and was built anew: {', '.join(found.mended)}")
    out.line(f"Index: {_index(index)}")
    out.line(f"Audit: {counted(audit.entries, 'entry')}" + (", whole" if audit.ok else ""))
    out.line(f"Backups: {', '.join(found.backups) or 'none yet'}")
    out.document({"ok": not faults, "faults": faults, "notices": notices, "database": found, "index": index,
                  "audit": audit})  # fmt: skip
    if faults:
        raise DatabaseCorrupt(
            f"{len(faults)} faults were found" if len(faults) > 1 else "A fault was found",
            "; ".join(faults),
            "Restore a good backup: vpa-desktop data restore FILE" if found.faults else "See: vpa-desktop audit verify",
        )
    out.line("Everything is whole.")
    return 0


def _index(found: dict[str, Any]) -> str:
    if not found:
        return "not looked at, since the data is open for reading only"
    return f"{'built anew' if found['index'] == 'rebuilt' else 'whole'}, {counted(found['passages'], 'passage')}"


def _vault(paths: Paths) -> KeyVault | None:
    """The vault to be emptied; a file goes with the other files, and what is in memory is gone already."""
    choice = apply_environment(load_settings(paths.settings_file).settings).vault
    if choice != "keyring":
        return None
    return open_vault(choice, file=paths.key_file, passphrase=os.environ.get("VPA_VAULT_PASSPHRASE"))


def _told(found: Plan) -> list[str]:
    lines = [
        f"{part.what}: {path}{' (' + _size(part.bytes) + ')' if n == 0 else ''}"
        for part in found.parts
        for n, path in enumerate(part.paths)
    ]
    if found.rows:
        lines.append(f"In it are {_counts(found.rows)}.")
    if found.keys:
        lines.append(f"Keys in the {found.key_place}, of every data folder: {', '.join(found.keys)}")
    if found.key_problem:
        lines.append(f"Keys: the {found.key_place} could not be opened. {found.key_problem}")
    return [*(lines or ["There is nothing."]), *(f"Stays: {each}" for each in found.left)]


def _counts(rows: dict[str, int]) -> str:
    return ", ".join(counted(rows.get(name, 0), noun) for name, noun in COUNTED.items())


def _size(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB" if count >= 100_000 else f"{count / 1_000:.0f} kB"
