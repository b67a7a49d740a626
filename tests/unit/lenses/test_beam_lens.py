"""The BEAM lens: a page of its own for each node, and nodes that come and go."""

import logging

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from lens_exporter.config.beam import Beam
from lens_exporter.errors import LensUnavailable, NodeUnavailable
from lens_exporter.lenses.beam.collect import NodeLens
from lens_exporter.lenses.beam.discovery import Found
from lens_exporter.lenses.beam.families import FAMILIES
from lens_exporter.lenses.beam.lens import BeamLens
from lens_exporter.lenses.beam.memory_limit import Limit, MemoryLimits
from lens_exporter.lenses.beam.snapshot import Host, Snapshot
from lens_exporter.lenses.beam.terms import Atom
from lens_exporter.lenses.emission import Usage
from lens_exporter.lenses.python.process import ProcessReader
from lens_exporter.lenses.runner import LensCollector
from tests.recordings.beam import NO_BROKER, RecordedNode
from tests.unit.lenses.samples import values
from tests.unit.lenses.trees import HOST, MIB, V2, Hand, plant, process

TIMES = "erlang:statistics(scheduler_wall_time_all)"
SECTION = Beam(nodes=("shop@mq1", "shop@mq2"), cookie_env="COOKIE")
NO_PROCESSES = MemoryLimits(hostname=lambda: "elsewhere")


def gone(name: str) -> NodeUnavailable:
    return NodeUnavailable(node=name, cause="the node cannot be reached", reason="refused")


def down(name: str) -> RecordedNode:
    node = RecordedNode(name)
    node.calls = lambda several: [gone(name) for _ in several]
    return node


def test_utilizations_have_the_two_counts_they_come_from():
    """Each utilization is used by limit of the same page, and each sample carries the node."""
    page = values(NodeLens(RecordedNode(), limits=NO_PROCESSES).collect())
    for what in ("process", "port", "atom", "ets"):
        used, limit = (page[f'lens_beam_{what}_{part}{{node="shop@mq1"}}'] for part in ("used", "limit"))
        assert page[f'lens_beam_{what}_utilization_ratio{{node="shop@mq1"}}'] == used / limit > 0
    assert all('node="shop@mq1"' in name for name in page)


def test_every_documented_family_can_be_published():
    """No family is in the table only: a node that has everything publishes all of them, once schedulers have been timed twice."""
    clock, node = Hand(), RecordedNode()
    lens = NodeLens(node, limits=NO_PROCESSES, clock=clock)
    list(lens.collect())
    clock.now += 60
    node.changed[TIMES] = [(each, active + 30, total + 60) for each, active, total in node.call(*_times())]
    published = {sample.name for family in lens.collect() for sample in family.samples}
    assert published == {spec.name for spec in FAMILIES}


def _times():
    return "erlang", "statistics", Atom("scheduler_wall_time_all")


def test_utilization_of_schedulers():
    """It is the share of the last minute in which they worked; absent at first and while the node does not time them."""
    clock, node = Hand(), RecordedNode()
    lens = NodeLens(node, clock=clock)
    assert not any("scheduler_utilization" in name for name in values(lens.collect()))
    clock.now += 60
    node.changed[TIMES] = [
        (number, active + (45 if number == 1 else 15 if number == 2 else 0), total + 60)
        for number, active, total in node.call(*_times())
    ]
    page = values(lens.collect())
    assert page['lens_beam_scheduler_utilization_ratio{kind="normal",node="shop@mq1"}'] == 0.5
    assert page['lens_beam_scheduler_utilization_ratio{kind="dirty_io",node="shop@mq1"}'] == 0.0


def test_what_is_missing_is_said_once(caplog):
    """Untimed schedulers are said at the first scrape, and again only after they have been timed in between."""
    caplog.set_level(logging.INFO)
    node = RecordedNode(changed={TIMES: Atom("undefined")})
    lens = NodeLens(node)
    for _ in range(3):
        list(lens.collect())
    assert [record.getMessage() for record in caplog.records] == [
        (
            "lens beam:shop@mq1: scheduler utilization is not read: the node does not time its schedulers: "
            "nothing on it has set erlang:system_flag(scheduler_wall_time, true)"
        )
    ]


def test_a_part_that_fails_costs_its_own_families():
    """Memory that was not answered leaves no memory on the page, and says so; the rest stays."""
    page = values(NodeLens(RecordedNode(changed={"erlang:memory()": gone_late()})).collect())
    assert page['lens_beam_part_up{node="shop@mq1",part="memory"}'] == 0
    assert page['lens_beam_part_up{node="shop@mq1",part="system"}'] == 1
    assert not any("memory_used" in name for name in page)
    assert page['lens_beam_process_used{node="shop@mq1"}'] == 49


def gone_late():
    return LensUnavailable(lens="beam", reason="late")


