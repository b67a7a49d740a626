"""What has failed is errors, whatever counts it; advice about traffic depends on where it went."""

import pytest

from lens_exporter.investigate.families import family_of
from lens_exporter.investigate.selectors import selectors
from lens_exporter.model.analysis import Outcome
from tests.unit.investigate.export_service import claims, investigated, own_alert, their_alert
from tests.unit.investigate.scripted import AT, MINUTE, counting, steady

SHOP = {"instance": "shop-1:9000", "job": "shop"}


@pytest.mark.parametrize(
    ("labels", "family"),
    [
        ({"code": "500"}, "errors"),
        ({"status": "5xx"}, "errors"),
        ({"status_code": "429"}, "errors"),
        ({"http_status_code": "503"}, "errors"),
        ({"http_response_status_code": "404"}, "errors"),
        ({"grpc_code": "Unavailable"}, "errors"),
        ({"result": "failed"}, "errors"),
        ({"outcome": "SERVER_ERROR", "status": "500"}, "errors"),
        ({"exception": "IOError"}, "errors"),
        ({"error": "true"}, "errors"),
        ({"status_code": "STATUS_CODE_ERROR"}, "errors"),
        ({"result": "timed out"}, "errors"),
        ({"outcome": "InternalError"}, "errors"),
        ({"status_code": "STATUS_CODE_UNSET"}, "traffic"),
        ({"code": "ERROR_NONE"}, "traffic"),
        ({"outcome": "no_error"}, "traffic"),
        ({"outcome": "NoError"}, "traffic"),
        ({"error": "NoError"}, "traffic"),
        ({"result": "not failed"}, "traffic"),
        ({"status": "dropbox"}, "traffic"),
        ({"status": "error_free"}, "traffic"),
        ({"result": "failover_ok"}, "traffic"),
        ({"code": "200"}, "traffic"),
        ({"grpc_code": "OK"}, "traffic"),
        ({"outcome": "SUCCESS", "exception": "None", "status": "200"}, "traffic"),
        ({"path": "/error", "port": "500"}, "traffic"),
    ],
)
def test_labels_tell_what_has_failed(labels, family):
    """A status, an outcome, the name of an exception; not any label with such a number or word in it."""
    assert family_of("http_requests_total", labels).name == family


