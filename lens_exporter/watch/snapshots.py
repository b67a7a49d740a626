"""What a watcher has learnt, on disk: a restart goes on from there and asks Prometheus for what came since."""

import re
from collections.abc import Collection
from pathlib import Path

from lens_exporter.errors import SnapshotError
from lens_exporter.foundation import snapshot
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.watch.look import Looker

_EVERY = 6 * 3600.0  # seconds; a disk is written no oftener, but for a long past that was just learnt
_AGAIN = 1800.0  # seconds, after it could not be written
_PACKAGE = "lens_exporter.baseline"  # whose objects are in it
# A watcher's file, or what was to be one.
_OURS = re.compile(rf"([A-Za-z][\w-]*){re.escape(snapshot.SUFFIX)}(\.\w+\.new)?", re.ASCII)


class Snapshots:
    """Keeps one watcher's file. It is a cache: without it, or if it cannot be read or written, everything is learnt anew.

    Whoever ticks calls it, or whoever knows that nobody ticks. After `close` it does nothing, whoever still ticks.
    """

    def __init__(self, folder: Path, watcher: str, fingerprint: str, *, events: Events, telemetry: Telemetry) -> None:
        """Begin with nothing read.

        fingerprint tells what is learnt, of whom, and by which code: what was left with another one is not taken up.
        """
        self._path = folder / f"{watcher}{snapshot.SUFFIX}"
        self._watcher = watcher
        self._fingerprint = fingerprint
        self._events = events
        self._telemetry = telemetry
        self._asked = False  # for what an earlier process has left
        self._unproved = False  # no tick has ended well on what was restored
        self.kept_to: float | None = None  # the newest row in the file, Unix seconds
        self._long_pasts = 0  # that had been learnt when it was written
        self._failed_at: float | None = None  # the newest row of a try that failed
        self._closed = False
        telemetry.inc("lens_snapshots_failed_total", 0, watcher=watcher)

    def restore(self, looker: Looker, at: float) -> None:
        """Once, give a looker that knows nothing what an earlier process had learnt, if that is of use at this moment."""
        if self._asked or looker.knows:
            return
        self._asked = True
        try:
            state = snapshot.load(self._path, fingerprint=self._fingerprint, given=looker.given, package=_PACKAGE)
            self._unproved = True
            if state is None or not looker.recall(state, at):
                return
            self._show()
        except SnapshotError as error:
            self._failed(error)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self._failed(SnapshotError(path=self._path, reason=f"it is not what it should be: {error}"))
        else:
            self.kept_to = looker.learnt_to
            self._events.append("snapshot.restored", subject=self._watcher, path=str(self._path), learnt_to=looker.learnt_to)

    def keep_now_and_then(self, looker: Looker) -> None:
        """Write down what is known, if it is six hours more than what is written, or a long past was learnt since.

        What could not be written is tried again after half an hour.
        """
        self._unproved = False
        known = looker.learnt_to
        if known is None or (self._failed_at is not None and 0.0 <= known - self._failed_at < _AGAIN):
            return
        if self.kept_to is None or known - self.kept_to >= _EVERY or looker.long_pasts != self._long_pasts:
            self.keep(looker)

    def keep(self, looker: Looker) -> None:
        """Write down what is known."""
        if self._closed or not looker.knows:
            return
        try:
            snapshot.save(self._path, looker.remembered(), fingerprint=self._fingerprint, given=looker.given)
            self.kept_to, self._long_pasts, self._failed_at = looker.learnt_to, looker.long_pasts, None
            self._show()
        except SnapshotError as error:
            self._failed_at = looker.learnt_to
            self._failed(error)

    def discard(self, looker: Looker) -> None:
        """Let nobody go on with it: a tick crashed, maybe over what it had learnt. The next good one writes it down again.

        A looker that crashed over what was restored forgets it too.
        """
        if self._closed:
            return
        self._asked, self.kept_to, self._failed_at = True, None, None
        if self._unproved:
            looker.let_go()
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            self._failed(SnapshotError(path=self._path, reason=str(error)))

    def close(self) -> None:
        """Leave the file to whoever comes next, and publish nothing of it any more."""
        self._closed = True
        for metric in ("lens_snapshot_size_bytes", "lens_snapshot_timestamp_seconds"):
            self._telemetry.forget(metric, watcher=self._watcher)

    def _show(self) -> None:
        if self._closed:
            return
        try:
            found = self._path.stat()
        except OSError as error:
            raise SnapshotError(path=self._path, reason=str(error)) from error
        self._telemetry.set("lens_snapshot_size_bytes", found.st_size, watcher=self._watcher)
        self._telemetry.set("lens_snapshot_timestamp_seconds", found.st_mtime, watcher=self._watcher)

    def _failed(self, error: SnapshotError) -> None:
        self._telemetry.inc("lens_snapshots_failed_total", watcher=self._watcher)
        self._events.append("snapshot.failed", subject=self._watcher, error=str(error))


def sweep(folder: Path, watchers: Collection[str]) -> list[SnapshotError]:
    """Delete the files of watchers that are not among these, and what was never finished. Gives what could not be deleted."""
    failures = []
    try:
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    except OSError as error:
        return [SnapshotError(path=folder, reason=str(error))]
    for name in names:
        found = _OURS.fullmatch(name)
        if found is None or (found[1] in watchers and found[2] is None):
            continue
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            failures.append(SnapshotError(path=folder / name, reason=str(error)))
    return failures
