"""``python -m vpa_desktop`` and the ``vpa-desktop`` command."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; returns the exit code."""
    try:
        from vpa_desktop.cli import main as run

        return run()
    except KeyboardInterrupt:  # also while the program's own files are still being loaded
        sys.stderr.write("error: Interrupted.\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
