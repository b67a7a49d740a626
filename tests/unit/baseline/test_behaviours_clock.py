"""Days that have 23 or 25 hours, for series that follow people's clocks and for those that follow UTC."""

from datetime import UTC, datetime

import numpy as np
import pytest

from lens_exporter.baseline.detection.tuning import utc
from lens_exporter.wiring.watching import ahead_of_utc
from tests.unit.baseline.lives import Life, Watch, lone

QUARTER = 900.0
DAY = 96  # rows
CHANGES = {"to summer time": datetime(2024, 3, 31, 1, tzinfo=UTC), "to winter time": datetime(2024, 10, 27, 1, tzinfo=UTC)}
BERLIN = ahead_of_utc("Europe/Berlin")
WEEK = 7 * 86_400.0


def office(begins, rows, zone, *, seed):
    """Busy from 8 to 18 by the clock on the wall, with a rise and a fall of an hour."""
    at = begins + QUARTER * np.arange(rows)
    hour = (at + np.array([zone(one) for one in at])) / 3600.0 % 24.0
    busy = np.clip(np.minimum(hour - 7.5, 18.5 - hour), 0.0, 1.0)
    return (10.0 + 30.0 * busy) * (1 + 0.02 * np.random.default_rng(seed).standard_normal(rows))


def lives(begins, rows, zone, name):
    together = {one: office(begins, rows, zone, seed=place) for place, one in enumerate(("cpu", "memory", "queue", "latency"))}
    return {f"{name}, alone": lone(office(begins, rows, zone, seed=9)), f"{name}, together": Life(together)}


def day_after(change, offset):
    """Watch what follows clocks in Berlin and what follows UTC through the working hours after the change; nine days and more are known."""
    begins = change.timestamp() // WEEK * WEEK - WEEK
    first = round((change.timestamp() - begins) / QUARTER) + 1
    rows = first + DAY
    both = {**lives(begins, rows, BERLIN, "people"), **lives(begins, rows, utc, "machines")}
    seen = Watch(both, begins=begins, step=QUARTER, offset=offset).through(range(first + 16, rows - 20))
    return {life for life, told in seen.items() if told.alarmed}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_with_the_time_zone_set_the_season_moves_with_the_people(change):
    """Work begins an hour earlier or later by UTC, and nobody is told; a machine that keeps UTC is now off by an hour."""
    assert day_after(change, BERLIN) == {"machines, alone", "machines, together"}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_without_it_the_season_stays_with_utc(change):
    """The people's morning is off by an hour, and the machine's is not."""
    assert day_after(change, utc) == {"people, alone", "people, together"}
