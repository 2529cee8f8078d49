"""``python -m vpa_desktop`` and the ``vpa-desktop`` command."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; returns the exit code."""
    from vpa_desktop.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
