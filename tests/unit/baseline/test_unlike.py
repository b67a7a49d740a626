"""When what is new is unlike its peers, and which of several says so."""

import numpy as np
import pytest

from lens_exporter.baseline.underway import Underway
from lens_exporter.baseline.unlike import unlike
from lens_exporter.model.decision import Departure, Observation, Phase
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import Peers, Scores, Window, Young

STEP, LONG = 300.0, 6
OLD = 12  # readings: half an hour that counts, of what is half an hour older
LOAD = BaselineMetric("load", "load", category="load")
NAN = float("nan")


def held(rows, *, count=4, lower=8.0, upper=12.0, mean=None, apart=0.0, families=None, about=(), metric=LOAD, step=STEP, age=0.0):
    """Hold new series against peers that had from `lower` to `upper`, each `mean` at most, and `apart` (a sum of squares)."""
    values = np.array(rows, dtype=np.float64)
    series = len(values)

    def each(value):
        return np.full(series, value, dtype=np.float64)

    family = np.zeros(series, dtype=np.int64) if families is None else np.array(families)
    least, most = (each(lower), each(lower), each(apart)), (each(upper), each(upper if mean is None else mean), each(apart))
    usual = each((lower + upper) / 2.0)
    peers = Peers(family, np.full(series, count), each(age), usual, least[0], most[0], least[1], least[2], most[1], most[2])
    nothing = np.zeros((series, 1))
    observed = np.full(series, values.shape[1])
    scores = Scores(nothing, nothing, nothing, nothing, observed, young=Young(each(1.0), each(0.0).astype(bool), peers))
    labels = tuple({"pod": str(number)} for number in range(series))
    window = Window("load", labels, step * np.arange(values.shape[1]), values, step)
    return unlike(metric, window, scores, about)


def steady(level, readings=OLD):
    return [level] * readings


def underway(series, side=1):
    return [Underway("load", {"pod": series}, (Departure("load", {"pod": series}, side),))]


