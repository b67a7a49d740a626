"""The live tools of Erlang nodes: each answers what the node says of itself through erl_call."""

import re
from collections.abc import Iterator

import pytest

from lens_exporter.config.beam import Beam
from lens_exporter.config.secrets import Secrets
from lens_exporter.config.settings import Lenses
from lens_exporter.investigate.toolbox import Toolbox
from lens_exporter.lenses.catalog import build, close, toolbox
from lens_exporter.model.tool import ToolResult, ToolStatus
from tests.servers.erlang import COOKIE, ErlangNode

pytestmark = pytest.mark.integration

CROWD = 300
SLEEPER = "spawn(fun() -> receive stop -> ok end end)"


@pytest.fixture(scope="module")
def node(tmp_path_factory) -> Iterator[ErlangNode]:
    with ErlangNode(tmp_path_factory.mktemp("node")) as running:
        running.run(f'[register(list_to_atom("crowd_" ++ integer_to_list(N)), {SLEEPER}) || N <- lists:seq(1, {CROWD})]')
        yield running


@pytest.fixture
def tools(node) -> Iterator[Toolbox]:
    section = Beam(nodes=(node.name,), epmd_port=node.epmd.port, cookie_env="COOKIE")
    lenses = build(Lenses(python=False), beam=(section,), secrets=Secrets({"COOKIE": COOKIE}))
    yield Toolbox(toolbox(lenses), timeout=60)
    close(lenses)


def ask(tools: Toolbox, name: str, **arguments) -> ToolResult:
    result = tools.call(name, arguments)
    assert result.status in {ToolStatus.DATA, ToolStatus.TRUNCATED}, result.note
    return result


def said(node, expression: str) -> list[float]:
    return [float(word) for word in re.findall(r"-?\d+(?:\.\d+)?", node.run(expression))]


def near(value: float, before: float, after: float, drift: float) -> bool:
    return min(before, after) - drift <= value <= max(before, after) + drift


@pytest.mark.parametrize(
    ("tool", "names", "expression", "drift"),
    [
        (
            "beam_get_memory_stats",
            ["total_bytes", "processes_bytes", "processes_used_bytes", "system_bytes", "atom_bytes", "binary_bytes", "ets_bytes"],
            "[erlang:memory(K) || K <- [total, processes, processes_used, system, atom, binary, ets]]",
            4e6,
        ),
        (
            "beam_get_process_stats",
            ["processes", "processes_limit", "ports", "ports_limit"],
            "[erlang:system_info(K) || K <- [process_count, process_limit, port_count, port_limit]]",
            3,
        ),
        ("beam_get_atom_stats", ["atoms", "atoms_limit"], "[erlang:system_info(K) || K <- [atom_count, atom_limit]]", 60),
        (
            "beam_get_scheduler_stats",
            ["schedulers_normal", "schedulers_dirty_cpu", "schedulers_dirty_io"],
            "[erlang:system_info(K) || K <- [schedulers_online, dirty_cpu_schedulers_online, dirty_io_schedulers]]",
            0,
        ),
        ("beam_get_scheduler_stats", ["reductions"], "[element(1, erlang:statistics(reductions))]", 0),
        (
            "beam_get_persistent_terms",
            ["count", "memory_bytes"],
            "[maps:get(K, persistent_term:info()) || K <- [count, memory]]",
            0,
        ),
        ("beam_get_system_info", ["uptime_seconds"], "[element(1, erlang:statistics(wall_clock)) / 1000]", 0),
    ],
)
def test_numbers_are_the_nodes_own(node, tools, tool, names, expression, drift):
    """Each number to cite lies between what erl_call reads just before and just after."""
    ask(tools, tool)  # the connection itself takes a port, processes and atoms
    before, result, after = said(node, expression), ask(tools, tool), said(node, expression)
    for name, low, high in zip(names, before, after, strict=True):
        assert near(result.seen[name], low, high, drift), (name, low, result.seen[name], high)
        assert result.data[name] == result.seen[name]
    assert result.data["node"] == node.name


def test_system_info_says_who_the_node_is(node, tools):
    """Release, host and process id are the node's own."""
    data = ask(tools, "beam_get_system_info").data
    assert data["otp_release"] == node.run("erlang:system_info(otp_release)").strip('"')
    assert data["pid"] == node.pid
    assert data["version"].startswith("Erlang/OTP")


def test_the_overview_is_the_page(node, tools):
    """It has what the lens publishes of the node, limits included."""
    seen = ask(tools, "beam_get_overview").seen
    assert seen[f'lens_beam_process_limit{{node="{node.name}"}}'] == said(node, "erlang:system_info(process_limit)")[0]


