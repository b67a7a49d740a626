"""Half an hour beside what is expected: what is said of it, and what it takes."""

import numpy as np
import pytest

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.beside import beside
from lens_exporter.baseline.rules import Reading
from lens_exporter.baseline.underway import Underway
from lens_exporter.model.decision import Anomaly, Departure
from lens_exporter.model.metric import BaselineMetric, Direction
from lens_exporter.model.window import Learnt, Scores, Window

STEP = 60.0
ONE = np.ones(1)


HERE = {"instance": "a:1", "job": "api"}


def reading(values, *, sustained=2, expected=10.0, half=4.0, step=STEP, **declared):
    """A lone series whose band is expected +- half; sustained is one number or [time]."""
    values = np.asarray(values, dtype=np.float64)
    flat, none = np.full((1, values.size), float(expected)), np.zeros(1)
    flags = np.broadcast_to(np.asarray(sustained, dtype=np.int8), values.shape)[None]
    no, zero = np.zeros((1, values.size), dtype=np.bool_), none.astype(np.int64)
    learnt = Learnt(
        grouped=none > 0,
        alarmed=zero,
        missed=zero,
        leads=none > 0,
        place=zero,
        novel=no,
        unusual=no,
        sustained=flags,
        highest=none,
        lowest=none,
        above=np.zeros((1, 7)),
        below=np.zeros((1, 7)),
        otherwise=none,
        group_about=np.zeros((0, 7)),
        group_score=none,
        group_threshold=none,
        group=zero - 1,
        group_labels=(),
    )
    scores = Scores(flat, flat - half, flat + half, (values[None] - flat) / half, np.array([5000]), learnt)
    window = Window("load", (HERE,), 1e9 + step * np.arange(values.size), values[None], step)
    return Reading(BaselineMetric("load", "load", **declared), window, scores)


def seen(values, *, goes_on=False, **how):
    """What a series has been beside."""
    one = reading(values, **how)
    return beside(one.metric, one.window, one.scores, 0, goes_on=goes_on)


def off(readings, by=2.5, of=30):
    """So many readings beside, the last ones."""
    return np.where(np.arange(of) >= of - readings, 10.0 + by, 10.0)


def test_it_says_the_mean_of_what_is_off_and_since_when():
    """Not of the readings before it left."""
    found = seen(off(20))
    assert (found.side, found.value, found.expected, found.readings, found.seconds) == (1, 12.5, 10.0, 20, 1200.0)
    assert found.since == 1e9 + 10 * STEP
    assert not found.longer
    below = seen(off(20, by=-2.5), sustained=-2)
    assert (below.side, below.value) == (-1, 7.5)


def test_what_fills_all_that_is_looked_at_may_have_begun_before():
    assert seen(off(30)).longer


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ({"values": off(14)}, False),  # less than half of the readings
        ({"values": off(15)}, True),
        ({"values": off(30, by=1.9)}, False),  # less than half of the band
        ({"values": off(30, by=1.9), "goes_on": True}, True),
        ({"values": off(30), "sustained": 1}, False),
        ({"values": off(30), "sustained": 1, "goes_on": True}, True),
        ({"values": off(30), "sustained": np.r_[[0] * 21, [2] * 9]}, False),  # nine minutes
        ({"values": off(30), "sustained": np.r_[[0] * 20, [2] * 10]}, True),
        ({"values": off(30), "sustained": -2}, False),  # the mean is to the other side
        ({"values": np.r_[off(29), [10.0]]}, False),  # it is back
        ({"values": np.r_[off(28), [np.nan, 12.5]]}, True),
        ({"values": np.full(30, np.nan)}, False),
        ({"values": off(30), "direction": Direction.DOWN}, False),
        ({"values": off(30), "direction": Direction.UP}, True),
        ({"values": off(30), "min_change": 3.0}, False),
        ({"values": off(30), "min_change_ratio": 0.3}, False),
        ({"values": off(30), "min_change_ratio": 0.2}, True),
        ({"values": 0.04 * off(30), "expected": 0.4, "half": 0.16, "unit": "ratio"}, True),
        ({"values": 0.4 + 0.001 * (off(30) - 10.0), "expected": 0.4, "half": 0.004, "unit": "ratio"}, False),
        ({"values": 0.999 - 0.001 * (off(30) - 10.0), "expected": 0.999, "half": 0.004, "unit": "ratio", "sustained": -2}, True),
    ],
)
def test_what_it_takes(what, told):
    assert (seen(**what) is not None) == told


def test_where_readings_are_rare_three_are_enough():
    found = seen(np.r_[off(3, of=27), off(3, of=3)], step=900.0)
    assert (found.readings, found.seconds) == (3, 2700.0)


def test_it_is_no_mean_of_one_reading():
    """However far the last one is: ten minutes are asked for, and of those the mean is told."""
    found = seen(np.r_[off(30)[:-1], [1e6]])
    assert found.readings >= 10


def test_scores_that_are_not_known_count_for_nothing():
    values = np.r_[np.full(15, np.nan), off(15, of=15)]
    found = seen(values)
    assert np.isfinite([found.value, found.expected]).all()
    assert found.readings == 15


SHIFTED = Departure("load", HERE, 1)


@pytest.mark.parametrize(
    ("about", "goes_on"),
    [
        ([], False),
        ([Underway("load", HERE, (SHIFTED,))], True),
        ([Underway("memory", HERE, (Departure("memory", HERE, 1),)), Underway("load", HERE, (SHIFTED,))], True),
        ([Underway("load", HERE)], False),  # told by another rule: it jumped, or is at its ceiling
        ([Underway("load", HERE, (Departure("load", HERE, -1),))], False),
        ([Underway("load", HERE, (Departure("queue", HERE, 1),))], False),  # of the same category
        ([Underway("memory", HERE, (Departure("memory", HERE, 1),))], False),
        ([Underway("load", {"job": "api"}, (Departure("load", {**HERE, "instance": "b:1"}, 1),))], False),
        ([Underway("load", {"job": "api"}, (SHIFTED,))], True),
        ([Underway("load", HERE, None)], True),  # after a restart nobody knows what told it
        ([Underway("load", {"job": "api"}, None)], True),
        ([Underway("memory", HERE, None)], False),
        ([Underway("load", {"instance": "b:1"}, None)], False),
    ],
)
def test_what_goes_on_at_less_is_what_half_an_hour_has_told(about, goes_on):
    """Of the same series and to the same side: whatever else is open there, everything else has to begin."""
    (conclusion,) = Analyzer().decide([reading(off(30), sustained=1, category="load")], about).conclusions
    assert isinstance(conclusion.decision, Anomaly) == goes_on
    if goes_on:
        assert conclusion.decision.departures == (SHIFTED,)


def test_to_the_other_side_it_begins_like_anything_else():
    """The side is that of the mean."""
    below = Departure("load", HERE, -1)
    for about, told in (((SHIFTED,), False), ((SHIFTED, below), True)):
        one = reading(off(30, by=-2.5), sustained=-1, category="load")
        (conclusion,) = Analyzer().decide([one], [Underway("load", HERE, about)]).conclusions
        assert isinstance(conclusion.decision, Anomaly) == told
