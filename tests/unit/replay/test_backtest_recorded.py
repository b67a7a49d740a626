"""A replay's source of rows: asked in blocks, answering as the server would have at each tick."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_exporter.baseline.outages import SCRAPED
from lens_exporter.errors import QueryError, RemoteRefused
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.replay.recorded import RecordedRows
from tests.unit.baseline.past import Past

METRIC = BaselineMetric("latency", "latency")
STEP = 60.0
NAN = float("nan")


def past(*rows, **options):
    """One series for each row, each a value a minute from 0 on."""
    labels = tuple({"instance": f"api-{place}"} for place in range(len(rows)))
    return Past(0.0, STEP, {"latency": labels}, {"latency": np.array(rows, dtype=float)}, **options)


def recorded(source, until, since=0.0, max_series=1000):
    return RecordedRows(source, since=since * STEP, until=until * STEP, max_series=max_series)


def rows(source, first, last):
    return source.rows(METRIC, first * STEP, last * STEP, step=STEP)


def same(one, other):
    return one.labels == other.labels and np.array_equal(one.times, other.times) and np.array_equal(one.values, other.values, True)


@given(
    st.lists(st.lists(st.sampled_from([1.0, 2.0, NAN]), min_size=30, max_size=30), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 29), st.integers(0, 12)), min_size=1, max_size=12),
    st.integers(1, 20),
)
def test_every_slice_is_what_the_server_would_have_answered(values, slices, block):
    """Whatever is asked in whatever order, forwards or back: the same series, times and values as without a block between."""
    source = past(*values, block=block)
    between = recorded(source, 29)
    for first, length in slices:
        last = min(29, first + length)
        assert same(rows(between, first, last), rows(source, first, last))


def test_a_long_replay_asks_seldom():
    """A thousand ticks over blocks of a hundred points ask a dozen times."""
    source = past(np.arange(1000.0), block=100)
    between = recorded(source, 999)
    for tick in range(6, 1000):
        rows(between, tick - 6, tick)
    assert len(source.asked) <= 12


def test_nothing_is_asked_for_beyond_the_span():
    """The block ends with what is replayed: what came later is nobody's business, and may be days."""
    source = past(np.arange(50.0), block=1000)
    rows(recorded(source, 20), 0, 5)
    assert source.asked == [("latency", 0.0, 20 * STEP)]


def test_a_series_that_comes_later_is_not_there_before():
    """Its block knows it; a slice without a value of it does not."""
    between = recorded(past([1.0] * 10, [NAN] * 8 + [2.0] * 2), 9)
    assert [one["instance"] for one in rows(between, 0, 7).labels] == ["api-0"]
    assert [one["instance"] for one in rows(between, 0, 8).labels] == ["api-0", "api-1"]


def test_whether_anything_was_scraped_is_not_judged():
    """It is asked in blocks too, and is neither among what a replay has judged nor as far as its past goes."""
    source = past([NAN] * 5 + [1.0] * 5)
    source.labels["up"], source.values["up"] = ({},), np.ones((1, 10))
    between = recorded(source, 9)
    assert between.rows(SCRAPED, 0.0, 3 * STEP, step=STEP).values.tolist() == [[1.0] * 4]
    rows(between, 0, 9)
    assert [labels["instance"] for labels in between.series.values()] == ["api-0"]
    assert between.oldest == 5 * STEP
    assert [name for name, _, _ in source.asked] == ["up", "latency"]


def test_the_same_series_are_the_same_object():
    """Whoever keeps them in order looks at them anew only when they change."""
    between = recorded(past([1.0] * 10, [NAN] * 8 + [2.0] * 2, [3.0] * 10), 9)
    assert rows(between, 0, 3).labels is rows(between, 1, 4).labels
    assert rows(between, 8, 9).labels is rows(between, 9, 9).labels


def test_which_series_were_judged_and_how_far_back_they_go():
    """A series that was gone before the span is none of it; the oldest value is that of any."""
    between = recorded(past([NAN, NAN] + [1.0] * 8, [NAN, 2.0] + [NAN] * 8), 9, since=5)
    rows(between, 0, 9)
    assert [labels["instance"] for labels in between.series.values()] == ["api-0"]
    assert between.oldest == STEP


