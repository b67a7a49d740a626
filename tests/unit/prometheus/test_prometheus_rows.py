"""Rows of history, as large watchers fetch them: whole answers onto a grid, in as many queries as it takes."""

import numpy as np
import orjson
import pytest

from lens_exporter.errors import BadAnswer, ConcurrencyReached, QueryError, QueryTooExpensive, QueryTooLarge, RemoteTimeout
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.prometheus.client import Prometheus
from lens_exporter.prometheus.cost import QueryLimits
from lens_exporter.prometheus.history import History
from tests.servers.endpoints import endpoint
from tests.servers.faulty import FaultyServer, Reply, ok

METRIC = BaselineMetric("memory_utilization", "memory")
BEGIN = 1_700_000_040  # a multiple of 60


class Pods:
    """Answers as Prometheus does, without white space: one series for each pod, from a function of time; None is a gap."""

    def __init__(self, **functions):
        self.functions = functions
        self.counted = None  # what count() says, where it is not the truth
        self.name = None

    def __call__(self, request):
        if request.path.endswith("/query"):
            count = len(self.functions) if self.counted is None else self.counted
            return self.answer("vector", [{"metric": {}, "value": [BEGIN, str(count)]}])
        start, end, step = (float(request.form[name][0]) for name in ("start", "end", "step"))
        times = [int(start + step * index) for index in range(round((end - start) / step) + 1)]
        result = []
        for pod, function in reversed(self.functions.items()):
            values = [[at, str(value)] for at in times if (value := function(at)) is not None]
            labels = ({"__name__": self.name} if self.name else {}) | {"pod": pod}
            result += [{"metric": labels, "values": values}] if values else []
        return self.answer("matrix", result)

    @staticmethod
    def answer(kind, result, **more):
        return Reply(orjson.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more}))


@pytest.fixture
def server():
    with FaultyServer(Pods()) as one:
        yield one


def history(server, max_bytes=64 * 1024 * 1024, **limits):
    return History(Prometheus(endpoint(server.url, max_bytes=max_bytes), QueryLimits(timeout=5, **limits)))


def asked(server):
    ranges = [request.form for request in server.requests if "start" in request.form]
    return [(float(form["start"][0]), float(form["end"][0])) for form in ranges]


def points_asked(server):
    return [round((end - start) / 60) + 1 for start, end in asked(server)]


def counts(server):
    return [request.form["query"][0] for request in server.requests if request.path.endswith("/query")]


def minutes(server, **functions):
    server.respond = Pods(**functions)
    return history(server)


def test_rows_are_every_grid_point_of_the_stretch_both_ends_included(server):
    """Start goes up and end down to the step; rows are in the order of their labels, each value at its own time."""
    window = minutes(server, b=float, a=lambda at: -at).rows(METRIC, BEGIN - 59, BEGIN + 181, step=60)
    assert window.times.tolist() == [BEGIN, BEGIN + 60, BEGIN + 120, BEGIN + 180]
    assert asked(server) == [(BEGIN, BEGIN + 180)]
    assert window.labels == ({"pod": "a"}, {"pod": "b"})
    assert (window.values == [-window.times, window.times]).all()
    assert (window.metric, window.step, window.values.dtype) == ("memory_utilization", 60, np.float64)


def test_rounding_costs_no_grid_point(server):
    """Three tenths are a multiple of a tenth, though not in binary."""
    minutes(server, a=float).rows(METRIC, 0.1 * 3, 0.7 - 1e-12, step=0.1)
    assert asked(server) == [(0.3, 0.7)]


def test_one_new_row_is_one_query_of_one_point(server):
    """What a warm tick asks for."""
    rows = minutes(server, a=float)
    rows.rows(METRIC, BEGIN, BEGIN, step=60)
    assert rows.rows(METRIC, BEGIN + 60, BEGIN + 60, step=60).values.tolist() == [[BEGIN + 60.0]]
    assert asked(server) == [(BEGIN, BEGIN), (BEGIN + 60, BEGIN + 60)]
    assert counts(server) == ["count(memory\n)"]  # once; then it is known


def test_nothing_is_kept(server):
    """What was back-filled meanwhile is seen."""
    pods = Pods(a=lambda _at: 1.0)
    server.respond = pods
    rows = history(server)
    assert rows.rows(METRIC, BEGIN, BEGIN + 60, step=60).values.tolist() == [[1.0, 1.0]]
    pods.functions["a"] = lambda _at: 2.0
    assert rows.rows(METRIC, BEGIN, BEGIN + 60, step=60).values.tolist() == [[2.0, 2.0]]


