"""``audit``: what was done with keys, data and requests, and whether that record is whole."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vpa_desktop.cli.output import Output, counted, to_plain
from vpa_desktop.cli.session import opened
from vpa_desktop.config import Paths
from vpa_desktop.errors import StorageError, UsageError
from vpa_desktop.security.audit import AuditFilter, AuditLog, read_lines
from vpa_desktop.storage.output_files import output_file

WHAT_NOW = "Compare it with an export or a backup of before, and find out who may write to this data folder"


async def list_entries(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print entries, newest first."""
    wanted = AuditFilter(options.action, options.target, options.result, options.since, options.until)
    async with opened(paths, out) as system:
        entries = await AuditLog(system.db).entries(options.limit, wanted)
    if not entries:
        out.line("There is no such entry.")
    else:
        head = ("no", "time", "action", "target", "result", "facts")
        facts = (", ".join(f"{k}={_short(v)}" for k, v in entry.facts.items()) for entry in entries)
        out.table(head, [(e.seq, e.at, e.action, e.target, e.result, f) for e, f in zip(entries, facts, strict=True)])
    out.document({"entries": entries})
    return 0


async def verify(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Check the chain; the first entry that does not fit is named, with exit code 8."""
    exported = _exported(options.against) if options.against is not None else {}
    async with opened(paths, out) as system:
        verdict = await AuditLog(system.db).verify()
        missing = await AuditLog(system.db).missing_of(exported)
    fits = verdict.ok and missing is None
    why = verdict.why or (f"Entry {missing} of {options.against} is gone or is another one now" if missing else "")
    if fits:
        out.line(f"The audit is whole: {counted(verdict.entries, 'entry')}, none changed, added or removed.")
        out.line(f"Last hash: {verdict.last_hash or '-'}")
    out.document({**to_plain(verdict), "ok": fits, "first_bad": verdict.first_bad or missing, "why": why})
    if not fits:
        raise StorageError("The audit is not as it was written", why, WHAT_NOW)
    return 0


async def export(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Write every entry as a line of JSON."""
    count = 0
    async with opened(paths, out) as system:
        with output_file(options.output, overwrite=options.force) as file:
            async for line in AuditLog(system.db).lines():
                file.write(line.encode() + b"\n")
                count += 1
    out.line(f"Exported {counted(count, 'entry')} to {options.output}")
    out.document({"file": options.output, "entries": count})
    return 0


def _exported(path: Path) -> dict[int, str]:
    try:
        return read_lines(path.read_text("utf-8"))
    except OSError as exc:
        raise UsageError(f"{path} cannot be read", exc.strerror or str(exc), "Name an export of the audit") from exc
    except ValueError as exc:
        raise UsageError(
            f"{path} is no export of the audit", "Its lines are not those of one", "See: vpa-desktop audit export"
        ) from exc


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:39] + "…"
