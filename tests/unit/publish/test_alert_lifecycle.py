"""The life of an alert, on a timeline."""

import time
from contextlib import suppress

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from lens_exporter.errors import DatabaseError, SecretUnreadable
from lens_exporter.publish.ledger import alerts_table
from tests.servers.fake_alertmanager import seconds
from tests.servers.faulty import Reply
from tests.servers.waiting import until
from tests.unit.publish.timeline import CORRELATION, NOON, own, timeline


def test_an_alert_is_posted_at_once_with_both_times():
    """startsAt is when it began, endsAt four resend intervals ahead; the first post carries the annotations."""
    with timeline() as line:
        line.fire(own(summary="92 % full"))
        (alert,) = line.servers[0].posted
    assert alert["annotations"] == {"summary": "92 % full"}
    assert seconds(alert["startsAt"]) == NOON - 120
    assert seconds(alert["endsAt"]) == NOON + 240


def test_it_is_sent_again_every_interval_and_not_in_between():
    """At 30 s nothing, at 60 s once more with a later endsAt and the same startsAt."""
    with timeline() as line:
        line.fire(own())
        line.time.now = NOON + 30
        line.lifecycle.resend()
        assert len(line.servers[0].posted) == 1
        line.time.now = NOON + 60
        line.lifecycle.resend()
        line.lifecycle.resend()
        assert len(line.servers[0].posted) == 2
        assert seconds(line.servers[0].last()["startsAt"]) == NOON - 120
        assert seconds(line.servers[0].last()["endsAt"]) == NOON + 300


def test_new_annotations_go_out_at_once_and_the_start_is_kept():
    """The same labels while firing are the same alert."""
    with timeline() as line:
        line.fire(own(summary="92 %"))
        line.time.now = NOON + 5
        line.fire(own(starts_at=NOON + 5, summary="93 %"), correlation="01JE0000000000000000000000")
        assert line.servers[0].last()["annotations"] == {"summary": "93 %"}
        assert seconds(line.servers[0].last()["startsAt"]) == NOON - 120
        (stored,) = line.lifecycle.firing()
        assert (stored.correlation, stored.alert.starts_at) == (CORRELATION, NOON - 120)
        assert line.count("alert.fired") == 1


def test_firing_unchanged_says_nothing_new():
    """A watcher that repeats itself each tick causes no posts beside the regular ones."""
    with timeline() as line:
        for _ in range(3):
            line.fire(own())
        assert len(line.servers[0].posted) == 1


def test_a_resolved_alert_is_posted_as_resolved_for_fifteen_minutes():
    """endsAt is the end; it is re-sent every interval until 15 minutes have passed, then no more."""
    with timeline() as line:
        stored = line.fire(own())
        line.time.now = NOON + 100
        line.lifecycle.resolve(stored.alert.fingerprint, NOON + 95)
        for second in range(100, 2000, 5):
            line.time.now = NOON + second
            line.lifecycle.resend()
        resolved = [alert for alert in line.servers[0].posted if seconds(alert["endsAt"]) == NOON + 95]
        assert len(resolved) == len(line.servers[0].posted) - 1
        assert 14 <= len(resolved) <= 17
        assert line.lifecycle.firing() == []
        assert line.told("alert.delivered") == [
            ("alert.delivered", line.servers[0].url, "firing"),
            ("alert.delivered", line.servers[0].url, "resolved"),
        ]


def test_what_was_resolved_can_be_found_for_a_day():
    """A late webhook still finds the story of an alert; after a day it is forgotten."""
    with timeline() as line:
        fingerprint = line.fire(own()).alert.fingerprint
        line.lifecycle.resolve(fingerprint, NOON)
        line.time.now = NOON + 86_000
        line.lifecycle.resend()
        assert line.lifecycle.find(fingerprint).correlation == CORRELATION
        line.time.now = NOON + 86_500
        line.lifecycle.resend()
        assert line.lifecycle.find(fingerprint) is None
        assert line.lifecycle.deliveries(fingerprint) == []


