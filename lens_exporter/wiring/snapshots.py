"""Where what watchers have learnt is kept over a restart, and what makes it of use to the next process."""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import structlog

from lens_exporter import baseline
from lens_exporter.config.settings import Config
from lens_exporter.errors import SnapshotError
from lens_exporter.foundation.database import Database
from lens_exporter.watch.snapshots import sweep

_log = structlog.get_logger("lens_exporter")

_SUFFIX = ".snapshots"


def folder(config: Config, database: Database) -> Path | None:
    """Give the folder: the configured one, or beside an SQLite database. None: nothing is kept."""
    if not config.snapshots:
        return None
    if config.snapshots_path is not None:
        return config.snapshots_path
    return None if database.path is None else database.path.with_suffix(_SUFFIX)


def tidy(folder: Path, config: Config) -> None:
    """Delete what watchers have left that there are no more. One that cannot be deleted stays."""
    try:
        sweep(folder, {watcher.name for watcher in config.watchers})
    except SnapshotError as error:
        _log.warning("old snapshots stay", error=str(error))


def fingerprint(learns: Iterable[object]) -> str:
    """Identify what is learnt, and the code that learns: other code may have other ideas of the same names."""
    digest = hashlib.sha256(_code().encode())
    for one in learns:
        digest.update(repr(one).encode())
    return digest.hexdigest()


@cache
def _code() -> str:
    """Identify the code of baselines and the library that its numbers come from."""
    digest = hashlib.sha256(np.__version__.encode())
    (root,) = map(Path, baseline.__path__)
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
