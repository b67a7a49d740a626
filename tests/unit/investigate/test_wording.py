"""A forecast in a finding is read again when its alert is over: it names its moment and says that it is one."""

import pytest

from lens_exporter.investigate.notebook import Noted
from lens_exporter.investigate.wording import measured_by, speed
from tests.unit.investigate.scripted import AT, MINUTE


@pytest.mark.parametrize(
    ("left", "when"),
    [
        (20.0, "at that pace full at about 14:15"),
        (50 * MINUTE, "at that pace full at about 15:05"),
        (600 * MINUTE, "at that pace full at about 21 Nov 00:15"),
    ],
)
def test_a_forecast_gives_the_time_of_day(left, when):
    """However soon it is: "within a minute" is true for a minute, and the finding stands for hours."""
    files = Noted("r1", "open_fds", {}, 5, 485, 9.0, False, False, onset=AT - 6 * MINUTE, per_minute=80.0, full_at=AT + left)
    assert speed(files, AT) == f", up 80 a minute, {when}"


def test_without_a_forecast_there_is_the_pace_alone():
    """Nothing is said of a limit that nobody knows."""
    files = Noted("r1", "open_fds", {}, 5, 485, 9.0, False, False, onset=AT - 6 * MINUTE, per_minute=80.0)
    assert speed(files, AT) == ", up 80 a minute"


@pytest.mark.parametrize(
    ("query", "metric"),
    [
        ('histogram_quantile(0.99, sum by (le) (rate(shop_seconds_bucket{job="shop"}[5m])))', ("shop_seconds", False)),
        ("rate(shop_errors_total[5m])", ("shop_errors_total", True)),
        ("rate(a_total[5m]) / rate(b_total[5m])", ("", False)),
    ],
)
def test_a_quantile_has_the_unit_of_what_was_observed(query, metric):
    """That its buckets are taken as rates is no unit of it."""
    assert measured_by(query) == metric