def test_a_node_becomes_a_rabbitmq():
    """While the broker has not started nothing is said of it; once it has, its limit counts without anybody starting anew."""
    node = RecordedNode(changed=NO_BROKER)
    lens = NodeLens(node, limits=NO_PROCESSES)
    assert not any('part="broker"' in name or "memory_limit" in name for name in values(lens.collect()))
    node.changed.clear()
    page = values(lens.collect())
    assert page['lens_beam_part_up{node="shop@mq1",part="broker"}'] == 1
    assert page['lens_beam_memory_limit_info{node="shop@mq1",source="rabbitmq"}'] == 1


def test_one_node_down():
    """A node that is down shows as down and costs its own families only."""
    clients = {"shop@mq1": RecordedNode(), "shop@mq2": down("shop@mq2")}
    lens = BeamLens([SECTION], lambda name, _: clients[name], Fleet().discover)
    registry = CollectorRegistry()
    registry.register(LensCollector([lens], more=lens.members, deadline=60))
    page = generate_latest(registry).decode()
    assert 'lens_up{lens="beam:shop@mq1"} 1.0' in page
    assert 'lens_up{lens="beam:shop@mq2"} 0.0' in page
    assert 'lens_up{lens="beam"} 1.0' in page
    assert 'lens_beam_process_used{node="shop@mq1"} 49.0' in page
    assert 'node="shop@mq2"' not in page


class Fleet:
    """What discovery finds, as a test says."""

    def __init__(self, *names: str) -> None:
        self.found = [Found("dns shop@shop", names)] if names else []
        self.made: dict[str, RecordedNode] = {}

    def connect(self, name, _section):
        return self.made.setdefault(name, RecordedNode(name))

    def discover(self, sections):
        named = [(section, Found("nodes", section.nodes)) for section in sections if section.nodes]
        return named + [(sections[0], found) for found in self.found]


def members(lens: BeamLens) -> list[str]:
    return [member.node for member in lens.members()]


def test_nodes_that_come_and_go():
    """A node that discovery finds is there from the next scrape on; one that it misses shows as down for a while, then is gone."""
    fleet, clock = Fleet("shop@10.0.0.1"), Hand()
    section = Beam(dns=("shop@shop",), cookie_env="COOKIE")
    lens = BeamLens([section], fleet.connect, fleet.discover, clock=clock)
    assert members(lens) == []
    assert values(lens.collect()) == {
        'lens_beam_nodes{source="dns shop@shop"}': 1,
        'lens_beam_source_up{source="dns shop@shop"}': 1,
    }
    assert members(lens) == ["shop@10.0.0.1"]
    fleet.found = [Found("dns shop@shop", ("shop@10.0.0.2",))]
    list(lens.collect())
    clock.now += 899
    list(lens.collect())
    assert members(lens) == ["shop@10.0.0.1", "shop@10.0.0.2"]
    clock.now += 1
    list(lens.collect())
    assert members(lens) == ["shop@10.0.0.2"]
    assert fleet.made["shop@10.0.0.1"].asked[-1:] == ["close"]


def test_discovery_that_fails():
    """While names cannot be found the lens is down and says why, and no node is taken for gone."""
    fleet, clock = Fleet("shop@10.0.0.1"), Hand()
    lens = BeamLens([Beam(dns=("shop@shop",), cookie_env="COOKIE")], fleet.connect, fleet.discover, clock=clock)
    list(lens.collect())
    fleet.found = [Found("dns shop@shop", (), "try again")]
    clock.now += 5000
    with pytest.raises(LensUnavailable, match="dns shop@shop: try again"):
        list(lens.collect())
    fleet.found = [Found("dns shop@shop", ())]
    list(lens.collect())
    assert members(lens) == ["shop@10.0.0.1"]


def test_one_source_of_nodes_that_fails(caplog):
    """It costs its own count and says so once; its nodes stay, those of a source that answers go when they are not named."""
    fleet, clock = Fleet("shop@10.0.0.1"), Hand()
    fleet.found.append(Found("epmd mq1", ("rabbit@mq1", "shell@mq1")))
    lens = BeamLens([Beam(dns=("shop@shop",), epmd=("mq1",), cookie_env="COOKIE")], fleet.connect, fleet.discover, clock=clock)
    list(lens.collect())
    fleet.found = [Found("dns shop@shop", (), "try again"), Found("epmd mq1", ("shell@mq1",))]
    for _ in range(3):
        clock.now += 600
        page = values(lens.collect())
    assert page == {
        'lens_beam_source_up{source="dns shop@shop"}': 0,
        'lens_beam_nodes{source="epmd mq1"}': 1,
        'lens_beam_source_up{source="epmd mq1"}': 1,
    }
    assert members(lens) == ["shop@10.0.0.1", "shell@mq1"]
    assert [record.getMessage() for record in caplog.records if "try again" in record.getMessage()] == [
        "lens beam: dns shop@shop: try again"
    ]


