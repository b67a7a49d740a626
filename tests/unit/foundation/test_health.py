"""Readiness."""

from lens_exporter.foundation.health import Readiness
from lens_exporter.foundation.telemetry import Telemetry


def test_ready_until_a_condition_fails_and_again_when_all_are_cleared():
    """Each condition counts by itself; lens_ready follows; the newest reason of a condition is shown."""
    telemetry = Telemetry()
    readiness = Readiness(telemetry)
    assert readiness.ready() == (True, ())
    readiness.fail("database", "locked")
    readiness.fail("part watcher", "given up")
    readiness.fail("database", "full")
    assert readiness.ready() == (False, ("database: full", "part watcher: given up"))
    assert telemetry.value("lens_ready") == 0
    readiness.clear("database")
    assert readiness.ready() == (False, ("part watcher: given up",))
    readiness.hold("investigations", "no database")
    assert readiness.ready().reasons[1:] == ("investigations: no database",)
    readiness.hold("investigations", "")
    readiness.clear("part watcher")
    readiness.clear("never failed")
    assert readiness.ready() == (True, ())
    assert telemetry.value("lens_ready") == 1
