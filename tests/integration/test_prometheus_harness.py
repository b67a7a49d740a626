"""The servers that other tests stand on."""

import sys
import time
from pathlib import Path

import pytest
import requests

from lens_exporter.demo.backfill import Series
from lens_exporter.demo.servers import LocalServer, free_port
from tests.servers.alertmanager import AlertmanagerServer
from tests.servers.prometheus import PrometheusServer
from tests.servers.waiting import until

pytestmark = pytest.mark.integration


def test_a_port_is_none_that_linux_gives_away_before_the_server_starts():
    """Who asks for any port gets one of another range: a server that starts a second later finds its own free."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if lowest < 32_768:
        pytest.skip(f"this machine gives away ports from {lowest} on")
    assert all(1024 <= free_port() < lowest for _ in range(50))


def test_history_written_before_the_start_can_be_queried_and_survives_a_kill(tmp_path):
    """Backfilled samples are there, and are still there on the same port after SIGKILL and a new start."""
    end = time.time() - 4 * 3600
    history = [Series("demo_bytes", {"instance": "a", "path": 'C:\\"x"'}, [(end - 60 * i, float(i)) for i in reversed(range(60))])]
    with PrometheusServer(tmp_path, history=history) as server:
        url = server.url

        def count() -> str:
            answer = requests.post(f"{url}/api/v1/query", data={"query": "count_over_time(demo_bytes[1h])", "time": end}, timeout=5)
            result = answer.json()["data"]["result"]
            return result[0]["value"][1] if result else ""

        assert count() == "60"
        server.kill()
        assert not server.running
        server.start_again()
        assert server.url == url
        assert count() == "60"


def test_rules_of_prometheus_reach_alertmanager(tmp_path):
    """A firing rule of Prometheus arrives in the Alertmanager it was told about."""
    rule = {"name": "g", "rules": [{"alert": "Always", "expr": "vector(1)", "labels": {"severity": "warning"}}]}
    with AlertmanagerServer(tmp_path) as alertmanager, PrometheusServer(tmp_path, rules=[rule], alertmanagers=[alertmanager.url]):
        alerts = until(lambda: requests.get(f"{alertmanager.url}/api/v2/alerts", timeout=5).json(), 20)
        assert alerts[0]["labels"]["alertname"] == "Always"


def test_whatever_goes_wrong_at_the_start_leaves_no_process_behind(tmp_path):
    """A server's address that cannot even be asked is an error nobody foresaw; the process ends with it."""
    server = LocalServer("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"], folder=tmp_path, ready=None)
    with pytest.raises(TypeError):
        server.start()
    assert server.pid is not None
    assert not server.running
