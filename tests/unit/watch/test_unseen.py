"""A watcher whose queries give no series says so, once. Minutes after noon."""

import pytest

from lens_exporter.errors import Unreachable
from lens_exporter.watch.unseen import Begun, Ended, Unseen
from tests.unit.watch.site import MEMORY, MINUTE, quiet, site


def said(unseen, every, looks):
    """What is said of these looks (series), so many minutes apart, by number of the look."""
    results = {number: unseen.looked(series, number * every * MINUTE) for number, series in enumerate(looks)}
    return {number: one for number, one in results.items() if one is not None}


@pytest.mark.parametrize(
    ("every", "looks", "found"),
    [
        (1, [0] * 30, {9: Begun(540.0, 10)}),
        (10, [0] * 9, {6: Begun(3600.0, 7)}),
        (1440, [0] * 3, {1: Begun(86400.0, 2)}),
        (1, [0] * 9 + [1], {}),
        (1, [1, *[0] * 12, 3, 3], {10: Begun(540.0, 10), 13: Ended(720.0, 12)}),
    ],
    ids=["each minute", "each ten minutes", "each day", "too short", "over"],
)
def test_it_is_said_once_when_it_has_lasted_and_once_when_it_is_over(every, looks, found):
    """Ten looks or an hour, whichever comes first."""
    assert said(Unseen(), every, looks) == found


def test_a_clock_that_is_set_back_makes_no_negative_time():
    unseen = Unseen()
    assert unseen.looked(0, 7200.0) is None
    assert unseen.looked(0, 0.0) is None
    assert said(unseen, 0, [0] * 8) == {7: Begun(0.0, 10)}


def test_a_query_that_names_no_metric_is_told():
    """From noon on nothing, at 12:20 the metric is there: two events."""
    with site() as here:
        here.story.series.clear()
        here.every_minute(0, 19)
        assert here.events("watcher.no_series") == [{"seconds": 540.0, "ticks": 10}]
        here.story.tell(MEMORY.name, quiet)
        here.every_minute(20, 22)
        assert here.events("watcher.series_found") == [{"series": 1, "seconds": 1200.0, "ticks": 20}]
        assert len(here.events("watcher.no_series")) == 1


def test_a_tick_that_failed_saw_nothing_and_says_nothing_of_it():
    """That its ticks fail is told by other events."""
    with site() as here:
        here.story.fails = Unreachable(service="prometheus", url="http://localhost:9090", reason="connection refused")
        here.every_minute(0, 30)
        assert here.events("watcher.no_series") == []