def test_firing_again_after_the_end_is_a_new_alert_of_the_same_name():
    """New start, new correlation, delivered anew; annotations of the old investigation are gone."""
    with timeline() as line:
        fingerprint = line.fire(own()).alert.fingerprint
        line.lifecycle.annotate(fingerprint, {"finding": "a leak"})
        line.lifecycle.resolve(fingerprint, NOON)
        line.time.now = NOON + 500
        line.fire(own(starts_at=NOON + 490), correlation="01JE0000000000000000000000")
        stored = line.lifecycle.find(fingerprint)
        assert (stored.alert.starts_at, stored.correlation) == (NOON + 490, "01JE0000000000000000000000")
        assert "finding" not in line.servers[0].last()["annotations"]
        assert seconds(line.servers[0].last()["endsAt"]) == NOON + 740
        assert line.count("alert.fired") == 2
        assert line.count("alert.delivered") == 3
        assert [told.first_at for told in line.lifecycle.deliveries(fingerprint)] == [NOON + 500]


def test_resolving_twice_or_nothing_is_no_work():
    """Unknown and resolved alerts stay as they are."""
    with timeline() as line:
        line.lifecycle.resolve("0123456789abcdef", NOON)
        fingerprint = line.fire(own()).alert.fingerprint
        line.lifecycle.resolve(fingerprint, NOON)
        line.lifecycle.resolve(fingerprint, NOON + 50)
        assert line.count("alert.resolved") == 1
        assert line.lifecycle.find(fingerprint).alert.ends_at == NOON


def test_every_alertmanager_is_told_and_one_that_is_down_stops_nobody():
    """The failure is said once, the healthy one is served all the time, and the other gets everything when it is back."""
    with timeline(servers=2) as line:
        down, healthy = line.servers
        down.failing = Reply(b"no", 503)
        line.fire(own())
        for second in range(5, 50, 5):
            line.time.now = NOON + second
            line.lifecycle.resend()
        assert len(healthy.posted) == 1
        assert line.told("alert.delivery_failed", "alert.delivered").count(("alert.delivery_failed", down.url, None)) == 1
        down.failing = None
        line.time.now = NOON + 90
        line.lifecycle.resend()
        assert len(down.posted) == 1
        assert line.told("alert.delivered") == [("alert.delivered", healthy.url, "firing"), ("alert.delivered", down.url, "firing")]


def test_an_outage_is_one_warning_however_many_alerts_wait():
    """Each alert's story has it, and the log says once that it is over."""
    with timeline() as line, capture_logs() as lines:
        line.servers[0].failing = Reply(b"no", 503)
        for number in range(4):
            line.fire(own(f"LensMemory{number}"))
        line.time.now = NOON + 60
        line.servers[0].failing = None
        line.lifecycle.resend()
        line.lifecycle.resend()
        said = [(each["log_level"], each["event"]) for each in lines]
        assert said.count(("warning", "it takes no alerts")) == 1
        assert ("warning", "alert.delivery_failed") not in said
        assert said.count(("info", "it takes alerts again")) == 1
        assert line.count("alert.delivery_failed") == 4


def test_who_starts_in_an_outage_says_so_as_well():
    """What is stored of the failures before is no line in this log."""
    with timeline() as line:
        line.servers[0].failing = Reply(b"no", 503)
        line.fire(own())
        line.restart()
        line.time.now = NOON + 60
        with capture_logs() as lines:
            line.lifecycle.resend()
        assert [each["event"] for each in lines if each["log_level"] == "warning"] == ["it takes no alerts"]


def test_a_breaker_spares_an_alertmanager_that_is_down():
    """After five failures it is left alone for half a minute."""
    with timeline() as line:
        line.servers[0].failing = Reply(b"no", 503)
        line.fire(own())
        for second in range(0, 100, 10):
            line.time.now = NOON + second
            line.lifecycle.resend()
        assert len(line.servers[0].requests) < 9
        assert line.count("alert.delivery_failed") == 1


