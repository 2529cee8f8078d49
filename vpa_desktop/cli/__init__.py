"""The command line: arguments in, one call into ``system``, text or one JSON document out.

Errors are one line on stderr and an exit code: 0 done, 1 failed, 2 usage, 3 settings, 4 provider, 5 limit,
6 policy, 7 document unreadable, 8 storage, 130 interrupted. No traceback reaches a person.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from vpa_desktop.cli.parser import build_parser
from vpa_desktop.config import find_paths
from vpa_desktop.errors import StorageError, VPAError

if TYPE_CHECKING:
    from argparse import Namespace

    from vpa_desktop.cli.output import Output
    from vpa_desktop.config import Paths

USAGE = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, or open the window where there is none; returns the exit code."""
    from vpa_desktop.cli.output import tolerate_foreign_letters

    tolerate_foreign_letters()
    given = sys.argv[1:] if argv is None else argv
    if bad := next((word for word in given if not _is_text(word) and not Path(word).exists()), None):
        print(f"error: {bad!a} cannot be read. It is not written in Unicode. Type it anew.", file=sys.stderr)
        return USAGE
    if given[:1] == ["__complete"]:  # a shell asks what may come next; see cli/shells.py
        from vpa_desktop.cli.completion import print_completions

        return print_completions(given[1:])
    options = build_parser().parse_args(given)
    paths = find_paths(options.home)
    if options.run is None:
        from vpa_desktop.app import run_window

        return run_window(paths, environ=os.environ, files=[file.absolute() for file in options.files])
    from vpa_desktop.cli.output import Output

    return run_command(options, paths, Output(as_json=options.json))


def run_command(options: Namespace, paths: Paths, out: Output) -> int:
    """Run the coroutine that the options name; returns the exit code."""
    import asyncio

    module, name = options.run.split(":")
    try:
        command = getattr(import_module(f"vpa_desktop.cli.{module}"), name)
        code: int = asyncio.run(command(options, paths, out))
        return code
    except VPAError as exc:
        out.error(exc)
        return exc.exit_code
    except KeyboardInterrupt:
        print("error: Interrupted. What was stored until then is kept.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (``| head``): nothing more can be said, and that is fine.
        _print_no_more()
        return 0
    except OSError as exc:
        # The doors to disk and network translate their own; what comes here is mostly standard output on a full disk.
        _print_no_more()
        out.error(StorageError("The command could not finish", str(exc), "Free some room there, and try again"))
        return StorageError.exit_code


def _print_no_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
