"""Windows on an even grid, from a server that plays a known signal."""

import itertools

import numpy as np
import pytest

from lens_exporter.errors import QueryError, QueryTooExpensive, QueryTooLarge, RemoteTimeout
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.prometheus.client import Prometheus
from lens_exporter.prometheus.cost import QueryLimits
from lens_exporter.prometheus.history import History
from tests.servers.endpoints import endpoint
from tests.servers.faulty import FaultyServer, Reply, ok

METRIC = BaselineMetric("memory_utilization", "memory")


class Signal:
    """Answers query_range from functions of time, one for each series; None is a gap."""

    def __init__(self, **functions):
        self.functions = {(("pod", name),): function for name, function in functions.items()}
        self.warnings = []

    def count(self):
        return {"metric": {}, "value": [0, str(len(self.functions))]}

    def __call__(self, request):
        if request.path.endswith("/query"):  # count(...)
            return ok({"status": "success", "data": {"resultType": "vector", "result": [self.count()]}})
        start, end, step = (float(request.form[name][0]) for name in ("start", "end", "step"))
        times = [round(start + step * i, 3) for i in range(round((end - start) / step) + 1)]
        result = []
        for labels, function in reversed(self.functions.items()):
            values = [[at, str(value)] for at in times if (value := function(at)) is not None]
            if values:
                result.append({"metric": dict(labels), "values": values})
        data = {"resultType": "matrix", "result": result}
        return ok({"status": "success", "data": data, "warnings": self.warnings})


@pytest.fixture
def server():
    with FaultyServer(Signal()) as one:
        yield one


def history(server, max_bytes=64 * 1024 * 1024, **limits):
    return History(Prometheus(endpoint(server.url, max_bytes=max_bytes), QueryLimits(timeout=30, **limits)))


def asked(server):
    return [(float(one.form["start"][0]), float(one.form["end"][0])) for one in server.requests if "start" in one.form]


def test_the_grid_is_even_and_ends_at_the_aligned_moment(server):
    """`at` goes down to the step, the window holds length/step points, and rows are in the order of their labels."""
    server.respond = Signal(b=lambda at: at, a=lambda at: -at)
    window = history(server).window(METRIC, 1007.9, length=100, step=10)
    assert window.times.tolist() == list(range(910, 1001, 10))
    assert asked(server) == [(910, 1000)]
    assert window.labels == ({"pod": "a"}, {"pod": "b"})
    assert window.values[1].tolist() == window.times.tolist()
    assert window.metric == "memory_utilization"


def test_gaps_are_nan(server):
    """Where a series has no value there is NaN, and nothing is shifted."""
    server.respond = Signal(a=lambda at: None if 930 <= at < 960 else at)
    (row,) = history(server).window(METRIC, 1000, length=100, step=10).values
    assert np.isnan(row).tolist() == [False, False, True, True, True, False, False, False, False, False]


def test_no_series_is_an_empty_window_on_the_same_grid(server):
    """An unknown metric has a window of no rows."""
    window = history(server).window(METRIC, 1000, length=100, step=10)
    assert window.values.shape == (0, 10)
    assert window.labels == ()


def test_names_are_dropped_and_series_that_differ_by_name_only_are_refused(server):
    """`{job="x"}` over two metrics would put two series into one row."""
    signal = Signal(a=lambda at: 1.0)
    signal.functions = {(("__name__", "x"), ("pod", "a")): lambda at: 1.0}
    server.respond = signal
    assert history(server).window(METRIC, 1000, length=100, step=10).labels == ({"pod": "a"},)
    signal.functions[("__name__", "y"), ("pod", "a")] = lambda at: 2.0
    with pytest.raises(QueryError, match="differ by their metric name only"):
        history(server).window(METRIC, 1000, length=100, step=10)


