"""What is declared to be expected is not told, on a timeline in minutes after noon."""

import pytest

from lens_exporter.model.matcher import Matcher
from tests.servers.fake_alertmanager import seconds
from tests.unit.baseline.reading_site import LATENCY, confirms, reading, slightly
from tests.unit.publish.timeline import NOON
from tests.unit.watch.declaring import declared
from tests.unit.watch.site import API, MEMORY, MINUTE, quiet, site

COUNTER = "lens_anomalies_expected_total"


def steps(*edges):
    """Quiet, then at each level from its minute on."""

    def course(minute):
        reached = [level for begin, level in edges if minute >= begin]
        return (reached[-1] if reached and reached[-1] is not None else quiet(minute)) if reached else quiet(minute)

    return course


def kinds(here, correlation):
    return [event.type for event in here.line.events.query(correlation=correlation)]


def test_what_is_declared_is_noted_once_and_not_told():
    """Memory at 80 % from 12:05 to 12:20, declared until 12:30: no alert and no cooldown, one event that says who and why."""
    with site() as here:
        here.declared = [declared(**API, end=30)]
        here.story.tell(MEMORY.name, steps((5, 0.8), (20, None)))
        here.every_minute(0, 40)
        assert here.line.servers[0].posted == []
        assert here.events("anomaly.detected") == here.events("alert.fired") == []
        (told,) = here.events("anomaly.expected")
        assert (told["by"], told["comment"], told["until"]) == ("alice", "expected: load test", NOON + 30 * MINUTE)
        assert (told["anomaly_type"], told["severity"], told["target"]) == ("memory_high", "warning", API)
        assert told["declaration"] == here.declared[0].id
        assert here.metric(COUNTER, category="memory") == 1
        assert here.announced == []


def test_what_goes_on_beyond_the_span_is_told_then_and_its_story_goes_on():
    """Declared until 12:10 and still at 80 %: fired at 12:10, under the correlation that noted it at 12:06."""
    with site() as here:
        here.declared = [declared(**API, end=10)]
        here.story.tell(MEMORY.name, steps((5, 0.8)))
        here.every_minute(0, 9)
        assert here.firing == []
        here.at(10)
        ((alert, correlation),) = here.announced
        assert alert.starts_at == NOON + 5 * MINUTE
        assert kinds(here, correlation)[:3] == ["anomaly.expected", "anomaly.detected", "alert.fired"]


def test_an_open_alert_ends_when_it_is_declared():
    """Told at 12:06, declared at 12:10: resolved there with the reason, the words on its last post, and nothing after it."""
    with site() as here:
        here.story.tell(MEMORY.name, steps((5, 0.8)))
        here.every_minute(0, 9)
        ((_, correlation),) = here.announced
        here.declared = [declared(**API, begin=9.5)]
        here.every_minute(10, 30)
        assert here.firing == []
        (over,) = here.events("anomaly.over")
        assert (over["reason"], over["seconds"]) == ("expected", 5 * MINUTE)
        last = here.line.servers[0].last()
        assert seconds(last["endsAt"]) == NOON + 10 * MINUTE
        assert 'alice has declared it to be expected: "expected: load test".' in last["annotations"]["description"]
        assert kinds(here, correlation).count("anomaly.expected") == len(here.events("anomaly.expected")) == 1
        assert [alert.ends_at for alert in here.ended] == [NOON + 10 * MINUTE]
        assert len(here.announced) == 1


def test_an_open_alert_that_is_calm_already_ends_too():
    """Back to normal at 12:10 and declared at 12:11, before the third normal reading: it ends at once."""
    with site() as here:
        here.story.tell(MEMORY.name, steps((5, 0.8), (10, None)))
        here.every_minute(0, 10)
        assert len(here.firing) == 1
        here.declared = [declared(**API)]
        here.at(11)
        assert [event["reason"] for event in here.events("anomaly.over")] == ["expected"]
        assert here.events("anomaly.expected") == []


def test_critical_is_told_whatever_is_declared():
    """Withheld at 80 %, fired as critical at 98 % under the same story; a later warning of it does not end it."""
    with site() as here:
        here.declared = [declared(**API)]
        here.story.tell(MEMORY.name, steps((5, 0.8), (10, 0.98), (20, 0.8)))
        here.every_minute(0, 9)
        assert here.firing == []
        here.every_minute(10, 13)
        (alert,) = here.firing
        assert alert.labels["severity"] == "critical"
        ((_, correlation),) = here.announced
        assert kinds(here, correlation)[0] == "anomaly.expected"
        here.every_minute(14, 25)
        assert [one.fingerprint for one in here.firing] == [alert.fingerprint]


@pytest.mark.parametrize(
    ("matchers", "kept_back"),
    [
        ((Matcher("alertname", "LensMemory"), Matcher("severity", "warning"), Matcher("watcher", "python")), True),
        ((Matcher("instance", "api-[0-9]+:.*", regex=True),), True),
        ((Matcher("job", "web", equal=False), Matcher("category", "memory")), True),
        ((Matcher("device", ""), Matcher("job", "api")), True),
        ((Matcher("severity", "critical"), Matcher("instance", "api-7:9000")), False),
        ((Matcher("watcher", "host"), Matcher("instance", "api-7:9000")), False),
        ((Matcher("alertname", "LensCpu"), Matcher("instance", "api-7:9000")), False),
        ((Matcher("instance", "api-7", regex=True),), False),
        ((Matcher("instance", "api-7.*", regex=True, equal=False),), False),
        ((Matcher("instance", "api-8:9000"),), False),
    ],
    ids=lambda one: ",".join(map(str, one)) if isinstance(one, tuple) else None,
)
def test_a_declaration_speaks_of_the_alerts_it_matches(matchers, kept_back):
    """As Alertmanager would match the alert: equality, anchored expressions, absent labels as empty ones, and no others."""
    with site() as here:
        here.declared = [declared(*matchers)]
        here.story.tell(MEMORY.name, steps((5, 0.8)))
        here.every_minute(0, 8)
        assert (here.firing == []) is kept_back
        assert len(here.events("anomaly.expected")) == kept_back


@pytest.mark.parametrize(("begin", "end"), [(-30, 6), (7, 60)])
def test_outside_its_span_a_declaration_says_nothing(begin, end):
    """At 12:06 one span is just over, the other has not begun: the alert is fired."""
    with site() as here:
        here.declared = [declared(**API, begin=begin, end=end)]
        here.story.tell(MEMORY.name, steps((5, 0.8)))
        here.every_minute(0, 6)
        assert len(here.firing) == 1


def test_a_second_anomaly_is_noted_again():
    """Two incidents inside one span are two events."""
    with site() as here:
        here.declared = [declared(**API)]
        here.story.tell(MEMORY.name, steps((5, 0.6), (10, None), (30, 0.85), (35, None)))
        here.every_minute(0, 40)
        first, second = here.line.events.query(kind="anomaly.expected")
        assert first.correlation != second.correlation
        assert here.metric(COUNTER, category="memory") == 2


def test_no_model_is_asked_about_what_nobody_is_told():
    """A reading is configured, the anomaly is declared: the model hears nothing of it."""
    with reading(confirms()) as (here, model):
        here.declared = [declared(**API)]
        here.story.tell(LATENCY.name, slightly(5, end=15))
        here.every_minute(0, 10)
        assert here.metric(COUNTER, category="latency") == 1
        assert model.asked == []