def test_a_stretch_between_two_grid_points_is_empty_and_asks_nothing(server):
    """No point is no row."""
    window = minutes(server, a=float).rows(METRIC, BEGIN + 1, BEGIN + 59, step=60)
    assert (window.values.shape, window.times.shape, window.labels) == ((0, 0), (0,), ())
    assert server.requests == []


def test_gaps_are_nan_where_they_are(server):
    """A series that begins late, one that ends early and one with a hole keep their times; one without any value has no row."""
    window = minutes(
        server,
        late=lambda at: 1.0 if at >= BEGIN + 120 else None,
        early=lambda at: 2.0 if at < BEGIN + 60 else None,
        hole=lambda at: None if at == BEGIN + 60 else 3.0,
        never=lambda _at: None,
    ).rows(METRIC, BEGIN, BEGIN + 180, step=60)
    assert [labels["pod"] for labels in window.labels] == ["early", "hole", "late"]
    gap = None
    expected = [[2.0, gap, gap, gap], [3.0, gap, 3.0, 3.0], [gap, gap, 1.0, 1.0]]
    assert np.array_equal(window.values, np.array(expected, dtype=float), equal_nan=True)


def test_no_series_is_an_empty_window_on_the_same_grid(server):
    """An unknown metric has a window of no rows."""
    window = minutes(server).rows(METRIC, BEGIN, BEGIN + 180, step=60)
    assert (window.values.shape, window.times.shape, window.labels) == ((0, 4), (4,), ())


def test_warnings_of_the_server_are_in_the_window(server):
    """Whoever judges it can see that it may not be all."""
    server.respond = lambda request: Pods.answer(
        "vector" if request.path.endswith("/query") else "matrix", [], warnings=["partial"]
    )
    assert history(server).rows(METRIC, BEGIN, BEGIN, step=60).warnings == ("partial",)


