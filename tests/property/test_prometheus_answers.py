"""Whatever a server answers, a look at it ends in a window that can be judged or in an error with a name."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_exporter.baseline.robust import RobustDetector
from lens_exporter.errors import LensError
from lens_exporter.foundation.breaker import CircuitBreaker
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.prometheus.client import Prometheus
from lens_exporter.prometheus.cost import QueryLimits
from lens_exporter.prometheus.history import History
from tests.servers.endpoints import endpoint
from tests.servers.faulty import FaultyServer, Reply

METRIC = BaselineMetric("open_files", "demo_open_files")
AT, STEP, POINTS = 1000.0, 10.0, 20

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
times = st.integers(0, POINTS).map(lambda column: AT - column * STEP) | st.floats(allow_nan=False, allow_infinity=False)
values = st.sampled_from(["0", "-0", "1", "NaN", "+Inf", "-Inf", "1e308", "-1e308", "5e-324", "two"]) | st.floats().map(str)
samples = st.lists(st.tuples(times, values) | st.tuples(times), max_size=POINTS) | anything
labels = st.dictionaries(st.sampled_from(["__name__", "", "a", "watcher", "b c", "\0"]), st.text(max_size=5), max_size=3) | anything
entries = st.fixed_dictionaries({"metric": labels}, optional={"values": samples, "value": anything, "histograms": anything})
data = st.fixed_dictionaries(
    {
        "resultType": st.sampled_from(["matrix", "vector", "scalar", "string"]) | anything,
        "result": st.lists(entries, max_size=4) | anything,
    }
)
answers = st.fixed_dictionaries(
    {"status": st.sampled_from(["success", "success", "success", "error"]) | anything},
    optional={"data": data | anything, "warnings": anything, "infos": anything, "errorType": anything, "error": anything},
)


@pytest.fixture(scope="module")
def server():
    with FaultyServer() as running:
        yield running


@settings(max_examples=300, deadline=None)
@given(answer=answers | anything, status=st.sampled_from([200, 200, 400, 422]))
def test_any_answer_is_a_window_or_a_named_error(server, answer, status):
    """No shape of JSON and no number in it raises anything else; what a window holds is fit to be published again."""
    server.respond = lambda _request: Reply(json.dumps(answer).encode(), status)
    asked = endpoint(server.url, breaker=CircuitBreaker("prometheus", failures_to_open=10**9))
    history = History(Prometheus(asked, QueryLimits(timeout=10)))
    try:
        window = history.rows(METRIC, AT - (POINTS - 1) * STEP, AT, step=STEP)
    except LensError:
        return
    assert all(name and value for row in window.labels for name, value in row.items())
    scores = RobustDetector().score(window)
    assert scores.score.shape == window.values.shape == (len(window.labels), POINTS)
    assert not np.isnan(window.times).any()
