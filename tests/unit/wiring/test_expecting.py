"""From who says it to who goes by it: the database, memory, and what is told."""

from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from lens_exporter.baseline import register as registers
from lens_exporter.baseline.expected import DeclarationSource
from lens_exporter.baseline.register import Register
from lens_exporter.config.secrets import Secrets
from lens_exporter.errors import (
    BreakerOpen,
    DatabaseError,
    DeclarationInvalid,
    DeclarationsFull,
    DeclaredElsewhere,
    UnknownWatcher,
    Unreachable,
)
from lens_exporter.foundation.breaker import CircuitBreaker
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.wiring.expecting import Expecting
from lens_exporter.wiring.ground import lay
from tests.unit.publish.timeline import NOON, Time
from tests.unit.watch.declaring import declared

HOUR, DAY = 3600.0, 86_400.0
OWN = [
    {"alertname": "LensMemory", "watcher": "host", "category": "memory"},
    {"alertname": "LensLatency", "watcher": "api", "category": "latency"},
]


class Site:
    """One process on a database that others share."""

    def __init__(self, path):
        self.time = Time()
        self.database = Database(f"sqlite:///{path}/lens.db")
        self.database.migrate()
        self.restart()

    def restart(self):
        self.telemetry = Telemetry()
        self.ground = lay(self.database, self.telemetry, Secrets({}), clock=self.time)
        self.expecting = Expecting(self.ground, (), lambda: OWN, kept=14 * DAY)

    def declare(self, begin=NOON, end=NOON + HOUR, watcher="host", **labels):
        return self.expecting.declare(watcher, labels, begin, end, "deploy", "API from 10.0.0.7")

    def running(self):
        """How many run, by watcher and source, where any does; None: nothing is shown."""
        keys = [(watcher, source.value) for watcher in ("host", "api") for source in DeclarationSource]
        shown = {key: self.telemetry.value("lens_expected_running", watcher=key[0], source=key[1]) for key in keys}
        return None if set(shown.values()) == {None} else {key: count for key, count in shown.items() if count}

    def told(self, kind):
        return [(event.subject, event.data) for event in self.ground.events.query(kind=kind)]


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.database.close()


def test_what_is_declared_is_known_at_once_told_and_kept(site):
    """Watchers hear of it without a round; one event says who and why; a restart knows it."""
    assert site.expecting.declarations() == ()
    made = site.declare(instance="api-7:9000", job="api")
    assert site.expecting.declarations() == (made,)
    assert [str(one) for one in made.matchers] == ['watcher="host"', 'instance="api-7:9000"', 'job="api"']
    ((subject, data),) = site.told("expected.declared")
    assert (subject, data["source"], data["by"], data["comment"]) == (made.id, "api", "API from 10.0.0.7", "deploy")
    assert (data["starts_at"], data["ends_at"]) == (NOON, NOON + HOUR)
    site.restart()
    assert site.expecting.declarations() == (made,)


def test_what_is_taken_back_is_gone_at_once_and_told(site):
    """As if it had never been said."""
    made = site.declare()
    assert site.expecting.withdraw(made.id) == made
    assert site.expecting.declarations() == ()
    ((subject, data),) = site.told("expected.withdrawn")
    assert (subject, data["reason"], data["by"]) == (made.id, "taken back", "API from 10.0.0.7")


def test_a_silence_cannot_be_taken_back_here(site):
    """It is Alertmanager's, and stays."""
    said = declared(instance="a")
    Register(site.database).put(said)
    with pytest.raises(DeclaredElsewhere):
        site.expecting.withdraw(said.id)
    assert site.expecting.listed() == (said,)
    assert said.source is DeclarationSource.SILENCE


def test_nothing_is_declared_by_what_is_refused(site):
    """An unknown watcher, labels that none of its alerts has, a span out of bounds, a full register: each by its error, and no event."""
    with pytest.raises(UnknownWatcher, match="there is no watcher 'nope'; known: host, api"):
        site.declare(watcher="nope")
    for labels in ({"severity": "critical"}, {"alertname": "LensLatency"}, {"bad name": "x"}):
        with pytest.raises(DeclarationInvalid, match=r"^label"):
            site.declare(**labels)
    with pytest.raises(DeclarationInvalid, match="at most 31 are taken"):
        site.declare(end=NOON + 32 * DAY)
    row = registers._values(declared(instance="a"))
    with site.database.transaction() as connection:
        connection.execute(registers.expected_table.insert(), [{"id": f"d{n}", **row} for n in range(registers.MOST)])
    with pytest.raises(DeclarationsFull):
        site.declare()
    assert site.told("expected.declared") == []


