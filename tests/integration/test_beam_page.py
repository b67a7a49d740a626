"""What the BEAM lens publishes of real nodes: the same as the node says of itself through erl_call, and as its own exporter says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client import CollectorRegistry, generate_latest, start_http_server

from lens_exporter.config.beam import Beam
from lens_exporter.config.secrets import Secrets
from lens_exporter.config.settings import Lenses
from lens_exporter.lenses.beam.baseline import tracked
from lens_exporter.lenses.beam.epmd_names import registered
from lens_exporter.lenses.catalog import build, close, members
from lens_exporter.lenses.python.process import ProcessReader
from lens_exporter.lenses.runner import LensCollector
from tests.servers.erlang import COOKIE, Epmd, ErlangNode
from tests.servers.lens_process import LensProcess
from tests.servers.prometheus import PrometheusServer
from tests.servers.rabbitmq import RabbitServer
from tests.servers.waiting import until
from tests.unit.lenses.samples import values

pytestmark = pytest.mark.integration

SECRETS = Secrets({"COOKIE": COOKIE})
# What the node says of itself, in the order of NAMES: gauges, then counters.
SAID = """
    {{_, _}, {Gcs, Words, _}} = {erlang:statistics(reductions), erlang:statistics(garbage_collection)},
    [element(2, P) || P <- erlang:memory()]
    ++ [erlang:system_info(I) || I <- [process_count, port_count, atom_count, ets_count,
        process_limit, port_limit, atom_limit, ets_limit,
        schedulers_online, dirty_cpu_schedulers_online, dirty_io_schedulers]]
    ++ [element(1, erlang:statistics(reductions)), Gcs, Words * erlang:system_info(wordsize),
        element(1, erlang:statistics(wall_clock)) / 1000]
"""
MEMORY = ["total", "processes", "processes_used", "system", "atom", "atom_used", "binary", "code", "ets"]
# How far a value may lie outside of what was said before and after it: what the questions themselves take.
DRIFT = {"memory": 4e6, "process_used": 3, "port_used": 3, "atom_used": 40, "ets_used": 1}


@pytest.fixture(scope="module")
def node(tmp_path_factory) -> Iterator[ErlangNode]:
    with ErlangNode(tmp_path_factory.mktemp("node")) as running:
        yield running


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory) -> Iterator[RabbitServer]:
    with RabbitServer(tmp_path_factory.mktemp("rabbit")) as running:
        yield running


@pytest.fixture
def opened():
    """Lenses of some sections, closed at the end."""
    lenses = []

    def make(*sections: Beam):
        built = build(Lenses(host=False, python=False), beam=sections, secrets=SECRETS)
        lenses.extend(built)
        return built

    yield make
    close(lenses)


def section(server, **more) -> Beam:
    return Beam(nodes=(server.name,), epmd_port=server.epmd.port, cookie_env="COOKIE", **more)


def said(server) -> dict[str, float]:
    """Give what the node says of itself, by the names the lens has for it."""
    numbers = [float(word) for word in server.run(SAID).strip("[]").split(",")]
    own = f'{{node="{server.name}"}}'
    names = [f'lens_beam_memory_bytes{{kind="{kind}",node="{server.name}"}}' for kind in MEMORY]
    names += [f"lens_beam_{what}_{part}{own}" for part in ("used", "limit") for what in ("process", "port", "atom", "ets")]
    names += [f'lens_beam_schedulers_online{{kind="{kind}",node="{server.name}"}}' for kind in ("normal", "dirty_cpu", "dirty_io")]
    names += [f"lens_beam_{name}{own}" for name in ("reductions_total", "gc_collections_total", "gc_reclaimed_bytes_total")]
    found = dict(zip([*names, f"lens_beam_uptime_seconds{own}"], numbers, strict=True))
    found[f"lens_beam_memory_used_bytes{own}"] = found.pop(names[0])
    return found


def drift(name: str) -> float:
    return next((allowed for part, allowed in DRIFT.items() if part in name and "limit" not in name), 0.0)


@pytest.mark.parametrize("kind", ["node", "rabbit"])
def test_the_page_is_what_the_node_says(kind, opened, request):
    """Every quantity lies between what erl_call reads just before and just after; limits and schedulers are equal."""
    server = request.getfixturevalue(kind)
    (lens,) = members(opened(section(server)))
    list(lens.collect())  # the connection itself takes a port, processes and atoms
    before, page, after = said(server), values(lens.collect()), said(server)
    for name in before:
        allowed = drift(name)
        low, high = min(before[name], after[name]) - allowed, max(before[name], after[name]) + allowed
        assert low <= page[name] <= high, (name, before[name], page[name], after[name])
    for what in ("process", "port", "atom", "ets"):
        used, limit = (page[f'lens_beam_{what}_{part}{{node="{server.name}"}}'] for part in ("used", "limit"))
        assert page[f'lens_beam_{what}_utilization_ratio{{node="{server.name}"}}'] == used / limit
    assert page[f'lens_beam_info{{node="{server.name}",otp_release="{server.run("erlang:system_info(otp_release)")[1:-1]}"}}'] == 1
    assert {value for name, value in page.items() if "part_up" in name} == {1.0}


def test_mailboxes(node, opened):
    """The longest mailbox and the sum of all are those that the node's processes have."""
    (lens,) = members(opened(section(node)))
    node.run(
        "lists:foreach(fun({Name, Count}) -> register(Name, spawn(fun() -> receive stop -> ok end end)), "
        "[Name ! N || N <- lists:seq(1, Count)] end, [{box, 5000}, {other, 70}])"
    )
    page = values(lens.collect())
    assert page[f'lens_beam_message_queue_longest{{node="{node.name}"}}'] == 5000
    assert 5070 <= page[f'lens_beam_messages_queued{{node="{node.name}"}}'] <= 5075
    node.run("[box ! stop, other ! stop], exit(whereis(box), kill), exit(whereis(other), kill)")


