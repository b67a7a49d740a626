"""A watcher's alerts, on a timeline in minutes after noon."""

import pytest

from lens_exporter.baseline.underway import Underway
from lens_exporter.errors import DatabaseError, IntakeFull, QueryError, Unreachable
from lens_exporter.model.decision import Departure
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.watch.cooldown import Admitted, Suppressed
from tests.servers.fake_alertmanager import seconds
from tests.unit.publish.timeline import NOON
from tests.unit.watch.site import API, MEMORY, MINUTE, asked, quiet, site

NAN = float("nan")
DOWN = Unreachable(service="prometheus", url="http://localhost:9090", reason="connection refused")


def step(begin: float, level: float = 0.8, end: float = 1e9):
    """Quiet, but at `level` from one minute to another."""
    return lambda minute: level if begin <= minute < end else quiet(minute)


def leak(begin: float, per_minute: float, end: float = 1e9):
    return lambda minute: min(1.0, 0.42 + per_minute * (minute - begin)) if begin <= minute < end else quiet(minute)


def test_a_leak_is_one_alert_and_not_two():
    """Normal until 12:02, leaking from then on: one alert between 12:04 and 12:06, updated and never fired again."""
    with site() as here:
        here.story.tell(MEMORY.name, leak(2, 0.04))
        here.every_minute(0, 3)
        assert here.firing == []
        here.every_minute(4, 6)
        (alert,) = here.firing
        assert alert.labels == {
            "alertname": "LensMemory",
            "severity": "warning",
            "watcher": "python",
            "category": "memory",
            **API,
        }
        assert NOON + 2 * MINUTE <= alert.starts_at <= NOON + 4 * MINUTE
        here.every_minute(7, 10)
        assert [one.fingerprint for one in here.firing] == [alert.fingerprint]
        assert len(here.events("anomaly.detected")) == len(here.announced) == 1
        assert here.firing[0].annotations["summary"] != alert.annotations["summary"]
        assert here.firing[0].starts_at == alert.starts_at
        assert here.announced[0][0].fingerprint == alert.fingerprint


def test_the_first_post_carries_the_evidence():
    """Summary, description, the narrowed query and the story are in what Alertmanager gets first."""
    files = BaselineMetric("open_files", "lens_files{$selector}", words="open files")
    with site(MEMORY, files, external_url="https://lens.example", runbook_url="https://runbooks.example/#memory") as here:
        here.story.tell(MEMORY.name, step(5))
        here.story.tell("open_files", lambda minute: 1480.0 if minute >= 4 else 61.0)
        here.every_minute(5, 6)
        posted = next(one for one in here.line.servers[0].posted if one["labels"]["category"] == "memory")
        (anomaly,) = [event for event in here.events("anomaly.detected") if event["anomaly_type"] == "memory_high"]
    told = posted["annotations"]
    assert told["summary"] == "api-7 uses 80 % of its memory; 38 to 46 % is normal"
    assert "Above its band for 2 readings, since 12:05 UTC." in told["description"]
    assert "Moved with it: open files (61 -> 1,480, first at 12:04)." in told["description"]
    assert told["lens_query"] == 'lens_memory{instance="api-7:9000",job="api"}'
    assert told["lens_story"].startswith("https://lens.example/anomalies/01JD0")
    assert told["runbook_url"] == "https://runbooks.example/#memory"
    assert seconds(posted["startsAt"]) == NOON + 5 * MINUTE
    assert [one["metric"] for one in anomaly["evidence"]] == ["memory_utilization", "open_files"]


def test_it_is_over_after_three_normal_readings_and_resolved_once():
    """Normal from 12:10: at 12:11 it still fires, at 12:12 it is over, and the resolved post says why."""
    with site() as here:
        here.story.tell(MEMORY.name, step(5, end=10))
        here.every_minute(5, 11)
        assert len(here.firing) == 1
        here.at(12)
        assert here.firing == []
        (over,) = here.events("anomaly.over")
        assert (over["reason"], over["category"], over["target"], over["seconds"]) == ("normal", "memory", API, 7 * MINUTE)
        resolved = here.line.servers[0].last()
        assert seconds(resolved["endsAt"]) == NOON + 12 * MINUTE
        assert "Over at 12:12 UTC after 7 min: its last readings are inside the band." in resolved["annotations"]["description"]
        here.every_minute(13, 15)
        assert len(here.events("alert.resolved")) == 1
        assert [(alert.name, alert.ends_at) for alert in here.ended] == [("LensMemory", NOON + 12 * MINUTE)]


