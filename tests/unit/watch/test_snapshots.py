"""When a watcher's knowledge is written down, who goes on with it, and what a file that cannot be used costs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lens_exporter.baseline.roster import Roster
from lens_exporter.errors import Unreachable
from lens_exporter.foundation import snapshot
from lens_exporter.watch.snapshots import Snapshots, sweep
from tests.unit.watch.site import MEMORY, Site, quiet, site

DAY = 86_400.0
WINDOW = 60  # minutes; half of it is the longest that is asked for


@contextmanager
def kept(folder: Path, **options: Any) -> Iterator[Site]:
    """A watcher whose knowledge is kept in a folder; `site.restart()` is another process."""
    with site(**options) as here:
        here.snapshots = lambda it: snapshots(it, folder)
        here.restart()
        yield here


def snapshots(here: Site, folder: Path, fingerprint: str = "this") -> Snapshots:
    return Snapshots(folder, "python", fingerprint, events=here.line.events, telemetry=here.line.telemetry)


def rows_asked_for(here: Site, minute: float, *, whole: bool = False) -> float:
    """How many minutes of the past a tick asks for: the longest question, or the whole."""
    asked: list[float] = []
    original = here.story.rows

    def rows(metric, start, end, *, step):
        asked.append((end - start) / 60.0)
        return original(metric, start, end, step=step)

    here.story.rows = rows  # type: ignore[method-assign]
    here.at(minute)
    here.story.rows = original  # type: ignore[method-assign]
    return sum(asked) if whole else max(asked)


def test_the_first_tick_writes_it_down_and_the_next_process_goes_on(tmp_path: Path) -> None:
    """A restart asks for the rows that came since, and says that it went on from there."""
    with kept(tmp_path) as here:
        assert rows_asked_for(here, 1) > WINDOW / 2
        assert [one.name for one in tmp_path.iterdir()] == ["python.lens-snapshot"]
        here.restart()
        assert rows_asked_for(here, 4) < 15
        (restored,) = here.events("snapshot.restored")
        assert restored["path"] == str(tmp_path / "python.lens-snapshot")
        assert here.metric("lens_snapshots_failed_total") == 0
        assert here.metric("lens_snapshot_size_bytes") == (tmp_path / "python.lens-snapshot").stat().st_size
        assert here.metric("lens_snapshot_timestamp_seconds") == (tmp_path / "python.lens-snapshot").stat().st_mtime


def test_it_is_written_every_six_hours_and_when_told_to(tmp_path: Path) -> None:
    """A disk is not written at every tick, but after a long past was learnt. A restart is no reason to begin counting anew."""
    path = tmp_path / "python.lens-snapshot"
    with kept(tmp_path, window=4 * DAY) as here:

        def written(minute: float) -> bool:
            before = path.stat().st_ino if path.exists() else None
            here.at(minute - 700)  # a while after midnight, when all of it is begun anew
            return path.exists() and path.stat().st_ino != before  # each is a new file that takes the old one's name

        assert written(0)
        assert [written(minute) for minute in range(50, 351, 50)] == [False] * 7
        assert written(360)
        assert not written(361)
        here.restart()
        assert [written(minute) for minute in range(400, 701, 50)] == [False] * 7
        assert written(721)
        assert written(721 + 120)  # two hours at once are a long past
        before = path.stat().st_ino
        here.watcher.keep()
        assert path.stat().st_ino != before


def test_a_start_that_was_interrupted_goes_on_and_is_written_when_it_is_whole(tmp_path: Path) -> None:
    """What was learnt before the stop is not fetched again, and what was learnt after it is not lost to the next crash."""
    with kept(tmp_path, window=DAY) as here:
        here.story.block = 7200.0
        original, asked = here.story.rows, []

        def rows(metric, start, end, *, step):
            asked.append(start)
            if len(asked) == 3:
                here.watcher.interrupt()
            return original(metric, start, end, step=step)

        here.story.rows = rows  # type: ignore[method-assign]
        here.at(1)
        here.story.rows = original  # type: ignore[method-assign]
        assert len(asked) == 3
        here.watcher.keep()
        here.restart()
        again = rows_asked_for(here, 2, whole=True)
        assert 0.5 * DAY / 60.0 - 240.0 < again < 1.5 * DAY / 60.0 - 200.0
        here.restart()
        assert rows_asked_for(here, 3) < 15


def test_who_is_closed_leaves_the_file_to_the_next(tmp_path: Path) -> None:
    """A tick that hung over a reload may end later, or crash: the file and its metrics are another one's then."""
    path = tmp_path / "python.lens-snapshot"
    with kept(tmp_path) as here:
        here.at(1)
        old = here.watcher
        old.close()
        here.restart()
        here.at(2)
        here.watcher.keep()
        inode = path.stat().st_ino
        old.keep()
        old.crashed()
        old.tick(here.line.time.now + 60.0)
        assert path.stat().st_ino == inode
        assert here.metric("lens_snapshot_size_bytes") == path.stat().st_size


