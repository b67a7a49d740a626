"""Every route over a real server."""

import gzip

import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from structlog.testing import capture_logs

from lens_exporter.errors import DatabaseError, UnknownInvestigation, UnknownWatcher
from lens_exporter.exposition import documents
from lens_exporter.exposition.ports import AlertView, ReloadOutcome, WatcherView
from lens_exporter.model.alert import Alert
from lens_exporter.model.event import Event
from tests.servers.lens_http import NOW, plain_ports, serving

pytestmark = pytest.mark.integration

HOST = WatcherView("host", "host", "*/1 * * * *", "waiting", NOW - 20, NOW + 40, 0.21, 38)
ALERT = AlertView(Alert({"alertname": "LensMemory"}, {"summary": "x"}, NOW), "watcher", "01C")


def raising(error):
    def port(*_arguments, **_more):
        raise error

    return port


def problem(answer, status, kind):
    assert answer.status_code == status, answer.text
    said = documents.Problem.model_validate(answer.json())
    assert said.error.type == kind
    assert said.error.message
    return said.error


def test_metrics_are_one_exposition_in_the_format_asked_for():
    """Text by default, OpenMetrics when accepted, gzip when accepted; HEAD has the headers and no body."""
    with serving(plain_ports()) as url:
        plain = requests.get(url + "/metrics", headers={"Accept-Encoding": "identity"}, timeout=5)
        assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "demo_value 1.0" in plain.text
        assert "lens_ready 0.0" in plain.text

        asked = {"Accept": "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5", "Accept-Encoding": "gzip"}
        with requests.get(url + "/metrics", headers=asked, timeout=5, stream=True) as answer:
            body = gzip.decompress(answer.raw.read(decode_content=False))
            assert answer.headers["Content-Encoding"] == "gzip"
        assert "demo_value" in {family.name for family in parse_openmetrics(body.decode())}

        head = requests.head(url + "/metrics", headers={"Accept-Encoding": "identity"}, timeout=5)
        assert (head.status_code, head.text) == (200, "")
        assert int(head.headers["Content-Length"]) > 0


def test_the_telemetry_path_is_configurable():
    """Another path serves the metrics and the usual one does not."""
    with serving(plain_ports(), telemetry_path="/own/path") as url:
        assert "demo_value" in requests.get(url + "/own/path", timeout=5).text
        problem(requests.get(url + "/metrics", timeout=5), 404, "not_found")


def test_health_and_readiness():
    """Healthy means the process answers; not ready is 503 with every reason."""
    with serving(plain_ports()) as url:
        assert requests.get(url + "/-/healthy", timeout=5).text == "lens-exporter is healthy.\n"
        assert requests.get(url + "/-/ready", timeout=5).status_code == 200
        assert requests.head(url + "/-/ready", timeout=5).status_code == 200
    with serving(plain_ports(readiness=lambda: (False, ["database away", "watcher host given up"]))) as url:
        answer = requests.get(url + "/-/ready", timeout=5)
        said = problem(answer, 503, "not_ready")
        assert said.reasons == ["database away", "watcher host given up"]
        assert requests.get(url + "/-/healthy", timeout=5).status_code == 200


def test_reload_says_what_became_of_it():
    """An accepted configuration is 200, a refused one 500 with file, line and key, as Prometheus answers."""
    with serving(plain_ports()) as url:
        answer = requests.post(url + "/-/reload", timeout=5)
        documents.ReloadShape.model_validate(answer.json())
        problem(requests.get(url + "/-/reload", timeout=5), 405, "method_not_allowed")
    with serving(plain_ports(reload=lambda: ReloadOutcome(False, "lens.yml:6: watchers[1].lens: unknown"))) as url:
        assert "lens.yml:6" in problem(requests.post(url + "/-/reload", timeout=5), 500, "config_rejected").message