def test_one_normal_reading_in_between_does_not_end_it():
    """Two normal readings, then outside again: the same alert all along."""
    with site() as here:
        here.story.tell(MEMORY.name, lambda m: 0.8 if m >= 5 and m not in {8, 9} else quiet(m))
        here.every_minute(5, 14)
        assert len(here.firing) == 1
        assert len(here.events("alert.fired")) == 1
        assert here.events("anomaly.over") == []


def test_a_flapping_series_is_held_back_by_the_cooldown():
    """Admitted at 12:06 for half an hour, over at 12:09, back at 12:12: suppressed until 12:35, told again at 12:36."""
    with site(cooldown_minutes=30.0) as here:
        here.story.tell(MEMORY.name, lambda m: 0.8 if 5 <= m < 7 or m >= 10 else quiet(m))
        (fate,) = here.every_minute(5, 6)[-1].fates.values()
        assert fate == Admitted(NOON + 36 * MINUTE)
        here.every_minute(7, 9)
        assert here.firing == []
        here.every_minute(10, 11)
        noted = here.notes.read("python")
        ticks = here.every_minute(12, 35)
        assert [fate for tick in ticks for fate in tick.fates.values()] == [Suppressed(NOON + 36 * MINUTE)] * 24
        assert here.firing == []
        assert here.metric("lens_anomalies_suppressed_total", category="memory") == 24
        assert len(here.events("anomaly.suppressed")) == 24
        kept = here.notes.read("python")
        assert noted is not None
        assert kept is not None
        assert kept.text == noted.text != ""
        here.at(36)
        assert len(here.firing) == 1
        assert len(here.announced) == 2


def test_a_rising_anomaly_is_replaced_by_a_critical_one_of_the_same_story():
    """A warning at 12:06; beyond 97 % for three readings it becomes critical: same correlation, same start, one alert."""
    with site() as here:
        here.story.tell(MEMORY.name, lambda m: 0.98 if m >= 8 else 0.8 if m >= 5 else quiet(m))
        here.every_minute(5, 7)
        (warning,) = here.firing
        here.every_minute(8, 10)
        (critical,) = here.firing
        assert (warning.labels["severity"], critical.labels["severity"]) == ("warning", "critical")
        assert critical.starts_at == warning.starts_at
        (first, one), (second, two) = here.announced
        assert one == two
        assert (first.fingerprint, second.fingerprint) == (warning.fingerprint, critical.fingerprint)
        stored = here.line.lifecycle.find(warning.fingerprint)
        assert stored is not None
        assert stored.alert.ends_at == NOON + 10 * MINUTE
        assert [alert.fingerprint for alert in here.ended] == [warning.fingerprint]
        assert here.events("anomaly.over") == []
        here.story.tell(MEMORY.name, lambda m: 0.8 if m >= 11 else 0.98 if m >= 8 else quiet(m))
        here.every_minute(11, 14)
        assert [alert.labels["severity"] for alert in here.firing] == ["critical"]


def test_a_crash_between_critical_and_warning_leaves_the_critical_one():
    """Two alerts of one anomaly found after a restart: the severe one stays, the other is resolved."""
    with site() as here:
        here.story.tell(MEMORY.name, step(5, level=0.8))
        here.every_minute(5, 7)
        (warning,) = here.firing
        critical = type(warning)({**warning.labels, "severity": "critical"}, warning.annotations, warning.starts_at)
        here.line.lifecycle.fire(critical, correlation=here.announced[0][1], origin="watcher")
        here.restart()
        here.at(8)
        assert [alert.labels["severity"] for alert in here.firing] == ["critical"]