def test_it_takes_half_an_hour_of_what_has_settled_and_is_new():
    assert not held([steady(20.0, OLD - 1)])
    assert list(held([steady(20.0)])) == [0]
    assert not held([[*steady(20.0, OLD), *steady(10.0, LONG // 2 + 1), *steady(20.0, LONG // 2 - 1)]])
    assert list(held([steady(20.0, 216)])) == [0]
    assert not held([steady(20.0, 217)])
    assert not held([steady(20.0)], age=2 * 86_400.0)


def test_what_has_just_left_may_be_what_comes_over_all():
    """What its peers do now is known when their bins have ended, up to three quarters of an hour later."""
    assert not held([[*steady(10.0), *steady(20.0, OLD - 1)]])
    assert list(held([[*steady(10.0), *steady(20.0, OLD)]])) == [0]


def test_where_readings_are_rare_it_takes_six():
    assert not held([steady(20.0, 7)], step=900.0)
    assert held([steady(20.0, 8)], step=900.0)
    assert not held([[*steady(10.0, 9), *steady(20.0, 3)]], step=900.0)


def test_what_is_back_begins_nothing():
    assert not held([[*steady(20.0), 12.0]])
    assert held([[*steady(20.0), 12.1]])


def test_the_fewer_peers_the_more_beyond_the_most_they_had():
    """A quarter of it; beside one four times what two more differ by, 1.2, and its own: 1.2 sqrt(2)."""
    assert not held([steady(18.7)], count=1)
    assert held([steady(18.9)], count=1)
    assert not held([steady(14.9)], count=10)
    assert held([steady(15.1)], count=10)


def test_as_far_as_they_are_apart_is_asked_four_times():
    """Of four, and of two more that differ by a tenth: sqrt((10 + 2.88) / 5 x 5 / 4) is 1.794."""
    assert not held([steady(19.1)], apart=10.0)
    assert held([steady(19.2)], apart=10.0)
    assert not held([steady(17.1)], apart=10.0, mean=10.0)
    assert held([steady(17.2)], apart=10.0, mean=10.0)


def test_of_a_share_that_goes_down_it_is_what_it_lacks():
    share = BaselineMetric("ok", "ok", category="load", unit="ratio", direction="down")
    assert held([steady(0.99)], lower=0.999, upper=1.0, metric=share)
    assert not held([steady(0.9988)], lower=0.999, upper=1.0, metric=share)
    limited = BaselineMetric("used", "used", category="load", full=1000.0)
    assert held([[*steady(10.0, 3), *steady(1.0)]], metric=limited)
    assert not held([steady(0.9)], lower=0.5, upper=0.8, metric=BaselineMetric("ok", "ok", category="load", unit="ratio"))


def test_where_they_had_nothing_of_a_share_half_a_percent_is_something():
    errors = BaselineMetric("errors", "errors", category="load", unit="ratio")
    assert not held([steady(0.004)], lower=0.0, upper=0.0, metric=errors)
    assert held([steady(0.006)], lower=0.0, upper=0.0, metric=errors)


def test_what_peers_had_is_the_range_from_minus_one_to_one():
    seen = Observation("load", "", {}, 0.0, 20.0, None, None, None, None, Phase.ANOMALY)
    [one] = held([steady(20.0)]).values()
    assert one.seen(seen)[5:9] == (10.0, 8.0, 12.0, 5.0)
    [same] = held([steady(20.0)], lower=10.0, upper=10.0).values()
    assert same.seen(seen).score == 10.0
    [nothing] = held([steady(20.0)], lower=0.0, upper=0.0).values()
    assert nothing.seen(seen).score == 1.0


def test_low_has_been_as_they_are_unless_low_is_bad():
    """What has just begun has yet to fill."""
    assert not held([steady(2.0)])
    assert list(held([[*steady(10.0, 3), *steady(2.0)]])) == [0]
    assert held([steady(2.0)], metric=BaselineMetric("load", "load", category="load", direction="down"))
    assert not held([[*steady(10.0, 3), *steady(2.0)]], metric=BaselineMetric("load", "load", category="load", direction="up"))


def test_what_is_declared_as_little_is_little():
    for declared in ({"min_change": 11.0}, {"min_change_ratio": 1.1}):
        assert not held([steady(20.0)], metric=BaselineMetric("load", "load", category="load", **declared))
    for declared in ({"min_change": 9.0}, {"min_change_ratio": 0.9}):
        assert held([steady(20.0)], metric=BaselineMetric("load", "load", category="load", **declared))


def test_one_of_a_kind_speaks_for_all():
    rows = [[*steady(10.0, 6), *steady(20.0, 12)], steady(20.0, 18), [*steady(10.0, 3), *steady(20.0, 15)], steady(20.0, 18)]
    found = held(rows, families=[0, 0, 0, 1])
    assert {row: one.alike for row, one in found.items()} == {1: 2, 3: 0}
    assert (found[1].course.readings, found[1].course.since) == (18, 0.0)


def test_while_one_is_underway_nobody_else_speaks():
    """Whether it has a value now or not; once it is gone, or as its peers are, another may."""
    rows = [steady(20.0), [*steady(20.0, OLD - 1), NAN], steady(10.0)]
    assert list(held(rows, about=underway("0"))) == [0]
    assert list(held(rows, about=underway("1"))) == [1]
    assert list(held(rows, about=underway("gone"))) == [0]
    assert list(held(rows, about=underway("2"))) == [0]
    assert list(held(rows, about=underway("1", side=-1))) == [0]
    assert list(held(rows, about=[Underway("load", {"pod": "1"}, (Departure("other", {"pod": "1"}, 1),))])) == [0]


def test_what_is_underway_goes_on_for_as_long_as_two_hours_are_beyond():
    assert not held([steady(13.0)])
    assert held([steady(13.0)], about=underway("0"))
    assert held([[*steady(13.0, 13), *steady(11.0, 11)]], about=underway("0"))
    assert not held([[*steady(13.0, 11), *steady(11.0, 13)]], about=underway("0"))
    assert held([steady(13.0, 300)], about=underway("0"))


def test_after_a_restart_what_an_alert_is_about_may_be_this():
    """Of its category, and where it is unlike its peers: any that its target may name."""
    rows = [steady(20.0), steady(13.0)]
    assert list(held(rows, about=[Underway("load", {"pod": "1"}, None)])) == [1]
    assert list(held(rows[1:], about=[Underway("load", {}, None)])) == [0]
    assert not held(rows[1:], about=[Underway("other", {}, None)])
    assert list(held([steady(20.0), steady(10.0)], about=[Underway("load", {"pod": "1"}, None)])) == [0]


def test_it_began_after_it_was_last_as_they_are():
    one = held([[*steady(20.0, 5), *steady(10.0, 3), 20.0, 10.0, *steady(20.0, 12)]])[0]
    assert one.course.since == 8 * STEP
    assert one.course.readings == 14
    assert one.course.value == pytest.approx((20.0 * 13 + 10.0) / 14)


def test_gaps_are_no_readings():
    assert not held([[*steady(20.0), NAN]])
    assert not held([[NAN, *steady(20.0, OLD - 1)]])
    assert held([[20.0, NAN, *steady(20.0, OLD - 1)]])
    assert not held([[*steady(20.0), *steady(NAN, LONG), 20.0]])


def test_nobody_without_peers_is_unlike_them():
    assert not held([steady(20.0)], count=0, lower=NAN, upper=NAN)
    assert not held([steady(float("inf"))])
    assert held([steady(1.7e308)])


def test_of_several_that_are_unlike_for_as_long_the_first_speaks():
    """The same one at every look."""
    assert list(held([steady(10.0, 18), steady(20.0, 18), steady(30.0, 18)])) == [1]