def test_a_token_that_cannot_be_read_is_a_failed_delivery():
    """A token file that is being rotated ends no pass: it is said once, and the alert goes out when the file is back."""
    with timeline() as line:
        line.token_fails = SecretUnreadable(key="alertmanager.token_file", path="/t", reason="gone")
        line.fire(own())
        for second in range(5, 50, 5):
            line.time.now = NOON + second
            line.lifecycle.resend()
        assert line.count("alert.delivery_failed") == 1
        (told,) = line.lifecycle.deliveries(own().fingerprint)
        assert "alertmanager.token_file" in told.error
        line.token_fails = None
        line.time.now = NOON + 60
        line.lifecycle.resend()
        assert len(line.servers[0].posted) == 1


def test_a_failure_after_success_is_said_again_once():
    """Events follow changes of state, not passes."""
    with timeline() as line:
        line.fire(own())
        line.servers[0].failing = Reply(b"no", 503)
        for second in (60, 75, 90):
            line.time.now = NOON + second
            line.lifecycle.resend()
        line.servers[0].failing = None
        line.time.now = NOON + 150
        line.lifecycle.resend()
        line.servers[0].failing = Reply(b"no", 503)
        line.time.now = NOON + 220
        line.lifecycle.resend()
        assert line.count("alert.delivery_failed") == 2
        assert line.count("alert.delivered") == 1


def test_a_restart_changes_nothing():
    """State is in the database: after a restart the alert goes on with its start, and nothing is fired twice."""
    with timeline() as line:
        line.servers[0].failing = Reply(b"no", 503)
        fingerprint = line.fire(own()).alert.fingerprint
        line.servers[0].failing = None
        line.restart()
        line.time.now = NOON + 20
        line.lifecycle.resend()
        assert seconds(line.servers[0].last()["startsAt"]) == NOON - 120
        line.lifecycle.resolve(fingerprint, NOON + 30)
        line.restart()
        line.time.now = NOON + 90
        line.lifecycle.resend()
        assert seconds(line.servers[0].last()["endsAt"]) == NOON + 30
        assert line.count("alert.fired") == 1


def test_batches_hold_64_alerts():
    """150 alerts that are due together travel in three posts."""
    with timeline() as line:
        line.servers[0].failing = Reply(b"no", 503)
        for number in range(150):
            line.fire(own(f"Lens{number:03d}"))
        line.servers[0].failing = None
        line.time.now = NOON + 100
        for _ in range(2):  # half-open: one trial, then all
            line.lifecycle.resend()
        assert [len(batch) for batch in line.servers[0].batches] == [64, 64, 22]


def test_one_bad_alert_does_not_hold_up_the_others():
    """A 400 for a batch is found out one by one; the bad one is said and counted once, as refused, and not sent again unchanged."""
    with timeline() as line:
        server = line.servers[0]
        server.failing = Reply(b"no", 503)
        for name in ("LensA", "LensBad", "LensC"):
            line.fire(own(name))
        server.failing, server.refused = None, {"LensBad"}
        line.time.now = NOON + 20
        line.lifecycle.resend()
        assert server.names() == [["LensA", "LensBad", "LensC"], ["LensA"], ["LensBad"], ["LensC"]]
        failures = line.telemetry.value("lens_alerts_failed_total", alertmanager=server.url)
        assert failures == 3  # while it was away
        for second in range(40, 200, 10):
            line.time.now = NOON + second
            line.lifecycle.resend()
        assert [batch for batch in server.names()[4:] if "LensBad" in batch] == []
        assert ["LensA", "LensC"] in server.names()[4:]
        assert line.telemetry.value("lens_alerts_failed_total", alertmanager=server.url) == failures
        assert line.telemetry.value("lens_alerts_refused_total", alertmanager=server.url) == 1
        refusals = [event for event in line.events.query(kind="alert.delivery_failed") if "400" in event.data["error"]]
        assert len(refusals) == 1


