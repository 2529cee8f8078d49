"""Local days and months begin where the person's clock says so, on every day of the year."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from vpa_desktop.local_time import MACHINE_ZONE, start_of_day, start_of_month, start_of_next_month

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def machine_in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's own zone is Berlin's for this test."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
    assert os.environ.get("TZ") != "Europe/Berlin"


@pytest.mark.parametrize(
    ("day", "hours"),
    [(datetime(2026, 3, 29), 23), (datetime(2026, 10, 25), 25), (datetime(2026, 7, 1), 24)],
)
def test_days_of_daylight_saving_have_their_hours(day: datetime, hours: int) -> None:
    noon = day.replace(hour=12, tzinfo=BERLIN)
    assert start_of_day(noon + timedelta(days=1)) - start_of_day(noon) == timedelta(hours=hours)


def test_both_passes_of_the_hour_that_comes_twice_are_of_one_day() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).astimezone(BERLIN)
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC).astimezone(BERLIN)
    assert (first.hour, second.hour) == (2, 2)
    assert start_of_day(first) == start_of_day(second) == datetime(2026, 10, 24, 22, tzinfo=UTC)


def test_a_day_without_midnight_begins_when_the_clock_jumps() -> None:
    cairo = ZoneInfo("Africa/Cairo")  # 2026-04-24: 00:00 becomes 01:00
    assert start_of_day(datetime(2026, 4, 24, 12, tzinfo=cairo)) == datetime(2026, 4, 23, 22, tzinfo=UTC)


def test_months_begin_on_the_first_and_december_is_followed_by_january() -> None:
    end = datetime(2026, 12, 31, 23, 59, tzinfo=BERLIN)
    assert start_of_month(end) == datetime(2026, 11, 30, 23, tzinfo=UTC)
    assert start_of_next_month(end) == datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert start_of_month(datetime(2026, 10, 25, 12, tzinfo=BERLIN)) == datetime(2026, 9, 30, 22, tzinfo=UTC)


@pytest.mark.usefixtures("machine_in_berlin")
def test_the_machines_zone_knows_its_offset_at_every_date() -> None:
    for hour in range(0, 24 * 365, 5):
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
        here, there = moment.astimezone(MACHINE_ZONE), moment.astimezone(BERLIN)
        assert (here.replace(tzinfo=None), here.fold) == (there.replace(tzinfo=None), there.fold)
        assert here.astimezone(UTC) == moment
        assert start_of_day(here) == start_of_day(there)
