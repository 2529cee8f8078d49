"""How figures, times and sizes are written on the screen. Pure functions; no widget."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from PySide6.QtCore import QCoreApplication


def tr(text: str) -> str:
    """Translates a text of the window that belongs to no class."""
    return QCoreApplication.translate("wording", text)


def usd(amount: Decimal | None) -> str:
    """Writes an amount in US dollars; small ones keep the figures that matter, an unknown one says so."""
    if amount is None:
        return tr("unknown")
    if amount == 0 or amount >= Decimal("0.01"):
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if amount >= Decimal("0.0001") else "<$0.0001"


def milliseconds(value: float | None) -> str:
    """Writes a duration given in milliseconds; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"


def time_left(seconds: float) -> str:
    """Writes about how long something still takes."""
    if seconds < 60:
        return tr("less than a minute left")
    if seconds < 5_400:
        return tr("about {0} min left").format(round(seconds / 60))
    return tr("about {0} h left").format(round(seconds / 3_600))


def whole(number: int) -> str:
    """Writes a whole number with separators, as the transcript does."""
    return f"{number:,}"


def day_and_time(at: datetime) -> str:
    """Writes a time as the person's local one: the hour today, else the day."""
    local = at.astimezone()
    if local.date() == datetime.now().astimezone().date():
        return local.strftime("%H:%M")
    return f"{local.day} {local.strftime('%b %Y')}"


def reason_alone(reason: str, name: str) -> str:
    """Takes the file's name from the beginning of a reason, for where the name stands beside it."""
    return f"it {reason[len(name) + 1 :]}" if name and reason.startswith(f"{name} ") else reason


def age_group(at: datetime, today: date) -> str:
    """Names the group of the conversation list a time belongs to."""
    day = at.astimezone().date()
    if day >= today:
        return tr("Today")
    if day == today - timedelta(days=1):
        return tr("Yesterday")
    if day > today - timedelta(days=8):
        return tr("Previous 7 days")
    return tr("Older")


def first_words(text: str, limit: int = 48) -> str:
    """Returns the first words of a message, as the title of its conversation."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    cut = line[:limit].rsplit(" ", 1)[0] or line[:limit]
    return cut.rstrip(",.;:!?-") + "…"
