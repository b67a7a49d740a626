"""Who may deliver a row of the outbox, and until when it is open."""

from dataclasses import replace

from lens_exporter.publish.outbox import Outbox, Outgoing, Progress
from tests.unit.publish.timeline import CORRELATION, NOON, timeline

ROW = Outgoing("01JF0000000000000000000000", "grafana", CORRELATION, {}, {}, created_at=NOON, next_at=NOON)


def test_of_two_that_have_read_a_row_one_claims_it():
    """Two passes, or two replicas: an annotation is not made twice."""
    with timeline() as line:
        outbox, other = Outbox(line.database), Outbox(line.database)
        outbox.add(ROW)
        row, same = outbox.unfinished("grafana") + other.unfinished("grafana")
        assert outbox.claim(row, NOON + 120)
        assert not other.claim(same, NOON + 120)
        assert outbox.get(ROW.investigation, "grafana").next_at == NOON + 120


def test_a_row_that_was_delivered_since_it_was_read_is_not_claimed():
    """The other was done within the moment, so the time is the same again."""
    with timeline() as line:
        outbox = Outbox(line.database)
        row = outbox.add(ROW)
        assert outbox.claim(row, NOON + 120)
        outbox.update(row, state=Progress.OPEN, next_at=NOON)
        assert not outbox.claim(row, NOON + 120)


def test_an_end_is_noted_wherever_its_alert_is_explained_and_only_once():
    """One alert may be explained to several targets and by several investigations; the first end that is told counts."""
    with timeline() as line:
        outbox = Outbox(line.database)
        for row in (
            replace(ROW, sources={"a" * 16: None, "b" * 16: None}),
            replace(ROW, target="alertmanager", sources={"a" * 16: None}),
            replace(ROW, investigation="01JF0000000000000000000001", sources={"b" * 16: NOON, "c" * 16: None}),
        ):
            outbox.add(row)
        outbox.end_sources({"c" * 16: NOON + 3, "a" * 16: NOON + 1, "d" * 16: NOON + 4})
        outbox.end_sources({"a" * 16: NOON + 2, "b" * 16: NOON + 2})
        rows = [*outbox.unfinished("grafana"), *outbox.unfinished("alertmanager")]
    assert [row.sources for row in rows] == [
        {"a" * 16: NOON + 1, "b" * 16: NOON + 2},
        {"b" * 16: NOON, "c" * 16: NOON + 3},
        {"a" * 16: NOON + 1},
    ]
    assert [row.ended_at for row in rows] == [NOON + 2, NOON + 3, NOON + 1]


def test_what_is_added_again_changes_nothing():
    """Also not which alerts it is about: the row that is there is given back."""
    with timeline() as line:
        outbox = Outbox(line.database)
        first = outbox.add(replace(ROW, sources={"a" * 16: NOON}))
        assert outbox.add(replace(ROW, sources={"b" * 16: None}, detail="new")) == first
        assert outbox.of(ROW.investigation) == [first]


def test_finished_rows_are_forgotten_with_what_they_explained():
    """The same investigation's other target, and what was touched since, stay whole."""
    with timeline() as line:
        outbox = Outbox(line.database)
        old = replace(ROW, sources={"a" * 16: NOON}, state=Progress.CLOSED, updated_at=NOON)
        for row in (
            old,
            replace(old, target="alertmanager", state=Progress.OPEN),
            replace(old, investigation="x", updated_at=NOON + 2),
        ):
            outbox.add(row)
        outbox.prune(NOON + 1)
        assert [row.target for row in outbox.of(ROW.investigation)] == ["alertmanager"]
        with line.database.reading() as connection:
            left = connection.exec_driver_sql("SELECT investigation, target FROM delivery_sources ORDER BY 1").all()
    assert left == [(ROW.investigation, "alertmanager"), ("x", "grafana")]