def test_warnings_of_the_server_and_cut_series_are_in_the_window(server):
    """Whoever judges the window can see that it is not all."""
    signal = Signal(a=lambda at: 1.0, b=lambda at: 1.0)
    signal.warnings = ["partial response"]
    server.respond = signal
    window = history(server, max_series=1).window(METRIC, 1000, length=100, step=10)
    assert window.warnings == ("partial response", "1 of 2 series left out, the limit is 1 (max_series)")


def test_more_than_11000_points_are_asked_in_parts_and_joined(server):
    """A day at a second is eight queries and one window without a seam."""
    server.respond = Signal(a=lambda at: at)
    window = history(server, max_samples=10**9).window(METRIC, 1_000_000, length=86_400, step=1)
    assert window.values.shape == (1, 86_400)
    assert (window.values[0] == window.times).all()
    assert len(asked(server)) == 8
    assert all(later[0] == earlier[1] + 1 for earlier, later in itertools.pairwise(asked(server)))


def test_a_window_that_costs_too_much_in_any_parts_is_refused(server):
    """Cutting into parts is no way round the limit: the number of parts is bounded."""
    expensive = BaselineMetric("x", "max_over_time(rate(x[5m])[1d:1s])")
    with pytest.raises(QueryTooExpensive):
        history(server).window(expensive, 1_000_000, length=86_400, step=60)
    assert asked(server) == []


def test_a_warm_window_asks_only_for_what_is_new(server):
    """The second tick asks for the new points and the few that may still change; the result is what a cold one gives."""
    server.respond = Signal(a=lambda at: at, b=lambda at: at if at > 50_000 else None)
    warm = history(server)
    warm.window(METRIC, 100_000, length=86_400, step=60)
    warm.window(METRIC, 100_065, length=86_400, step=60)
    second = warm.window(METRIC, 100_300, length=86_400, step=60)
    cold = history(server).window(METRIC, 100_300, length=86_400, step=60)
    assert [round((end - start) / 60) + 1 for start, end in asked(server)] == [1440, 6, 9, 1440]
    assert second.labels == cold.labels
    assert np.array_equal(second.values, cold.values, equal_nan=True)
    assert np.array_equal(second.times, cold.times)


def test_a_newest_point_that_changes_later_is_seen(server):
    """A value that arrived after it was first asked for replaces the gap."""
    late = {"from": 99_000}
    server.respond = Signal(a=lambda at: 1.0 if at <= late["from"] else None)
    warm = history(server)
    assert np.isnan(warm.window(METRIC, 99_060, length=6000, step=60).values[0, -1])
    late["from"] = 99_120
    assert warm.window(METRIC, 99_120, length=6000, step=60).values[0, -2:].tolist() == [1.0, 1.0]


def test_a_series_that_left_the_window_is_gone_and_a_new_one_begins_with_gaps(server):
    """Rows follow the labels, not the order of arrival."""
    server.respond = Signal(old=lambda at: 1.0 if at <= 10_000 else None, fresh=lambda at: 2.0 if at >= 10_900 else None)
    warm = history(server)
    assert warm.window(METRIC, 10_010, length=1000, step=10).labels == ({"pod": "old"},)
    both = warm.window(METRIC, 10_900, length=1000, step=10)
    assert both.labels == ({"pod": "fresh"}, {"pod": "old"})
    assert np.isnan(both.values[0, :-1]).all()
    assert warm.window(METRIC, 11_010, length=1000, step=10).labels == ({"pod": "fresh"},)


@pytest.mark.parametrize("later", [99_000, 100_000 + 3660, 100_000 + 90_000])
def test_a_step_back_an_old_window_and_a_long_pause_are_asked_whole(server, later):
    """Time that runs backwards, an hour of patches, or nothing in common: everything is asked again."""
    server.respond = Signal(a=lambda at: at)
    warm = history(server)
    warm.window(METRIC, 100_000, length=86_400, step=60)
    window = warm.window(METRIC, later, length=86_400, step=60)
    assert asked(server)[-1] == (window.times[0], window.times[-1])