def test_a_restart_during_an_anomaly_neither_fires_again_nor_forgets_it():
    """The new process finds the alert in the database, updates it, and ends it."""
    with site() as here:
        here.story.tell(MEMORY.name, step(5, end=12))
        here.every_minute(5, 7)
        (before,) = here.firing
        here.restart()
        here.every_minute(8, 10)
        assert [alert.fingerprint for alert in here.firing] == [before.fingerprint]
        assert len(here.events("alert.fired")) == 1
        here.restart()
        here.every_minute(11, 14)
        assert here.firing == []


def test_each_look_is_told_what_is_open_and_what_half_an_hour_has_told_of_it():
    """A jump has nothing that goes on at less; of what a restart has left nobody knows."""
    with site() as here:
        here.story.tell(MEMORY.name, step(5))
        jumped = asked(here)
        here.every_minute(5, 8)
        assert jumped[-1] == (Underway("memory", API, ()),)
        beside = Departure(MEMORY.name, API, 1)
        lasts = asked(here, beside)
        here.every_minute(9, 10)
        assert lasts[-1] == (Underway("memory", API, (beside,)),)
        here.restart()
        unknown = asked(here)
        here.every_minute(11, 12)
        assert unknown[-1] == (Underway("memory", API, None),)


def test_a_recovery_while_we_were_down_is_over_after_three_ticks():
    """Thirty minutes away, normal for twenty of them: what was told of may be inside its band all the time, so three say so."""
    with site() as here:
        here.story.tell(MEMORY.name, step(5, end=10))
        here.every_minute(5, 7)
        here.restart()
        here.every_minute(30, 31)
        assert len(here.firing) == 1
        here.at(32)
        assert here.firing == []


def test_nothing_is_resolved_because_prometheus_is_down():
    """Failed ticks for half an hour keep alert, notes and memory; afterwards all goes on."""
    with site() as here:
        here.story.tell(MEMORY.name, step(5))
        here.at(5)
        notes = here.notes.read("python")
        here.every_minute(6, 7)
        here.story.fails = DOWN
        ticks = here.every_minute(8, 38)
        assert all(tick.failures == (DOWN,) for tick in ticks)
        assert len(here.firing) == 1
        kept = here.notes.read("python")
        assert notes is not None
        assert kept is not None
        assert kept.text == notes.text
        assert here.metric("lens_ticks_failed_total") == 31
        assert len(here.events("watcher.failed")) == 1
        assert "connection refused" in here.events("watcher.failed")[0]["error"]
        here.story.fails = None
        here.story.tell(MEMORY.name, lambda m: NAN if 7 < m < 39 else 0.8 if m >= 5 else quiet(m))
        here.every_minute(38, 42)
        assert here.events("watcher.recovered") == [{"seconds": 1800.0, "ticks": 31}]
        assert len(here.firing) == 1
        assert here.metric("lens_watcher_last_run_timestamp_seconds") == NOON + 42 * MINUTE


def test_an_alert_of_series_that_are_gone_is_over_after_five_minutes():
    """The pod was deleted at 12:08: it fires until 12:13, then is resolved and says that its series are gone."""
    with site() as here:
        here.story.tell(MEMORY.name, lambda m: NAN if m >= 8 else 0.8 if m >= 5 else quiet(m))
        here.every_minute(5, 12)
        assert len(here.firing) == 1
        here.at(13)
        assert here.firing == []
        assert here.events("anomaly.over")[0]["reason"] == "missing"
        assert "its series have no values any more" in here.line.servers[0].last()["annotations"]["description"]


def test_absence_counts_anew_after_a_failed_tick():
    """Missing for three minutes, Prometheus away for ten, missing again: nobody knows what was in between, so it goes on."""
    with site() as here:
        here.story.tell(MEMORY.name, lambda m: NAN if m >= 8 else 0.8 if m >= 5 else quiet(m))
        here.every_minute(5, 10)
        here.story.fails = DOWN
        here.every_minute(11, 20)
        here.story.fails = None
        here.every_minute(21, 25)
        assert len(here.firing) == 1
        here.at(26)
        assert here.firing == []