def test_run_queues_and_time_of_schedulers(tmp_path, opened):
    """Work that waits is in the run queue, and schedulers that spin are busy; while the node times none, no share is published."""
    with ErlangNode(tmp_path / "node", flags=["+S", "1:1"]) as node:
        (lens,) = members(opened(section(node)))
        share = f'lens_beam_scheduler_utilization_ratio{{kind="normal",node="{node.name}"}}'
        queue = f'lens_beam_run_queue_length{{kind="normal",node="{node.name}"}}'
        list(lens.collect())
        assert share not in values(lens.collect())
        node.run("spawn(fun() -> erlang:system_flag(scheduler_wall_time, true), receive stop -> ok end end)")
        node.run("Spin = fun Spin() -> Spin() end, [spawn(Spin) || _ <- lists:seq(1, 4)]")
        assert until(lambda: values(lens.collect()).get(share), what="a share of the schedulers' time") > 0.9
        assert until(lambda: values(lens.collect())[queue] >= 3, what="three of four wait for the one scheduler")


def test_memory_against_the_limit_of_its_process(node, opened):
    """A node on this machine is held against what limits its process; its utilization is never against itself."""
    (lens,) = members(opened(section(node)))
    page = values(lens.collect())
    seen = ProcessReader().read(str(node.pid))
    own = f'{{node="{node.name}"}}'
    assert page[f"lens_beam_memory_limit_bytes{own}"] == seen.memory.limit
    assert page[f'lens_beam_memory_limit_info{{node="{node.name}",source="{seen.memory_limit_source}"}}'] == 1
    assert 0 < page[f"lens_beam_memory_utilization_ratio{own}"] < 0.5
    (configured,) = members(opened(section(node, memory_limit="1GiB")))
    assert values(configured.collect())[f"lens_beam_memory_limit_bytes{own}"] == 1024**3


def test_one_node_down_of_two(tmp_path, opened):
    """A node that is killed is down at the next scrape, and the other's page is whole; both at once take no longer than one."""
    with Epmd(tmp_path) as epmd, ErlangNode(tmp_path / "a", name="a@127.0.0.1", epmd=epmd) as first:
        with ErlangNode(tmp_path / "b", name="b@127.0.0.1", epmd=epmd) as second:
            lenses = opened(Beam(epmd=("127.0.0.1",), epmd_port=epmd.port, cookie_env="COOKIE"))
            registry = CollectorRegistry()
            registry.register(LensCollector(lenses, more=lambda: members(lenses)))
            generate_latest(registry)
            page = generate_latest(registry).decode()
            assert 'lens_beam_nodes{source="epmd 127.0.0.1"} 2.0' in page
            assert len(re.findall(r'lens_up\{lens="beam:[ab]@127.0.0.1"\} 1.0', page)) == 2
            second.kill()
        page = generate_latest(registry).decode()
        assert f'lens_up{{lens="beam:{second.name}"}} 0.0' in page
        assert f'lens_up{{lens="beam:{first.name}"}} 1.0' in page
        assert f'lens_beam_process_used{{node="{first.name}"}}' in page
        assert f'node="{second.name}"' not in page


