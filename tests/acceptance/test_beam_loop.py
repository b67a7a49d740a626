"""From a fault on a real node to the process or the table in a finding: watcher, Alertmanager, investigation, by the program itself."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import requests

from tests.servers.alertmanager import AlertmanagerServer
from tests.servers.beam_faults import ATOMS, BINARIES, MAILBOX, PORTS, SPIN, TABLE
from tests.servers.erlang import COOKIE, Epmd, ErlangNode
from tests.servers.lens_process import LensProcess
from tests.servers.prometheus import PrometheusServer
from tests.servers.waiting import until

pytestmark = [pytest.mark.acceptance, pytest.mark.integration]

FLAGS = ["+Q", "1024", "+t", "40000"]


@dataclass(frozen=True)
class Fault:
    """One node's fault, the alert that tells of it, what a finding must name, and whether that is called the cause."""

    made: str
    alert: str
    named: str
    cause: bool = True  # else a lead: nothing says who makes atoms


FAULTS = {
    "mailbox": Fault(MAILBOX, "LensQueues", "mailbox of process slow_consumer"),
    "table": Fault(TABLE, "LensMemory", "the ETS table carts of cart_store"),
    "binaries": Fault(BINARIES, "LensMemory", "process frame_cache"),
    "ports": Fault(PORTS, "LensPorts", "ports belong to process sensor_poller"),
    "atoms": Fault(ATOMS, "LensAtoms", "process json_parser", cause=False),
    "spin": Fault(SPIN, "LensCpu", "process spinner"),
}


@pytest.fixture
def site(tmp_path) -> Iterator[tuple[dict[str, ErlangNode], LensProcess, str]]:
    """Give a node for each fault, and the program that watches them every two seconds."""
    with ExitStack() as opened:
        epmd = opened.enter_context(Epmd(tmp_path / "epmd"))
        nodes = {
            name: opened.enter_context(ErlangNode(tmp_path / name, name=f"{name}@127.0.0.1", epmd=epmd, flags=FLAGS))
            for name in FAULTS
        }
        (tmp_path / "cookie").write_text(COOKIE, encoding="utf-8")
        lens = LensProcess(tmp_path / "lens", {})
        scrape = {"job_name": "lens", "static_configs": [{"targets": [f"127.0.0.1:{lens.port}"]}]}
        prometheus = opened.enter_context(PrometheusServer(tmp_path, scrape_configs=[scrape]))
        alertmanager = opened.enter_context(
            AlertmanagerServer(tmp_path, webhook_url=f"{lens.url}/webhook", group_by=["alertname", "node"], group_wait="5s")
        )
        beam = {
            "schedule": "* * * * * */2",
            "step": "1s",
            "window": "2m",
            "min_observations": 15,
            "nodes": [node.name for node in nodes.values()],
            "cookie_file": str(tmp_path / "cookie"),
            "epmd_port": epmd.port,
        }
        lens.configure(
            {
                "prometheus": {"url": prometheus.url},
                "alertmanager": {"urls": [alertmanager.url]},
                "watchers": [{"beam": beam}],
                "investigate": {"settle": "5s", "debounce": "2s", "webhook_grace": "20s"},
            }
        )
        opened.enter_context(lens.start())
        yield nodes, lens, prometheus.url


def calm(prometheus: str) -> float:
    """Give how many seconds of each node are known."""
    query = "min(count_over_time(lens_beam_message_queue_longest[5m]))"
    found = requests.get(f"{prometheus}/api/v1/query", params={"query": query}, timeout=10).json()["data"]["result"]
    return float(found[0]["value"][1]) if found else 0.0


def investigation(lens: LensProcess, name: str) -> dict:
    """Give the finished investigation of the alert that a node's fault raises; empty while there is none."""
    wanted = (f'alertname="{FAULTS[name].alert}"', f'node="{name}@127.0.0.1"')
    for one in lens.get("/api/v1/investigations", limit=100).json()["investigations"]:
        if one["state"] == "done" and all(label in one["source"]["group_key"] for label in wanted):
            return lens.get(f"/api/v1/investigations/{one['id']}").json()
    return {}


# One test, because the six nodes and the servers around them are started once, and the faults go on side by side.
@pytest.mark.timeout(1600)
def test_each_fault_is_found_by_the_watcher_and_explained_by_name(site):
    """Each node's alert is investigated, and a finding that holds names the process or the table that has the fault."""
    nodes, lens, prometheus = site
    until(lambda: calm(prometheus) >= 50, 120, 1.0, what="a calm minute of all nodes is known")
    for name, node in nodes.items():
        node.run(FAULTS[name].made)
    for name, fault in FAULTS.items():
        told = until(lambda name=name: investigation(lens, name), 240, 1.0, what=f"an investigation of {name}")
        claims = [finding["claim"] for finding in told["findings"]]
        assert any(fault.named in claim for claim in claims), (name, claims)
        assert told["verdict"] == "cause_found" or not fault.cause, (name, told["summary"])
