"""What a watcher has learnt, on disk: a restart goes on from there and asks Prometheus for what came since."""

from pathlib import Path

from lens_exporter.errors import SnapshotError
from lens_exporter.foundation import snapshot
from lens_exporter.foundation.clock import Clock, monotonic, wall
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.watch.look import Looker

SUFFIX = ".snapshot"
_EVERY = 6 * 3600.0  # seconds: a crash costs no more of what was learnt, and a disk is written no oftener
_PACKAGE = "lens_exporter.baseline"  # whose objects are in it


class Snapshots:
    """Keeps one watcher's file. It is a cache: without it, or if it cannot be read or written, everything is learnt anew.

    Whoever ticks calls it, so never two threads at once.
    """

    def __init__(
        self,
        folder: Path,
        watcher: str,
        fingerprint: str,
        *,
        events: Events,
        telemetry: Telemetry,
        clock: Clock = wall,
        stopwatch: Clock = monotonic,
    ) -> None:
        """Begin with nothing read.

        fingerprint tells what is learnt, of whom, and by which code: what was left with another one is not taken up.
        """
        self._path = folder / f"{watcher}{SUFFIX}"
        self._watcher = watcher
        self._fingerprint = fingerprint
        self._events = events
        self._telemetry = telemetry
        self._clock = clock
        self._stopwatch = stopwatch
        self._asked = False  # for what an earlier process has left
        self._kept_at: float | None = None
        telemetry.inc("lens_snapshots_failed_total", 0, watcher=watcher)

    def restore(self, looker: Looker, at: float) -> None:
        """Once, give a looker that knows nothing what an earlier process had learnt, if that is of use at this moment."""
        if self._asked or looker.knows:
            return
        self._asked = True
        try:
            state = snapshot.load(self._path, fingerprint=self._fingerprint, given=looker.given, package=_PACKAGE)
        except SnapshotError as error:
            self._failed(error)
            return
        if state is not None and looker.recall(state, at):
            self._kept_at = self._stopwatch()
            self._events.append("snapshot.restored", subject=self._watcher, path=str(self._path), learnt_to=looker.learnt_to)

    def keep_now_and_then(self, looker: Looker) -> None:
        """Write down what is known, if that was last done a while ago."""
        if self._kept_at is None or self._stopwatch() - self._kept_at >= _EVERY:
            self.keep(looker)

    def keep(self, looker: Looker) -> None:
        """Write down what is known."""
        if not looker.knows:
            return
        self._kept_at = self._stopwatch()
        try:
            size = snapshot.save(self._path, looker.remembered(), fingerprint=self._fingerprint, given=looker.given)
        except SnapshotError as error:
            self._failed(error)
            return
        self._telemetry.set("lens_snapshot_size_bytes", size, watcher=self._watcher)
        self._telemetry.set("lens_snapshot_timestamp_seconds", self._clock(), watcher=self._watcher)

    def discard(self) -> None:
        """Let nobody go on with it: a tick crashed, maybe over what it had learnt. The next good one writes it down again."""
        self._asked, self._kept_at = True, None
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            self._failed(SnapshotError(path=self._path, reason=str(error)))

    def close(self) -> None:
        """Publish nothing any more: the watcher is gone from the configuration. Its file goes with the next start (`sweep`)."""
        for metric in ("lens_snapshot_size_bytes", "lens_snapshot_timestamp_seconds"):
            self._telemetry.forget(metric, watcher=self._watcher)

    def _failed(self, error: SnapshotError) -> None:
        self._telemetry.inc("lens_snapshots_failed_total", watcher=self._watcher)
        self._events.append("snapshot.failed", subject=self._watcher, error=str(error))


def sweep(folder: Path, watchers: set[str]) -> None:
    """Delete the files of watchers that are not among these. Raises SnapshotError."""
    try:
        for path in folder.glob(f"*{SUFFIX}*"):
            if path.name.partition(".")[0] not in watchers:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise SnapshotError(path=folder, reason=str(error)) from error