@pytest.mark.parametrize("known", [10, 7])
def test_parts_and_blocks_are_joined_without_a_seam(server, known):
    """Series that come and go between the parts of one stretch, or between blocks, are where they are when asked at once."""
    functions = {f"p{number}": lambda at, n=number: float(at + n) if (at // 600 + n) % 3 else None for number in range(10)}
    pods = Pods(**functions)
    server.respond = pods
    pods.counted = known
    whole = history(server).rows(METRIC, BEGIN, BEGIN + 3600, step=60)
    assert whole.values.shape == (10, 61)
    parted = history(server, max_samples=10 * 13, assumed_series=1).rows(METRIC, BEGIN, BEGIN + 3600, step=60)
    assert len(asked(server)) > 2
    assert parted.labels == whole.labels
    assert np.array_equal(parted.values, whole.values, equal_nan=True)
    blocks = history(server)
    for first in range(0, 61, 7):
        block = blocks.rows(METRIC, BEGIN + 60 * first, BEGIN + 60 * min(first + 6, 60), step=60)
        rows = [whole.labels.index(labels) for labels in block.labels]
        assert np.array_equal(block.values, whole.values[rows, first : first + 7], equal_nan=True)
        assert np.isnan(np.delete(whole.values[:, first : first + 7], rows, axis=0)).all()


def test_the_labels_of_a_steady_fleet_are_one_object(server):
    """Whoever keeps a state for each row sees at a glance that none has moved."""
    pods = Pods(a=float, c=float)
    server.respond = pods
    rows = history(server)
    first = rows.rows(METRIC, BEGIN, BEGIN, step=60)
    assert rows.rows(METRIC, BEGIN + 60, BEGIN + 120, step=60).labels is first.labels
    pods.functions = {"c": float, "a": float}  # answered in another order
    assert rows.rows(METRIC, BEGIN + 60, BEGIN + 120, step=60).labels is first.labels
    pods.functions["b"] = float
    grown = rows.rows(METRIC, BEGIN + 180, BEGIN + 180, step=60)
    assert grown.labels == ({"pod": "a"}, {"pod": "b"}, {"pod": "c"})
    assert grown.labels[0] is first.labels[0]


def test_a_metric_that_is_renamed_is_followed_but_two_names_at_once_are_refused(server):
    """Rows are known without the name, so two names in one stretch would be two series in one row."""
    pods = Pods(a=float)
    server.respond = pods
    rows = history(server)
    pods.name = "old"
    rows.rows(METRIC, BEGIN, BEGIN, step=60)
    pods.name = "new"
    assert rows.rows(METRIC, BEGIN + 60, BEGIN + 60, step=60).labels == ({"pod": "a"},)
    twice = [{"metric": {"__name__": name, "pod": "a"}, "values": [[BEGIN, "1"]]} for name in ("new", "old")]
    server.respond = lambda _request: pods.answer("matrix", twice)
    with pytest.raises(QueryError, match=r'"old" and "new".*differ by their metric name only'):
        rows.rows(METRIC, BEGIN, BEGIN, step=60)


def test_series_over_the_limit_are_cut_in_the_order_of_their_labels(server):
    """Also where the parts of a stretch have different ones; the warning names the setting."""
    server.respond = Pods(**{name: lambda at, n=name: 1.0 if n < "c" or at > BEGIN + 60 else None for name in "dbca"})
    window = history(server, max_series=3, max_samples=200).rows(METRIC, BEGIN, BEGIN + 180, step=60)
    assert len(asked(server)) == 2
    assert [labels["pod"] for labels in window.labels] == ["a", "b", "c"]
    assert np.isnan(window.values[2]).tolist() == [True, True, False, False]
    assert window.warnings == ("1 of 4 series left out, the limit is 3 (max_series)",)


def test_a_hundred_thousand_series_with_a_range_fit_the_defaults_in_single_points(server):
    """rate(x[5m]) reads two million samples a point: two fit one query, and nobody has to raise max_samples for a tick."""
    pods = Pods(a=float)
    pods.counted = 100_000
    server.respond = pods
    rate = BaselineMetric("rate", "rate(x[5m])")
    rows = history(server)
    assert rows.points_per_block(rate, BEGIN, step=60) == 2
    rows.rows(rate, BEGIN, BEGIN + 300, step=60)
    assert points_asked(server) == [2, 2, 2]


def test_what_is_too_expensive_in_single_points_names_the_setting(server):
    """An hour's range over 100,000 series is 24 million samples at every point."""
    pods = Pods(a=float)
    pods.counted = 100_000
    server.respond = pods
    slow = BaselineMetric("rate", "rate(x[1h])")
    assert history(server).points_per_block(slow, BEGIN, step=60) == 1
    with pytest.raises(QueryTooExpensive, match=r"24,000,000 samples for 100,000 series, the limit is 5,000,000 \(max_samples\)"):
        history(server).rows(slow, BEGIN, BEGIN, step=60)
    assert asked(server) == []
    assert history(server, max_samples=25_000_000).rows(slow, BEGIN, BEGIN, step=60).values.tolist() == [[float(BEGIN)]]


def test_a_stretch_that_costs_too_much_in_any_parts_is_refused(server):
    """Cutting into parts is no way round the limit: the number of parts is bounded."""
    expensive = BaselineMetric("x", "max_over_time(rate(x[5m])[1d:1s])")
    with pytest.raises(QueryTooExpensive):
        minutes(server, a=float).rows(expensive, BEGIN, BEGIN + 86_400, step=60)
    assert asked(server) == []


def test_parts_are_of_one_length(server):
    """Not the most that fits, and a rest."""
    server.respond = pods = Pods(a=float)
    pods.counted = 3000
    history(server).rows(METRIC, BEGIN, BEGIN + 299 * 60, step=60)
    assert points_asked(server) == [100, 100, 100]


@pytest.mark.parametrize("count", [7, "NaN"])
def test_an_answer_that_is_too_large_is_asked_again_in_halves(server, count):
    """The count said little, or nothing; what came was more than an endpoint reads."""
    server.respond = pods = Pods(**{f"pod-{number}": lambda _at: 0.12345678901234567 for number in range(100)})
    pods.counted = count
    window = history(server, max_bytes=200_000).rows(METRIC, BEGIN, BEGIN + 119 * 60, step=60)
    assert window.values.shape == (100, 120)
    assert not np.isnan(window.values).any()
    assert points_asked(server) == [120, 60, 30, 30, 30, 30]


def test_what_is_too_large_in_any_parts_costs_its_own_query(server):
    """It is a failure of this query, which leaves the watcher's other metrics alone, and the number of tries is bounded."""
    server.respond = pods = Pods(**{f"pod-{number}": float for number in range(100)})
    pods.counted = 7
    with pytest.raises(QueryTooLarge, match=r"too large an answer.*more than 2000 bytes"):
        history(server, max_bytes=2000).rows(METRIC, BEGIN, BEGIN + 119 * 60, step=60)
    assert points_asked(server) == [120, 60, 30, 15, 7, 3, 2]


@pytest.mark.parametrize("status", [422, 403, 503])
def test_a_server_that_cannot_count_is_asked_anyway(server, status):
    """The count is a help, not a condition."""
    pods = Pods(a=float)
    refusal = ok({"status": "error", "errorType": "execution", "error": "no"}, status)
    server.respond = lambda request: refusal if request.path.endswith("/query") else pods(request)
    assert history(server).rows(METRIC, BEGIN, BEGIN, step=60).labels == ({"pod": "a"},)


def test_what_is_too_large_in_a_single_point_names_the_setting(server):
    """Nothing smaller can be asked for, but a larger answer may be allowed."""
    server.respond = Pods(**{f"pod-{number}": float for number in range(100)})
    with pytest.raises(QueryTooLarge, match="a larger max_series lets more be read"):
        history(server, max_bytes=2000).rows(METRIC, BEGIN, BEGIN, step=60)


@pytest.mark.parametrize(
    ("query", "series", "limits", "points"),
    [
        ("memory", 10_000, {}, 41),  # 16 MiB of 40 bytes
        ("memory", 100_000, {}, 4),
        ("rate(x[5m])", 10_000, {}, 25),  # five million samples, 20 at each point
        ("rate(x[5m])", 10_000, {"max_samples": 1_000_000}, 5),
        ("memory", 1000, {"max_range": 3600.0}, 61),
        ("memory", 5, {}, 11_000),  # what a range query may have; few series are not told from those assumed
    ],
)
def test_blocks_are_as_long_as_limits_and_answers_allow(server, query, series, limits, points):
    """Blocks of that many points are one query each, the next longer ones two."""
    pods = Pods(a=float)
    pods.counted = series
    server.respond = pods
    metric = BaselineMetric("x", query)
    rows = history(server, **limits)
    assert rows.points_per_block(metric, BEGIN, step=60) == points
    assert counts(server) == [f"count({query}\n)"]
    for size, queries in ((points, 1), (points + 1, 2)):
        server.requests.clear()
        rows = history(server, **limits)
        rows.points_per_block(metric, BEGIN, step=60)
        rows.rows(metric, BEGIN, BEGIN + (size - 1) * 60, step=60)
        assert len(asked(server)) == queries


def test_a_count_nobody_can_give_is_the_assumed_one_but_an_absent_server_is_an_error(server):
    """The count is a help; a server that hangs is not asked again for the same."""
    server.respond = lambda _request: ok({"status": "error", "errorType": "execution", "error": "no"}, 422)
    assert history(server).points_per_block(METRIC, BEGIN, step=60) == 11_000
    server.respond = lambda _request: Reply(hang=True)
    impatient = History(Prometheus(endpoint(server.url), QueryLimits(timeout=0.2)))
    with pytest.raises(RemoteTimeout):
        impatient.points_per_block(METRIC, BEGIN, step=60)
    with pytest.raises(RemoteTimeout):
        impatient.rows(METRIC, BEGIN, BEGIN, step=60)
    assert [request.path for request in server.requests] == ["/api/v1/query"] * 3


def test_a_turn_that_never_comes_is_no_server_that_cannot_count(server):
    """Asking for the values would only wait as long again, and an empty count is no answer."""
    prometheus = Prometheus(endpoint(server.url), QueryLimits(timeout=0.05))
    with prometheus._turn(), pytest.raises(ConcurrencyReached):
        History(prometheus).points_per_block(METRIC, BEGIN, step=60)
    assert server.requests == []


def test_labels_of_few_queries_are_remembered(server):
    """The memory has a bound: whose query was not asked for longest is parsed, and counted, again."""
    server.respond = Pods(a=float, b=float)
    rows = History(Prometheus(endpoint(server.url), QueryLimits(timeout=5)), kept_series=4)
    x, y, z = (BaselineMetric(name, name) for name in "xyz")
    labels = [rows.rows(metric, BEGIN, BEGIN, step=60).labels for metric in (x, y, x, z, x, y)]
    assert labels[0] is labels[2] is labels[4]
    assert labels[1] is not labels[5]
    assert counts(server) == ["count(x\n)", "count(y\n)", "count(z\n)", "count(y\n)"]


def test_labels_that_are_none_are_the_servers_fault(server):
    """Whatever is wrong with an answer has the server's name on it."""
    broken = [{"metric": {"pod": 5}, "values": [[BEGIN, "1"]]}]
    server.respond = lambda _request: Pods.answer("matrix", broken)
    with pytest.raises(BadAnswer, match="JSON of an unknown shape"):
        history(server).rows(METRIC, BEGIN, BEGIN, step=60)