def test_a_server_that_warns_is_given_an_hour_before_series_count_as_gone():
    """A partial answer is no proof of absence."""
    with site() as here:
        here.story.tell(MEMORY.name, step(5))
        here.every_minute(5, 7)
        here.story.series.clear()
        here.story.warnings = ("partial response",)
        here.every_minute(8, 60)
        assert len(here.firing) == 1
        here.at(70)
        assert here.firing == []


def test_a_warning_is_told_once_for_as_long_as_it_is_the_same():
    """A server that warns at every look says it in one event; another warning, and one that comes back, is told anew."""
    with site() as here:
        for minute, said in enumerate((("partial",), ("partial",), ("partial", "slow"), (), ("partial",), ("partial",))):
            here.story.warnings = said
            here.at(minute)
        told = [event["warnings"] for event in here.events("watcher.warned")]
        assert told == [
            ["memory_utilization: partial"],
            ["memory_utilization: partial", "memory_utilization: slow"],
            ["memory_utilization: partial"],
        ]


def test_a_query_that_fails_costs_its_own_metric_only():
    """The other metric is judged and alerted on, the tick counts as failed, and alerts of the unread category stay."""
    other = BaselineMetric("threads", "threads{")
    bad = QueryError(kind="bad_data", reason="parse error", query="threads{")
    with site(MEMORY, other) as here:
        here.story.tell("threads", lambda m: 190.0 if m >= 5 else 18.0)
        here.every_minute(5, 6)
        assert [alert.labels["category"] for alert in here.firing] == ["threads"]
        here.story.fails_for["threads"] = bad
        here.story.tell(MEMORY.name, step(7))
        ticks = here.every_minute(7, 30)
        assert {alert.labels["category"] for alert in here.firing} == {"threads", "memory"}
        assert all(tick.failures == (bad,) for tick in ticks)
        assert here.metric("lens_watcher_last_run_timestamp_seconds") == NOON + 6 * MINUTE


def test_an_intake_that_is_full_does_not_keep_the_alert_from_going_out():
    """The alert is stored and posted; the tick is a failed one, and the webhook will bring the alert to the intake."""
    with site() as here:
        here.refuses = IntakeFull(depth=1000, limit=1000)
        here.story.tell(MEMORY.name, step(5))
        ticks = here.every_minute(5, 6)
        assert ticks[-1].failures == (here.refuses,)
        assert len(here.firing) == 1
        assert here.line.servers[0].posted


@pytest.mark.parametrize(("level", "severity"), [(0.8, "warning"), (0.98, "critical")])
def test_an_announcement_that_failed_is_made_up_for(level, severity):
    """Whether the database was away or the process was killed between the two: the next tick announces what fires."""
    with site() as here:
        here.refuses = DatabaseError(url="sqlite://", reason="locked")
        here.story.tell(MEMORY.name, step(5, level))
        here.every_minute(5, 7)
        (alert,) = here.firing
        assert (alert.labels["severity"], here.announced) == (severity, [])
        here.refuses = None
        here.restart()
        here.at(8)
        ((announced, correlation),) = here.announced
        assert (announced.fingerprint, announced.starts_at) == (alert.fingerprint, alert.starts_at)
        assert here.line.lifecycle.find(alert.fingerprint).correlation == correlation


def test_a_database_that_is_away_does_not_keep_the_alert_from_going_out():
    """With nothing to remember by, every tick posts the anomaly; nothing else is invented."""
    with site() as here:
        here.story.tell(MEMORY.name, step(5))
        here.at(4)
        here.line.database.close()
        broken = here.line.database.engine.url.database
        assert broken
        with here.line.database.engine.connect() as connection:
            for table in ("alerts", "cooldowns", "events", "watcher_notes", "alert_deliveries"):
                connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO gone_{table}")
            connection.commit()
        ticks = here.every_minute(6, 7)
        assert all(isinstance(failure, DatabaseError) for tick in ticks for failure in tick.failures)
        assert all(tick.failures for tick in ticks)
        posted = {alert["labels"]["alertname"] for alert in here.line.servers[0].posted}
        assert posted == {"LensMemory"}


