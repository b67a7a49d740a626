"""Where what watchers have learnt is kept over a restart, and what makes it of use to the next process."""

import hashlib
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from lens_exporter import baseline, model, prometheus, watch
from lens_exporter.config.settings import Config, Server
from lens_exporter.foundation import snapshot
from lens_exporter.foundation.database import Database
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.watch.snapshots import sweep

_log = structlog.get_logger("lens_exporter")

_SUFFIX = ".snapshots"
_LEARNING = (baseline, model, prometheus, watch)  # whose code has a say in what is learnt

Learns = tuple[Server, tuple[BaselineMetric, ...], dict[str, Any]]  # of whom, what, and how: a watcher's settings


def folder(config: Config, database: Database) -> Path | None:
    """Give the folder: the configured one, or beside an SQLite database. None: nothing is kept."""
    if not config.snapshots:
        return None
    if config.snapshots_path is not None:
        return config.snapshots_path
    return None if database.path is None else database.path.with_name(database.path.name + _SUFFIX)


def tidy(folder: Path, config: Config) -> None:
    """Delete what watchers have left that there are no more. One that cannot be deleted stays."""
    for error in sweep(folder, {watcher.name for watcher in config.watchers}):
        _log.warning("an old snapshot stays", error=str(error))


def fingerprint(learns: Learns) -> str:
    """Identify what is learnt, and the code that learns: other code may have other ideas of the same names."""
    server, metrics, settings = learns
    said = [server.model_dump(mode="json"), [asdict(metric) for metric in metrics], settings]
    # As a reload compares them: lists in their order, mappings in any.
    text = json.dumps(said, sort_keys=True, default=str)
    return hashlib.sha256(_code().encode() + text.encode()).hexdigest()


@cache
def _code() -> str:
    """Identify the code that makes of samples what is learnt, and the library that its numbers come from."""
    digest = hashlib.sha256(np.__version__.encode())
    for package in _LEARNING:
        (root,) = map(Path, package.__path__)
        for path in sorted(root.rglob("*.py")):
            digest.update(f"{package.__name__}/{path.relative_to(root)}".encode() + b"\0" + path.read_bytes())
    digest.update(Path(snapshot.__file__).read_bytes())
    return digest.hexdigest()
