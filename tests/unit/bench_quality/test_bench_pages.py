"""What watchers post about recordings of a healthy host: nothing."""

import pytest

from bench.quality.pages import HOSTS, of_host


@pytest.mark.parametrize(("name", "lens"), HOSTS.items())
def test_a_busy_host_is_left_in_peace(name, lens):
    """An hour and a half in which this project's own tests ran, from the first reading on: thousands of rows, and no alert."""
    seen = of_host(name, lens)
    assert seen.days > 0.5
    assert [alert.summary for alert in seen.alerts] == []
