"""What the lenses publish and ask, before real Prometheus tools."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from prometheus_client import CollectorRegistry, generate_latest

from lens_exporter.config.settings import Lenses
from lens_exporter.errors import LensUnavailable, ServerMissing
from lens_exporter.lenses.catalog import build, close, kind
from lens_exporter.lenses.python.outside import ProcessLens
from lens_exporter.lenses.runner import LensCollector
from tests.servers.missing import skip_or_fail
from tests.servers.prometheus import PrometheusServer
from tests.servers.waiting import until
from tests.unit.lenses.samples import values

pytestmark = pytest.mark.integration
GOLDEN = Path(__file__).parents[1] / "golden"


def lint(page: bytes) -> None:
    with skip_or_fail():
        if shutil.which("promtool") is None:
            raise ServerMissing(program="promtool", package="prometheus")
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"")


@pytest.mark.parametrize("name", ["host.prom", "python.prom", "processes.prom", "beam.prom"])
def test_golden_pages_are_clean(name):
    """promtool finds nothing to say about the golden pages."""
    lint((GOLDEN / name).read_bytes())


def test_the_page_of_this_machine_is_clean():
    """promtool finds nothing to say about what this machine really publishes, several lenses on one page."""
    lenses = build(Lenses.model_validate({"python_processes": [{"name": "tests", "match": "pytest"}]}))
    try:
        registry = CollectorRegistry()
        registry.register(LensCollector(lenses))
        generate_latest(registry)
        lint(generate_latest(registry))
    finally:
        close(lenses)


@pytest.mark.parametrize("selector", ["", 'job="api"', 'job=~"a|b",instance!=""'])
def test_tracked_queries_are_promql(tmp_path, selector):
    """Prometheus accepts every built-in query, with and without a watcher's selector."""
    with PrometheusServer(tmp_path) as server:
        for name in ("beam", "host", "python"):
            for metric in kind(name).baseline_metrics:
                query = metric.query.replace("$selector", selector)
                answer = requests.post(f"{server.url}/api/v1/query", data={"query": query}, timeout=10).json()
                assert answer["status"] == "success", (query, answer)


@pytest.fixture
def child():
    """A process of its own that waits, as a program would."""
    program = "import sys; print('up', flush=True); sys.stdin.read()"
    started = subprocess.Popen([sys.executable, "-c", program, "lens-test-child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert started.stdout.readline() == b"up\n"
    yield started
    started.kill()
    started.wait()
    started.stdin.close()
    started.stdout.close()


def test_a_process_from_outside(child):
    """A real process is found by its command line and read; killed but not reaped it is a zombie, and the lens says it is gone."""
    lens = ProcessLens("child", match="lens-test-child$")
    seen = values(lens.collect())
    assert seen['lens_python_memory_used_bytes{process="child"}'] > 1e6
    assert seen['lens_python_threads_used{process="child"}'] == 1
    assert 3 <= seen['lens_python_open_fds_used{process="child"}'] < 20
    child.send_signal(signal.SIGKILL)
    stat = Path(f"/proc/{child.pid}/stat")
    until(lambda: re.search(r"\) Z ", stat.read_text()), what="a zombie")
    with pytest.raises(LensUnavailable):
        list(lens.collect())
