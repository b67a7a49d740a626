"""The event store."""

import ast
import logging
import math
import re
from pathlib import Path

import pytest
import structlog

from lens_exporter.foundation.catalogue import EVENTS
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.events import Events, document
from lens_exporter.foundation.telemetry import Telemetry


class Store:
    def __init__(self) -> None:
        self.now = 1000.0
        self.telemetry = Telemetry()
        self.database = Database("sqlite://")
        metadata.create_all(self.database.engine)
        self.events = Events(self.database, self.telemetry, clock=lambda: self.now)


def test_one_correlation_tells_one_story_in_order():
    """Events of the same millisecond keep the order in which they happened."""
    store = Store()
    for number in range(50):
        store.events.append("tool.called", correlation="A", subject="i1", receipt=f"r{number}")
        store.events.append("tool.called", correlation="B", subject="i2", receipt="other")
    told = store.events.query(correlation="A")
    assert [event.data["receipt"] for event in told] == [f"r{number}" for number in range(50)]
    assert document(told[0]) == {
        "id": told[0].id,
        "at": "1970-01-01T00:16:40Z",
        "type": "tool.called",
        "correlation": "A",
        "subject": "i1",
        "data": {"receipt": "r0"},
    }
    assert store.telemetry.value("lens_events_total", type="tool.called") == 100


def test_an_event_that_is_not_in_the_catalogue_is_a_bug():
    """The documentation names every event there is."""
    store = Store()
    with pytest.raises(ValueError, match=r"'made\.up' is not in the catalogue"):
        store.events.append("made.up")
    assert store.events.query() == []


@pytest.mark.parametrize("spec", EVENTS, ids=lambda spec: spec.type)
def test_an_event_carries_what_its_documentation_says_and_nothing_else(spec):
    """Every declared key is taken, and one more is a bug."""
    store = Store()
    store.events.append(spec.type, **dict.fromkeys(spec.data, 1))
    assert store.events.query()[0].data == dict.fromkeys(spec.data, 1)
    with pytest.raises(ValueError, match=f"the catalogue has no made_up for event '{spec.type}'"):
        store.events.append(spec.type, made_up=1)


def test_every_call_in_the_program_fits_the_catalogue():
    """No call names a key that is not declared, and no event is documented that nobody tells of."""
    specs = {spec.type: spec for spec in EVENTS}
    named: set[str] = set()
    wrong: list[str] = []
    for path in (Path(__file__).parents[3] / "lens_exporter").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and path.name != "catalogue.py" and isinstance(node.value, str):
                named.add(node.value)
            match node:
                case ast.Call(args=[ast.Constant(value=str(kind)), *_], keywords=keywords) if kind in specs:
                    keys = {one.arg for one in keywords if one.arg} - {"correlation", "subject", *specs[kind].data}
                    wrong += [f"{path.name}:{node.lineno}: {key}" for key in sorted(keys)]
    assert wrong == []
    assert specs.keys() - named == set()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"x": math.nan}, {"x": None}),
        ({"x": 2**70}, {"x": float(2**70)}),
        ({"x": "\ud800"}, {"x": "?"}),
        ({"\ud800": 1}, {"?": 1}),
        ({"x": {1: {2.5}}}, {"x": {"1": "{2.5}"}}),
        ({"x": "\x00\x1b"}, {"x": "\x00\x1b"}),
    ],
    ids=["nan", "large", "surrogate", "key", "types", "control"],
)
def test_whatever_is_appended_is_stored(given, kept):
    """A hostile or odd value never fails the caller, and comes back as near as JSON allows."""
    store = Store()
    store.events.append("tool.called", arguments=given, subject="a\0b\ud800" + "c" * 300)
    (event,) = store.events.query()
    assert event.data["arguments"] == kept
    assert event.subject == "ab?" + "c" * 252


def line(kind: str, **data: object) -> tuple[str, dict[str, object]]:
    """Append one event, and give the level and the fields of its line in the log."""
    with structlog.testing.capture_logs() as lines:
        Store().events.append(kind, **data)
    (only,) = (dict(one) for one in lines)
    assert only.pop("event") == kind
    return only.pop("log_level"), only


@pytest.mark.parametrize(
    ("level", "kinds"),
    [
        ("debug", ["watcher.decided", "tool.called", "investigation.duplicate", "breaker.half_opened"]),
        ("info", ["service.started", "anomaly.detected", "alert.delivered", "finding.published", "breaker.closed"]),
        ("warning", ["watcher.failed", "alert.delivery_failed", "webhook.refused", "config.rejected", "breaker.opened"]),
        ("warning", ["schedule.skipped", "llm.failed", "llm.skipped", "judge.failed", "finding.publish_failed"]),
        ("error", ["service.child_given_up", "investigation.failed"]),
    ],
)
def test_a_line_has_the_level_of_its_event(level, kinds):
    """At info an idle program is quiet; whatever failed is seen at warn."""
    assert {kind: line(kind)[0] for kind in kinds} == dict.fromkeys(kinds, level)


