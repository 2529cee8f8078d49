"""What a child process may use for its whole life: memory, and computing time for each request. Set by the child."""

from __future__ import annotations

import contextlib
import ctypes
import sys


def limit_memory(most_bytes: int) -> None:
    """Lets the process use so much address space and leave no core file."""
    if sys.platform == "win32":
        return  # Windows has no such limit for a process without a job object
    import resource

    with contextlib.suppress(ValueError, OSError):  # macOS knows RLIMIT_AS and refuses to set it
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def allow_cpu(seconds: int) -> None:
    """Moves the process's limit of computing time to so many seconds from now; the system ends it there."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def give_back_memory() -> None:
    """Gives memory that was freed back to the system, where the C library has to be asked for that (glibc).

    Loading a model leaves a second copy of its weights behind: 13 MB of the one that comes with the program.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
