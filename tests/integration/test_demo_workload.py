"""The demo's service, its Prometheus and its Alertmanager, for real."""

import sys

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families as parse_text

from lens_exporter.demo.servers import LocalServer
from lens_exporter.demo.stack import JOB, THEIRS, their_rules
from lens_exporter.demo.workload import FILES_LIMIT, MEMORY_LIMIT
from tests.servers.alertmanager import AlertmanagerServer
from tests.servers.prometheus import PrometheusServer
from tests.servers.waiting import until

pytestmark = pytest.mark.integration


@pytest.fixture
def workload(tmp_path):
    argv = [sys.executable, "-m", "lens_exporter.demo.workload"]
    with LocalServer("workload", argv, folder=tmp_path, ready="/metrics").start() as server:
        yield server


def reading(server, name):
    text = requests.get(server.url + "/metrics", timeout=5).text
    return next(s.value for f in parse_text(text) for s in f.samples if s.name == name)


def test_the_leaks_are_real_and_given_back(workload):
    """What the lens reads from the kernel grows against real limits, and falls again; nothing leaks before it is told to."""
    assert reading(workload, "lens_python_memory_limit_bytes") == MEMORY_LIMIT
    assert reading(workload, "lens_python_open_fds_limit") == FILES_LIMIT
    memory, files = reading(workload, "lens_python_memory_used_bytes"), reading(workload, "lens_python_open_fds_used")
    for what in ("memory", "files"):
        assert requests.post(f"{workload.url}/leak/{what}", timeout=5).status_code == 204
    until(lambda: reading(workload, "lens_python_memory_used_bytes") > memory + 20_000_000, 15)
    until(lambda: reading(workload, "lens_python_open_fds_used") > files + 40, 15)
    assert requests.post(f"{workload.url}/recover", timeout=5).status_code == 204
    until(lambda: reading(workload, "lens_python_memory_used_bytes") < memory + 10_000_000, 10)
    until(lambda: reading(workload, "lens_python_open_fds_used") < files + 10, 10)
    assert requests.post(f"{workload.url}/leak/nothing", timeout=5).status_code == 404


def test_the_rule_of_prometheus_itself_fires_and_resolves(workload, tmp_path):
    """The demo's "their alert" reaches Alertmanager with the service's labels while files leak, and ends with the leak."""
    with AlertmanagerServer(tmp_path) as alertmanager:
        scrape = {"job_name": JOB, "static_configs": [{"targets": [f"127.0.0.1:{workload.port}"]}]}
        with PrometheusServer(tmp_path, scrape_configs=[scrape], rules=[their_rules()], alertmanagers=[alertmanager.url]):

            def firing():
                alerts = requests.get(alertmanager.url + "/api/v2/alerts", timeout=5).json()
                return [alert for alert in alerts if alert["labels"]["alertname"] == THEIRS]

            requests.post(workload.url + "/leak/files", timeout=5)
            alert = until(firing, 40)[0]
            assert alert["labels"]["job"] == JOB
            assert "files open, more than" in alert["annotations"]["summary"]
            requests.post(workload.url + "/recover", timeout=5)
            until(lambda: not firing(), 30)
