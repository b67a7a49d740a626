"""The client against a server that answers as it is told."""

import math
import threading

import pytest

from lens_exporter.errors import (
    AnswerTooLarge,
    BadAnswer,
    BreakerOpen,
    ConcurrencyReached,
    QueryError,
    QueryTooExpensive,
    RemoteRefused,
    RemoteTimeout,
    RemoteUnavailable,
    Unreachable,
)
from lens_exporter.foundation.breaker import CircuitBreaker
from lens_exporter.foundation.http import Credentials
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.tool import ToolStatus
from lens_exporter.prometheus.client import Prometheus
from lens_exporter.prometheus.cost import QueryLimits
from tests.servers.endpoints import endpoint
from tests.servers.faulty import FaultyServer, Reply, ok
from tests.servers.waiting import until


def success(kind, result, **more):
    return ok({"status": "success", "data": {"resultType": kind, "result": result}, **more})


def client(server, limits=QueryLimits(timeout=5), **options):  # noqa: B008 - frozen
    return Prometheus(endpoint(server.url, **options), limits, clock=lambda: 1000.0)


def test_a_query_is_posted_with_its_time_limits_and_credentials():
    """Expression, time and timeout are form fields of a POST; tenant header and token go along."""
    credentials = Credentials(headers={"X-Scope-OrgID": "team"}, bearer=lambda: "secret")
    with FaultyServer(success("vector", [])) as server:
        client(server, credentials=credentials).query("up")
        client(server).query_range("up", 100.0, 160.0, 0.5)
    first, second = server.requests
    assert (first.method, first.path) == ("POST", "/api/v1/query")
    assert first.form == {"query": ["up"], "time": ["1000.000"], "timeout": ["4.5"]}
    assert first.headers["X-Scope-OrgID"] == "team"
    assert first.headers["Authorization"] == "Bearer secret"
    assert second.form["start"] == ["100.000"]
    assert second.form["end"] == ["160.000"]
    assert second.form["step"] == ["0.500"]


def test_values_that_are_no_finite_numbers_are_read():
    """Prometheus writes +Inf, -Inf and NaN as text."""
    result = [{"metric": {"__name__": "x"}, "values": [[1, "+Inf"], [2, "-Inf"], [3, "NaN"], [4.5, "1e-3"]]}]
    with FaultyServer(success("matrix", result)) as server:
        (series,) = client(server).query_range("x", 0, 10, 1).series
    assert series.times.tolist() == [1, 2, 3, 4.5]
    assert series.values[[0, 1, 3]].tolist() == [math.inf, -math.inf, 0.001]
    assert math.isnan(series.values[2])


def test_scalars_and_strings_have_their_outcomes():
    """A scalar is one series without labels; a string is empty, and the note says why."""
    with FaultyServer(success("scalar", [5, "42"])) as server:
        answer = client(server).query("scalar(x)")
        assert (answer.status, answer.series[0].labels, answer.series[0].values.tolist()) == (ToolStatus.DATA, {}, [42.0])
        server.respond = lambda _request: success("string", [5, "words"])
        assert client(server).query('"words"').note == "the expression is a string, not a number"


def test_an_unknown_metric_is_empty_and_not_an_error():
    """Success with nothing in it is its own outcome."""
    with FaultyServer(success("vector", [])) as server:
        answer = client(server).query("nothing")
    assert (answer.status, answer.series, answer.note) == (ToolStatus.EMPTY, (), "no series")


def test_too_many_series_are_cut_in_the_order_of_their_labels():
    """Which series stay does not depend on the order the server happened to answer in."""
    result = [{"metric": {"pod": name}, "value": [1, "1"]} for name in "dbeac"]
    with FaultyServer(success("vector", result)) as server:
        answer = client(server, QueryLimits(max_series=2)).query("x")
    assert answer.status is ToolStatus.TRUNCATED
    assert [series.labels["pod"] for series in answer.series] == ["a", "b"]
    assert answer.note == "3 of 5 series left out, the limit is 2 (max_series)"


def test_warnings_and_infos_are_kept_and_native_histograms_are_one():
    """What the server remarks is not lost, and neither is that we leave something out."""
    result = [{"metric": {}, "histogram": [1, {"count": "3"}]}, {"metric": {"a": "b"}, "value": [1, "2"]}]
    with FaultyServer(success("vector", result, warnings=["slow store"], infos=["not a counter"])) as server:
        answer = client(server).query("x")
    assert len(answer.series) == 1
    assert answer.warnings[:2] == ("slow store", "not a counter")
    assert "native histograms in 1 series" in answer.warnings[2]


