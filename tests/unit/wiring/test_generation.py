"""What a configuration is turned into."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lens_exporter.config.secrets import Secrets
from lens_exporter.config.settings import Config
from lens_exporter.errors import ModelError, UnknownWatcher
from lens_exporter.foundation.clock import Clock, wall
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.investigate.store import Store
from lens_exporter.lenses.beam.lens import BeamLens
from lens_exporter.model.alert import Alert, AlertGroup
from lens_exporter.model.tool import ToolStatus
from lens_exporter.wiring.configuration import address
from lens_exporter.wiring.generation import Generation
from lens_exporter.wiring.ground import lay
from tests.servers.faulty import FaultyServer, ok
from tests.unit.publish.findings_of import group, investigated
from tests.unit.publish.timeline import NOON


@contextmanager
def generation(
    settings: dict[str, Any], *, tells: bool = True, telemetry: Telemetry | None = None, clock: Clock = wall
) -> Iterator[Generation]:
    database = Database("sqlite://")
    database.migrate()
    ground = lay(database, telemetry or Telemetry(), Secrets({}), clock=clock)
    built = Generation(Config.model_validate(settings), ground, Store(database), tells=tells)
    try:
        yield built
    finally:
        built.close()
        built.close_clients()
        database.close()


TWO_SOURCES = {
    "prometheus": {"url": "http://127.0.0.1:1"},
    "datasources": {"far": {"url": "http://127.0.0.1:2", "tenant": "team-a"}},
    "watchers": [
        {"name": "near", "lens": "host", "schedule": "* * * * *"},
        {"name": "away", "lens": "python", "schedule": "* * * * *", "datasource": "far"},
    ],
}


@pytest.mark.parametrize(
    ("watchers", "asked"), [(["away"], "http://127.0.0.1:2"), (["near"], "http://127.0.0.1:1"), ([], "http://127.0.0.1:1")]
)
def test_an_alert_is_investigated_where_its_watcher_looks(watchers: list[str], asked: str) -> None:
    """Own alerts are asked about at their watcher's data source, all others at the default one."""
    alerts = tuple(Alert({"alertname": "LensMemory", "watcher": name}) for name in watchers) or (Alert({"alertname": "Theirs"}),)
    with generation(TWO_SOURCES) as built:
        assert built.investigation.source_of(AlertGroup("g", alerts)).url == asked


def test_watchers_without_metrics_track_those_of_their_lens() -> None:
    """The short form is enough: the lens knows what is worth watching, and the watcher's name and step are its own."""
    with generation(TWO_SOURCES) as built:
        names = {metric.name for metric in built.runners["away"].watcher.watched.metrics}
        assert {"memory_utilization", "open_fds_utilization", "threads_utilization"} <= names
        assert [view.name for view in built.watchers()] == ["near", "away"]


def test_triggering_a_watcher_that_is_not_there_names_those_that_are() -> None:
    """A mistyped name costs one look, not a search."""
    with generation(TWO_SOURCES) as built, pytest.raises(UnknownWatcher, match="there is no watcher 'nera'; known: near, away"):
        built.trigger("nera")


def test_one_that_tells_nobody_still_asks() -> None:
    """`investigate` knows what else is alerting, posts nothing, and what only one Alertmanager knows counts."""
    held = {
        "labels": {"alertname": "A"},
        "annotations": {},
        "startsAt": "2026-11-20T14:02:00Z",
        "fingerprint": "f",
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
        "receivers": [],
    }
    with FaultyServer(ok([])) as empty, FaultyServer(ok([held])) as full:
        with generation({"alertmanager": {"urls": [empty.url, full.url]}}, tells=False) as built:
            answer = built.investigation.toolbox(AlertGroup("g", ())).call("list_active_alerts", {})
            built.lifecycle.fire(Alert({"alertname": "B"}), correlation="c", origin="watcher")
            built.keep_alive()
        assert {request.method for request in (*empty.requests, *full.requests)} == {"GET"}
    assert answer.status is ToolStatus.DATA
    assert [row["labels"] for row in answer.data] == [{"alertname": "A"}]


def test_without_an_alertmanager_nobody_is_said_to_be_quiet() -> None:
    """No alerts and nobody to ask are different answers."""
    with generation({}) as built:
        answer = built.investigation.toolbox(AlertGroup("g", ())).call("list_active_alerts", {})
    assert (answer.status, answer.note) == (ToolStatus.UNAVAILABLE, "no Alertmanager is configured")


def test_investigations_can_be_off() -> None:
    """A webhook is then answered, says so, and leaves no work behind."""
    body = b'{"version": "4", "groupKey": "g", "alerts": [{"status": "firing", "labels": {"alertname": "A"}, "startsAt": "2026-11-20T14:02:00Z"}]}'
    with generation({"investigate": {"enabled": False}}) as built:
        assert built.webhook(body)["outcome"] == "investigations are off"
        assert built.investigations(10, None) == []


def test_a_secret_that_cannot_be_read_fails_the_call_and_not_the_start(tmp_path: Any) -> None:
    """The key file may come later; until then each call says which setting names it."""
    client = {"name": "c", "provider": "anthropic", "options": {"api_key_file": str(tmp_path / "none.key")}}
    with (
        generation({"llm": {"primary": "c", "clients": [client]}}) as built,
        pytest.raises(ModelError, match=r"llm.clients\[0\].options.api_key_file"),
    ):
        built.investigation.clients.get("c").ask("", (), (), role="investigator")


