"""Findings go out once, whatever is down, on a timeline."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa

from lens_exporter.errors import DatabaseError, SecretUnreadable
from lens_exporter.foundation.breaker import CircuitBreaker
from lens_exporter.foundation.http import Credentials
from lens_exporter.model.analysis import DeliveryState, Outcome
from lens_exporter.publish.companion import Sender
from lens_exporter.publish.findings import Publisher
from lens_exporter.publish.grafana import Grafana
from lens_exporter.publish.outbox import deliveries_table
from tests.servers.endpoints import endpoint
from tests.servers.fake_alertmanager import seconds
from tests.servers.faulty import Reply
from tests.servers.grafana import FakeGrafana
from tests.unit.publish.findings_of import ID, group, investigated, source
from tests.unit.publish.timeline import CORRELATION, NOON, timeline

DOWN = Reply(b"no", 503)


class Stage:
    """A publisher on a timeline, with Grafana."""

    def __init__(self, line, grafana, **options):
        self.line = line
        self.grafana = grafana
        self.options = options
        self.ends = {}
        self.restart()

    def restart(self):
        self.line.restart()
        port = None
        if self.grafana is not None:
            one = endpoint(
                self.grafana.url,
                "grafana",
                telemetry=self.line.telemetry,
                breaker=CircuitBreaker("grafana", clock=self.line.time),
                credentials=Credentials(bearer=self.line.token),
            )
            port = Grafana(one)
        self.publisher = Publisher(
            self.line.database,
            self.line.lifecycle,
            port,
            Sender("lens-1", "https://lens.example"),
            events=self.line.events,
            telemetry=self.line.telemetry,
            ended=self.ends.get,
            clock=self.line.time,
            **self.options,
        )

    def at(self, second):
        """Let time come to this second, with the passes the app makes."""
        self.line.time.now = NOON + second
        self.line.lifecycle.resend()
        self.publisher.settle()
        self.publisher.retry_pending()

    def states(self):
        return {delivery.target: delivery.state for delivery in self.publisher.deliveries(ID)}

    def companions(self):
        """startsAt and endsAt of every companion posted, after NOON."""
        posts = [post for post in self.line.servers[0].posted if post["labels"]["alertname"] == "LensInvestigation"]
        return [(seconds(post["startsAt"]) - NOON, seconds(post["endsAt"]) - NOON) for post in posts]

    def firing(self):
        return [stored.alert.labels["verdict"] for stored in self.line.lifecycle.firing("investigation")]

    @property
    def note(self):
        return self.grafana.annotations[1]

    def said(self, kind):
        return [event.data["target"] for event in self.line.events.query(kind=kind)]


@contextmanager
def stage(grafana=True, servers=1, **options):
    with timeline(servers=servers) as line:
        if grafana:
            with FakeGrafana() as server:
                yield Stage(line, server, **options)
        else:
            yield Stage(line, None, **options)


def test_a_finding_reaches_both_targets_at_once():
    """Companion and annotation are out when publish() returns; both are told as events of the story."""
    with stage() as on:
        deliveries = on.publisher.publish(investigated(), group())
        assert [(one.target, one.state) for one in deliveries] == [
            ("alertmanager", DeliveryState.DELIVERED),
            ("grafana", DeliveryState.DELIVERED),
        ]
        (companion,) = on.line.servers[0].posted
        assert companion["labels"]["verdict"] == "cause_found"
        assert companion["generatorURL"] == f"https://lens.example/investigations/{ID}"
        assert deliveries[0].remote_id == on.line.lifecycle.firing("investigation")[0].alert.fingerprint
        assert deliveries[1].remote_id == "1"
        published = on.line.events.query(correlation=CORRELATION, kind="finding.published")
        assert [(event.subject, event.data["target"]) for event in published] == [(ID, "alertmanager"), (ID, "grafana")]


def test_the_annotation_is_a_region_from_the_alerts_start():
    """time and timeEnd in milliseconds, a unique tag, escaped prose."""
    with stage() as on:
        on.publisher.publish(investigated(summary="<script>alert(1)</script> leaks"), group())
        assert on.note["time"] == (NOON - 120) * 1000
        assert on.note["timeEnd"] == NOON * 1000
        assert on.note["tags"] == ["lens", f"lens:{ID}", "LensMemory", "warning"]
        assert "&lt;script&gt;" in on.note["text"]
        assert f'<a href="https://lens.example/investigations/{ID}">' in on.note["text"]


def test_publishing_again_changes_nothing():
    """A workflow that is run again after a crash finds its work done: one alert, one annotation, one event each."""
    with stage() as on:
        for _ in range(3):
            on.publisher.publish(investigated(), group())
            on.restart()
        assert len(on.companions()) == 1
        assert len(on.grafana.annotations) == 1
        assert on.said("finding.published") == ["alertmanager", "grafana"]


def test_a_companion_that_was_resolved_is_not_fired_again():
    """The crash may come late: after the source was over and the companion closed."""
    with stage() as on:
        on.publisher.publish(investigated(), group())
        on.publisher.source_resolved(source().fingerprint, NOON + 100)
        on.at(200)
        assert on.firing() == []
        on.publisher.publish(investigated(), group())
        assert on.firing() == []


def test_the_companion_is_resolved_when_its_source_is():
    """And the region's end moves to the end of the source."""
    with stage() as on:
        on.publisher.publish(investigated(), group())
        on.at(300)
        assert on.firing() == ["cause_found"]
        on.publisher.source_resolved(source().fingerprint, NOON + 310)
        on.at(320)
        assert on.firing() == []
        assert on.companions()[-1] == (0, 320)
        assert on.note["timeEnd"] == (NOON + 310) * 1000
        requests = len(on.grafana.requests)
        on.at(2000)
        assert len(on.grafana.requests) == requests