@pytest.mark.parametrize(("status", "kind"), [(400, "bad_data"), (422, "execution")])
def test_a_refused_query_carries_the_servers_own_words(status, kind):
    """400 and 422 are answers about the query: kind, reason and query are in the error, and the breaker does not count them."""
    with FaultyServer(ok({"status": "error", "errorType": kind, "error": "parse error at char 3"}, status)) as server:
        one = client(server, breaker=CircuitBreaker("prometheus", failures_to_open=1))
        for _ in range(2):
            with pytest.raises(QueryError, match=rf"\({kind}\): parse error at char 3; query: up\+"):
                one.query("up+")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (ok({"status": "error", "errorType": "timeout", "error": "query timed out"}, 503), RemoteUnavailable),
        (ok({"status": "error", "errorType": "timeout", "error": "query timed out"}, 422), RemoteTimeout),
        (Reply(b"upstream gone", 502), RemoteUnavailable),
        (Reply(b"slow down", 429), RemoteUnavailable),
        (Reply(b"no org id", 401), RemoteRefused),
        (Reply(b"", 302, headers={"Location": "http://elsewhere/"}), RemoteRefused),
        (Reply(b"<html>Sign in</html>", 200, "text/html"), BadAnswer),
        (Reply(b"<html>Bad request</html>", 400, "text/html"), BadAnswer),
        (Reply(b'{"status": "succ', 200), BadAnswer),
        (Reply(b"[1]"), BadAnswer),
        (ok({"status": "success"}), BadAnswer),
        (ok({"status": "success", "data": {"resultType": "odd", "result": []}}), BadAnswer),
        (ok({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1]}]}}), BadAnswer),
        (ok({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "x"]}]}}), BadAnswer),
        (ok({"status": "success", "data": None}), BadAnswer),
        (Reply(b'{"status": "success", "data": {}}', half=True), BadAnswer),
        (Reply(b" " * 5000), AnswerTooLarge),
    ],
)
def test_every_way_to_fail_has_its_name(reply, error):
    """HTML, broken JSON, half a body, other JSON, refusals and outages: named errors that say which server."""
    with FaultyServer(reply) as server, pytest.raises(error) as raised:
        client(server, max_bytes=4096).query("up")
    assert server.url in str(raised.value)


def test_a_server_that_is_not_there_or_never_answers():
    """Down is Unreachable, silent is RemoteTimeout, within our own time limit."""
    with FaultyServer(Reply(hang=True)) as server, pytest.raises(RemoteTimeout):
        client(server, QueryLimits(timeout=0.2)).query("up")
    with pytest.raises(Unreachable):
        client(server).query("up")


def test_html_counts_against_the_server():
    """A proxy that answers pages for metrics is a failing service: counted, and left alone after a while."""
    telemetry = Telemetry()
    breaker = CircuitBreaker("prometheus", failures_to_open=2, clock=lambda: 0.0)
    with FaultyServer(Reply(b"<html>", content_type="text/html")) as server:
        one = client(server, telemetry=telemetry, breaker=breaker)
        for _ in range(2):
            with pytest.raises(BadAnswer):
                one.query("up")
        with pytest.raises(BreakerOpen):
            one.query("up")
    assert telemetry.value("lens_remote_requests_failed_total", service="prometheus", error="BadAnswer") == 2


def test_an_expensive_query_is_never_sent():
    """The refusal comes from our side."""
    with FaultyServer(success("matrix", [])) as server:
        with pytest.raises(QueryTooExpensive):
            client(server).query_range("up", 0, 86_400, 1)
        with pytest.raises(QueryTooExpensive):
            client(server).query("count_over_time(up[30d])")
        assert server.requests == []


def test_queries_wait_for_their_turn():
    """With a concurrency of one the second query reaches the server only after the first was answered."""
    entered, release = threading.Semaphore(0), threading.Semaphore(0)

    def respond(_request):
        entered.release()
        release.acquire(timeout=10)
        return success("vector", [])

    with FaultyServer(respond) as server:
        one = client(server)
        threads = [threading.Thread(target=one.query, args=("up",)) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert entered.acquire(timeout=10)
        assert not entered.acquire(timeout=0.1)  # the second one is not there
        release.release()
        assert entered.acquire(timeout=10)
        release.release()
        until(lambda: not any(thread.is_alive() for thread in threads), 10)
    assert len(server.requests) == 2


def test_a_turn_that_never_comes_is_not_held_against_the_server():
    """Waiting for another query is bounded as well, counted, and said to be of our making."""
    telemetry = Telemetry()
    with FaultyServer(success("vector", [])) as server:
        one = client(server, QueryLimits(timeout=0.05), telemetry=telemetry)
        with (
            one._turn(),
            pytest.raises(
                ConcurrencyReached,
                match=r"was not asked: for 0\.05 s others of ours \(1 at once\) were in flight, one for 0 s",
            ),
        ):
            one.query("up")
        assert server.requests == []
        assert telemetry.value("lens_remote_requests_failed_total", service="prometheus", error="ConcurrencyReached") == 1
        one.query("up")


def test_series_labels_and_metadata_are_typed():
    """Label sets sorted, values sorted, metadata by name."""
    answers = {
        "/api/v1/series": [{"__name__": "up", "job": "b"}, {"__name__": "up", "job": "a"}],
        "/api/v1/metadata": {"up": [{"type": "gauge", "help": "is up", "unit": ""}], "odd": []},
    }
    with FaultyServer(lambda request: ok({"status": "success", "data": answers[request.path]})) as server:
        one = client(server, QueryLimits(max_series=1))
        assert one.series("up", 0, 10).labels == ({"__name__": "up", "job": "a"},)
        assert one.series("up", 0, 10).status is ToolStatus.TRUNCATED
        assert one.metadata("up")["up"].type == "gauge"