def test_the_budget_is_shown_while_nobody_spends_it() -> None:
    """From the first round on, although it refills between calls and nobody calls."""
    telemetry = Telemetry()
    with generation({"llm": {"budget": {"burst_dollars": 0.75}}}, telemetry=telemetry) as built:
        built.keep_alive()
    assert telemetry.registry.get_sample_value("lens_llm_budget_remaining_dollars") == 0.75


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (":10077", ("0.0.0.0", 10077)),
        ("127.0.0.1:1", ("127.0.0.1", 1)),
        ("[::1]:9", ("::1", 9)),
        ("host.example:80", ("host.example", 80)),
    ],
)
def test_listen_addresses(given: str, expected: tuple[str, int]) -> None:
    """Prometheus' way of writing one: the host may be left out, IPv6 stands in brackets."""
    assert address(given) == expected


@pytest.mark.parametrize(("state", "receiver", "taken"), [("active", "lens", 1), ("suppressed", "lens", 0), ("active", "other", 0)])
def test_what_a_webhook_left_out_is_asked_for_and_nothing_else(state: str, receiver: str, taken: int) -> None:
    """Silenced alerts and those of other receivers are not ours to investigate; without group labels nothing is asked."""
    held = {
        "labels": {"alertname": "A", "pod": "b"},
        "annotations": {},
        "startsAt": "2026-11-20T14:02:00Z",
        "endsAt": "2026-11-20T15:02:00Z",
        "fingerprint": "8c2a1f0011223344",
        "status": {"state": state, "silencedBy": [], "inhibitedBy": []},
        "receivers": [{"name": receiver}],
    }
    with FaultyServer(ok([held])) as alertmanager, generation({"alertmanager": {"urls": [alertmanager.url]}}) as built:
        assert len(built._fetch_rest(AlertGroup("g", (), receiver="lens", labels={"alertname": "A"}))) == taken
        asked = len(alertmanager.requests)
        assert built._fetch_rest(AlertGroup("g", (), receiver="lens")) == []
        assert len(alertmanager.requests) == asked == 1


def test_the_tools_of_an_investigation_ask_the_watchers_own_data_source() -> None:
    """A tool call of an alert of the far watcher, with its tenant, arrives at the far server and at no other."""
    nothing = ok({"status": "success", "data": {"resultType": "vector", "result": []}})
    with FaultyServer(nothing) as near, FaultyServer(nothing) as far:
        settings = {
            **TWO_SOURCES,
            "prometheus": {"url": near.url},
            "datasources": {"far": {"url": far.url, "tenant": "team-a", "headers": {"X-Site": "b"}}},
        }
        group = AlertGroup("g", (Alert({"alertname": "LensMemory", "watcher": "away"}),))
        with generation(settings) as built:
            result = built.investigation.toolbox(group).call("promql_instant", {"query": "up"})
        assert result.status is ToolStatus.EMPTY
        assert near.requests == []
        assert [(request.headers["X-Scope-OrgID"], request.headers["X-Site"]) for request in far.requests] == [("team-a", "b")]


def test_one_that_is_gone_shows_nothing_of_its_watchers_declarations() -> None:
    """A watcher that a reload has removed leaves no gauge behind; while it is there, what nobody has seen yet is not counted."""
    telemetry = Telemetry()
    running = {"watcher": "near", "source": "api"}
    with generation(TWO_SOURCES, telemetry=telemetry, clock=lambda: NOON) as built:
        made = built.expecting.declare("near", {}, NOON - 60, NOON + 600, "deploy", "API")
        assert telemetry.value("lens_expected_running", **running) == 1
        assert built.covered(made) is None
    assert telemetry.value("lens_expected_running", **running) is None


def test_a_reload_does_not_cut_a_question_to_a_node() -> None:
    """A generation that is replaced still knows its nodes, and can ask them, until its clients are closed; then they are hung up on."""
    cookie = {"cookie_env": "COOKIE"}
    settings = {"lenses": {"beam": [{"nodes": ["shop@mq1"], "epmd_port": 1, **cookie}]}, "investigate": {"tool_timeout": "2s"}}
    with generation(settings) as built:
        ask = built.investigation.toolbox(AlertGroup("g", ())).call
        assert [lens._tool_timeout for lens in built._lenses if isinstance(lens, BeamLens)] == [2.0]
        built.close()
        known = ask("beam_get_overview", {})
        assert known.status is ToolStatus.ERROR
        assert "node shop@mq1" in known.note
        built.close_clients()
        assert "Nodes that can be asked: none" in ask("beam_get_overview", {}).note


def test_external_labels_reach_watchers_and_findings() -> None:
    """What is configured at the top is what a watcher puts on its alerts and the publisher on companions."""
    with FaultyServer(ok([])) as manager:
        settings = {"alertmanager": {"urls": [manager.url]}, "external_labels": {"cluster": "eu-1"}}
        with generation(TWO_SOURCES | settings) as built:
            built.publisher.publish(investigated(), group())
            watched = built.runners["near"].watcher.watched
        (posted,) = [alert for request in manager.requests if request.method == "POST" for alert in request.json()]
    assert watched.external_labels == {"cluster": "eu-1"}
    assert (posted["labels"]["alertname"], posted["labels"]["cluster"]) == ("LensInvestigation", "eu-1")
