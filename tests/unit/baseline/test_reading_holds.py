"""What is held back, in memory and after a restart."""

from dataclasses import replace

from lens_exporter.baseline.reading.bounds import Hold
from lens_exporter.baseline.reading.holds import Holds, key_of
from tests.unit.baseline.reading_site import ANOMALY
from tests.unit.publish.timeline import NOON, timeline
from tests.unit.watch.site import MINUTE

TARGET = {"instance": "api-7:9000"}
KEY = key_of(replace(ANOMALY, target=TARGET))


def answered(line, watcher, at, outcome="deferred", times=1, group=None):
    line.time.now = at
    line.events.append(
        "reading.answered",
        correlation="01JD0000000000000000000000",
        subject=watcher,
        category="latency",
        target=TARGET,
        group=group,
        outcome=outcome,
        times=times,
        since=NOON,
        until=at + 5 * MINUTE,
        words="look again",
    )


def test_the_newest_word_of_the_last_hour_is_recalled_and_only_ones_own():
    """Another watcher's deferral, and an answer that held nothing back, are nobody's allowance."""
    with timeline(servers=0) as line:
        answered(line, "python", NOON)
        answered(line, "python", NOON + 5 * MINUTE, times=2)
        answered(line, "host", NOON + 6 * MINUTE, times=3)
        answered(line, "python", NOON + 7 * MINUTE, outcome="confirmed", times=3)
        holds = Holds("python", line.events)
        holds.recall(NOON + 8 * MINUTE)
        assert holds.get(KEY) == Hold("01JD0000000000000000000000", NOON, NOON + 10 * MINUTE, times=2, words="look again")
        holds.recall(NOON + 61 * MINUTE)
        assert holds.get(KEY) is None


def test_a_group_has_one_allowance_whichever_series_speaks_for_it():
    """The series that carries an alarm changes while it lasts; the allowance does not begin anew with it, nor after a restart."""
    first = replace(ANOMALY, group={"instance": "a"})
    second = replace(first, anomaly_type="cpu_high", target={"instance": "a", "cpu": "7"})
    assert key_of(first) == key_of(second) != key_of(replace(first, group=None))
    with timeline(servers=0) as line:
        answered(line, "python", NOON, group={"instance": "a"})
        holds = Holds("python", line.events)
        holds.recall(NOON + MINUTE)
        assert holds.get(key_of(second)) is not None
