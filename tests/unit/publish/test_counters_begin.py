"""Counters of deliveries before there were any."""

from tests.unit.publish.timeline import timeline


def test_deliveries_are_counted_from_zero():
    """increase() and rate() see the first failure only if there was a sample before it; a restart of the parts keeps the count."""
    with timeline() as line:
        for what in ("sent", "failed", "refused"):
            name = f"lens_alerts_{what}_total"
            assert line.telemetry.value(name, alertmanager=line.servers[0].url) == 0
            line.telemetry.inc(name, alertmanager=line.servers[0].url)
            line.restart()
            assert line.telemetry.value(name, alertmanager=line.servers[0].url) == 1
