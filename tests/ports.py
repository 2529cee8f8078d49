"""Ports for servers that a test starts, and for addresses where nobody answers."""

from __future__ import annotations

import random
import socket
from typing import Final

BELOW_WHAT_SYSTEMS_GIVE_OUT: Final = range(20_000, 32_000)
CHOICE: Final = random.SystemRandom()  # Hypothesis seeds the common one, alike in every process


def free_port() -> int:
    """A port nobody listens on now.

    A port that the system gave and took back may be another test's server a moment later, where tests run side by
    side; these it gives to nobody who does not name them.
    """
    while True:
        port = CHOICE.choice(BELOW_WHAT_SYSTEMS_GIVE_OUT)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