def test_watchers_and_their_trigger():
    """The list, one with its readings, a trigger that answers at once; an unknown name is 404 and says which are known."""
    triggered = []
    ports = plain_ports(watchers=lambda: [HOST], trigger=lambda name: triggered.append(name) or "started")
    with serving(ports) as url:
        listed = requests.get(url + "/api/v1/watchers", timeout=5).json()
        documents.WatchersShape.model_validate(listed)
        assert listed["watchers"][0]["last_run"] == "2026-11-20T14:01:40Z"
        documents.WatcherDetail.model_validate(requests.get(url + "/api/v1/watchers/host", timeout=5).json())
        answer = requests.post(url + "/api/v1/watchers/host/trigger", timeout=5)
        assert answer.status_code == 202
        assert documents.TriggerShape.model_validate(answer.json()).outcome == "started"
        assert triggered == ["host"]
        assert "host" in problem(requests.get(url + "/api/v1/watchers/nope", timeout=5), 404, "unknown_watcher").message
    with serving(plain_ports(trigger=raising(UnknownWatcher(name="nope", known="host")))) as url:
        problem(requests.post(url + "/api/v1/watchers/nope/trigger", timeout=5), 404, "unknown_watcher")


def test_alerts_investigations_and_events():
    """Documents have their published shapes; parameters reach the ports."""
    asked = {}

    def events(**query):
        asked.update(query)
        return [Event("01E", NOW + 0.5, "alert.fired", "01C", "9f2c", {"labels": {"alertname": "x"}})]

    def investigations(limit, state):
        asked.update(investigations=(limit, state))
        return [{"version": 1, "id": "01X"}]

    ports = plain_ports(alerts=lambda: [ALERT], investigations=investigations, events=events)
    with serving(ports) as url:
        documents.AlertsShape.model_validate(requests.get(url + "/api/v1/alerts", timeout=5).json())
        listed = requests.get(url + "/api/v1/investigations?limit=7&state=done", timeout=5).json()
        assert documents.InvestigationsShape.model_validate(listed).investigations == [{"version": 1, "id": "01X"}]
        assert asked["investigations"] == (7, "done")
        query = {"correlation": "01C", "type": "alert.fired", "since": "2026-11-20T14:02:00Z", "until": NOW + 9, "limit": 5}
        story = requests.get(url + "/api/v1/events", params=query, timeout=5).json()
        assert documents.EventsShape.model_validate(story).events[0].at == "2026-11-20T14:02:00.500Z"
        assert asked["since"] == NOW
        assert (asked["until"], asked["limit"], asked["kind"], asked["newest_first"]) == (NOW + 9, 5, "alert.fired", False)
        requests.get(url + "/api/v1/events", timeout=5)
        assert asked["newest_first"] is True


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=5001", "since=yesterday", "until=nan"])
def test_a_parameter_that_cannot_be_read_is_400_and_named(query):
    """No bad query is answered with everything."""
    with serving(plain_ports()) as url:
        said = problem(requests.get(f"{url}/api/v1/events?{query}", timeout=5), 400, "bad_request")
        assert query.split("=")[0] in said.message


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("events?type=alert.fird", "there is no event type 'alert.fird' (did you mean \"alert.fired\"?); known: service.started, "),
        (
            "investigations?state=bogus",
            "there is no state of an investigation 'bogus'; known: held, queued, running, done, cancelled",
        ),
    ],
)
def test_a_word_that_is_not_known_is_400_with_the_known_ones(query, message):
    """A misspelt filter is not answered with an empty list."""
    with serving(plain_ports()) as url:
        assert problem(requests.get(f"{url}/api/v1/{query}", timeout=5), 400, "unknown_word").message.startswith(message)


def test_an_unknown_investigation_is_404_for_machines_and_people():
    """The API answers the JSON shape, the page a page."""
    with serving(plain_ports(investigation=raising(UnknownInvestigation(id="<b>")))) as url:
        problem(requests.get(url + "/api/v1/investigations/%3Cb%3E", timeout=5), 404, "unknown_investigation")
        page = requests.get(url + "/investigations/%3Cb%3E", timeout=5)
        assert page.status_code == 404
        assert "&lt;b&gt;" in page.text
        assert "<b>" not in page.text
        assert requests.get(url + "/anomalies/01C", timeout=5).status_code == 404


