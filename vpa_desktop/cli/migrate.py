"""``migrate``: takes over the configuration of the program before."""

from __future__ import annotations

import argparse
import os

from vpa_desktop.assistant.old_setup import OldSetupDesk, TakenOver
from vpa_desktop.cli.output import Output
from vpa_desktop.cli.session import opened
from vpa_desktop.config import Paths


async def legacy(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Take over an old file, or the old variables of the environment."""
    async with opened(paths, out) as system:
        desk = OldSetupDesk(paths.settings_file, paths.backups, system.setup.finder.store)
        if options.file is not None:
            taken = await desk.take_file(options.file, remove_keys=options.remove_keys)
        else:
            taken = await desk.take_variables(os.environ)
    _say(taken, options, out)
    out.document(taken)
    return 0


def _say(taken: TakenOver, options: argparse.Namespace, out: Output) -> None:
    for key, value in taken.written.items():
        out.line(f"written   {key} = {list(value) if isinstance(value, tuple) else value}")
    for key, value in taken.kept.items():
        out.line(f"kept      {key} = {value}, as settings.toml has it")
    for provider_id, said in taken.keys.items():
        out.line(f"key       {provider_id}: {said}")
    for sentence in taken.left_out:
        out.line(f"left out  {sentence.replace(' was left out', '', 1).removesuffix('.')}.")
    for path in taken.backups:
        out.line(f"backup    {path}")
    if not taken.written and "stored" not in taken.keys.values():
        is_here = taken.kept or taken.keys or not taken.left_out
        why = "everything is here already" if is_here else "nothing of it has a place here"
        out.line(f"Nothing was changed: {why}.")
    if taken.holds_keys and not options.remove_keys:
        out.line(
            f"{options.file} and its backup hold keys in plain text. When everything works, delete both, "
            "or run this again with --remove-keys."
        )
