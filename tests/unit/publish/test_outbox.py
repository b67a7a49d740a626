"""Who may deliver a row of the outbox."""

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
