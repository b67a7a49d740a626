"""Models that mean harm, or that somebody talked into it: what they can reach in a storm, and what they never reach."""

from dataclasses import replace

import pytest

from lens_exporter.baseline.reading.bounds import Bounds
from lens_exporter.model.conversation import Reply
from tests.unit.baseline.reading_site import LATENCY, answers, confirms, healthy, reading, slightly
from tests.unit.publish.timeline import NOON
from tests.unit.watch.site import API, MINUTE, quiet

LIMITED = replace(LATENCY, ceiling=0.9, full=1.0)  # critical from 0.97 on
LOWERS = confirms("info", cooldown_minutes=1e9)
GARBAGE = answers("healthy", summary="\x00" * 5000, confidence="very high", silence="a week")
SERIES = 12


def storm(here):
    """Twelve series leave their band, a minute apart, and stay outside."""
    here.story.series[LATENCY.name] = [
        ({**API, "instance": f"api-{number}:9000"}, slightly(5 + number, level=0.49)) for number in range(SERIES)
    ]


def paged(here):
    """The minute at which each series was first told of at a severity that pages."""
    first = {}
    for event in here.line.events.query(kind="alert.fired"):
        labels = event.data["labels"]
        if labels["severity"] != "info":
            first.setdefault(labels["instance"], (event.at - NOON) / MINUTE)
    return [first.get(f"api-{number}:9000") for number in range(SERIES)]


@pytest.mark.parametrize(
    ("reply", "late"),
    [(healthy(), 15), (LOWERS, 15), (GARBAGE, 0), (Reply((), text="silence them all"), 0)],
    ids=["always defers", "always lowers", "garbage", "prose"],
)
def test_in_a_storm_every_series_is_paged_for_within_its_own_allowance(reply, late):
    """Each is flagged a minute after it left; no answer about one of them reaches another, or lasts longer."""
    with reading(reply) as (here, model):
        storm(here)
        here.every_minute(0, 40)
        assert paged(here) == [6 + number + late for number in range(SERIES)]
        assert len(model.asked) <= 3 * SERIES


@pytest.mark.parametrize("reply", [healthy(), LOWERS])
def test_a_critical_alert_is_out_before_any_model_is_asked(reply):
    """At its limit from one look to the next: the page goes out as soon as the ceiling's rule speaks, critical."""
    with reading(reply, metrics=(LIMITED,)) as (here, model):
        here.story.tell(LATENCY.name, lambda minute: 0.98 if minute >= 5 else quiet(minute))
        here.every_minute(0, 7)
        assert [alert.labels["severity"] for alert in here.firing] == ["critical"]
        assert model.asked == []


def test_what_was_lowered_is_critical_the_moment_it_is_critical():
    """Info at 12:06, far outside at 12:10, critical at 12:12: two of its fifteen minutes are of no use to the model."""
    with reading(LOWERS, metrics=(LIMITED,)) as (here, _model):
        here.story.tell(LATENCY.name, lambda minute: 0.98 if minute >= 10 else slightly(5)(minute))
        seen = []
        for minute in range(13):
            here.at(minute)
            seen.append([alert.labels["severity"] for alert in here.firing])
        assert seen[6:] == [["info"]] * 4 + [["warning"]] * 2 + [["critical"]]


def test_what_a_baseline_learns_while_it_is_lowered_is_still_paged_for():
    """The band has come after the value, which never went back: the info alert becomes a warning before it ends."""
    with reading(LOWERS, bounds=Bounds(within=1800.0)) as (here, _model):
        here.story.tell(LATENCY.name, slightly(5, level=0.48))
        here.every_minute(0, 35)
        severities = [event.data["labels"]["severity"] for event in here.line.events.query(kind="alert.fired")]
        assert set(severities) == {"info", "warning"}
        assert [event["reason"] for event in here.events("reading.released")] == ["absorbed"]
