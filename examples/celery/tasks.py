"""A Celery worker: the process that was started serves one page that tells of all those it forks to run tasks."""

import os
import tempfile
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_process_init

import lens_exporter

app = Celery("tasks", broker=os.environ.get("BROKER", "amqp://127.0.0.1"), backend=os.environ.get("BACKEND"))
app.conf.broker_transport_options = {"data_folder_in": os.environ.get("QUEUE", ""), "data_folder_out": os.environ.get("QUEUE", "")}

_SIBLINGS = Path(tempfile.mkdtemp(prefix="tasks-lens-"))


@worker_init.connect
def serve(**_signal: Any) -> None:
    lens_exporter.instrument("tasks", port=int(os.environ.get("METRICS_PORT", "9464")), siblings=_SIBLINGS)


@worker_process_init.connect
def join(**_signal: Any) -> None:
    lens_exporter.instrument("tasks", siblings=_SIBLINGS)


@app.task
def keep(megabytes: int) -> int:
    """Hold so much memory from now on, and say in which process."""
    _kept.append(b"x" * (megabytes * 1024 * 1024))
    return os.getpid()


_kept: list[bytes] = []
