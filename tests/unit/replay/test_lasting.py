"""Readings that stay outside the band of a series by itself: `detect` tells them as a watcher does."""

import numpy as np
import pytest

from lens_exporter.baseline.detection.engine import Engine
from lens_exporter.baseline.detection.scored import GroupScored, Scored
from lens_exporter.baseline.detection.tuning import Tuning
from lens_exporter.replay.lasting import Lasting

NAN = np.nan
ROWS = [  # a value in a band from 0 to 10, and whether it is an anomaly
    (5.0, False),
    (11.0, False),
    (12.0, False),
    (13.0, True),
    (NAN, False),
    (14.0, True),
    (9.0, False),
    (11.0, False),
    (-1.0, False),
    (-1.0, False),
    (NAN, False),
    (-1.0, True),
    (10.0, False),
]


def scored(rows):
    lower, upper = np.zeros((1, rows)), np.full((1, rows), 10.0)
    none = np.zeros((1, rows), dtype=np.bool_)
    group = GroupScored(lower[:0], lower[:0], none[:0])
    return Scored(lower, lower, upper, lower, none, none, none, none.astype(np.int8), group)


@pytest.mark.parametrize("length", [1, 2, 5, len(ROWS)])
def test_three_readings_in_a_row_outside_are_an_anomaly(length):
    """Ten minutes apart, to one side; a gap neither counts nor ends it; in blocks of any length."""
    lasting, found = Lasting(1, 600.0), []
    for first in range(0, len(ROWS), length):
        values = np.array([[value for value, _ in ROWS[first : first + length]]])
        found += lasting.added(scored(values.shape[1]), values).anomaly[0].tolist()
    assert found == [expected for _, expected in ROWS]


def test_where_no_band_is_known_nothing_is_outside():
    rows = scored(4)
    rows.lower[:], rows.upper[:] = NAN, NAN
    assert not Lasting(1, 600.0).added(rows, np.full((1, 4), 99.0)).anomaly.any()


def test_an_hour_at_an_hour_that_is_never_like_that_is_an_anomaly_also_among_many_rows():
    """Rows of a minute for two weeks: a value that was seen before, and is a trifle among so many, is no news."""
    rng, rows, day = np.random.default_rng(4), 14 * 1440, 1440
    values = (100.0 + 30.0 * np.sin(2 * np.pi * np.arange(rows) / day) + 3.0 * rng.standard_normal(rows))[None]
    incident = slice(12 * day + 330, 12 * day + 390)
    values[0, incident] -= 60.0
    found = Engine(1, [], Tuning(step=60.0)).advance(1_795_132_800.0 + 60.0 * np.arange(rows), values)
    told = Lasting(1, 60.0).added(found, values).anomaly[0]
    assert told[incident].sum() >= 57
    after = slice(incident.stop + 120, None)
    assert told[2 * day : incident.start].sum() + told[after].sum() <= 6