def test_names_an_epmd_knows(node):
    """A real EPMD's list is read."""
    assert registered("127.0.0.1", node.epmd.port) == (node.name.partition("@")[0],)


# How far the two may be apart: they are scraped within a second of one another.
AGREE = {
    "memory_utilization": 1e-3,
    "process_utilization": 5 / 1048576,
    "port_utilization": 3 / 65536,
    "atom_utilization": 40 / 5_000_000,
    "run_queue": 5.0,
    "schedulers_online": 0.0,
    "memory_used": 8e6,
    "binary_memory": 2e6,
    "ets_memory": 2e5,
    "reductions_per_second": 5e6,
}


def test_both_sources_agree(rabbit, tmp_path, opened):
    """A watcher that reads RabbitMQ's own page sees what one sees that reads this lens, quantity by quantity."""
    registry = CollectorRegistry()
    registry.register(LensCollector(members(opened(section(rabbit)))))
    server, thread = start_http_server(0, "127.0.0.1", registry)
    targets = {"rabbit": rabbit.target, "lens": f"127.0.0.1:{server.server_port}"}
    scrapes = [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in targets.items()]
    try:
        with PrometheusServer(tmp_path, scrape_configs=scrapes) as prometheus:

            def answer(query: str) -> list[float]:
                asked = {"query": query.replace(",$selector", "").replace("$selector", "")}
                found = requests.post(f"{prometheus.url}/api/v1/query", data=asked, timeout=10).json()
                assert found["status"] == "success", found
                return [float(row["value"][1]) for row in found["data"]["result"]]

            exporter = {metric.name: metric.query for metric in tracked({"source": "exporter"})}
            until(lambda: answer(exporter["reductions_per_second"]), what="two scrapes of RabbitMQ")
            for metric in tracked({"source": "lens"}):
                until(lambda query=metric.query: answer(query), what=metric.name)
                (own,) = answer(metric.query)
                if metric.name == "message_queue_longest":
                    continue  # no exporter looks into mailboxes
                (theirs,) = answer(exporter[metric.name])
                assert own == pytest.approx(theirs, rel=0.0, abs=AGREE[metric.name]), metric.name
            both = {metric.name: metric.query for metric in tracked()}
            assert len(answer(both["atom_utilization"])) == 2
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_the_whole_program(node, tmp_path: Path):
    """The nodes of a watcher are on the page of lens-exporter itself, each with its own lens_up; the cookie comes from a file."""
    (tmp_path / "cookie").write_text(COOKIE + "\n", encoding="utf-8")
    (tmp_path / "cookie").chmod(0o600)
    beam = {"schedule": "*/5 * * * *", "nodes": [node.name, "gone@127.0.0.1"], "cookie_file": str(tmp_path / "cookie")}
    config = {"watchers": [{"beam": {**beam, "epmd_port": node.epmd.port}}]}
    with LensProcess(tmp_path / "lens", config).start() as lens:
        page = lens.metrics()
        assert page.value("lens_up", lens=f"beam:{node.name}") == 1
        assert [sample.value for sample in page.all("lens_up", lens="beam:gone@127.0.0.1")] == [0]
        assert page.value("lens_beam_process_used", node=node.name) > 40
        assert not page.all("lens_beam_process_used", node="gone@127.0.0.1")


def test_nothing_is_left_out_of_the_comparison(node, opened):
    """Every family the lens publishes of a plain node is compared with the node's own word in one of these tests."""
    (lens,) = members(opened(section(node)))
    compared = {name.partition("{")[0] for name in said(node)}
    published = {sample.name for family in lens.collect() for sample in family.samples}
    elsewhere = {"info", "part_up", "run_queue_length", "message_queue_longest", "messages_queued", "memory_limit_bytes"}
    elsewhere |= {"memory_limit_info", *(f"{what}_utilization_ratio" for what in ("memory", "process", "port", "atom", "ets"))}
    assert published - compared == {f"lens_beam_{name}" for name in elsewhere}