def test_a_refused_alert_is_tried_again_alone_when_it_changes():
    """New content may be good content; until it is, no other is posted by itself because of it."""
    with timeline() as line:
        server = line.servers[0]
        server.refused = {"LensBad"}
        for name in ("LensBad", "LensGood", "LensToo"):
            line.fire(own(name))
        server.batches.clear()
        with line.lifecycle.batch():
            for name in ("LensBad", "LensGood", "LensToo"):
                line.fire(own(name, summary="93 %"))
        assert server.names() == [["LensGood", "LensToo"], ["LensBad"]]
        server.refused = set()
        line.fire(own("LensBad", summary="better"))
        assert server.names()[2:] == [["LensBad"]]
        assert line.told("alert.delivered")[-1] == ("alert.delivered", server.url, "firing")


def test_a_clock_set_back_does_not_silence_an_alert():
    """Records from the future are due now, and endsAt never lies before startsAt."""
    with timeline() as line:
        fingerprint = line.fire(own()).alert.fingerprint
        line.time.now = NOON - 5000
        line.lifecycle.resend()
        sent = line.servers[0].last()
        assert (seconds(sent["startsAt"]), seconds(sent["endsAt"])) == (NOON - 5000, NOON - 5000 + 240)
        line.lifecycle.resolve(fingerprint, NOON - 5000)
        sent = line.servers[0].last()
        assert seconds(sent["startsAt"]) <= seconds(sent["endsAt"]) <= NOON - 5000


def test_an_alert_that_cannot_be_stored_still_pages_once():
    """With a database that refuses to be written, every Alertmanager is told, and the caller hears of the database."""
    with timeline(servers=2) as line:
        with line.database.transaction() as connection:
            alerts_table.drop(connection)
        with pytest.raises(DatabaseError):
            line.fire(own())
        assert [server.last()["labels"]["alertname"] for server in line.servers] == ["LensMemory"] * 2


def test_without_alertmanagers_alerts_are_kept_and_counted():
    """Anomalies stay on the page and in metrics."""
    with timeline(servers=0) as line:
        line.fire(own())
        line.fire(own("LensInvestigation"), origin="investigation", source="9f2c")
        line.lifecycle.resend()
        assert len(line.lifecycle.firing()) == 2
        assert [stored.source for stored in line.lifecycle.firing("investigation")] == ["9f2c"]
        assert line.telemetry.value("lens_alerts_firing", origin="watcher") == 1
        assert line.telemetry.value("lens_alerts_firing", origin="investigation") == 1


def test_annotations_of_an_investigation_outlive_the_watchers_updates():
    """They are merged into what the watcher says, then and later."""
    with timeline() as line:
        fingerprint = line.fire(own(summary="92 %")).alert.fingerprint
        assert line.lifecycle.annotate(fingerprint, {"finding": "open files leak"})
        assert line.servers[0].last()["annotations"] == {"summary": "92 %", "finding": "open files leak"}
        updated = line.fire(own(summary="95 %"))
        assert updated.alert.annotations == {"summary": "95 %", "finding": "open files leak"}
        assert line.servers[0].last()["annotations"] == {"summary": "95 %", "finding": "open files leak"}
        assert line.lifecycle.find(fingerprint).alert.annotations["finding"] == "open files leak"


def test_only_own_firing_alerts_of_watchers_are_annotated():
    """Nobody else's alert is re-posted, no companion is explained by itself, nothing dead is brought back."""
    with timeline() as line:
        companion = line.fire(own("LensInvestigation"), origin="investigation").alert.fingerprint
        over = line.fire(own()).alert.fingerprint
        line.lifecycle.resolve(over, NOON)
        posted = len(line.servers[0].posted)
        for fingerprint in ("0123456789abcdef", companion, over):
            assert not line.lifecycle.annotate(fingerprint, {"finding": "x"})
        assert len(line.servers[0].posted) == posted


