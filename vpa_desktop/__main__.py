"""``python -m vpa_desktop`` and the ``vpa-desktop`` command, for people and for the program's own children."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; returns the exit code."""
    try:
        from vpa_desktop.children import CHILD_FLAG, give_back_library_path, run_child

        give_back_library_path()
        if sys.argv[1:2] == [CHILD_FLAG]:
            return run_child(sys.argv[2:])
        from vpa_desktop.cli import main as run

        return run()
    except ImportError as exc:
        from vpa_desktop.children import is_frozen

        if not is_frozen():
            raise
        sys.stderr.write(f"error: A part of the program is missing ({exc.name}). It is damaged. Install it again.\n")
        return 1
    except KeyboardInterrupt:  # also while the program's own files are still being loaded
        sys.stderr.write("error: Interrupted.\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
