"""Readings of range queries after a gap: what says too little is no reading."""

import numpy as np
import pytest

from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.baseline.refill import Presence, Refilling, span_of
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import Window

NAN = np.nan
TIMES = 60.0 * np.arange(12)
RATE = BaselineMetric("requests", "sum by (instance) (rate(requests_total[2m]))")
GAUGE = BaselineMetric("memory", "memory_bytes")


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ("up", 0.0),
        ("rate(x[5m])", 300.0),
        ("rate(x[1m30s]) + rate(y[ 45s ])", 90.0),
        ("rate(x[5m]) / rate(y[5m])", 0.0),  # both are short of the same
        ("rate(x[5m]) / 1024", 300.0),
        ("sum(rate(x[5m])) / sum(limit)", 300.0),
        ('rate(x{path="/api", other="[9m]", third="histogram_quantile"}[5m])', 300.0),
        ("histogram_quantile(0.9, rate(x_bucket[5m]))", 0.0),
        ("max_over_time(rate(x[1m])[10m:30s])", 660.0),
        ("increase(x[1d])", 900.0),
        ('x{a="[5m]"}', 0.0),
        ("rate(x[300])", 300.0),  # Prometheus 3
        ("rate(x[5m]) # [1h]", 300.0),
        ("rate(x[1.5m])", 90.0),  # VictoriaMetrics
    ],
)
def test_the_longest_range_counts(query, seconds):
    """A quarter of an hour at most; nothing where a ceiling is to be told at once."""
    assert span_of(BaselineMetric("m", query)) == seconds
    assert span_of(BaselineMetric("m", query, ceiling=1.0)) == 0.0


def refilling(*metrics, things):
    one = Refilling(metrics, 60.0)
    plain = [any(GAUGE is metric for metric, other in zip(metrics, things, strict=True) if other == thing) for thing in things]
    known = Presence.unknown(len(metrics))
    known.present[:] = known.rows[:] = 300.0
    known.steady[:] = True
    known.plain[plain], known.last_plain[plain] = 300.0, -60.0
    one.resume(known, np.arange(len(metrics)), np.array(things))
    return one


@pytest.mark.parametrize("cut", [1, 3, 5, 12])
def test_what_follows_a_gap_is_a_gap_until_the_range_is_full(cut):
    """Two minutes and a step from when the gauge is back, of the rate and not of the gauge, whatever blocks the rows come in."""
    values = np.array([[1.0, 1.0, NAN, NAN, *[1.0] * 8], [5.0, 5.0, NAN, NAN, *[5.0] * 8]])
    one, found, away = refilling(RATE, GAUGE, things=[0, 0]), [], []
    for first in range(0, 12, cut):
        part = slice(first, first + cut)
        without, lost = one.without(TIMES[part], values[:, part], learn=True)
        found.append(without)
        away.append(np.zeros(without.shape, dtype=bool) if lost is None else lost)
    wanted = values.copy()
    wanted[0, 4:7] = NAN
    np.testing.assert_array_equal(np.concatenate(found, axis=1), wanted)
    assert np.argwhere(np.concatenate(away, axis=1)).tolist() == [[0, 4], [0, 5], [0, 6]]


def test_what_needs_a_second_sample_is_not_missing_when_its_instance_is_back():
    """A quantile has no value in the first row after an outage, and is judged from the second on; later it is missing."""
    quantile = BaselineMetric("latency", "histogram_quantile(0.9, rate(seconds_bucket[2m]))")
    values = np.array([[1.0, 1.0, NAN, NAN, NAN, 1.0, *[1.0] * 4, NAN, NAN], [5.0, 5.0, NAN, NAN, *[5.0] * 8]])
    without, away = refilling(quantile, GAUGE, things=[0, 0]).without(TIMES, values, learn=True)
    np.testing.assert_array_equal(without, values)
    assert np.argwhere(away & np.isnan(values)).tolist() == [[0, 4]]


def test_a_gap_that_others_of_its_instance_do_not_share_is_its_own():
    """A ratio of nothing to nothing, an error that was never counted: nothing was lost."""
    values = np.array([[1.0, NAN, NAN, *[1.0] * 9], [5.0] * 12])
    without, away = refilling(RATE, GAUGE, things=[0, 0]).without(TIMES, values, learn=True)
    np.testing.assert_array_equal(without, values)
    assert away is None or not away.any()
    without, away = refilling(RATE, GAUGE, things=[0, 1]).without(TIMES, values, learn=True)
    assert np.isnan(without[0]).tolist() == [False, True, True, True, True, *[False] * 7]


