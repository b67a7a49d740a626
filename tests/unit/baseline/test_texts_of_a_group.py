"""What an alert of a group says of itself: every number and moment in it is about what its sentence names."""

import pytest

from lens_exporter.baseline import prose
from lens_exporter.baseline.rules import GroupAlarm, SeriesVerdict
from lens_exporter.baseline.trend import Trend
from lens_exporter.model.decision import Observation, Phase, Rule
from lens_exporter.model.metric import BaselineMetric
from tests.unit.baseline.lives import BEGINS, DAY, HOUR, STEP, Watch, group

AT = 8 * DAY + 9 * HOUR
ROWS = AT + 2 * HOUR
HERE = {"instance": "api-5:9000"}


def observed(name, value, *, expected=4.0, half=3.8, phase=Phase.ANOMALY, since=None):
    lower, upper = expected - half, expected + half
    score = None if value is None else (value - expected) / half
    return Observation(name, "", HERE, AT * STEP, value, expected, lower, upper, score, phase, since)


def leading(value, *, outside=0, missed=0, since=None, trend=None):
    alarm = GroupAlarm(HERE, score=60.0, threshold=17.0, readings=4, since=(AT - 3) * STEP, place=0, leads=True)
    seen = observed("pool", value, since=since)
    return SeriesVerdict(
        BaselineMetric("pool", "pool"), seen, (Rule.GROUP,), -1, outside=outside, group=alarm, missed=missed, trend=trend
    )


def test_it_is_since_its_own_metric_is_off_and_not_since_another_was():
    """The queue was off half an hour before, and the score remembers it; what is told now is latency."""

    def one_after_the_other(values):
        values["queue"][AT - 8 : AT - 2] *= 6.0
        values["latency"][AT:] *= 6.0

    seen = Watch({"life": group(ROWS, one_after_the_other)}).through(range(AT - 10, AT + 8))["life"]
    told = [anomaly for row, anomaly in seen.alarms if row >= AT + 4]
    assert {anomaly.anomaly_type for anomaly in told} == {"latency_high"}
    assert {anomaly.since for anomaly in told} == {BEGINS + AT * STEP}


def test_readings_outside_its_band_have_no_moment_that_is_the_groups():
    """Seven readings did not begin when its group was told of four readings before."""
    lines = prose.description(leading(0.1, outside=7, since=(AT - 3) * STEP), ()).splitlines()
    assert "for 4 readings, since" in lines[0]
    assert lines[0].endswith("Below its band for 7 readings.")


@pytest.mark.parametrize(("value", "normal"), [(0.5, "about 4 is usual at this hour"), (0.0, "0.2 to 7.8 is normal")])
def test_what_is_inside_its_band_is_not_told_to_be_outside(value, normal):
    """A metric speaks for its group when it is off by half of its band."""
    assert prose.summary(leading(value)).endswith(f"at {value:g}; {normal}")


def test_what_has_no_value_either_is_told():
    """Four metrics of an instance that went are not "nothing else moved"."""
    others = [SeriesVerdict(BaselineMetric(name, name), observed(name, None, phase=Phase.MISSING)) for name in ("cpu", "errors")]
    assert prose.description(leading(None, missed=4), others).endswith("Without a value too: cpu, errors.")


def test_what_is_full_is_full_now():
    """And not at an hour in UTC."""
    trend = Trend(slope=0.5, full_at=AT * STEP - 1.0, begins=AT * STEP - 600.0)
    assert "full now." in prose.description(leading(0.0, trend=trend), ())