def test_a_finding_whose_source_is_over_is_shown_for_a_minute():
    """The source ended before publishing: the companion still fires, until it was delivered and a minute has passed."""
    with stage() as on:
        on.ends[source().fingerprint] = NOON - 10
        on.publisher.publish(investigated(), group())
        on.at(30)
        assert on.firing() == ["cause_found"]
        on.at(61)
        assert on.firing() == []
        assert on.note["timeEnd"] == (NOON - 10) * 1000


def test_the_minute_counts_from_the_delivery():
    """With Alertmanager down nobody could have seen it; the companion waits, and then fires for its minute."""
    with stage() as on:
        on.line.servers[0].failing = DOWN
        on.publisher.publish(investigated(), group())
        assert on.states()["alertmanager"] is DeliveryState.FAILED
        assert on.said("finding.publish_failed") == ["alertmanager"]
        on.publisher.source_resolved(source().fingerprint, NOON + 5)
        for second in range(10, 600, 10):
            on.at(second)
        assert on.firing() == ["cause_found"]
        on.line.servers[0].failing = None
        on.at(650)
        assert on.states()["alertmanager"] is DeliveryState.DELIVERED
        on.at(700)
        assert on.firing() == ["cause_found"]
        on.at(711)
        assert on.firing() == []
        assert on.said("finding.publish_failed") == ["alertmanager"]
        assert on.said("finding.published") == ["grafana", "alertmanager"]


def test_an_end_of_an_earlier_time_is_not_the_end():
    """What ended before this alert began was another episode of it."""
    with stage() as on:
        on.ends[source().fingerprint] = NOON - 5000
        on.publisher.publish(investigated(), group())
        on.at(500)
        assert on.firing() == ["cause_found"]


def test_a_groups_companion_ends_with_its_last_alert():
    """One of two is not all."""
    first, second = source(), source("HighLatency")
    with stage() as on:
        on.publisher.publish(investigated(), group(first, second))
        on.publisher.source_resolved(first.fingerprint, NOON + 100)
        on.at(200)
        assert on.firing() == ["cause_found"]
        on.publisher.source_resolved(second.fingerprint, NOON + 150)
        on.at(210)
        assert on.firing() == []
        assert on.note["timeEnd"] == (NOON + 150) * 1000


def test_alerts_that_came_resolved_are_over():
    """A group may hold alerts that ended already."""
    with stage() as on:
        on.publisher.publish(investigated(), group(source(ends_at=NOON - 1), source("HighLatency")))
        on.publisher.source_resolved(source("HighLatency").fingerprint, NOON + 10)
        on.at(100)
        assert on.firing() == []


