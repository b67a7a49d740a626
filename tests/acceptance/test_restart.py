"""What a restart costs Prometheus: the rows that came since, and not the whole past."""

import pytest

from tests.acceptance.test_reload import Pasts
from tests.servers.leaky_prometheus import LeakyPrometheus
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance

NAMES = ("stays", "changes")
WINDOW = 4 * 3600.0  # half of it, and more, is asked for by whoever knows nothing
SETTLING = 360.0  # rows of five minutes may still change


def begin(here: Pasts) -> int:
    """Start it and wait until both watchers have looked; give how many requests came before."""
    before = len(here.prometheus.requests)
    here.lens.start()
    until(lambda: all(len(here.asked_about(name, before)) > 2 for name in NAMES), 30, what="both look")
    return before


@pytest.mark.parametrize("how", ["asked to stop", "killed"])
def test_a_restart_goes_on_with_what_was_learnt(tmp_path, how):
    """Whether it ended in order or not; with another budget meanwhile that watcher begins anew, and one that is gone leaves no file."""
    with LeakyPrometheus() as prometheus:
        here, kept = Pasts(tmp_path, prometheus), tmp_path / "lens.db.snapshots"
        here.lens.configure(here.config(window="4h"))
        try:
            first = begin(here)
            assert all(max(here.asked_about(name, first)) > WINDOW / 2 for name in NAMES)
            until(lambda: all((kept / f"{name}.lens-snapshot").exists() for name in NAMES), 10, what="both are kept")
            if how == "killed":
                here.lens.kill()
            else:
                here.lens.stop()
            again = begin(here)
            assert all(max(here.asked_about(name, again)) < SETTLING + 60.0 for name in NAMES)
            restored = here.lens.events("snapshot.restored")
            assert sorted(event["subject"] for event in restored) == sorted(NAMES)
            assert not here.lens.events("snapshot.failed")
            here.lens.stop()
            settings = here.config(window="4h")
            settings["watchers"] = [
                {**one, "false_alarms_per_week": 9.0} for one in settings["watchers"] if one["name"] == "changes"
            ]
            here.lens.configure(settings)
            before = len(prometheus.requests)
            here.lens.start()
            until(lambda: here.asked_about("changes", before), 30, what="one looks")
            assert max(here.asked_about("changes", before)) > WINDOW / 2
            assert not (kept / "stays.lens-snapshot").exists()
        finally:
            here.lens.stop()