def test_an_alert_whose_labels_had_to_be_cleaned_is_found_under_both_fingerprints():
    """The watcher that fired it can resolve it by the fingerprint it knows."""
    with timeline() as line:
        alert = own()
        alert = type(alert)({**alert.labels, "pod.name": "x", "empty": ""}, alert.annotations, alert.starts_at)
        stored = line.fire(alert)
        assert stored.alert.labels["pod_name"] == "x"
        assert stored.alert.fingerprint != alert.fingerprint
        line.lifecycle.resolve(alert.fingerprint, NOON)
        assert line.lifecycle.firing() == []


def test_one_that_hangs_keeps_nobody_waiting():
    """Who fires is free again while the post hangs; until it has ended the others are told and this one is not asked again."""
    with timeline(servers=2, patience=0.05) as line:
        hanging, other = line.servers
        hanging.failing = Reply(hang=True)
        line.fire(own())
        until(lambda: hanging.requests and line.told("alert.delivered") == [("alert.delivered", other.url, "firing")])
        line.fire(own("LensDisk"))
        until(lambda: line.lifecycle.resend() or other.names() == [["LensMemory"], ["LensDisk"]])
        assert len(hanging.requests) == 1
        assert line.count("alert.delivery_failed") == 0
        hanging.close()
        until(lambda: line.count("alert.delivery_failed"))


def test_a_batch_stores_at_once_and_posts_together():
    """Inside, each alert is stored and nobody is told; at the end all travel in few posts, the ended one as ended."""
    with timeline() as line:
        server = line.servers[0]
        with line.lifecycle.batch():
            for number in range(70):
                line.fire(own(f"Lens{number:03d}"))
            line.lifecycle.resolve(own("Lens003").fingerprint, NOON)
            assert len(line.lifecycle.firing()) == 69
            assert server.posted == []
        assert [len(batch) for batch in server.batches] == [64, 6]
        assert [post["labels"]["alertname"] for post in server.posted if seconds(post["endsAt"]) == NOON] == ["Lens003"]
        line.fire(own("LensLater"))
        assert server.names()[-1] == ["LensLater"]


def test_an_interrupted_batch_is_delivered_all_the_same():
    """What was stored before the trouble goes out."""
    with timeline() as line:
        with suppress(ZeroDivisionError), line.lifecycle.batch():
            line.fire(own())
            raise ZeroDivisionError
        assert len(line.servers[0].posted) == 1


def test_a_thousand_updates_take_a_moment():
    """The cost of an update does not grow with the number of alerts: it was 40 s for a thousand, each reading all of them."""
    with timeline() as line:
        for round_ in range(2):
            before, asked = time.process_time(), _statements(line.database)
            with line.lifecycle.batch():
                for number in range(1000):
                    line.fire(own(f"Lens{number:04d}", summary=f"{round_} % full"))
            spent = time.process_time() - before
        assert len(line.servers[0].batches) == 32
        assert sum("alert_deliveries" in statement for statement in asked) < 50
        assert spent < 15


def _statements(database):
    asked = []

    @sa.event.listens_for(database.engine, "before_cursor_execute")
    def _(_connection, _cursor, statement, *_rest):
        asked.append(statement)

    return asked


class _FullDisk:
    """Makes every write fail while it is full, or those to one table."""

    def __init__(self, database, table=""):
        self.full, self.table = False, table
        sa.event.listen(database.engine, "before_cursor_execute", self._break)

    def _break(self, _connection, _cursor, statement, *_rest):
        if self.full and statement.startswith(("INSERT", "UPDATE", "DELETE")) and self.table in statement:
            raise sa.exc.OperationalError(statement, {}, Exception("database or disk is full"))


