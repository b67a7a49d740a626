"""How others are asked about the same time."""

import numpy as np
import pytest

from lens_exporter.errors import QueryTooExpensive
from lens_exporter.model.silence import Silence
from lens_exporter.replay.backtest.theirs import Heard, ask
from tests.unit.baseline.past import Past

DAY = 86_400.0


class Asked(Past):
    """Keeps the queries and steps it is asked for; refuses where told to."""

    refuses = False

    def rows(self, metric, start, end, *, step):
        self.asked.append((metric.query, start, end, step))
        if self.refuses:
            raise QueryTooExpensive(reason="too many alerts", query=metric.query)
        self.labels[metric.name], self.values[metric.name] = (), self.values["none"]
        return super().rows(metric, start, end, step=step)


@pytest.fixture
def source():
    return Asked(0.0, 15.0, {}, {"none": np.zeros((0, 1))})


@pytest.mark.parametrize(("days", "step"), [(0.5, 15.0), (1, 15.0), (7, 75.0), (30, 270.0)])
def test_no_alert_of_theirs_falls_between_two_looks(days, step, source):
    """However long the span: about ten thousand looks, and each looks back to the one before."""
    ask(source, Heard(), 0.0, days * DAY)
    assert source.asked[0] == (f'count_over_time(ALERTS{{alertstate="firing"}}[{step:.0f}s])', 0.0, days * DAY, step)
    assert days * DAY / step <= 10_000


def test_rules_that_cannot_be_asked_leave_their_reason(source):
    """It is no failure of the backtest, and no empty answer."""
    source.refuses = True
    found = ask(source, Heard(), 0.0, DAY)
    assert found.alerts == ()
    assert "too many alerts" in found.alerts_unread


def test_silences_of_another_time_are_none_of_this_one(source):
    """Those that held at some time of the span, in order; whoever did not answer is named."""
    held = [Silence(id_, (), begin, end) for id_, begin, end in (("late", 50.0, 99.0), ("over", 0.0, 9.0), ("early", 0.0, 10.0))]
    found = ask(source, Heard(tuple(held), ("away",), 2), 10.0, 60.0)
    assert [one.id for one in found.silences] == ["early", "late"]
    assert (found.silences_unread, found.alertmanagers) == (("away",), 2)
