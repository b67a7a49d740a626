"""When a watcher's knowledge is written down, who goes on with it, and what a file that cannot be used costs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lens_exporter.errors import Unreachable
from lens_exporter.watch.snapshots import Snapshots, sweep
from tests.unit.watch.site import Site, site

WINDOW = 60  # minutes; half of it is the longest that is asked for
HOUR = 3600.0


@contextmanager
def kept(folder: Path) -> Iterator[Site]:
    """A watcher whose knowledge is kept in a folder, on the site's clock; `site.restart()` is another process."""
    with site() as here:
        here.snapshots = lambda it: snapshots(it, folder)
        here.restart()
        yield here


def snapshots(here: Site, folder: Path, fingerprint: str = "this") -> Snapshots:
    clock = here.line.time
    return Snapshots(
        folder, "python", fingerprint, events=here.line.events, telemetry=here.line.telemetry, clock=clock, stopwatch=clock
    )


def rows_asked_for(here: Site, minute: float) -> float:
    """How many minutes of the past a tick asks for."""
    asked: list[float] = []
    original = here.story.rows

    def rows(metric, start, end, *, step):
        asked.append((end - start) / 60.0)
        return original(metric, start, end, step=step)

    here.story.rows = rows  # type: ignore[method-assign]
    here.at(minute)
    here.story.rows = original  # type: ignore[method-assign]
    return max(asked)


def test_the_first_tick_writes_it_down_and_the_next_process_goes_on(tmp_path: Path) -> None:
    """A restart asks for the rows that came since, and says that it went on from there."""
    with kept(tmp_path) as here:
        assert rows_asked_for(here, 1) > WINDOW / 2
        assert [one.name for one in tmp_path.iterdir()] == ["python.snapshot"]
        here.restart()
        assert rows_asked_for(here, 4) < 15
        (restored,) = here.events("snapshot.restored")
        assert restored["path"] == str(tmp_path / "python.snapshot")
        assert here.metric("lens_snapshots_failed_total") == 0
        assert here.metric("lens_snapshot_size_bytes") == (tmp_path / "python.snapshot").stat().st_size
        assert here.metric("lens_snapshot_timestamp_seconds") == here.line.time.now - 180.0


def test_it_is_written_every_six_hours_and_when_told_to(tmp_path: Path) -> None:
    """A disk is not written at every tick."""
    path = tmp_path / "python.snapshot"
    with kept(tmp_path) as here:
        here.at(0)
        written = path.stat().st_mtime_ns
        for minute in (1, 30, 359):
            here.at(minute)
        assert path.stat().st_mtime_ns == written
        here.at(360)
        again = path.stat().st_mtime_ns
        assert again > written
        here.at(361)
        assert path.stat().st_mtime_ns == again
        here.watcher.keep()
        assert path.stat().st_mtime_ns > again


def test_what_lies_too_far_back_is_not_taken_up(tmp_path: Path) -> None:
    """After a longer break everything is learnt anew, and nothing is said to have been restored."""
    with kept(tmp_path) as here:
        here.at(1)
        here.restart()
        assert rows_asked_for(here, 1 + 2 * WINDOW) > WINDOW / 2
        assert here.events("snapshot.restored") == []


def test_other_settings_begin_anew(tmp_path: Path) -> None:
    """What was learnt of something else, or by other code, is of no use; it is overwritten."""
    with kept(tmp_path) as here:
        here.at(1)
        here.snapshots = lambda it: snapshots(it, tmp_path, "that")
        here.restart()
        assert rows_asked_for(here, 2) > WINDOW / 2
        here.restart()
        assert rows_asked_for(here, 3) < 15


def test_a_spoilt_file_costs_the_time_to_learn_and_is_replaced(tmp_path: Path) -> None:
    """It has an event and a metric, and the tick is as any other."""
    path = tmp_path / "python.snapshot"
    with kept(tmp_path) as here:
        here.at(1)
        path.write_bytes(path.read_bytes()[:1000])
        here.restart()
        tick = here.at(2)
        assert tick.failures == ()
        assert tick.seen is not None
        (failed,) = here.events("snapshot.failed")
        assert str(path) in failed["error"]
        assert here.metric("lens_snapshots_failed_total") == 1
        here.restart()
        assert rows_asked_for(here, 3) < 15


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_restart(tmp_path: Path) -> None:
    """The watcher works on, and says so once per attempt: every six hours."""
    folder = tmp_path / "file"
    folder.write_text("")
    with kept(folder) as here:
        for minute in (0, 1, 2):
            assert here.at(minute).failures == ()
        errors = [one["error"] for one in here.events("snapshot.failed")]
        assert len(errors) == 2  # one reading, one writing
        assert "Not a directory" in errors[0]
        assert f"File exists: '{folder}'" in errors[1]


def test_nothing_is_written_before_anything_is_known(tmp_path: Path) -> None:
    """A server that does not answer leaves the file of the process before where it is."""
    with kept(tmp_path) as here:
        here.story.fails = Unreachable(service="prometheus", url="http://x", reason="refused")
        here.at(0)
        here.watcher.keep()
        assert list(tmp_path.iterdir()) == []


def test_a_file_stays_while_the_server_is_away(tmp_path: Path) -> None:
    """What was read from it is still there when the server answers again."""
    with kept(tmp_path) as here:
        here.at(1)
        here.restart()
        here.story.fails = Unreachable(service="prometheus", url="http://x", reason="refused")
        here.at(2)
        here.story.fails = None
        assert rows_asked_for(here, 3) < 15


def test_after_a_crash_nobody_goes_on_with_it(tmp_path: Path) -> None:
    """Else what crashes one process would crash the next one too."""
    with kept(tmp_path) as here:
        here.at(1)
        here.watcher.crashed()
        assert list(tmp_path.iterdir()) == []
        here.restart()
        assert rows_asked_for(here, 2) > WINDOW / 2


def test_only_files_of_watchers_that_are_gone_are_swept(tmp_path: Path) -> None:
    """And of what was being written when a process was killed; nobody else's file is touched."""
    for name in ("python.snapshot", "gone.snapshot", "gone.snapshot.new", "python.txt", "gone.txt"):
        (tmp_path / name).write_text("")
    sweep(tmp_path, {"python"})
    assert {one.name for one in tmp_path.iterdir()} == {"python.snapshot", "python.txt", "gone.txt"}
    sweep(tmp_path / "none", {"python"})


@pytest.mark.parametrize("restarts", [1, 3])
def test_alerts_go_on_over_restarts_as_without(tmp_path: Path, restarts: int) -> None:
    """A rise that begins before a restart and ends after it is one alert: the same number of readings opens and closes it."""
    told = []
    for folder in (tmp_path / "kept", None):
        with site() as here:
            if folder is not None:
                here.snapshots = lambda it, folder=folder: snapshots(it, folder)
                here.restart()
            here.story.tell("memory_utilization", lambda minute: 0.85 if 10 <= minute < 25 else 0.42 + 0.01 * (minute % 3))
            for minute in range(40):
                if folder is not None and minute in [12, 13, 14, 27, 28][:restarts]:
                    here.watcher.keep()
                    here.restart()
                here.at(minute)
            told.append([(event.type, event.at) for event in here.line.events.query() if event.type.startswith("anomaly.")])
    assert told[0] == told[1]
    assert len(told[0]) >= 2