@pytest.mark.parametrize(
    ("query", "family"),
    [
        ('sum by (instance) (rate(shop_requests_total{code=~"5.."}[5m]))', "errors"),
        ('rate(shop_requests_total{code="500"}[2m]) / rate(shop_requests_total[2m])', "errors"),
        ('sum(rate(http_requests_total{status!~"2..|3.."}[5m]))', "errors"),
        ('sum(rate(http_requests_total{code!="200"}[5m]))', "errors"),
        ('rate(grpc_server_handled_total{grpc_code!="OK"}[5m])', "errors"),
        ('orders_total{result=~"error|failed"}', "errors"),
        ('sum by (code) (rate(shop_requests_total{code=~"2.."}[5m]))', "traffic"),
        ('rate(shop_requests_total{code!="",job="500"}[5m])', "traffic"),
        ('rate(shop_requests_total{code=~"(a+)+$"}[5m])', "traffic"),
        ('rate(shop_requests_total{code=~"([45][0-9]+)+"}[5m])', "errors"),
        ('rate(shop_requests_total{code=~"[5"}[5m])', "traffic"),
        ('rate(http_requests_total{code=~"502|504"}[5m])', "errors"),
        ('rate(http_requests_total{code=~"501|502"}[5m])', "errors"),
        ('rate(http_requests_total{code=~"5[0-9]+"}[5m])', "errors"),
        ('rate(http_requests_total{code=~"5[0-9]{2}"}[5m])', "errors"),
        ('rate(http_requests_total{code=~"[45].."}[5m])', "errors"),
        ('rate(http_requests_total{code=~"(?:5..|429)"}[5m])', "errors"),
        ('rate(http_requests_total{code=~"5.."}[5m])', "errors"),
        ('rate(http_requests_total{code!~"2.."}[5m])', "errors"),
        ('rate(http_requests_total{code!~"[23].."}[5m])', "errors"),
        ('rate(http_requests_total{code!~"200|204"}[5m])', "errors"),
        ('rate(http_requests_total{code!~"2xx|3xx"}[5m])', "errors"),
        ('rate(http_requests_total{outcome=~"TIMEOUT|REJECTED"}[5m])', "errors"),
        ('rate(http_requests_total{outcome=~".*_ERROR"}[5m])', "errors"),
        ('rate(http_requests_total{status_code=~"STATUS_CODE_ERROR"}[5m])', "errors"),
        ('rate(http_requests_total{grpc_code=~"Unavailable|Internal"}[5m])', "errors"),
        ('rate(http_requests_total{grpc_code!~"OK|NotFound"}[5m])', "errors"),
        ('rate(http_requests_total{grpc_code=~"2|13"}[5m])', "errors"),
        ('rate(http_requests_total{error=~".+"}[5m])', "errors"),
        ('rate(http_requests_total{code=~"200|500"}[5m])', "traffic"),
        ('rate(http_requests_total{code=~"[235].."}[5m])', "traffic"),
        ('rate(http_requests_total{code!~"5.."}[5m])', "traffic"),
        ('rate(http_requests_total{code!~"4xx|5xx"}[5m])', "traffic"),
        ('rate(http_requests_total{code=~"3.."}[5m])', "traffic"),
        ('rate(http_requests_total{code=~".+"}[5m])', "traffic"),
        ('rate(http_requests_total{outcome=~"SUCCESS|TIMEOUT"}[5m])', "traffic"),
        ('rate(http_requests_total{outcome!~"TIMEOUT|REJECTED"}[5m])', "traffic"),
        ('rate(http_requests_total{status=~"no_error|error_free"}[5m])', "traffic"),
        ('rate(http_requests_total{code!~"2..|4..|5.."}[5m])', "traffic"),
        ('rate(http_requests_total{error=~".*"}[5m])', "traffic"),
        ('rate(http_requests_total{code=~"5[[:digit:]]{2}"}[5m])', "errors"),
        ("rate(http_requests_total{code=~`5..`}[5m])", "errors"),
        ('rate(http_requests_total{code!="0"}[5m])', "errors"),
        ('rate(http_requests_total{grpc_code!="0"}[5m])', "errors"),
        ('rate(http_requests_total{result!="success"}[5m])', "errors"),
        ('rate(http_requests_total{exception!="None"}[5m])', "errors"),
        ('rate(http_requests_total{error!=""}[5m])', "errors"),
        ('rate(http_requests_total{code!="304"}[5m])', "traffic"),
        ('rate(http_requests_total{code!="101"}[5m])', "traffic"),
        ('rate(http_requests_total{code!~"301|302"}[5m])', "traffic"),
        ('rate(http_requests_total{code!~"1..|404"}[5m])', "traffic"),
        ('rate(http_requests_total{code!="404"}[5m])', "traffic"),
        ('rate(http_requests_total{status!="idle"}[5m])', "traffic"),
        ('rate(http_requests_total{result!="hit"}[5m])', "traffic"),
        ('rate(http_requests_total{outcome!="canceled"}[5m])', "traffic"),
        ('rate(http_requests_total{error!~"timeout"}[5m])', "traffic"),
        ('http_request_duration_seconds_sum{code="500"}', "latency"),
    ],
)
def test_a_query_tells_whether_it_asks_for_what_failed(query, family):
    """By its matchers, as far as these leave out what went well."""
    assert family_of(query).name == family