class Refusing(Past):
    """Refuses what holds a bad minute, or more series-minutes than it likes."""

    bad: tuple[int, ...] = ()
    kind = "execution"

    def rows(self, metric, start, end, *, step):
        window = super().rows(metric, start, end, step=step)
        if any(start <= minute * STEP <= end for minute in self.bad):
            raise QueryError(kind=self.kind, reason="many-to-many matching", query=metric.query)
        return window


def refusing(minutes, *bad, block=64):
    source = Refusing(0.0, STEP, {"latency": ({"instance": "api-0"},)}, {"latency": np.ones((1, minutes))}, block)
    source.bad = bad
    return source


def test_what_a_block_is_refused_for_does_not_cost_a_tick_before_it():
    """A query that fails for one minute of the future is asked for less, and each slice before that minute is answered."""
    between = recorded(refusing(100, 50), 99)
    for tick in range(6, 50):
        assert rows(between, tick - 6, tick).values.size == 7
    with pytest.raises(QueryError, match="many-to-many"):
        rows(between, 44, 50)


def test_what_follows_on_a_refusal_is_refused_without_asking():
    """A live watcher could not read its past either; thousands of ticks need not ask to know that."""
    source = refusing(400, 50)
    between = recorded(source, 399)
    with pytest.raises(QueryError):
        rows(between, 44, 50)
    asked = len(source.asked)
    for tick in range(51, 399):
        with pytest.raises(QueryError):
            rows(between, tick - 6, tick)
    assert len(source.asked) == asked


def test_who_begins_anew_behind_a_refusal_is_answered():
    """When all that is learnt from is younger than the bad minute, it is read again, as it is live."""
    between = recorded(refusing(400, 50), 399)
    with pytest.raises(QueryError):
        rows(between, 44, 50)
    with pytest.raises(QueryError):
        rows(between, 294, 300)
    with pytest.raises(QueryError):
        rows(between, 45, 301)  # begins anew, and the minute is still part of it
    with pytest.raises(QueryError):
        rows(between, 296, 302)
    assert rows(between, 100, 303).values.size == 204
    assert rows(between, 298, 304).values.size == 7


def test_behind_a_bad_minute_blocks_grow_again():
    """One bad minute does not make a query of each tick for the rest of the replay."""
    source = refusing(4000, 50)
    between = recorded(source, 3999)
    for tick in range(6, 50):
        rows(between, tick - 6, tick)
    for first in (44, 60):
        with pytest.raises(QueryError):
            rows(between, first, first + 6)
    rows(between, 52, 66)
    asked = len(source.asked)
    for tick in range(67, 3067):
        rows(between, tick - 6, tick)
    assert len(source.asked) - asked < 3000 / 58 + 8


def test_an_answer_that_may_have_been_cut_is_asked_for_in_less():
    """Many series in a block, few at a time: each slice holds all of its own."""
    comings = [[1.0 if 10 * place <= minute < 10 * place + 10 else NAN for minute in range(60)] for place in range(6)]

    class Limited(Past):
        def rows(self, metric, start, end, *, step):
            window = super().rows(metric, start, end, step=step)
            kept = min(3, len(window.labels))
            return type(window)(window.metric, window.labels[:kept], window.times, window.values[:kept], step)

    labels = {"latency": tuple({"instance": f"api-{place}"} for place in range(6))}
    between = recorded(Limited(0.0, STEP, labels, {"latency": np.array(comings)}, 60), 59, max_series=3)
    whole = Past(0.0, STEP, labels, {"latency": np.array(comings)}, 60)
    for tick in range(6, 60):
        assert same(rows(between, tick - 6, tick), rows(whole, tick - 6, tick))


def test_a_server_that_refuses_the_caller_is_no_answer():
    """What is no fault of the query goes through: the replay cannot go on."""

    class Closed(Past):
        def rows(self, metric, start, end, *, step):
            raise RemoteRefused(service="prometheus", url="http://p", status=401, reason="who are you")

    between = recorded(Closed(0.0, STEP, {"latency": ()}, {"latency": np.zeros((0, 5))}), 4)
    with pytest.raises(RemoteRefused):
        rows(between, 0, 4)


def test_slices_share_no_gap():
    """Ticks that follow each other are given rows that follow each other."""
    between = recorded(past(np.arange(40.0), block=7), 39)
    slices = [rows(between, tick, tick + 3) for tick in range(36)]
    assert all(np.array_equal(one.values[:, 1:], other.values[:, :-1]) for one, other in pairwise(slices))