def test_a_failed_question_leaves_the_kept_window_as_it_was(server):
    """After an outage the next tick asks for everything it missed."""
    signal = Signal(a=lambda at: at)
    server.respond = signal
    warm = history(server)
    warm.window(METRIC, 100_000, length=86_400, step=60)
    server.respond = lambda _request: ok({"status": "error", "errorType": "execution", "error": "no"}, 422)
    with pytest.raises(QueryError):
        warm.window(METRIC, 100_600, length=86_400, step=60)
    server.respond = signal
    window = warm.window(METRIC, 101_200, length=86_400, step=60)
    assert not np.isnan(window.values).any()
    assert asked(server)[-1][0] > 99_000


class Fleet(Signal):
    """Thousands of series of one constant; it can be told to say nothing, or something wrong, of their number."""

    def __init__(self, size, count=None):
        super().__init__(**{f"pod-{number:04}": lambda _at: 0.12345678901234567 for number in range(size)})
        self.counted = size if count is None else count

    def count(self):
        return {"metric": {}, "value": [0, str(self.counted)]}


def points_asked(server, step):
    return [round((end - start) / step) + 1 for start, end in asked(server)]


def test_thousands_of_series_are_counted_first_and_asked_in_parts(server):
    """No answer comes near what an endpoint reads; a warm window is neither counted nor cut."""
    server.respond = Fleet(3000)
    warm = history(server, max_bytes=16 * 1024 * 1024)
    window = warm.window(METRIC, 100_000, length=18_000, step=60)
    assert window.values.shape == (3000, 300)
    assert not np.isnan(window.values).any()
    assert server.requests[0].form["query"] == ["count(memory\n)"]
    assert points_asked(server, 60) == [100] * 3
    warm.window(METRIC, 100_060, length=18_000, step=60)
    assert points_asked(server, 60)[3:] == [6]
    assert len(server.requests) == 5


@pytest.mark.parametrize("count", [7, "NaN"])
def test_an_answer_that_is_too_large_is_asked_again_in_halves(server, count):
    """The count said little, or nothing; what came was more than an endpoint reads."""
    server.respond = Fleet(1000, count=count)
    window = history(server, max_bytes=2_000_000).window(METRIC, 100_000, length=7200, step=60)
    assert window.values.shape == (1000, 120)
    assert not np.isnan(window.values).any()
    assert points_asked(server, 60) == [120, 60, 30, 30, 30, 30]


@pytest.mark.parametrize("status", [422, 403, 503])
def test_a_server_that_cannot_count_is_asked_anyway(server, status):
    """The count is a help, not a condition."""
    signal = Signal(a=lambda at: at)
    refusal = ok({"status": "error", "errorType": "execution", "error": "no"}, status)
    server.respond = lambda request: refusal if request.path.endswith("/query") else signal(request)
    assert history(server).window(METRIC, 1000, length=100, step=10).labels == ({"pod": "a"},)


def test_a_server_that_is_away_is_not_asked_twice(server):
    """Whoever does not answer the count would not answer the question, and a tick has no time to wait for both."""
    impatient = History(Prometheus(endpoint(server.url), QueryLimits(timeout=0.2)))
    server.respond = lambda _request: Reply(hang=True)
    with pytest.raises(RemoteTimeout):
        impatient.window(METRIC, 1000, length=100, step=10)
    assert [request.path for request in server.requests] == ["/api/v1/query"]


def test_what_is_too_large_in_any_parts_costs_its_own_query(server):
    """It is a failure of this query, which leaves the watcher's other metrics alone, and the number of tries is bounded."""
    server.respond = Fleet(50, count=7)
    with pytest.raises(QueryTooLarge, match=r"too large an answer.*more than 2000 bytes"):
        history(server, max_bytes=2000).window(METRIC, 100_000, length=7200, step=60)
    assert points_asked(server, 60) == [120, 60, 30, 15, 7, 3, 2]
