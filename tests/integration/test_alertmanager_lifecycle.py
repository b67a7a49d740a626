"""Alerts and findings against real Alertmanagers."""

import time
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_exporter.errors import RemoteRefused, Unreachable
from lens_exporter.foundation.breaker import CircuitBreaker
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.alert import Alert
from lens_exporter.model.analysis import DeliveryState
from lens_exporter.publish.acceptable import acceptable
from lens_exporter.publish.alertmanager import Alertmanager
from lens_exporter.publish.companion import Sender
from lens_exporter.publish.findings import Publisher
from lens_exporter.publish.lifecycle import AlertLifecycle
from tests.servers.alertmanager import AlertmanagerServer
from tests.servers.endpoints import endpoint
from tests.servers.faulty import FaultyServer
from tests.servers.waiting import until
from tests.unit.publish.findings_of import ID, group, investigated, source
from tests.unit.publish.timeline import CORRELATION, own

pytestmark = pytest.mark.integration


class Receiver(FaultyServer):
    """Takes webhooks and lists what was said about each alert name."""

    def said(self, name):
        alerts = [alert for request in self.requests for alert in request.json()["alerts"]]
        return [alert["status"] for alert in alerts if alert["labels"]["alertname"] == name]


class Here:
    """A lens-exporter's publishing side on the wall clock, with a rhythm of seconds."""

    def __init__(self, database, urls):
        self.database = database
        self.urls = urls
        self.start()

    def start(self):
        telemetry = Telemetry()
        self.events = Events(self.database, telemetry)

        def manager(url):
            breaker = CircuitBreaker("alertmanager", url, failures_to_open=2, seconds_open=0.5)
            return Alertmanager(endpoint(url, "alertmanager", telemetry=telemetry, breaker=breaker, timeout=5))

        self.managers = [manager(url) for url in self.urls]
        self.lifecycle = AlertLifecycle(
            self.database, self.managers, events=self.events, telemetry=telemetry, resend_interval=1.0, resolved_for=30.0
        )
        self.publisher = Publisher(
            self.database, self.lifecycle, None, Sender("lens-1"), events=self.events, telemetry=telemetry, companion_minimum=1.0
        )

    def fire(self, alert, origin="watcher"):
        return self.lifecycle.fire(alert, correlation=CORRELATION, origin=origin)

    def passes(self, probe):
        """Make the app's passes until the probe is true."""

        def once():
            self.lifecycle.resend()
            self.publisher.settle()
            return probe()

        return until(once, 30, 0.2)

    def held(self, number=0):
        # Looked at past the breaker, which is the lifecycle's own.
        held = Alertmanager(endpoint(self.urls[number], "alertmanager")).alerts()
        return {one.alert.labels["alertname"]: one for one in held}


@contextmanager
def here(tmp_path, *urls):
    database = Database(f"sqlite:///{tmp_path}/lens.db")
    metadata.create_all(database.engine)
    yield Here(database, urls)
    database.close()


def alert(name="LensMemory", **annotations):
    return own(name, time.time() - 60, **annotations)


def test_firing_and_resolved_reach_the_receiver(tmp_path):
    """One notification while it fires, one when it is over; Alertmanager knows the alert by our fingerprint and start."""
    with (
        Receiver() as receiver,
        AlertmanagerServer(tmp_path, webhook_url=receiver.url) as server,
        here(tmp_path, server.url) as one,
    ):
        stored = one.fire(alert(summary="92 % full"))
        (held,) = one.managers[0].alerts({"alertname": "LensMemory"})
        assert held.alert.fingerprint == stored.alert.fingerprint
        assert held.alert.starts_at == stored.alert.starts_at
        assert held.alert.annotations == {"summary": "92 % full"}
        assert (held.state, held.receivers) in {("active", ("lens",)), ("unprocessed", ("lens",))}
        one.passes(lambda: receiver.said("LensMemory") == ["firing"])
        one.lifecycle.resolve(stored.alert.fingerprint, time.time())
        one.passes(lambda: receiver.said("LensMemory") == ["firing", "resolved"])
        assert one.held() == {}


def test_re_sending_keeps_an_alert_alive_beyond_its_end(tmp_path):
    """endsAt is four seconds ahead here; passes keep moving it, and without them the alert ends by itself."""
    with AlertmanagerServer(tmp_path) as server, here(tmp_path, server.url) as one:
        one.fire(alert())
        begun = time.monotonic()
        one.passes(lambda: time.monotonic() > begun + 5)
        assert set(one.held()) == {"LensMemory"}
        until(lambda: one.held() == {}, 15, 0.2)