def test_nodes_that_are_always_others():
    """An EPMD that names new nodes each time does not fill the page with missing ones: the last five hundred stay."""
    fleet, clock = Fleet("shop@0"), Hand()
    lens = BeamLens([Beam(dns=("shop@shop",), cookie_env="COOKIE")], fleet.connect, fleet.discover, clock=clock)
    for scrape in range(4):
        fleet.found = [Found("dns shop@shop", tuple(f"shop@{200 * scrape + number}" for number in range(200)), more=True)]
        clock.now += 15
        list(lens.collect())
    assert len(members(lens)) == 700
    assert {"shop@799", "shop@600", "shop@599", "shop@200"} < set(members(lens))
    assert sum(node.asked[-1:] == ["close"] for node in fleet.made.values()) == 100


def test_a_scrape_has_its_time():
    """A node that is slow with its mailboxes is not asked on after four seconds: the part is missing, the rest is published."""
    clock, node = Hand(), RecordedNode()
    calls = node.calls

    def slow(several):
        clock.now += 5.0 if several[0][1] == "processes" else 0.0
        return calls(several)

    node.calls = slow
    page = values(NodeLens(node, limits=NO_PROCESSES, clock=clock).collect())
    assert page['lens_beam_part_up{node="shop@mq1",part="queues"}'] == 0
    assert page['lens_beam_part_up{node="shop@mq1",part="memory"}'] == 1
    assert node.asked[-1] == "erlang:processes()"


def test_closing():
    """A lens that is closed hangs up everywhere and meets nobody any more."""
    fleet = Fleet("shop@10.0.0.1")
    lens = BeamLens([SECTION], fleet.connect, fleet.discover)
    lens.close()
    list(lens.collect())
    assert members(lens) == []
    assert [node.asked for node in fleet.made.values()] == [["close"], ["close"]]


PLACED = Snapshot(host=Host("vm", 7), uptime_seconds=100.0)


def here(tmp_path, comm: str = "beam.smp\n", **changed):
    files = {**HOST, **V2, **process("7", command="/usr/lib/erlang/erts-13.1.5/bin/beam.smp\0"), "proc/7/comm": comm}
    root = plant(tmp_path, files)
    reader = ProcessReader(proc=root / "proc", sys=root / "sys", ticks=100, page=4096, count=lambda _: 3)
    started = reader.read("7").started_at
    return MemoryLimits(**{"processes": reader, "hostname": lambda: "vm", "now": lambda: started + 101.0, **changed})


def test_the_limit_of_a_node_on_this_machine(tmp_path):
    """A node whose host, program and age are those of a process here has that process's limit."""
    found = here(tmp_path).of(PLACED)
    assert found.limit > MIB
    assert found.source in {"cgroup", "host"}


@pytest.mark.parametrize(
    ("told", "changed"),
    [
        (Snapshot(uptime_seconds=100.0), {}),
        (Snapshot(host=Host("vm", 7)), {}),
        (PLACED, {"hostname": lambda: "mq1"}),
        (PLACED, {"comm": "postgres\n"}),
        (PLACED, {"now": lambda: 9e9}),
        (Snapshot(host=Host("vm", 8), uptime_seconds=100.0), {}),
    ],
    ids=["no place", "no age", "another host", "another program", "another age", "no such process"],
)
def test_a_limit_that_is_not_known(tmp_path, told, changed):
    """A process id of another machine or container means nothing here: then there is no limit, and no utilization of 100 %."""
    assert here(tmp_path, **changed).of(told) == Limit(None, "")


def test_the_lowest_limit_counts(tmp_path):
    """What RabbitMQ limits itself to counts where it is lower; a configured limit counts whatever else there is."""
    told = Snapshot(host=PLACED.host, uptime_seconds=100.0, broker_memory_limit=1000.0)
    assert here(tmp_path).of(told) == Limit(1000.0, "rabbitmq")
    assert here(tmp_path, configured=5000.0).of(told) == Limit(5000.0, "configured")
    page = values(NodeLens(RecordedNode(), limits=MemoryLimits(31_780_176.0)).collect())
    assert page['lens_beam_memory_utilization_ratio{node="shop@mq1"}'] == 0.5
    assert page['lens_beam_memory_limit_info{node="shop@mq1",source="configured"}'] == 1


def test_no_limit_no_utilization():
    """Without a limit memory has no utilization, whatever is used."""
    page = values(NodeLens(RecordedNode(changed=NO_BROKER), limits=NO_PROCESSES).collect())
    assert page['lens_beam_memory_used_bytes{node="shop@mq1"}'] == 15_890_088
    assert not any("memory_utilization" in name or "memory_limit" in name for name in page)
    assert Usage(15_890_088.0, None).ratio is None