def test_a_selector_is_read_as_prometheus_reads_it():
    """With quoted braces, a name among the matchers, and labels that are not there."""
    (one,) = (
        one for one in selectors('sum by (x) (rate({__name__="a_total",path="/}{",code!~"2..|"}[5m]))') if one.metric == "a_total"
    )
    assert one.takes({"path": "/}{", "code": "500"})
    assert not one.takes({"path": "/}{", "code": "204"})
    assert not one.takes({"path": "/}{"})


def requests(code, before, after, begins=AT - 8 * MINUTE):
    def course(t):
        return (t - 1.79e9) * before + (t > begins) * (t - begins) * (after - before)

    return ({"__name__": "shop_requests_total", "code": code, **SHOP}, course)


CPU = ({"__name__": "shop_cpu_ratio", **SHOP}, steady(0.27))
ERRORS = own_alert("LensErrors", 'sum by (instance) (rate(shop_requests_total{code=~"5.."}[5m]))', **SHOP, process="")


@pytest.mark.parametrize(
    "alert",
    [
        ERRORS,
        their_alert(
            "HighErrors", 'rate(shop_requests_total{code="500"}[2m]) / ignoring (code) rate(shop_requests_total[2m]) > 0.05', SHOP
        ),
    ],
    ids=["own", "theirs, a part of all"],
)
def test_failing_requests_are_errors_and_no_traffic(alert):
    """They are called errors, the log is the place to look, and that they are the ones with code 500 explains nothing."""
    answer = investigated([requests("200", 16, 16), requests("500", 0.04, 1.6), CPU], alert, tools=())
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert answer.analysis.summary.startswith('Inconclusive: errors{code="500"} 0.04/s -> 1.6/s from 14:07.')
    assert claims(answer)[0].startswith('errors (shop_requests_total{code="500"}) 0.04/s -> 1.6/s')
    assert answer.analysis.recommendations == ("read the log of the target around the first error",)


def test_traffic_that_failures_are_a_part_of_may_drive_them():
    """More requests came first, more of them failed later: the good ones are not what alerts."""
    answer = investigated(
        [requests("200", 16, 160, AT - 9 * MINUTE), requests("500", 0.04, 3, AT - 4 * MINUTE), CPU], ERRORS, tools=()
    )
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert answer.analysis.summary.startswith(
        'traffic{code="200"} left normal first (16/s -> 160/s from 14:06) and can drive errors'
    )
    assert answer.analysis.recommendations == ("find who sends the additional traffic",)


TRAFFIC = own_alert("LensRequests", "sum(rate(shop_requests_total[5m]))", **SHOP, process="")


@pytest.mark.parametrize(
    ("after", "step"), [(160, "find who sends the additional traffic"), (1, "see who sends less, and whether")]
)
def test_advice_about_traffic_depends_on_where_it_went(after, step):
    """There is no sender of additional traffic where traffic fell."""
    answer = investigated([requests("200", 16, after), CPU], TRAFFIC, tools=())
    (told,) = answer.analysis.recommendations
    assert told.startswith(step)


def test_traffic_that_fell_is_known_by_its_query_where_it_cannot_be_ranked():
    """All there is to go by is the course of the alert's own query."""
    falls = ({"__name__": "requests_per_second", "region": "eu"}, lambda t: 200 - (t > AT - 5 * MINUTE) * 180.0)
    answer = investigated([falls], their_alert("TrafficLow", "sum(requests_per_second) < 100", {}), tools=())
    assert answer.analysis.recommendations[0].startswith("see who sends less")


def test_one_code_of_all_is_still_named():
    """Where the alert sums all codes up, that it is one of them alone is news."""
    answer = investigated(
        [
            requests("200", 16, 16),
            requests("500", 0.04, 9),
            ({"__name__": "shop_requests_total", "code": "302", **SHOP}, counting(1.0)),
            CPU,
        ],
        TRAFFIC,
        tools=(),
    )
    assert claims(answer)[0] == 'it is shop_requests_total{code="500"} alone, of 3 such series'
