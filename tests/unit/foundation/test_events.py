"""The event store."""

import math

import pytest

from lens_exporter.foundation.catalogue import EVENTS
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.events import Events, story
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
    assert story(told[:1]) == [
        {"id": told[0].id, "at": 1000.0, "type": "tool.called", "correlation": "A", "subject": "i1", "data": {"receipt": "r0"}}
    ]
    assert store.telemetry.value("lens_events_total", type="tool.called") == 100


def test_an_event_that_is_not_in_the_catalogue_is_a_bug():
    """The documentation names every event there is."""
    store = Store()
    with pytest.raises(ValueError, match=r"'made\.up' is not in the catalogue"):
        store.events.append("made.up")
    assert store.events.query() == []


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


def test_an_event_that_cannot_be_stored_is_counted_as_lost_and_fails_nobody():
    """Without its table the store still lets its caller go on."""
    store = Store()
    metadata.drop_all(store.database.engine)
    store.events.append("tool.called")
    assert store.telemetry.value("lens_events_lost_total") == 1
    assert store.telemetry.value("lens_events_total", type="tool.called") is None


def test_old_events_are_pruned():
    """Everything before the moment goes, the moment itself stays."""
    store = Store()
    for at in (1.0, 2.0, 3.0):
        store.now = at
        store.events.append("tool.called", number=at)
    assert store.events.prune(2.0) == 1
    assert [event.at for event in store.events.query(newest_first=True)] == [3.0, 2.0]


def test_the_catalogue_names_each_event_once():
    """Two meanings of one name would make the documentation lie."""
    types = [spec.type for spec in EVENTS]
    assert len(types) == len(set(types))
