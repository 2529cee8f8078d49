"""The person's calendar: where local days and months begin, also on the days of 23 and of 25 hours. Keeps nothing.

Two times of one zone are compared and subtracted by Python as if the clock were never changed; so every beginning
here is given in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final


class MachineZone(tzinfo):
    """The zone this machine is set to, with its daylight saving at every date (``astimezone()`` knows one offset)."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        """Return how far local time is ahead of UTC then."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, moment: datetime | None) -> timedelta | None:
        """Return None: what of the offset is daylight saving is not asked here."""
        return None

    def tzname(self, moment: datetime | None) -> str | None:
        """Return the zone's name then."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, moment: datetime) -> datetime:
        """Return the local time; the second pass of an hour that comes twice has ``fold`` 1."""
        there = moment.replace(tzinfo=UTC).astimezone()
        local = there.replace(tzinfo=self, fold=0)
        return local if local.utcoffset() == there.utcoffset() else local.replace(fold=1)


MACHINE_ZONE: Final = MachineZone()


def local_now() -> datetime:
    """Return the time now in the machine's own zone."""
    return datetime.now(MACHINE_ZONE)


def start_of_day(at: datetime) -> datetime:
    """Return when the calendar day of ``at`` in its own zone began, in UTC."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)


def start_of_month(at: datetime) -> datetime:
    """Return when the calendar month of ``at`` in its own zone began, in UTC."""
    return start_of_day(at.replace(day=1))


def start_of_next_month(at: datetime) -> datetime:
    """Return when the month after that of ``at`` begins in its zone, in UTC."""
    return start_of_month(at.replace(day=28) + timedelta(days=5))