@pytest.mark.parametrize("cut", [1, 3, 12])
def test_what_an_instance_that_has_gone_still_has_in_its_range_is_a_gap(cut):
    """Its gauge ends, as of a pod that is replaced, and its rate falls until its samples have run out."""
    values = np.array([[1.0, 1.0, 1.0, 0.7, 0.3, *[NAN] * 7], [5.0, 5.0, 5.0, *[NAN] * 9]])
    one, found = refilling(RATE, GAUGE, things=[0, 0]), []
    for first in range(0, 12, cut):
        part = slice(first, first + cut)
        found.append(one.without(TIMES[part], values[:, part], learn=True)[0])
    wanted = values.copy()
    wanted[0, 3:] = NAN
    np.testing.assert_array_equal(np.concatenate(found, axis=1), wanted)


def test_what_goes_on_without_a_gauge_is_judged_again():
    """An exporter beside it has stopped: what is there for longer than its range does not come out of old samples."""
    values = np.array([[1.0] * 12, [5.0, 5.0, 5.0, *[NAN] * 9]])
    without, _ = refilling(RATE, GAUGE, things=[0, 0]).without(TIMES, values, learn=True)
    assert np.flatnonzero(np.isnan(without[0])).tolist() == [3, 4]


def test_a_gauge_that_is_seldom_there_says_nothing_when_it_ends():
    """How long the oldest job waits, of a queue that is mostly empty; and one of which too little is known."""
    for known in (200.0, 5.0):
        one = refilling(RATE, GAUGE, things=[0, 0])
        one.kept.plain[:] = known
        values = np.array([[1.0] * 12, [5.0, 5.0, 5.0, *[NAN] * 9]])
        np.testing.assert_array_equal(one.without(TIMES, values, learn=True)[0], values)


def test_a_scrape_that_failed_hides_the_rate_of_its_own_row_only():
    """The next one has the whole rise: its range still holds samples from before."""
    values = np.array([[1.0, 0.7, *[1.0] * 10], [5.0, NAN, *[5.0] * 10]])
    without, _ = refilling(RATE, GAUGE, things=[0, 0]).without(TIMES, values, learn=True)
    assert np.flatnonzero(np.isnan(without[0])).tolist() == [1]


@pytest.mark.parametrize("cut", [1, 3, 12])
def test_what_was_down_for_less_than_its_range_is_a_gap_until_the_range_is_full(cut):
    """Its rate never ended, and counts the minutes in which it was down: two rows and more without a gauge are an outage."""
    long = BaselineMetric("requests", "rate(requests_total[4m])")
    values = np.array([[1.0, 0.7, 0.4, 0.3, 0.4, 0.5, 0.6, 0.8, *[1.0] * 4], [5.0, NAN, NAN, *[5.0] * 9]])
    one, found = refilling(long, GAUGE, things=[0, 0]), []
    for first in range(0, 12, cut):
        part = slice(first, first + cut)
        found.append(one.without(TIMES[part], values[:, part], learn=True)[0])
    assert np.flatnonzero(np.isnan(np.concatenate(found, axis=1)[0])).tolist() == list(range(1, 8))


@pytest.mark.parametrize("cut", [1, 12])
def test_a_query_that_fails_says_nothing_of_who_is_there(cut):
    """The gauge could not be read for three rows: its instance's rate is judged as ever."""
    values = np.array([[1.0] * 12, [5.0, 5.0, NAN, NAN, NAN, *[5.0] * 7]])
    one, found = refilling(RATE, GAUGE, things=[0, 0]), []
    for part, failed in ((slice(2), ()), (slice(2, 5), (1,)), (slice(5, 12), ())):
        for first in range(part.start or 0, part.stop, cut):
            rows = slice(first, min(first + cut, part.stop))
            found.append(one.without(TIMES[rows], values[:, rows], learn=True, unread=failed)[0])
    np.testing.assert_array_equal(np.concatenate(found, axis=1), values)


@pytest.mark.parametrize("cut", [7, 100, 2000])
@pytest.mark.parametrize(("known", "away"), [(300, 40), (1440, 180), (1440, 1200)])
def test_a_long_outage_is_one_too_and_so_is_a_short_one_after_it(known, away, cut):
    """Forty minutes of a server known for five hours; hours of one known for a day, and ten minutes an hour after that."""
    values = np.ones((1, known + away + 60 + 10 + 60))
    values[0, known : known + away] = NAN
    values[0, known + away + 60 : known + away + 70] = NAN
    one, times = Refilling((RATE,), 60.0), 60.0 * np.arange(values.size)
    one.take(np.array([-1]), np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64))
    blocks = [slice(first, first + cut) for first in range(0, values.size, cut)]
    found = np.concatenate([one.without(times[block], values[:, block], learn=True)[0] for block in blocks], axis=1)
    for first in (known + away, known + away + 70) if away < known / 2 else (known + away,):
        assert np.isnan(found[0, first : first + 3]).tolist() == [True, True, False]


