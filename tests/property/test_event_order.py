"""The event store: whatever is appended, every query gives exactly what it should, in order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry

KINDS = ["tool.called", "llm.called", "alert.fired"]
APPENDED = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from(["", "A", "B"]), st.integers(0, 3)), max_size=25
)  # kind, correlation, seconds since the one before


@settings(max_examples=60, deadline=None)
@given(
    APPENDED,
    st.none() | st.sampled_from(KINDS),
    st.none() | st.sampled_from(["A", "B"]),
    st.none() | st.integers(-1, 40),
    st.none() | st.integers(-1, 40),
    st.booleans(),
    st.integers(1, 30),
)
def test_a_query_is_a_filter_in_order_of_time(appended, kind, correlation, since, until, newest_first, limit):
    """The same as filtering a list; `since` is inclusive, `until` is not; the limit takes from the chosen end."""
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    now, ids = [0.0], iter(range(1000))
    events = Events(database, Telemetry(), clock=lambda: now[0], new_id=lambda: f"{next(ids):026}")
    rows = []
    for number, (each_kind, each_correlation, seconds) in enumerate(appended):
        now[0] += seconds
        events.append(each_kind, correlation=each_correlation, subject=str(number))
        rows.append((number, each_kind, each_correlation, now[0]))
    expected = [
        number
        for number, each_kind, each_correlation, at in rows
        if kind in {None, each_kind}
        and correlation in {None, each_correlation}
        and (since is None or at >= since)
        and (until is None or at < until)
    ]
    expected = (expected[::-1] if newest_first else expected)[:limit]
    found = events.query(kind=kind, correlation=correlation, since=since, until=until, newest_first=newest_first, limit=limit)
    assert [int(event.subject) for event in found] == expected
    database.close()