def test_a_newer_finding_about_the_same_source_replaces_the_older():
    """With another verdict the old companion is resolved; with the same labels it lives on as the newer one."""
    with stage() as on:
        on.publisher.publish(investigated(outcome=Outcome.INCONCLUSIVE), group())
        on.line.time.now = NOON + 100
        second = investigated(id="01JD22222222222222222222BB")
        on.publisher.publish(second, group())
        assert on.firing() == ["cause_found"]
        on.line.time.now = NOON + 200
        on.publisher.publish(replace(second, id="01JD33333333333333333333CC"), group())
        assert on.firing() == ["cause_found"]
        on.publisher.source_resolved(source().fingerprint, NOON + 300)
        on.at(400)
        assert on.firing() == []


def test_the_same_alert_firing_again_does_not_lose_its_new_companion_to_the_old_ones_end():
    """The first episode ended, its companion not yet resolved, and a second episode brought the same labels."""
    with stage() as on:
        on.publisher.publish(investigated(), group())
        on.publisher.source_resolved(source().fingerprint, NOON + 10)
        on.line.time.now = NOON + 20
        on.publisher.publish(investigated(id="01JD22222222222222222222BB"), group(source(starts_at=NOON + 15)))
        on.at(500)
        assert on.firing() == ["cause_found"]


def test_the_end_of_a_large_group_is_one_write():
    """A thousand alerts of which all but one were over before the finding: one statement for both targets, and it stays open."""
    many = [source(f"High{number:04d}") for number in range(1000)]
    with stage() as on:
        on.ends.update((alert.fingerprint, NOON + 5) for alert in many[1:])
        updates = []

        @sa.event.listens_for(on.line.database.engine, "before_cursor_execute")
        def _(_connection, _cursor, statement, *_rest):
            if statement.startswith("UPDATE delivery_sources"):
                updates.append(statement)

        on.publisher.publish(investigated(), group(*many))
        assert len(updates) == 1
        on.at(200)
        assert len(on.firing()) == 1
        on.publisher.source_resolved("0123456789abcdef", NOON + 250)  # which none of them is about
        on.at(240)
        assert len(on.firing()) == 1
        on.publisher.source_resolved(many[0].fingerprint, NOON + 250)
        on.at(300)
        assert (on.firing(), len(updates)) == ([], 3)


def test_a_token_that_cannot_be_read_is_a_failure_like_any_other():
    """While Grafana's token file is away the annotation waits; when it is back the annotation goes out."""
    with stage() as on:
        on.line.token_fails = SecretUnreadable(key="grafana.token_file", path="/t", reason="gone")
        on.publisher.publish(investigated(), group())
        assert on.states()["grafana"] is DeliveryState.FAILED
        on.line.token_fails = None
        on.at(100)
        assert on.states() == {"alertmanager": DeliveryState.DELIVERED, "grafana": DeliveryState.DELIVERED}


def test_grafana_down_is_tried_again_with_pauses():
    """Failed once as an event, tried with growing pauses, then there exactly once."""
    with stage() as on:
        on.grafana.failing = DOWN
        on.publisher.publish(investigated(), group())
        assert on.states() == {"alertmanager": DeliveryState.DELIVERED, "grafana": DeliveryState.FAILED}
        for second in range(0, 300, 5):
            on.at(second)
        assert len(on.grafana.requests) <= 7
        assert on.said("finding.publish_failed") == ["grafana"]
        on.grafana.failing = None
        on.restart()
        for second in range(300, 1300, 5):
            on.at(second)
        assert on.states()["grafana"] is DeliveryState.DELIVERED
        assert len(on.grafana.annotations) == 1
        assert on.said("finding.published") == ["alertmanager", "grafana"]
        assert on.line.telemetry.value("lens_annotations_sent_total") == 1


def test_a_clock_set_back_leaves_no_annotation_waiting():
    """A next attempt further ahead than any pause is due now."""
    with stage() as on:
        on.grafana.failing = DOWN
        on.publisher.publish(investigated(), group())
        on.grafana.failing = None
        on.at(-800)
        assert on.grafana.annotations == {}
        on.at(-5000)
        assert list(on.grafana.annotations) == [1]


