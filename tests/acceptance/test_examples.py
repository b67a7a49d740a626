"""The programs of examples/, started as their README says: their metrics are there once each, and right for each process."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from lens_exporter.demo.servers import free_port
from tests.servers.faulty import FaultyServer, Reply
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance

EXAMPLES = Path(__file__).parents[2] / "examples"
BIN = Path(sys.executable).parent
MIB = 1024 * 1024


@contextmanager
def started(folder: str, *command: str, tmp_path: Path, **environment: str) -> Iterator[psutil.Process]:
    """Run an example as its README says, and end it with all that it started."""
    env = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "TMPDIR": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
        **environment,
    }
    with (tmp_path / "log").open("wb") as log:
        program = subprocess.Popen(command, cwd=EXAMPLES / folder, env=env, stdout=log, stderr=log, start_new_session=True)
        try:
            yield psutil.Process(program.pid)
        except Exception:
            print((tmp_path / "log").read_text())
            raise
        finally:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()


def page(port: int) -> str:
    return requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text


def by_pid(text: str, name: str, process: str) -> dict[int, float]:
    """Read a metric's value by process; each may stand there once only."""
    found = re.findall(rf'^{name}{{pid="(\d+)",process="{process}"}} (\S+)$', text, re.MULTILINE)
    assert len(found) == len({pid for pid, _ in found}), found
    return {int(pid): float(value) for pid, value in found}


def asked(port: int, path: str = "/metrics") -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}{path}", timeout=10).ok
    except requests.ConnectionError:
        return False


def told(port: int, name: str, process: str, pids: set[int]) -> dict[int, float]:
    """Give a metric by process once the page tells of just these."""
    found = until(lambda: (seen := by_pid(page(port), name, process)).keys() == pids and seen, 30.0, 0.2, what=f"{name} of {pids}")
    assert found
    return found


def test_gunicorn_tells_of_four_workers_on_one_page(tmp_path):
    """Each process stands there once with its own numbers; a worker that was killed gives way to the one that replaces it."""
    port, metrics = free_port(), free_port()
    command = ("gunicorn", "-c", "gunicorn.conf.py", "shop:app")
    with started("gunicorn", *command, tmp_path=tmp_path, BIND=f"127.0.0.1:{port}", METRICS_PORT=str(metrics)) as arbiter:
        until(lambda: asked(port, "/"), 30.0, 0.2, what="the example answers")
        workers = until(lambda: len(found := arbiter.children()) == 4 and found, 30.0, 0.2, what="four workers")
        seen = told(metrics, "lens_python_memory_used_bytes", "shop", {arbiter.pid, *(worker.pid for worker in workers)})
        for pid, resident in seen.items():
            assert resident == pytest.approx(psutil.Process(pid).memory_info().rss, abs=4 * MIB)
        starts = by_pid(page(metrics), "lens_python_start_time_seconds", "shop")
        assert {pid: pytest.approx(psutil.Process(pid).create_time(), abs=1.0) for pid in seen} == starts
        workers[0].send_signal(signal.SIGKILL)
        psutil.wait_procs(workers[:1], timeout=10)
        there = until(
            lambda: workers[0].pid not in {one.pid for one in arbiter.children()} and len(arbiter.children()) == 4,
            30.0,
            0.2,
            what="its successor",
        )
        assert there
        told(metrics, "lens_python_memory_used_bytes", "shop", {arbiter.pid, *(worker.pid for worker in arbiter.children())})
        before = {worker.pid for worker in arbiter.children()}
        arbiter.send_signal(signal.SIGHUP)
        until(lambda: len(new := {one.pid for one in arbiter.children()}) == 4 and not new & before, 30.0, 0.2, what="a reload")
        told(metrics, "lens_python_memory_used_bytes", "shop", {arbiter.pid, *(worker.pid for worker in arbiter.children())})


