"""Rules that forbid: so far, that nothing leaves this machine. Pure functions; who enforces them is the caller."""

from __future__ import annotations

from vpa_desktop.errors import PolicyRefused


def check_local_only(*, local_only: bool, provider: str, is_local: bool) -> None:
    """Raises PolicyRefused where only models on this machine may be asked and ``provider`` is not one."""
    if local_only and not is_local:
        raise PolicyRefused(
            f"Nothing was sent to {provider}",
            "This conversation may use only models that run on this machine",
            "Choose a local model, or switch off “local only”",
            rule="local_only",
        )