@pytest.mark.parametrize("cut", [1, 7, 200])
def test_what_is_seldom_there_is_no_outage(cut):
    """Errors that are counted for half an hour of three, and then for longer: not a row of them is hidden, whatever the blocks."""
    values = np.where(np.arange(200) % 180 < 30, 1.0, NAN)[None]
    one, times = Refilling((RATE,), 60.0), 60.0 * np.arange(200)
    one.take(np.array([-1]), np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64))
    blocks = [slice(first, first + cut) for first in range(0, 200, cut)]
    found = [one.without(times[block], values[:, block], learn=True)[0] for block in blocks]
    np.testing.assert_array_equal(np.concatenate(found, axis=1), values)


@pytest.mark.parametrize("cut", [1, 5, 12])
def test_what_was_not_there_yet_had_no_outage(cut):
    """A node that is new is judged from its first reading on, by a rate too."""
    values = np.array([[NAN, NAN, NAN, *[1.0] * 9]])
    one = Refilling((RATE,), 60.0)
    one.take(np.array([-1]), np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64))
    for first in range(0, 12, cut):
        part = slice(first, first + cut)
        np.testing.assert_array_equal(one.without(TIMES[part], values[:, part], learn=True)[0], values[:, part])


def test_what_is_only_looked_at_is_not_remembered():
    """A row that may still change is no gap yet."""
    one = refilling(RATE, things=[0])
    one.without(TIMES[:1], np.array([[NAN]]), learn=False)
    assert one.without(TIMES[1:2], np.array([[1.0]]), learn=True)[1] is None


def test_a_new_series_has_what_its_thing_has_had():
    """A path that is asked for the first time, on an instance that was away; an instance that comes was not."""
    one = refilling(RATE, things=[0])
    one.without(TIMES[:4], np.array([[1.0, 1.0, NAN, NAN]]), learn=True)
    one.take(np.array([0, -1, -1]), np.zeros(3, dtype=np.int64), np.array([0, 0, 1]))
    found = [array.tolist() for array in one.kept.arrays]
    assert [known[0] for known in found] == [known[1] for known in found] == [180.0, 302.0, 302.5, True, True, 0.0, -np.inf]
    assert [known[2] for known in found] == [-np.inf, 0.0, 0.0, False, False, 0.0, -np.inf]


def baselines(metrics, **learning):
    return Baselines(metrics, Learning(60.0, 4 * 86_400.0, **learning))


def windows(values, first=0):
    times = 60.0 * np.arange(first, first + values.shape[1])
    labels = ({"instance": "a"},)
    return [Window(metric.name, labels, times, row[None], 60.0) for metric, row in zip((RATE, GAUGE), values, strict=True)]


@pytest.mark.parametrize("missing", [False, True])
def test_a_rate_that_fills_again_is_neither_low_nor_missing(missing):
    """Three days are known, then ten minutes of everything are lost, and the rate begins at a fraction."""
    rng = np.random.default_rng(1)
    rows = 3 * 1440
    values = 10.0 + 0.3 * rng.standard_normal((2, rows + 14))
    values[:, rows : rows + 10] = NAN
    values[0, rows + 10 : rows + 12] = 2.0, 6.0
    one = baselines((RATE, GAUGE), missing=missing)
    one.learn(windows(values[:, : rows + 10]), recently=0.0)
    rate, gauge = one.read(windows(values[:, rows + 10 :], rows + 10))
    assert np.isnan(rate.window.values[0, -4:]).tolist() == [True, True, True, False]
    assert np.isfinite(gauge.window.values[0, -4:]).all()
    assert rate.scores.learnt.missed.tolist() == [0]
    assert abs(rate.scores.score[0, -1]) < 1.5
    if missing:
        assert one.read(windows(values[:, rows + 10 : rows + 12], rows + 10))[0].scores.learnt.missed.tolist() == [0]


def test_an_instance_that_is_replaced_is_not_low_before_it_is_gone():
    """Three days are known; its gauge ends, and what its rate says then until it ends too is no reading."""
    values = 10.0 + 0.3 * np.random.default_rng(1).standard_normal((2, 3 * 1440))
    values[1, -2:] = NAN
    values[0, -2:] = 6.0, 2.0
    one = baselines((RATE, GAUGE))
    one.learn(windows(values[:, :-2]), recently=0.0)
    rate, _gauge = one.read(windows(values[:, -2:], 3 * 1440 - 2))
    assert np.isnan(rate.window.values[0, -2:]).all()
    assert (np.abs(rate.scores.score[0, -4:-2]) < 1.5).all()
    assert rate.scores.learnt.alarmed.tolist() == [0]