def test_an_annotation_whose_answer_was_lost_is_not_made_twice():
    """There is no idempotency key: the unique tag is looked for first."""
    with stage() as on:
        on.grafana.loses_answers = True
        on.publisher.publish(investigated(), group())
        assert on.states()["grafana"] is DeliveryState.FAILED
        on.grafana.loses_answers = False
        on.at(60)
        assert on.states()["grafana"] is DeliveryState.DELIVERED
        assert len(on.grafana.annotations) == 1


def test_a_region_whose_end_cannot_be_moved_now_is_moved_later():
    """Also when the answer to its creation was lost and the source is over meanwhile."""
    with stage() as on:
        on.grafana.loses_answers = True
        on.publisher.publish(investigated(), group())
        on.publisher.source_resolved(source().fingerprint, NOON + 30)
        on.grafana.loses_answers = False
        on.at(60)
        on.grafana.failing = DOWN
        on.at(70)
        on.grafana.failing = None
        on.at(200)
        assert on.note["timeEnd"] == (NOON + 30) * 1000


def test_an_annotation_somebody_deleted_is_no_trouble():
    """Moving the end of what is gone is done."""
    with stage() as on:
        on.publisher.publish(investigated(), group())
        on.grafana.annotations.clear()
        on.publisher.source_resolved(source().fingerprint, NOON + 30)
        on.at(100)
        requests = len(on.grafana.requests)
        on.at(500)
        assert len(on.grafana.requests) == requests


def test_after_a_day_grafana_is_given_up():
    """A wrong token is no reason to try for ever."""
    with stage() as on:
        on.grafana.failing = Reply(b'{"message": "no permission"}', 403)
        on.publisher.publish(investigated(), group())
        on.at(90_000)
        requests = len(on.grafana.requests)
        on.at(200_000)
        assert len(on.grafana.requests) == requests
        assert on.states()["grafana"] is DeliveryState.FAILED


def test_targets_that_are_not_configured_are_skipped():
    """Without Alertmanager and Grafana the finding is kept, shown, and over with its source."""
    with stage(grafana=False, servers=0) as on:
        deliveries = on.publisher.publish(investigated(), group())
        assert {one.state for one in deliveries} == {DeliveryState.SKIPPED}
        assert on.firing() == ["cause_found"]
        on.publisher.source_resolved(source().fingerprint, NOON + 1)
        on.at(2)
        assert on.firing() == []


def test_a_process_that_died_before_firing_is_made_up_for():
    """The row was stored and nothing else: the next pass, or the workflow's second run, fires the companion."""
    with stage() as on:
        on.publisher._companions.send = lambda _investigation: None  # the process ends here
        on.publisher._regions.send = lambda _investigation: None
        on.publisher.publish(investigated(), group())
        assert on.companions() == []
        on.restart()
        on.at(5)
        assert on.firing() == ["cause_found"]
        assert len(on.grafana.annotations) == 1
        on.publisher.publish(investigated(), group())
        assert len(on.companions()) == 1


def test_an_own_alert_gains_its_finding_and_a_foreign_one_is_never_posted():
    """Enriched is what a watcher of ours keeps alive; the other alert of the group belongs to somebody else."""
    own = source()
    with stage() as on:
        on.line.fire(own)
        on.publisher.publish(investigated(), group(own, source("Theirs")))
        names = [post["labels"]["alertname"] for post in on.line.servers[0].posted]
        assert "Theirs" not in names
        (enriched,) = on.line.lifecycle.firing("watcher")
        assert enriched.alert.annotations["summary"] == "full"
        assert enriched.alert.annotations["verdict"] == "cause_found"
        assert enriched.alert.annotations["finding"].startswith("Open files leak")


def test_only_the_database_can_fail_publishing():
    """And then the caller knows that it must call again."""
    with stage() as on:
        with on.line.database.transaction() as connection:
            deliveries_table.drop(connection)
        with pytest.raises(DatabaseError):
            on.publisher.publish(investigated(), group())


def test_finished_rows_are_forgotten_after_a_week():
    """What is over is in the events."""
    with stage() as on:
        on.publisher.publish(investigated(), group())
        on.publisher.source_resolved(source().fingerprint, NOON + 1)
        on.at(100)
        assert on.publisher.deliveries(ID)
        on.at(8 * 86_400)
        assert on.publisher.deliveries(ID) == ()