@pytest.mark.parametrize("what", ["nothing", "no_list", "no_time", "no_metric", "a_series_less", "rows"])
def test_content_that_does_not_fit_costs_the_time_to_learn(tmp_path: Path, what: str) -> None:
    """A file with the right name for something else inside is told as any other that cannot be read."""
    path = tmp_path / "python.lens-snapshot"
    with kept(tmp_path) as here:
        here.at(1)
        looker = here.watcher._looker
        state = looker.remembered()
        learnt = state["learnt"]
        spoilt = {
            "no_list": {"learnt": learnt, "anew": 0.0},
            "no_time": {**state, "learnt": replace(learnt, learnt_to="x")},
            "nothing": {**state, "learnt": None},
            "no_metric": {**state, "learnt": replace(learnt, roster=Roster(0))},
            "a_series_less": {**state, "learnt": replace(learnt, observations=learnt.observations[1:])},
            "rows": {"rows": [1, 2, 3]},
        }[what]
        snapshot.save(path, spoilt, fingerprint="this", given=looker.given)
        here.restart()
        assert rows_asked_for(here, 2) > WINDOW / 2
        (failed,) = here.events("snapshot.failed")
        assert "it is not what it should be" in failed["error"]
        assert here.metric("lens_snapshots_failed_total") == 1
        assert here.events("snapshot.restored") == []


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
    path = tmp_path / "python.lens-snapshot"
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
    """The watcher works on, and says so once per attempt: every half hour, until it can."""
    folder = tmp_path / "file"
    folder.write_text("")
    with kept(folder) as here:
        for minute in (0, 1, 2):
            assert here.at(minute).failures == ()
        errors = [one["error"] for one in here.events("snapshot.failed")]
        assert len(errors) == 2  # one reading, one writing
        assert "Not a directory" in errors[0]
        assert f"File exists: '{folder}'" in errors[1]
        folder.unlink()
        here.at(25)
        assert not folder.exists()
        here.at(31)
        assert [one.name for one in folder.iterdir()] == ["python.lens-snapshot"]
        assert len(here.events("snapshot.failed")) == 2


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
    """Else what crashes one process would crash the next one too. Who crashed over what was restored forgets it."""
    with kept(tmp_path) as here:
        here.at(1)
        here.watcher.crashed()
        assert list(tmp_path.iterdir()) == []
        assert rows_asked_for(here, 2) < 15
        here.restart()
        here.story.tell(MEMORY.name, lambda _minute: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            here.at(3)
        here.watcher.crashed()
        here.story.tell(MEMORY.name, quiet)
        assert rows_asked_for(here, 4) > WINDOW / 2
        assert rows_asked_for(here, 5) < 15


def test_only_files_of_watchers_that_are_gone_are_swept(tmp_path: Path) -> None:
    """And of what was being written when a process was killed; nobody else's file is touched."""
    others = {"python.txt", "prod.snapshot", "etcd.snapshot.db", "1.lens-snapshot", "a b.lens-snapshot", "x.lens-snapshot.bak"}
    ours = {"gone.lens-snapshot", "gone.lens-snapshot.ab_12.new", "python.lens-snapshot.x.new"}
    for name in {*others, *ours, "python.lens-snapshot"}:
        (tmp_path / name).write_text("")
    (tmp_path / "folder.lens-snapshot").mkdir()
    (failure,) = sweep(tmp_path, {"python"})
    assert "folder.lens-snapshot" in str(failure)
    assert {one.name for one in tmp_path.iterdir()} == {*others, "python.lens-snapshot", "folder.lens-snapshot"}
    assert sweep(tmp_path / "none", {"python"}) == []


@pytest.mark.parametrize("restarts", [1, 3])
def test_alerts_go_on_over_restarts_as_without(tmp_path: Path, restarts: int) -> None:
    """A rise that begins before a restart and ends after it is one alert: the same number of readings opens and closes it."""
    told = []
    for folder in (tmp_path / "kept", None):
        with site() as here:
            if folder is not None:
                here.snapshots = lambda it, folder=folder: snapshots(it, folder)
                here.restart()
            here.story.tell(MEMORY.name, lambda minute: 0.85 if 10 <= minute < 25 else 0.42 + 0.01 * (minute % 3))
            for minute in range(40):
                if folder is not None and minute in [12, 13, 14, 27, 28][:restarts]:
                    here.watcher.keep()
                    here.restart()
                here.at(minute)
            told.append([(event.type, event.at) for event in here.line.events.query() if event.type.startswith("anomaly.")])
    assert told[0] == told[1]
    assert len(told[0]) >= 2


def test_what_is_handed_over_at_a_reload_is_not_written_again(tmp_path: Path) -> None:
    """The new generation goes on with the file too."""
    path = tmp_path / "python.lens-snapshot"
    with kept(tmp_path) as here:
        here.at(1)
        inode = path.stat().st_ino
        old = here.watcher
        here.restart()
        here.watcher.go_on(old.let_go())
        old.close()
        here.at(2)
        assert path.stat().st_ino == inode
