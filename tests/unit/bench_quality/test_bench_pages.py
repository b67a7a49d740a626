"""What watchers post about recordings of a healthy host, busy or idle: nothing."""

import pytest

from bench.quality.pages import HOSTS, of_host


@pytest.mark.parametrize(("name", "lens"), HOSTS.items())
def test_a_healthy_host_is_left_in_peace(name, lens):
    """While this project's own tests ran, and while nothing did, from the first reading on: hundreds of values, and no alert."""
    seen = of_host(name, lens)
    assert seen.days > 0.1
    assert [alert.summary for alert in seen.alerts] == []