def test_one_of_two_down_and_back(tmp_path):
    """The other serves meanwhile; the one that comes back, with nothing in its memory, is told without anybody's help."""
    with (
        AlertmanagerServer(tmp_path, name="a") as first,
        AlertmanagerServer(tmp_path, name="b") as second,
        here(tmp_path, first.url, second.url) as one,
    ):
        first.kill()
        one.fire(alert())
        assert set(one.held(1)) == {"LensMemory"}
        with pytest.raises(Unreachable):
            one.held(0)
        first.start_again()
        one.passes(lambda: set(one.held(0)) == {"LensMemory"})
        kinds = [event.type for event in one.events.query(correlation=CORRELATION)]
        assert sorted(kinds) == ["alert.delivered", "alert.delivered", "alert.delivery_failed", "alert.fired"]


def test_both_down_and_lens_restarted_meanwhile(tmp_path):
    """Nothing that was fired is lost: it is in the database, and goes out with its own start."""
    with (
        AlertmanagerServer(tmp_path, name="a") as first,
        AlertmanagerServer(tmp_path, name="b") as second,
        here(tmp_path, first.url, second.url) as one,
    ):
        first.kill()
        second.kill()
        stored = one.fire(alert())
        one.start()
        first.start_again()
        second.start_again()
        one.passes(lambda: all(set(one.held(number)) == {"LensMemory"} for number in (0, 1)))
        assert one.held(0)["LensMemory"].alert.starts_at == stored.alert.starts_at
        one.lifecycle.resolve(stored.alert.fingerprint, time.time())
        one.passes(lambda: one.held(0) == one.held(1) == {})


def test_one_more_label_is_another_alert_and_new_annotations_are_not(tmp_path):
    """Annotations change in place, and Alertmanager shows them at once."""
    with AlertmanagerServer(tmp_path) as server, here(tmp_path, server.url) as one:
        stored = one.fire(alert(summary="92 %"))
        one.fire(alert(summary="95 %"))
        one.lifecycle.annotate(stored.alert.fingerprint, {"finding": "a leak"})
        (held,) = one.managers[0].alerts()
        assert held.alert.annotations == {"summary": "95 %", "finding": "a leak"}
        one.fire(Alert({**alert().labels, "pod": "x"}, {"summary": "y"}, time.time()))
        assert len(one.managers[0].alerts()) == 2


def test_a_companion_next_to_its_source(tmp_path):
    """It is there when publish() returns, and resolved after its source, once it was shown long enough."""
    with (
        Receiver() as receiver,
        AlertmanagerServer(tmp_path, webhook_url=receiver.url) as server,
        here(tmp_path, server.url) as one,
    ):
        of = group(source(starts_at=time.time() - 60))
        (delivery, _skipped) = one.publisher.publish(investigated(), of)
        assert delivery.state is DeliveryState.DELIVERED
        companion = one.held()["LensInvestigation"].alert
        assert companion.labels["source_fingerprint"] == of.alerts[0].fingerprint
        assert companion.fingerprint == delivery.remote_id
        one.passes(lambda: receiver.said("LensInvestigation"))
        one.publisher.source_resolved(of.alerts[0].fingerprint, time.time())
        one.passes(lambda: receiver.said("LensInvestigation") == ["firing", "resolved"])
        assert [event.type for event in one.events.query(kind="finding.published")] == ["finding.published"]
        assert one.publisher.deliveries(ID)[0].state is DeliveryState.DELIVERED


def test_a_bad_alert_is_refused_and_the_good_one_taken(tmp_path):
    """What the retry one by one stands on: 400 for the batch, and the valid alert is there."""
    with AlertmanagerServer(tmp_path) as server, here(tmp_path, server.url) as one:
        now = time.time()
        good = Alert({"alertname": "Good"}, {}, now, now + 60)
        bad = Alert({"alertname": "Bad", "not-a-name": "x"}, {}, now, now - 60)
        with pytest.raises(RemoteRefused) as raised:
            one.managers[0].post([bad, good])
        assert raised.value.fields["status"] == 400
        assert "Good" in one.held()
        assert one.managers[0].status().version


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with AlertmanagerServer(tmp_path_factory.mktemp("shared")) as server:
        yield Alertmanager(endpoint(server.url, "alertmanager"))


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=20), max_size=6))
@settings(max_examples=60, deadline=None)
def test_whatever_we_clean_alertmanager_takes_and_names_as_we_do(shared, labels):
    """Any label set, once acceptable, is accepted, and has our fingerprint there."""
    now = time.time()
    clean = acceptable(Alert({**labels, "alertname": "Any"}, labels, now, now + 60))
    shared.post([clean])
    assert clean.fingerprint in {held.alert.fingerprint for held in shared.alerts()}