def test_top_processes_page_through_all(node, tools):
    """At most 50 a page, most first, each process once, as many as the node has; beyond the last the answer is empty."""
    node.run("[whereis(crowd_7) ! N || N <- lists:seq(1, 400)], ok")
    first = ask(tools, "beam_get_top_processes", sort_by="message_queue", limit=2)
    assert first.data["processes"][0]["name"] == "crowd_7"
    assert first.seen[f"pid:{first.data['processes'][0]['pid']}:message_queue"] == 400
    total = first.data["total"]
    assert near(total, *said(node, "erlang:system_info(process_count)") * 2, 5)
    pages = [ask(tools, "beam_get_top_processes", limit=50, offset=offset).data["processes"] for offset in range(0, total, 50)]
    rows = [row for page in pages for row in page]
    assert {len(page) for page in pages[:-1]} == {50}
    crowd = {row["pid"] for row in rows if row["name"].startswith("crowd_")}
    assert len(crowd) == CROWD
    assert [row["memory"] for row in pages[0]] == sorted((row["memory"] for row in pages[0]), reverse=True)
    assert tools.call("beam_get_top_processes", {"offset": 90_000}).status is ToolStatus.EMPTY
    assert tools.call("beam_get_top_processes", {"limit": 51}).status is ToolStatus.ERROR


def test_a_process_is_described_as_the_node_does(node, tools):
    """Its memory, reductions and where it stands are what process_info says."""
    node.run(
        "P = self(), register(big, spawn(fun() -> put(kept, lists:seq(1, 400000)), P ! made, receive stop -> ok end end)), "
        "receive made -> erlang:yield() end"
    )
    (row,) = [row for row in ask(tools, "beam_get_top_processes", limit=5).data["processes"] if row["name"] == "big"]
    assert row["pid"] == node.run("whereis(big)")
    memory, reductions = said(node, "[element(2, process_info(whereis(big), I)) || I <- [memory, reductions]]")
    assert row["memory"] == memory
    assert reductions - 20 <= row["reductions"] <= reductions  # to be asked costs a process a few
    assert row["message_queue"] == 0
    node.run("exit(whereis(big), kill)")


def test_who_cannot_be_asked_is_said_by_name(node, tools):
    """A node that is not in lenses.beam is unavailable by name, with those that can be asked; nobody else answers for it."""
    for name in (spec.name for spec in tools.specs() if spec.name.startswith("beam_")):
        result = tools.call(name, {"node": "rabbit@elsewhere"})
        assert result.status is ToolStatus.UNAVAILABLE
        assert result.note.startswith("node rabbit@elsewhere is not in lenses.beam")
        assert node.name in result.note


def test_a_question_has_the_time_a_tool_is_waited_for(node):
    """Of a look that takes longer only the first half is asked, and the answer says that nobody waits for the second."""
    section = Beam(nodes=(node.name,), epmd_port=node.epmd.port, cookie_env="COOKIE")
    lenses = build(Lenses(host=False, python=False), beam=(section,), secrets=Secrets({"COOKIE": COOKIE}), tool_timeout=2.0)
    tools = Toolbox(toolbox(lenses), timeout=60)
    result = tools.call("beam_find_growing_processes", {"seconds": 2.5})
    assert result.status is ToolStatus.ERROR
    assert "the 1.6 s of the whole question are over" in result.note
    assert ask(tools, "beam_find_growing_processes", seconds=0.5).data["total"] > 0
    close(lenses)


def test_a_node_that_is_down_is_an_error_with_its_reason(node, tmp_path):
    """It is no empty answer: the cause is one of those the lens names."""
    section = Beam(nodes=(f"nobody@{node.name.partition('@')[2]}",), epmd_port=node.epmd.port, cookie_env="COOKIE")
    lenses = build(Lenses(host=False, python=False), beam=(section,), secrets=Secrets({"COOKIE": COOKIE}))
    result = Toolbox(toolbox(lenses)).call("beam_get_top_processes", {})
    close(lenses)
    assert result.status is ToolStatus.ERROR
    assert "epmd does not know the name" in result.note


def test_nodes_known_only_through_their_exporters():
    """A watcher of what exporters publish brings the tools too, and each of them says that nobody can be asked."""
    told = Toolbox(toolbox([], watched=["beam"])).call("beam_get_top_processes", {"node": "rabbit@mq1"})
    assert told.status is ToolStatus.UNAVAILABLE
    assert told.note.startswith("node rabbit@mq1 is not in lenses.beam")
    assert told.note.endswith("can be asked: none")
    assert toolbox([], watched=["host"]) == ()