def test_a_full_disk_ends_no_alert():
    """Each goes out every interval, not the first batch each pass; the trouble is told, and recorded is what was kept in mind."""
    with timeline() as line:
        server, disk = line.servers[0], _FullDisk(line.database)
        with line.lifecycle.batch():
            for number in range(150):
                line.fire(own(f"Lens{number:03d}"))
        for minute in (1, 2):
            disk.full = True
            server.batches.clear()
            line.time.now = NOON + minute * 60
            for _ in range(2):  # all of them in the first pass, nothing in the second
                with pytest.raises(DatabaseError):
                    line.lifecycle.resend()
                assert [len(batch) for batch in server.batches] == [64, 64, 22]
        disk.full = False
        line.time.now = NOON + 180
        line.lifecycle.resend()
        (told,) = line.lifecycle.deliveries(own("Lens149").fingerprint)
        assert (told.accepted_at, told.first_at) == (NOON + 180, NOON)


def test_what_could_not_be_recorded_of_an_alert_says_nothing_of_the_next_one_of_its_name():
    """That one is told for the first time."""
    with timeline() as line:
        disk = _FullDisk(line.database, "alert_deliveries")
        line.fire(own())
        disk.full = True
        with pytest.raises(DatabaseError):
            line.lifecycle.resolve(own().fingerprint, NOON)
        disk.full = False
        line.time.now = NOON + 500
        line.fire(own(starts_at=NOON + 490))
        assert [told.first_at for told in line.lifecycle.deliveries(own().fingerprint)] == [NOON + 500]


def test_alerts_that_cannot_be_stored_travel_together():
    """A thousand updates on a full disk are sixteen posts to each Alertmanager, not a thousand."""
    with timeline() as line:
        disk = _FullDisk(line.database)
        disk.full = True
        with line.lifecycle.batch():
            for number in range(70):
                with pytest.raises(DatabaseError):
                    line.fire(own(f"Lens{number:03d}"))
        assert [len(batch) for batch in line.servers[0].batches] == [64, 6]


def _after_a_week(line):
    """An alert and its companion fire, then nobody runs for a week. Gives the alert's fingerprint."""
    fingerprint = line.fire(own()).alert.fingerprint
    line.fire(own("LensInvestigation"), origin="investigation", source=fingerprint)
    line.servers[0].batches.clear()
    line.time.now = NOON + 7 * 86_400
    line.restart()
    line.lifecycle.resend()
    assert line.servers[0].posted == []
    return fingerprint


def test_old_news_wait_for_their_watcher():
    """After a week's stop nobody is paged for what its watcher finds to be over."""
    with timeline() as line:
        fingerprint = _after_a_week(line)
        line.lifecycle.resolve(fingerprint, line.time.now)
        assert [seconds(post["endsAt"]) for post in line.servers[0].posted] == [line.time.now]


def test_what_its_watcher_still_sees_goes_out_at_once_and_its_companion_follows():
    """An unchanged alert too."""
    with timeline() as line:
        _after_a_week(line)
        line.fire(own())
        assert line.servers[0].names() == [["LensMemory"]]
        line.lifecycle.resend()
        assert line.servers[0].names() == [["LensMemory"], ["LensInvestigation"]]


def test_nobody_waits_for_a_watcher_for_ever():
    """Ten minutes after the start both go out."""
    with timeline() as line:
        _after_a_week(line)
        line.time.now += 600
        line.lifecycle.resend()
        assert line.servers[0].names() == [["LensMemory", "LensInvestigation"]]


def test_a_short_stop_holds_nothing_back():
    """Within the reach of endsAt Alertmanager still has the alert: it must not lapse."""
    with timeline() as line:
        line.fire(own())
        line.time.now = NOON + 200
        line.restart()
        line.lifecycle.resend()
        assert len(line.servers[0].posted) == 2