def test_every_target_has_its_own_alert_and_cooldown():
    """Two instances leak: two alerts, two stories."""
    other = {"instance": "api-8:9000", "job": "api"}
    with site() as here:
        here.story.tell(MEMORY.name, step(5))
        here.story.tell(MEMORY.name, step(7), other)
        here.every_minute(5, 8)
        assert sorted(alert.labels["instance"] for alert in here.firing) == ["api-7:9000", "api-8:9000"]
        assert len({correlation for _alert, correlation in here.announced}) == 2


def test_alerts_of_other_watchers_are_left_alone():
    """A watcher ends what is its own."""
    with site() as here:
        here.story.tell(MEMORY.name, step(5))
        here.every_minute(5, 6)
        (mine,) = here.firing
        foreign = type(mine)({**mine.labels, "watcher": "host"}, mine.annotations, mine.starts_at)
        here.line.lifecycle.fire(foreign, correlation="01JE0000000000000000000000", origin="watcher")
        here.story.tell(MEMORY.name, step(5, end=7))
        here.every_minute(7, 30)
        assert [alert.labels["watcher"] for alert in here.firing] == ["host"]


def test_a_level_shift_alerts_once_and_is_learnt_at_half_of_the_window():
    """A window of an hour: the new level is an anomaly for half an hour, then normal, and never told again."""
    with site() as here:
        here.story.tell(MEMORY.name, step(5))
        here.every_minute(5, 30)
        assert len(here.firing) == 1
        here.every_minute(31, 60)
        assert here.firing == []
        assert len(here.events("alert.fired")) == 1


def test_one_spike_wakes_nobody_and_is_noted():
    """A single reading at 99 % is a note and no alert."""
    with site() as here:
        here.story.tell(MEMORY.name, lambda m: 0.99 if m == 5 else quiet(m))
        ticks = here.every_minute(4, 8)
        assert [tick.intents for tick in ticks] == [
            {"healthy": 1},
            {"continue_observing": 1},
            {"healthy": 1},
            {"healthy": 1},
            {"healthy": 1},
        ]
        assert here.events("alert.fired") == []
        noted = here.notes.read("python")
        assert noted is not None
        assert "99 %" in noted.text
        assert noted.looks == 5


def test_a_tick_tells_what_it_did():
    """Counters, gauges, bands and the event of a tick."""
    with site() as here:
        here.at(0, trigger="manual")
        assert here.metric("lens_ticks_total") == 1
        assert here.metric("lens_watcher_series") == 1
        assert here.metric("lens_decisions_total", intent="healthy") == 1
        (decided,) = here.events("watcher.decided")
        assert (decided["series"], decided["intents"], decided["trigger"]) == (1, {"healthy": 1}, "manual")
        assert any(family.samples for family in here.bands.collect())
        here.watcher.close()
        assert not any(family.samples for family in here.bands.collect())
        assert here.metric("lens_watcher_series") is None


def test_the_selector_is_put_into_every_query():
    """Configured matchers replace $selector; none leave the query valid."""
    with site(selector='job="api"') as here:
        here.at(0)
        assert here.story.asked == ['lens_memory{job="api"}']
    with site() as here:
        here.at(0)
        assert here.story.asked == ["lens_memory{}"]


def test_looking_changes_nothing():
    """A look judges, and neither alerts nor stores nor publishes."""
    with site() as here:
        here.story.tell(MEMORY.name, step(5))
        seen = here.watcher.look(NOON + 8 * MINUTE)
        assert [c.decision.intent for c in seen.conclusions] == ["anomaly"]
        assert here.firing == []
        assert here.line.events.query() == []
        assert here.notes.read("python") is None
        here.story.fails = DOWN
        with pytest.raises(Unreachable):
            here.watcher.look(NOON)


def test_notes_and_hours_go_on_after_a_restart():
    """The first look after it gives what was remembered before, counted on from the first one."""
    with site() as here:
        here.story.tell(MEMORY.name, lambda m: 0.8 if m == 10 else quiet(m))
        here.at(10)
        before = here.watcher.notes
        assert before is not None
        assert before.text != ""
        here.restart()
        assert here.watcher.notes is None
        here.at(70)
        after = here.watcher.notes
        assert after is not None
        assert (after.text, after.looks, after.hours) == (before.text, 2, 1.0)
