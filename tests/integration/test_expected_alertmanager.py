"""What real silences of a real Alertmanager declare."""

import time
from datetime import UTC, datetime

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_exporter.baseline.expected import DeclarationSource
from lens_exporter.config.secrets import Secrets
from lens_exporter.foundation.breaker import CircuitBreaker
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.alert import Alert
from lens_exporter.publish.alertmanager import Alertmanager
from lens_exporter.wiring.expecting import Expecting
from lens_exporter.wiring.ground import lay
from tests.servers.alertmanager import AlertmanagerServer
from tests.servers.endpoints import endpoint
from tests.servers.waiting import until

pytestmark = pytest.mark.integration

OWN = [{"alertname": "LensMemory", "watcher": "python", "category": "memory"}]
LABELS = {**OWN[0], "instance": "api-7:9000", "job": "api"}
DAY = 86_400.0


def moment(at):
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def matcher(name, value, *, regex=False, equal=True):
    return {"name": name, "value": value, "isRegex": regex, "isEqual": equal}


class Site:
    """An Alertmanager, and what a lens-exporter knows of it."""

    def __init__(self, server, database):
        self.server = server
        self.database = database
        self.restart()

    def restart(self):
        telemetry = Telemetry()
        self.ground = lay(self.database, telemetry, Secrets({}))
        breaker = CircuitBreaker("alertmanager", self.server.url, failures_to_open=2, seconds_open=0.2)
        self.alertmanager = Alertmanager(endpoint(self.server.url, "alertmanager", telemetry=telemetry, breaker=breaker, timeout=5))
        self.expecting = Expecting(self.ground, [self.alertmanager], lambda: OWN, kept=14 * DAY)

    def silence(self, *matchers, comment="expected: load test", begin=None, end=None, by="alice", id_=""):
        begin = time.time() if begin is None else begin
        body = {
            "id": id_,
            "matchers": matchers or [matcher("instance", "api-7:9000")],
            "startsAt": moment(begin),
            "endsAt": moment(begin + 3600 if end is None else end),
            "createdBy": by,
            "comment": comment,
        }
        answer = requests.post(f"{self.server.url}/api/v2/silences", json=body, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()["silenceID"]

    def expire(self, id_):
        assert requests.delete(f"{self.server.url}/api/v2/silence/{id_}", timeout=5).status_code == 200

    def look(self):
        self.expecting.look()
        return {one.id: one for one in self.expecting.declarations()}

    def told(self, kind):
        return [(event.subject, event.data) for event in self.ground.events.query(kind=kind)]


@pytest.fixture
def site(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/lens.db")
    database.migrate()
    with AlertmanagerServer(tmp_path) as server:
        yield Site(server, database)
    database.close()


def test_a_silence_that_says_expected_is_a_declaration_and_others_are_none(site):
    """Span, matchers, who and why come over; one event tells it; silences of other words or other people's alerts stay silences."""
    given = [matcher("alertname", "Lens.*", regex=True), matcher("job", "web", equal=False)]
    mine = site.silence(*given)
    site.silence(*given, comment="noise at night")
    site.silence(matcher("alertname", "HighLatency"))
    known = site.look()
    assert list(known) == [mine]
    one = known[mine]
    assert (one.source, one.by, one.comment) == (DeclarationSource.SILENCE, "alice", "expected: load test")
    assert [str(each) for each in one.matchers] == ['alertname=~"Lens.*"', 'job!="web"']
    assert one.ends_at - one.starts_at == pytest.approx(3600, abs=5)
    assert one.runs(time.time() + 1)
    site.look()
    ((subject, data),) = site.told("expected.declared")
    assert (subject, data["by"], data["comment"]) == (mine, "alice", "expected: load test")
    assert data["matchers"] == ['alertname=~"Lens.*"', 'job!="web"']
    assert site.told("expected.refused") == []


def test_one_that_is_expired_declares_what_has_been(site):
    """Expired early: the declaration ends there, and goes on saying what it said about the time before."""
    mine = site.silence()
    began = site.look()[mine].starts_at
    # Alertmanager's clock has to move on, or the silence never held.
    until(lambda: time.time() > began + 0.1, 5)
    site.expire(mine)
    ended = site.look()[mine]
    assert ended.starts_at == began
    assert began < ended.ends_at <= time.time()
    assert [data["ends_at"] for _, data in site.told("expected.declared")] == [pytest.approx(began + 3600, abs=5), ended.ends_at]


def test_one_that_is_cancelled_before_it_begins_was_never_said(site):
    """A planned silence is known ahead; expired before its time it is taken back."""
    planned = site.silence(begin=time.time() + 600)
    assert list(site.look()) == [planned]
    site.expire(planned)
    assert site.look() == {}
    ((subject, data),) = site.told("expected.withdrawn")
    assert (subject, data["reason"]) == (planned, "its silence does not say so any more")


def test_one_that_lasts_too_long_is_refused_once_and_by_name(site):
    """Thirty-two days are refused with the reason; the round after says nothing more."""
    too_long = site.silence(end=time.time() + 32 * DAY)
    assert site.look() == site.look() == {}
    ((subject, data),) = site.told("expected.refused")
    assert subject == too_long
    assert data["error"].startswith("to: the span lasts 32.0 days, at most 31 are taken")


def test_a_restart_and_an_alertmanager_that_is_away_change_nothing(site):
    """Killed, and lens-exporter restarted meanwhile: what was said stands; back again, it still does."""
    mine = site.silence()
    known = site.look()
    site.server.kill()
    assert site.look() == known
    site.restart()
    assert site.expecting.declarations() == tuple(known.values())
    assert site.look() == known
    assert list(known) == [mine]
    assert site.told("expected.withdrawn") == []


def test_one_that_alertmanager_lost_ends(site, tmp_path):
    """Another Alertmanager in its place, with nothing in its memory, answers: the declaration ends when that is seen."""
    mine = site.silence()
    site.look()
    with AlertmanagerServer(tmp_path, name="empty") as site.server:
        site.restart()
        ended = site.look()[mine]
        assert ended.ends_at <= time.time()
    ((subject, data),) = site.told("expected.withdrawn")
    assert (subject, data["reason"]) == (mine, "no Alertmanager knows its silence any more")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with AlertmanagerServer(tmp_path_factory.mktemp("shared")) as server:
        site = Site(server, Database("sqlite://"))
        now = time.time()
        site.alertmanager.post([Alert({**LABELS, "severity": "warning"}, {}, now, now + 3600)])
        yield site
        site.database.close()


VALUES = st.sampled_from(["", "api", "web", "python", "warning", "critical", "api-7:9000"])
PATTERNS = st.sampled_from(
    [
        "api",
        "api.*",
        ".*7.*",
        "web|api",
        "(?i)API",
        "[a-z]+",
        "\\w+-\\d:90{2,3}",
        ".+",
        ".*",
        "^api$",
        "warn.*|info",
        "\\pL+",
        "a\\.i",
    ]
)
NAMES = st.sampled_from(["alertname", "severity", "watcher", "instance", "job", "device"])


@given(
    st.lists(
        st.one_of(
            st.builds(lambda n, v, e: matcher(n, v, equal=e), NAMES, VALUES, st.booleans()),
            st.builds(lambda n, v, e: matcher(n, v, regex=True, equal=e), NAMES, PATTERNS, st.booleans()),
        ),
        max_size=3,
    )
)
@settings(max_examples=60, deadline=None)
def test_a_silence_covers_what_alertmanager_says_it_silences(shared, matchers):
    """Our reading of its matchers against Alertmanager's own word about an alert it holds."""
    # It takes no silence of which every matcher matches an absent label.
    mine = shared.silence(matcher("alertname", "Lens.+", regex=True), *matchers)
    (silence,) = [one for one in shared.alertmanager.silences() if one.id == mine]
    (held,) = shared.alertmanager.alerts()
    assert silence.matches({**LABELS, "severity": "warning"}) == (mine in held.silenced_by)
    shared.expire(mine)
