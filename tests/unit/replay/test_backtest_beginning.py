"""Where a backtest begins: at the oldest value, also of a query that has values for moments only."""

import numpy as np
import pytest

from lens_exporter.config.settings import Watcher
from lens_exporter.errors import NothingToJudge
from lens_exporter.model.window import Window
from lens_exporter.replay.backtest.beginning import begun
from lens_exporter.replay.span import Span

NOW = 1_700_092_800.0
HOUR, DAY = 3600.0, 86_400.0
WATCHER = Watcher.model_validate(
    {
        "name": "w",
        "lens": "promql",
        "schedule": "* * * * *",
        "metrics": {"m": {"query": "x > 100"}},
        "window": "1d",
        "step": "60s",
    }
)


class Moments:
    """Has values from a moment on, in some minutes of each hour."""

    def __init__(self, since, first, last):
        self._since, self._minutes = since, (first, last)

    def points_per_block(self, metric, at, *, step):
        return 1000

    def rows(self, metric, start, end, *, step):
        times = np.arange(np.ceil(start / step), np.floor(end / step) + 1) * step
        minute = times % HOUR / 60.0
        there = (times >= self._since) & (minute >= self._minutes[0]) & (minute <= self._minutes[1])
        return Window(metric.name, ({},), times, np.where(there, 1.0, np.nan)[None], step)


@pytest.mark.parametrize("minutes", [(0, 59), (1, 4)])
def test_it_begins_at_the_oldest_value(minutes):
    """Values that last for four minutes lie between the points of a coarse search."""
    since = NOW - 2 * DAY
    span, words = begun(WATCHER, Moments(since, *minutes), Span(NOW - 9 * DAY, NOW, 0.0), "http://p")
    assert since - 300.0 <= span.begin <= since + HOUR
    assert "no value is older" in words


def test_what_has_no_value_at_all_is_refused():
    with pytest.raises(NothingToJudge):
        begun(WATCHER, Moments(NOW + DAY, 0, 59), Span(NOW - DAY, NOW, 0.0), "http://p")