def test_nothing_that_failed_is_less_than_a_warning():
    """A new event of a failure cannot be forgotten."""
    bad = re.compile("fail|reject|refuse|skip|lost|given_up|opened$")
    assert [spec.type for spec in EVENTS if bad.search(spec.type) and spec.level < logging.WARNING] == ["breaker.half_opened"]


def test_a_line_says_why_however_long_the_reason_is():
    """Long text is cut and not dropped; what is empty is left out, but not a zero."""
    _, said = line("watcher.failed", subject="host", error="x" * 1000, seconds=0.0)
    assert said == {"subject": "host", "error": "x" * 300 + "\u2026", "seconds": 0.0}
    _, said = line("watcher.decided", seconds=0.123456789, series=0, intents={"none": 4}, notes="", trigger="manual")
    assert said == {"seconds": 0.123, "series": 0, "intents": {"none": 4}, "trigger": "manual"}
    _, said = line("alert.fired", correlation="", labels={"a": "b"}, annotations={"description": "x" * 1000}, starts_at=0.5)
    assert said == {"labels": {"a": "b"}, "starts_at": "1970-01-01T00:00:00.500Z"}


def test_a_secret_at_the_cut_is_not_shown_in_half():
    """Secrets are taken out of a long text before it is cut, for half of one is not known for a secret."""
    _, said = line("watcher.failed", error="x" * 280 + " postgresql://lens:hunter2hunter2hunter2@db/lens")
    assert "hunter2" not in str(said["error"])


@pytest.mark.parametrize("moment", ["due", "until", "since", "starts_at", "ends_at", "cooldown_until"])
def test_moments_are_written_to_be_read(moment):
    """RFC 3339 for every time; one that no calendar has stays a number."""
    kind = next(spec.type for spec in EVENTS if moment in spec.data)
    assert line(kind, **{moment: 1_700_000_000})[1] == {moment: "2023-11-14T22:13:20Z"}
    assert line(kind, **{moment: 1e300})[1] == {moment: 1e300}


def test_an_event_that_cannot_be_stored_is_counted_as_lost_and_fails_nobody():
    """Without its table the store still lets its caller go on."""
    store = Store()
    metadata.drop_all(store.database.engine)
    store.events.append("tool.called")
    assert store.telemetry.value("lens_events_lost_total") == 1
    assert store.telemetry.value("lens_events_total", type="tool.called") is None


def test_a_full_disk_is_one_error_in_the_log_and_its_end_another():
    """However many events are lost; each of them has its own line, and the end says how many they were."""
    store = Store()
    metadata.drop_all(store.database.engine)
    with structlog.testing.capture_logs() as lines:
        for store.now in (1000.0, 1010.0, 1020.0):
            store.events.append("tool.called")
        metadata.create_all(store.database.engine)
        store.now = 1030.0
        store.events.append("tool.called")
        store.events.append("tool.called")
    said = [(line["log_level"], line["event"]) for line in lines if line["event"] != "tool.called"]
    assert said == [
        ("error", "event lost"),
        ("debug", "event lost"),
        ("debug", "event lost"),
        ("warning", "events are stored again"),
    ]
    (again,) = [line for line in lines if line["log_level"] == "warning"]
    assert (again["lost"], again["seconds"]) == (3, 30.0)


def test_an_event_may_be_stored_without_a_line_of_its_own():
    """At debug it is in the log all the same."""
    store = Store()
    with structlog.testing.capture_logs() as lines:
        store.events.append_quietly("alert.delivery_failed", error="refused")
    assert [line["log_level"] for line in lines] == ["debug"]
    assert store.events.query()[0].data == {"error": "refused"}
    with pytest.raises(ValueError, match="not in the catalogue"):
        store.events.append_quietly("made.up")


def test_old_events_are_pruned():
    """Everything before the moment goes, the moment itself stays."""
    store = Store()
    for at in (1.0, 2.0, 3.0):
        store.now = at
        store.events.append("tool.called", seconds=at)
    assert store.events.prune(2.0) == 1
    assert [event.at for event in store.events.query(newest_first=True)] == [3.0, 2.0]


def test_the_catalogue_names_each_event_once():
    """Two meanings of one name would make the documentation lie."""
    types = [spec.type for spec in EVENTS]
    assert len(types) == len(set(types))


def test_what_is_no_news_is_in_the_log_at_debug_and_nowhere_else():
    """An outage of a day is two rows of the story, not one for each attempt; an undocumented name is refused all the same."""
    store = Store()
    with structlog.testing.capture_logs() as lines:
        store.events.again("watcher.failed", subject="host", error="down", seconds=0.1)
    assert lines == [{"event": "watcher.failed", "log_level": "debug", "subject": "host", "error": "down", "seconds": 0.1}]
    assert store.events.query() == []
    with pytest.raises(ValueError, match="not in the catalogue"):
        store.events.again("watcher.fainted")
