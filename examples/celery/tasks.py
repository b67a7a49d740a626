"""A Celery worker: the process that was started serves one page that tells of all those it forks to run tasks."""

import os
import tempfile
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_process_init

import lens_exporter

app = Celery("tasks")  # its broker is RabbitMQ on this machine, unless configured otherwise
app.config_from_envvar("CELERY_CONFIG_MODULE", silent=True)


@worker_init.connect
def serve(**_signal: Any) -> None:
    # Of this worker alone, and open to nobody else. What it forks inherits where it is.
    os.environ["LENS_SIBLINGS"] = tempfile.mkdtemp(prefix="tasks-lens-")
    lens_exporter.instrument("tasks", port=int(os.environ.get("METRICS_PORT", "9464")), siblings=os.environ["LENS_SIBLINGS"])


@worker_process_init.connect
def join(**_signal: Any) -> None:
    lens_exporter.instrument("tasks", siblings=os.environ["LENS_SIBLINGS"])


@app.task
def keep(megabytes: int) -> int:
    """Hold so much memory from now on, and say in which process."""
    _kept.append(b"x" * (megabytes * 1024 * 1024))
    return os.getpid()


_kept: list[bytes] = []
