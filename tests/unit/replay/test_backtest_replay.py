"""A watcher ticked through its past: what it would have said, and when."""

import numpy as np
import pytest

from lens_exporter.baseline.bands import BandCollector
from lens_exporter.baseline.baselines import Baselines
from lens_exporter.baseline.expected import Declaration, DeclarationSource, none_declared
from lens_exporter.config.secrets import Secrets
from lens_exporter.config.settings import Config
from lens_exporter.errors import QueryError, Unreachable
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.matcher import Matcher
from lens_exporter.publish.lifecycle import AlertLifecycle
from lens_exporter.replay.replay import replay
from lens_exporter.replay.span import Span, moments
from lens_exporter.wiring.ground import Ground
from lens_exporter.wiring.watching import learning, watcher
from tests.unit.baseline.past import Past

STEP = 300.0
HOUR = 3600.0
BEGIN = 1_795_132_800.0  # 2026-11-20T00:00:00Z
ROWS = 120 * 12  # five days
API = {"instance": "api-7:9000", "job": "api"}


def config(**options):
    metrics = {"latency": {"query": "latency", "direction": "up"}, "errors": {"query": "errors", "direction": "up"}}
    entry = {"name": "api", "lens": "promql", "schedule": "*/5 * * * *", "window": "4d", "step": "5m", "metrics": metrics}
    entry |= options
    return Config.model_validate({"watchers": [entry]})


def past(**options):
    """Five days of two metrics; latency leaves its round for an hour at 110:00, and again at 113:00."""
    row = np.arange(ROWS)
    rng = np.random.default_rng(7)
    latency = 0.1 + 0.01 * np.sin(2 * np.pi * row / 288) + rng.normal(0, 0.002, ROWS)
    latency[110 * 12 : 111 * 12] = 0.9
    latency[113 * 12 : 114 * 12] = 1.4
    errors = rng.poisson(3.0, ROWS).astype(float)
    return Past(BEGIN, STEP, {"latency": (API,), "errors": (API,)}, {"latency": latency[None], "errors": errors[None]}, **options)


SPAN = Span(BEGIN + 109 * HOUR, BEGIN + 115 * HOUR)


@pytest.fixture
def database():
    kept = Database("sqlite://")
    kept.migrate()
    yield kept
    kept.close()


def replayed(database, source, span=SPAN, seen=lambda _tick: None, declared=none_declared, **options):
    settings = config(**options)
    return replay(settings.watchers[0], settings, database, source, span, max_series=1000, seen=seen, declared=declared)


def lived(database, source, span=SPAN, declared=none_declared, **options):
    """What the live watcher would have kept: its alerts as stored, ticked at the same moments over the same history."""
    settings = config(**options)
    now = [span.begin]
    telemetry = Telemetry()
    events = Events(database, telemetry, clock=lambda: now[0])
    lifecycle = AlertLifecycle(database, (), events=events, telemetry=telemetry, clock=lambda: now[0])
    live = watcher(
        settings.watchers[0],
        settings,
        Ground(database, events, telemetry, Secrets({}), lambda: now[0]),
        histories={"": source},
        lifecycle=lifecycle,
        announce=lambda _alert, _correlation: None,
        over=lambda _alert: None,
        bands=BandCollector(),
        declared=declared,
    )
    for now[0] in moments(settings.watchers[0].schedule, span):
        assert not live.tick(now[0]).failures
    fired = [(event.at, event.data["labels"]) for event in events.query(kind="alert.fired")]
    over = [event.at for event in events.query(kind="alert.resolved")]
    return fired, over


def test_the_alerts_are_those_of_live_ticks_whatever_the_blocks(database):
    """Fetched ahead in blocks of any size: the same alerts with the same labels at the same moments as tick by tick."""
    live = Database("sqlite://")
    live.migrate()
    fired, over = lived(live, past())
    live.close()
    assert len(fired) == 2
    for block in (97, 11_000):
        found = replayed(database, past(block=block))
        assert [(one.began, one.labels) for one in found.alerts] == fired
        assert [one.ended for one in found.alerts] == over
        with database.transaction() as connection:
            for table in ("alerts", "cooldowns", "watcher_notes"):
                connection.exec_driver_sql(f"DELETE FROM {table}")


