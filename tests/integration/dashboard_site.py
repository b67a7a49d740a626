"""A real lens-exporter with enough going on for every panel: a node, a model, a finding, an annotation, an Alertmanager that is away."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from lens_exporter.demo.servers import LocalServer
from lens_exporter.foundation.clock import rfc3339
from tests.servers.alertmanager import AlertmanagerServer
from tests.servers.erlang import COOKIE, Epmd, ErlangNode
from tests.servers.grafana import FakeGrafana
from tests.servers.lens_process import LensProcess
from tests.servers.model_server import Answer, Asked, ModelServer, fail, use
from tests.servers.prometheus import PrometheusServer
from tests.servers.waiting import until

ROOT = Path(__file__).parents[2]
NODE = "shop@127.0.0.1"
AWAY = "http://127.0.0.1:1"  # nobody listens there
_QUICK = {"schedule": "* * * * * *", "step": "1s", "window": "2m", "min_observations": 10}
_FULL = {"lens": "promql", "metrics": {"scraped": {"query": "up", "direction": "up", "ceiling": 0.5}}}


@dataclass(frozen=True)
class Site:
    """Where its Prometheus is, and which lens-exporter that scrapes."""

    prometheus: str
    instance: str
    lens: LensProcess

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Give the series of an instant query of now."""
        found: list[dict[str, Any]] = self._ask("query", query=expression)["result"]
        return found

    def rules(self) -> dict[str, str]:
        """Give the health of each rule that is evaluated."""
        groups = self._ask("rules")["groups"]
        return {f"{rule['name']} {rule.get('labels', '')}": rule["health"] for group in groups for rule in group["rules"]}

    def _ask(self, what: str, **data: str) -> dict[str, Any]:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request("POST" if data else "GET", f"{self.prometheus}/api/v1/{what}", data=data, timeout=30).json()
        assert answer["status"] == "success", (what, data, answer)
        found: dict[str, Any] = answer["data"]
        return found


def firing(alert: str) -> str:
    """Give the query that asks whether an alert fires; one that only waits for its time does not."""
    return f'ALERTS{{alertname="{alert}",alertstate="firing"}}'


@contextmanager
def running(folder: Path) -> Iterator[Site]:
    """Start everything, and wait until an investigation by the model is done and scraped."""
    with ExitStack() as opened:
        prometheus, lens = _servers(folder, opened)
        site = Site(prometheus.url, f"127.0.0.1:{lens.port}", lens)
        _declare(lens)
        until(
            lambda: site.query("rate(lens_reviews_total[20s]) and on () rate(lens_receipts_total[20s])"), 90, 0.5, what="a finding"
        )
        until(lambda: site.query("increase(lens_annotations_sent_total[1m]) > 0"), 30, 0.5, what="an annotation")
        until(
            lambda: site.query(f'lens_beam_scheduler_utilization_ratio{{node="{NODE}"}}'), 30, 0.5, what="a busy share of the node"
        )
        until(lambda: site.query("rate(lens_anomalies_expected_total[30s])"), 30, 0.5, what="an anomaly that is expected")
        until(lambda: site.query(firing("LensExporterDeliveryFailing")), 60, 0.5, what="an alert about a lens-exporter that fires")
        yield site


def _servers(folder: Path, opened: ExitStack) -> tuple[LocalServer, LensProcess]:
    epmd = opened.enter_context(Epmd(folder / "epmd"))
    # A node times its schedulers for as long as somebody who asked for it lives.
    timed = "spawn(fun() -> erlang:system_flag(scheduler_wall_time, true), receive after infinity -> ok end end)."
    opened.enter_context(ErlangNode(folder / "node", name=NODE, epmd=epmd, flags=["-eval", timed]))
    lens = LensProcess(folder / "lens", {})
    scrape = {"job_name": "lens", "static_configs": [{"targets": [f"127.0.0.1:{lens.port}"]}]}
    prometheus = opened.enter_context(PrometheusServer(folder, scrape_configs=[scrape], rules=_rules()))
    alertmanager = opened.enter_context(AlertmanagerServer(folder, webhook_url=f"{lens.url}/webhook"))
    model = opened.enter_context(ModelServer(_analyst))
    grafana = FakeGrafana()
    opened.callback(grafana.close)
    for name, secret in (("cookie", COOKIE), ("token", "glsa_secret"), ("key", "sk-ant-test")):
        (folder / name).write_text(secret, "utf-8")
        (folder / name).chmod(0o600)
    nodes = {"nodes": [NODE], "cookie_file": str(folder / "cookie"), "epmd_port": epmd.port}
    options = {"base_url": model.url, "api_key_file": str(folder / "key")}
    lens.configure(
        {
            "prometheus": {"url": prometheus.url},
            "alertmanager": {"urls": [alertmanager.url, AWAY], "resend_interval": "1s"},
            "grafana": {"url": grafana.url, "token_file": str(folder / "token")},
            "llm": {"primary": "claude", "clients": [{"name": "claude", "provider": "anthropic", "options": options}]},
            "watchers": [
                {"host": _QUICK},
                {"python": _QUICK},
                {"beam": {**_QUICK, **nodes}},
                {"name": "full", **_QUICK, **_FULL, "reading": {"client": "claude", "far": 1.1}},
                {"name": "load_test", **_QUICK, **_FULL, "schedule": "0 0 1 1 *"},
            ],
            "investigate": {"settle": "1s", "debounce": "100ms", "webhook_grace": "20s"},
        }
    )
    opened.enter_context(lens.start())
    return prometheus, lens


def _rules() -> list[dict[str, Any]]:
    """Give the rules about lens-exporter itself; only how often they are evaluated, and for how long they wait, is quicker."""
    groups = yaml.safe_load((ROOT / "rules" / "lens-exporter.yml").read_text("utf-8"))["groups"]
    return [{**group, "interval": "1s", "rules": [_soon(rule) for rule in group["rules"]]} for group in groups]


def _soon(rule: dict[str, Any]) -> dict[str, Any]:
    return {**rule, "for": "2s"} if "for" in rule else rule


def _declare(lens: LensProcess) -> None:
    """Say that one watcher's anomalies are expected, then let it look until it has seen them."""
    now = time.time()
    span = {"from": rfc3339(now - 3600), "to": rfc3339(now + 3600)}
    wish = {"watcher": "load_test", "labels": {}, **span, "comment": "load test"}
    taken = lens.post("/api/v1/expected", json=wish)
    assert taken.ok, taken.text

    def told() -> bool:
        lens.post("/api/v1/watchers/load_test/trigger")
        return lens.metrics().value("lens_anomalies_expected_total") > 0

    until(told, 60, 1.0, what="an anomaly that is expected")


def _analyst(asked: Asked) -> Answer:
    if asked.number == 1:
        return fail(529)
    if "submit_review" in asked.offered:
        return use("submit_review", verdict="accept", confidence="high")
    if not asked.tool_results:
        return use("promql_range", query="up", start="now-1m", end="now")
    finding = {"claim": "up is 1", "receipts": ["r1"], "kind": "fact"}
    return use(
        "submit_analysis", status="warning", outcome="cause_found", summary="It is up.", findings=[finding], recommendations=[]
    )