def test_errors_have_one_shape_and_never_a_traceback():
    """A database that is away is 503 with Retry-After; a fault of ours is 500 that names only its kind."""
    away = DatabaseError(url="sqlite:///x", reason="locked")
    ports = plain_ports(alerts=raising(away), watchers=raising(ValueError("secret")))
    with capture_logs() as logged, serving(ports) as url:
        answer = requests.get(url + "/api/v1/alerts", timeout=5)
        problem(answer, 503, "database_error")
        assert answer.headers["Retry-After"]
        answer = requests.get(url + "/api/v1/watchers", timeout=5)
        assert "secret" not in problem(answer, 500, "internal").message
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert [(entry["event"], entry["path"]) for entry in logged] == [("request failed", "/api/v1/watchers")]
        problem(requests.get(url + "/nope", timeout=5), 404, "not_found")
        problem(requests.delete(url + "/api/v1/alerts", timeout=5), 405, "method_not_allowed")


def test_pages_are_served_with_nothing_that_can_run():
    """Strict CSP, nosniff, no script, no address of another host; a hostile label comes escaped."""
    evil = "<script>alert(1)</script>"
    alert = AlertView(Alert({"alertname": "LensMemory", "instance": evil}, {"summary": evil}, NOW), "watcher", "01C")
    with serving(plain_ports(alerts=lambda: [alert], watchers=lambda: [HOST])) as url:
        page = requests.get(url + "/", timeout=5)
        assert page.headers["Content-Type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert "<script" not in page.text
        assert "&lt;script&gt;" in page.text
        assert "http://" not in page.text
        assert "https://" not in page.text
        style = requests.get(url + "/static/lens.css", timeout=5)
        assert style.headers["Content-Type"].startswith("text/css")
        assert "Server" not in page.headers


def test_the_first_page_stands_when_the_database_is_away():
    """What can be read is shown."""
    away = raising(DatabaseError(url="sqlite:///x", reason="locked"))
    with serving(plain_ports(alerts=away, investigations=away, watchers=lambda: [HOST])) as url:
        page = requests.get(url + "/", timeout=5)
        assert page.status_code == 200
        assert "locked" in page.text
        assert "*/1 * * * *" in page.text


def test_openapi_lists_the_api_and_no_page_loads_from_elsewhere():
    """The description covers every API route; FastAPI's own documentation pages are off."""
    with serving(plain_ports()) as url:
        paths = requests.get(url + "/api/v1/openapi.json", timeout=5).json()["paths"]
        assert {
            "/api/v1/watchers",
            "/api/v1/watchers/{name}",
            "/api/v1/watchers/{name}/trigger",
            "/api/v1/alerts",
            "/api/v1/investigations",
            "/api/v1/investigations/{id}",
            "/api/v1/events",
            "/webhook",
            "/-/reload",
            "/-/ready",
            "/-/healthy",
        } <= set(paths)
        for path in ("/docs", "/redoc"):
            problem(requests.get(url + path, timeout=5), 404, "not_found")


def test_a_page_of_another_site_cannot_press_our_buttons():
    """Browsers mark cross-site requests; those that change something are refused, other clients are not asked."""
    triggered = []
    with serving(plain_ports(trigger=lambda name: triggered.append(name) or "started")) as url:
        address = url + "/api/v1/watchers/host/trigger"
        problem(requests.post(address, headers={"Sec-Fetch-Site": "cross-site"}, timeout=5), 403, "cross_site")
        # To a plain HTTP address browsers send no Sec-Fetch-Site, but the origin, which may have got a name for our address.
        for origin in ("http://evil.example", "null", url):
            problem(requests.post(address, headers={"Origin": origin, "Host": "evil.example"}, timeout=5), 403, "cross_site")
        assert triggered == []
        assert requests.post(address, headers={"Sec-Fetch-Site": "same-origin"}, timeout=5).status_code == 202