def test_what_a_replay_tells(database):
    """How many ticks, since when there is history, what was judged, what each alert is about."""
    ticks = []
    found = replayed(database, past(), seen=ticks.append)
    assert (found.ticks, found.judged, found.failed, len(ticks)) == (73, 73, 0, 73)
    assert [tick.at for tick in ticks] == [SPAN.begin + STEP * tick for tick in range(73)]
    assert found.learnt_from == Baselines((), learning(config().watchers[0])).due(SPAN.begin).first > BEGIN
    assert sorted(metric for metric, _labels in found.series) == ["errors", "latency"]
    first, second = found.alerts
    assert (first.name, first.metric, first.series, first.group) == ("LensLatency", "latency", API, API)
    assert BEGIN + 110 * HOUR == first.since < first.began <= first.since + 3 * STEP
    assert first.reason == "normal"
    assert second.began > first.ended


def test_a_cooldown_keeps_what_comes_back_too_soon(database):
    """With a cooldown of six hours the second departure is no alert; it is told as one thing that was kept back."""
    found = replayed(database, past(), cooldown={"default": "6h", "maximum": "6h"})
    assert len(found.alerts) == 1
    (kept,) = found.suppressed
    assert BEGIN + 113 * HOUR < kept.at <= BEGIN + 113 * HOUR + 3 * STEP
    assert kept.until == found.alerts[0].began + 6 * HOUR
    assert kept.times > 1


def test_what_is_declared_is_kept_back_as_it_is_live(database):
    """The first departure is expected, so it is noted once and no alert; the second is the live watcher's alert."""
    one = Declaration(
        "d1", DeclarationSource.API, (Matcher("watcher", "api"),), BEGIN + 110 * HOUR, BEGIN + 112 * HOUR, "ann", "upgrade"
    )
    live = Database("sqlite://")
    live.migrate()
    fired, over = lived(live, past(), declared=lambda: (one,))
    live.close()
    found = replayed(database, past(), declared=lambda: (one,))
    assert [(alert.began, alert.labels) for alert in found.alerts] == fired
    assert [alert.ended for alert in found.alerts] == over
    assert len(fired) == 1
    (kept,) = found.expected
    assert (kept.anomaly_type, kept.target, kept.declaration) == ("latency_high", API, "d1")
    assert BEGIN + 110 * HOUR < kept.at <= BEGIN + 110 * HOUR + 3 * STEP


def test_fewer_ticks_find_the_same_later(database):
    """Every quarter of an hour: the same two alerts, each less than that later than it began tick by tick."""
    all_of_them = replayed(database, past()).alerts
    other = Database("sqlite://")
    other.migrate()
    found = replayed(other, past(), Span(SPAN.begin, SPAN.end, every=900.0))
    other.close()
    assert found.ticks == 25
    assert len(found.alerts) == 2
    assert all(0 <= few.began - many.began < 900 for few, many in zip(found.alerts, all_of_them, strict=True))


class Ailing(Past):
    failing = None

    def rows(self, metric, start, end, *, step):
        if metric.name in (self.failing or {}):
            raise self.failing[metric.name]
        return super().rows(metric, start, end, step=step)


def ailing(**failing):
    whole = past()
    source = Ailing(whole.begins, whole.step, whole.labels, whole.values)
    source.failing = failing
    return source


def test_a_query_that_is_wrong_costs_its_own_metric(database):
    """Each tick counts as failed, with the reason; the other metric is judged as ever."""
    wrong = QueryError(kind="bad_data", reason="no such function", query="errors")
    found = replayed(database, ailing(errors=wrong))
    assert (found.failed, found.judged) == (73, 73)
    assert found.errors == {str(wrong): 73}
    assert len(found.alerts) == 2


def test_a_server_that_is_gone_ends_the_replay(database):
    """It says nothing about the past: no tick is made up."""
    gone = Unreachable(service="prometheus", url="http://p", reason="refused")
    gone.fields["retry_after"] = 3600.0  # longer than anybody waits
    with pytest.raises(Unreachable):
        replayed(database, ailing(latency=gone))


def test_a_span_without_data_judges_nothing(database):
    """Ticks are made, no series is there, and no alert."""
    found = replayed(database, past(), Span(BEGIN + 300 * HOUR, BEGIN + 301 * HOUR))
    assert (found.ticks, found.judged, found.series, found.alerts) == (13, 0, (), ())