def test_how_many_run_is_shown_by_watcher_and_source(site):
    """From when one begins until it ends or is taken back; one that names only a target may speak of every watcher."""
    assert site.running() is None
    site.expecting.look()
    assert site.running() == {}
    made = site.declare()
    site.declare(begin=NOON + HOUR, end=NOON + 2 * HOUR)
    Register(site.database).put(declared(instance="a"))
    site.expecting.look()
    assert site.running() == {("host", "api"): 1, ("host", "silence"): 1, ("api", "silence"): 1}
    site.expecting.withdraw(made.id)
    assert site.running() == {("host", "silence"): 1, ("api", "silence"): 1}
    site.time.now = NOON + HOUR
    site.expecting.look()
    assert site.running() == {("host", "api"): 1}
    site.expecting.close()
    assert site.running() is None


def test_one_that_names_nobody_is_warned_of(site):
    """Whatever a watcher sees is in order then: the log says who said so, once, and not of one that names anything."""
    with capture_logs() as logged:
        site.declare(instance="a")
        wide = site.declare()
        site.expecting.look()
    (line,) = [one for one in logged if one["log_level"] == "warning"]
    assert (line["event"], line["id"], line["by"]) == ("declared to be expected, whatever it is", wide.id, "API from 10.0.0.7")
    assert line["matchers"] == ['watcher="host"']


def test_a_round_forgets_what_no_watcher_remembers(site):
    """Fourteen days after its end a declaration goes with the window."""
    made = site.declare()
    site.time.now = made.ends_at + 14 * DAY - 1
    site.expecting.look()
    assert site.expecting.declarations() == (made,)
    site.time.now += 1
    site.expecting.look()
    assert site.expecting.declarations() == site.expecting.listed() == ()


def test_a_round_brings_what_another_replica_was_told(site):
    """Memory is what was known last; a round, or asking for the list, reads what others wrote."""
    assert site.expecting.declarations() == ()
    one, other = declared(instance="a"), declared(instance="b")
    Register(site.database).put(one)
    assert site.expecting.declarations() == ()
    site.expecting.look()
    assert site.expecting.declarations() == (one,)
    Register(site.database).put(other)
    assert len(site.expecting.listed()) == len(site.expecting.declarations()) == 2


def test_a_database_that_is_away_leaves_what_is_known_and_is_asked_again(site):
    """A tick never fails of it: what was known stands; who knew nothing yet hears it once the database is back."""
    made = site.declare()
    with site.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE expected_spans RENAME TO away")
    with pytest.raises(DatabaseError):
        site.expecting.look()
    assert site.expecting.declarations() == (made,)
    site.restart()
    assert site.expecting.declarations() == ()
    with site.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO expected_spans")
    assert site.expecting.declarations() == (made,)


class Away:
    """An Alertmanager whose answers are as it is told: an error, or no silences."""

    def __init__(self, *answers):
        self._answers = list(answers)

    def silences(self):
        if (answer := self._answers.pop(0)) is not None:
            raise answer
        return ()


def test_an_alertmanager_that_is_away_is_told_once_and_when_it_is_back(site):
    """The words of an open breaker have a count and a time in them, and say nothing new."""
    known = {"service": "alertmanager", "url": "http://am:9093"}
    down = Unreachable(**known, reason="Connection refused")
    rests = [BreakerOpen(**known, until=f"20:0{minute}:00 UTC", failures=5 + minute, reason="refused") for minute in range(3)]
    site.expecting = Expecting(site.ground, (Away(down, *rests, None, None),), lambda: OWN, kept=14 * DAY)
    with capture_logs() as lines:
        for _ in range(6):
            site.expecting.look()
            site.time.now += 60
    told = [line for line in lines if line["log_level"] != "debug"]
    assert [line["event"] for line in told] == [
        "silences cannot be read; what they said before stands",
        "silences can be read again",
    ]
    assert (told[1]["alertmanager"], told[1]["seconds"], told[1]["failures"]) == ("http://am:9093", 240.0, 4)


def test_a_breaker_that_stays_open_is_told_once(site):
    """Six trials in vain are no rows of the story; that it closes is one, with how long it was open."""
    breaker = CircuitBreaker("prometheus http://p", clock=site.time, on_change=site.ground.breaker_changed)
    for failure in (*[OSError("down")] * 5, *[OSError("down")] * 6, None, None):
        with suppress(OSError), breaker.call():
            if failure:
                raise failure
        site.time.now += 30
    assert [data["failures"] for _, data in site.told("breaker.opened")] == [5]
    assert len(site.told("breaker.half_opened")) == 1
    assert site.told("breaker.closed") == [("prometheus http://p", {"seconds": 240.0, "trials": 7})]
