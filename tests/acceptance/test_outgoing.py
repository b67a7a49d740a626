"""Where lens-exporter sends requests to: the servers in its configuration, and nowhere else, whoever asks it to."""

import pytest

from tests.servers.faulty import FaultyServer, Reply, Request
from tests.servers.lens_process import LensProcess
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance


def test_nobody_sends_it_elsewhere(tmp_path):
    """Every server redirects, the environment names a proxy, and a webhook is full of addresses: none of them is ever asked."""
    with FaultyServer() as trap:

        def away(request: Request) -> Reply:
            status = {"GET": 302, "POST": 307}.get(request.method, 308)
            return Reply(status=status, headers={"Location": f"{trap.url}{request.path}"})

        with (
            FaultyServer(away) as prometheus,
            FaultyServer(away) as alertmanager,
            FaultyServer(away) as grafana,
            FaultyServer(away) as model,
            FaultyServer(away) as collector,
        ):
            proxy = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"), trap.url)
            key = tmp_path / "key"
            key.write_text("a-key-of-a-model\n")
            options = {"model": "m", "base_url": model.url, "api_key_file": str(key)}
            config = {
                "prometheus": {"url": prometheus.url, "bearer_token_file": str(key)},
                "alertmanager": {"urls": [alertmanager.url]},
                "grafana": {"url": grafana.url, "token_file": str(key)},
                "llm": {"primary": "model", "clients": [{"name": "model", "provider": "anthropic", "options": options}]},
                "otlp_endpoint": collector.url,
                "watchers": [{"host": "* * * * * *"}],
                "investigate": {"debounce": "100ms"},
            }
            alert = {
                "status": "firing",
                "labels": {"alertname": "DiskFull", "severity": "critical", "instance": trap.url, "url": f"{trap.url}/label"},
                "annotations": {"runbook_url": f"{trap.url}/runbook", "dashboard": f"{trap.url}/dashboard"},
                "startsAt": "2026-11-20T14:02:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": f"{trap.url}/graph?g0.expr=up",
            }
            body = {
                "version": "4",
                "groupKey": "k",
                "status": "firing",
                "receiver": trap.url,
                "externalURL": trap.url,
                "alerts": [alert],
            }
            with LensProcess(tmp_path / "lens", config, environment=proxy).start() as lens:
                assert lens.post("/webhook", json=body).status_code == 200
                until(lambda: lens.events("watcher.failed"), 40)
                until(lambda: lens.events("llm.failed"), 40)
                until(lambda: lens.events("alert.delivery_failed"), 40)
                until(lambda: lens.events("finding.publish_failed"), 40)
                said = lens.events("watcher.failed")[0]["data"]["error"]
            # Spans and metrics leave at the end at the latest.
            asked = [server for server in (prometheus, alertmanager, grafana, model, collector) if server.requests]
            assert len(asked) == 5
            assert trap.requests == []
            assert f"redirects to {trap.url}" in said
