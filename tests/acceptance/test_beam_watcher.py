"""The watcher `beam` as a user has it: a real node, a real Prometheus, and the program between them."""

import pytest

from tests.servers.erlang import COOKIE, ErlangNode
from tests.servers.lens_process import LensProcess
from tests.servers.prometheus import PrometheusServer
from tests.servers.waiting import until

pytestmark = [pytest.mark.acceptance, pytest.mark.integration]

# The least number of ports and a small number of atoms that a node may be started with.
FLAGS = ["+Q", "1024", "+t", "20000"]
OPEN = "lists:foreach(fun(_) -> {ok, S} = gen_udp:open(0, [{ip, {127,0,0,1}}]), gen_udp:controlling_process(S, whereis(init)) end, lists:seq(1, N)), ok"
GROW = (
    'spawn(fun() -> Loop = fun Loop(N) -> _ = binary_to_atom(<<"leak_", (integer_to_binary(N))/binary>>), '
    "receive after 20 -> Loop(N + 1) end end, Loop(1) end), ok"
)


@pytest.fixture
def watched(tmp_path):
    """Give the node and the program that watches it every second, with Prometheus scraping the program."""
    with ErlangNode(tmp_path / "node", flags=FLAGS) as node:
        (tmp_path / "cookie").write_text(COOKIE, encoding="utf-8")
        beam = {
            "schedule": "* * * * * */2",
            "step": "1s",
            "window": "10m",
            "nodes": [node.name],
            "cookie_file": str(tmp_path / "cookie"),
            "epmd_port": node.epmd.port,
        }
        lens = LensProcess(tmp_path / "lens", {})
        scrape = {"job_name": "lens", "static_configs": [{"targets": [f"127.0.0.1:{lens.port}"]}]}
        with PrometheusServer(tmp_path, scrape_configs=[scrape]) as prometheus:
            lens.configure({"prometheus": {"url": prometheus.url}, "watchers": [{"beam": beam}]})
            with lens.start():
                yield node, lens


def told(lens, category: str) -> dict:
    """Wait for the anomaly of a category, and give its event."""

    def found():
        return [each["data"] for each in lens.events("anomaly.detected") if each["data"]["anomaly_type"].startswith(category)]

    return until(found, 90, 1.0, what=f"an anomaly of {category}; events: {lens.events()[-5:]}")[0]


def test_ports_run_out_and_atoms_grow(watched):
    """Ports above nine tenths are told whatever is normal, atoms that grow before they are gone, with when; both name the node."""
    node, lens = watched
    until(lambda: lens.metrics().value("lens_watcher_series", watcher="beam") >= 6, 60, 1.0, what="the watcher sees the node")
    node.run(OPEN.replace("N)", "940)"))
    ports = told(lens, "ports")
    assert ports["summary"].startswith(f"{node.name} uses 92 % of its ports")
    node.run(GROW)
    atoms = told(lens, "atoms")
    assert atoms["summary"].startswith(node.name)
    assert (ports["rule"], atoms["rule"]) == ("ceiling", "exhaustion")
    assert [one["full_at"] > one["since"] for one in atoms["evidence"] if one["metric"] == "atom_utilization"] == [True]
    assert {one["target"]["node"] for one in (ports, atoms)} == {node.name}