def test_celery_tells_which_of_its_processes_holds_memory(tmp_path):
    """What a task keeps shows in the process that ran it, and in no other."""
    metrics, queue = free_port(), tmp_path / "queue"
    queue.mkdir()
    folders = {name: str(queue) for name in ("data_folder_in", "data_folder_out", "control_folder")}
    settings = {"broker_url": "filesystem://", "result_backend": f"file://{queue}", "broker_transport_options": folders}
    (tmp_path / "over_files.py").write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()))
    given = {"CELERY_CONFIG_MODULE": "over_files", "PYTHONPATH": str(tmp_path), "METRICS_PORT": str(metrics)}
    command = (
        "celery",
        "-A",
        "tasks",
        "worker",
        "--concurrency",
        "2",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
    )
    with started("celery", *command, tmp_path=tmp_path, **given) as main:
        until(lambda: asked(metrics), 60.0, 0.5, what="the example answers")
        children = until(lambda: len(found := main.children()) == 2 and found, 30.0, 0.2, what="two processes")
        pids = {main.pid, *(child.pid for child in children)}
        before = told(metrics, "lens_python_memory_used_bytes", "tasks", pids)
        call = "import tasks; print(tasks.keep.delay(64).get(timeout=30))"
        env = {**os.environ, **given}
        ran = subprocess.run(
            [sys.executable, "-c", call], cwd=EXAMPLES / "celery", env=env, capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.returncode == 0, ran.stderr
        after = told(metrics, "lens_python_memory_used_bytes", "tasks", pids)
        grown = {pid for pid in pids if after[pid] - before[pid] > 48 * MIB}
        assert grown == {int(ran.stdout)}


def test_a_program_under_opentelemetry_instrument_pushes_its_runtime(tmp_path):
    """A service without a line about metrics sends each of them once, with its name, and its own numbers."""
    with FaultyServer(Reply()) as collector:
        port = free_port()
        command = ("opentelemetry-instrument", "--service_name", "shop", "uvicorn", "shop:app", "--port", str(port))
        given = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        }
        with started("fastapi", *command, tmp_path=tmp_path, **given) as program:
            until(lambda: asked(port, "/basket"), 30.0, 0.2, what="the example answers")
            (resource,) = until(lambda: _metrics(collector), 30.0, 0.2, what="an export")[-1].resource_metrics
            resident = program.memory_info().rss
    assert {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"] == "shop"
    found = [metric for scope in resource.scope_metrics if scope.scope.name == "lens_exporter" for metric in scope.metrics]
    names = [metric.name for metric in found]
    assert len(names) == len(set(names))
    assert {
        "lens.python.memory_utilization_ratio",
        "lens.python.open_fds_limit",
        "lens.python.gc_pause_time",
        "lens.python.cpu",
    } <= set(names)
    (used,) = next(metric for metric in found if metric.name == "lens.python.memory_used").gauge.data_points
    assert used.as_double == pytest.approx(resident, abs=16 * MIB)
    labels = {each.key: each.value.string_value for each in used.attributes}
    assert labels == {"process": "shop", "pid": str(program.pid)}


def test_upstreams_prometheus_reader_shows_them_under_the_names_of_our_own_page(tmp_path):
    """Where the program is scraped instead, by OTEL_METRICS_EXPORTER=prometheus, names are those of `instrument()`."""
    port, metrics = free_port(), free_port()
    command = ("opentelemetry-instrument", "--service_name", "shop", "uvicorn", "shop:app", "--port", str(port))
    given = {
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_EXPORTER_PROMETHEUS_PORT": str(metrics),
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }
    with started("fastapi", *command, tmp_path=tmp_path, **given):
        until(lambda: asked(port, "/basket") and asked(metrics), 30.0, 0.2, what="the example answers")
        text = page(metrics)
    for name in ("lens_python_memory_used_bytes", "lens_python_memory_utilization_ratio", "lens_python_cpu_seconds_total"):
        assert len(re.findall(rf"^{name}{{", text, re.MULTILINE)) == 1, text


def _metrics(collector: FaultyServer) -> list[ExportMetricsServiceRequest]:
    return [ExportMetricsServiceRequest.FromString(one.body) for one in collector.requests if one.path == "/v1/metrics"]
