"""Faults made on a real node, each found by its diagnostic with the process, table or owner that has it."""

from collections.abc import Iterator

import pytest

from lens_exporter.config.beam import Beam
from lens_exporter.config.secrets import Secrets
from lens_exporter.config.settings import Lenses
from lens_exporter.investigate.toolbox import Toolbox
from lens_exporter.lenses.catalog import build, close, toolbox
from lens_exporter.model.tool import ToolResult, ToolStatus
from tests.recordings.beam_inside import MODULE
from tests.servers.beam_faults import ATOMS, BINARIES, CROWD, MAILBOX, PORTS, RESTARTS, SPIN, STUCK, TABLE, TIMED, end
from tests.servers.erlang import COOKIE, ErlangNode

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def node(tmp_path_factory) -> Iterator[ErlangNode]:
    """Give a node with the least number of ports that one may be started with, and few atoms."""
    with ErlangNode(tmp_path_factory.mktemp("node"), flags=["+Q", "1024", "+t", "40000"]) as running:
        yield running


@pytest.fixture(scope="module")
def tools(node) -> Iterator[Toolbox]:
    section = Beam(nodes=(node.name,), epmd_port=node.epmd.port, cookie_env="COOKIE")
    lenses = build(Lenses(host=False, python=False), beam=(section,), secrets=Secrets({"COOKIE": COOKIE}))
    yield Toolbox(toolbox(lenses), timeout=60)
    close(lenses)


@pytest.fixture
def fault(node):
    """Make faults, and end their processes afterwards."""
    made = []

    def make(expression: str, *names: str) -> None:
        made.extend(names)
        node.run(expression)

    yield make
    for name in made:
        node.run(end(name))


def ask(tools: Toolbox, name: str, **arguments) -> ToolResult:
    result = tools.call(name, arguments)
    assert result.status in {ToolStatus.DATA, ToolStatus.TRUNCATED}, result.note
    return result


def test_a_mailbox_that_grows(node, tools, fault):
    """The process whose mailbox grows comes first, with how fast; it still does when nothing is sent any more."""
    fault(MAILBOX, "slow_consumer", "producer")
    length = "element(2, erlang:process_info(whereis(slow_consumer), message_queue_len))"
    before = int(node.run(length))
    result = ask(tools, "beam_find_growing_processes", sort_by="message_queue", seconds=1)
    after = int(node.run(length))
    first = result.data["processes"][0]
    assert first["name"] == "slow_consumer"
    assert first["pid"] == node.run("whereis(slow_consumer)")
    # In that second not more came than between the two looks around it, and however busy the machine is, some did.
    assert 0 < result.seen[f"pid:{first['pid']}:message_queue_per_second"] <= 1.1 * (after - before)
    node.run(end("producer"))
    still = ask(tools, "beam_find_growing_processes", sort_by="message_queue", seconds=0.5)
    assert (still.data["processes"][0]["name"], still.data["growing"]) == ("slow_consumer", 0)
    assert still.note.startswith("none grew")


def test_a_process_that_spins(tools, fault):
    """Of all processes it does most work between two looks, whatever others have done since they started."""
    fault(SPIN, "spinner")
    first = ask(tools, "beam_find_growing_processes", sort_by="reductions", seconds=1).data["processes"][0]
    assert first["name"] == "spinner"
    assert first["reductions_per_second"] > 1e6


def test_binaries_that_are_kept(node, tools, fault):
    """The process that keeps binaries alive comes first, with about all of what the node holds in binaries."""
    fault(BINARIES, "frame_cache")
    result = ask(tools, "beam_find_binary_leaks", seconds=1)
    first = result.data["processes"][0]
    assert first["name"] == "frame_cache"
    held = float(node.run("erlang:memory(binary)"))
    assert 0.7 * result.data["binary_bytes"] <= first["binary_bytes"] <= 1.1 * held
    assert first["binary_bytes_grown"] > 0
    assert first["binaries"] >= 100


def test_atoms_made_from_input(node, tools, fault):
    """They are seen to grow, with when none are left; who makes them leads those that work meanwhile, and is not called known."""
    fault(ATOMS, "json_parser")
    before = int(node.run("erlang:system_info(atom_count)"))
    result = ask(tools, "beam_find_atom_growth", seconds=2)
    per_second = result.seen["atoms_per_second"]
    assert 0 < 2 * per_second <= 1.1 * (int(node.run("erlang:system_info(atom_count)")) - before)
    assert result.seen["full_in_seconds"] == pytest.approx((40_000 - result.seen["atoms"]) / per_second)
    assert "json_parser" in [row["name"] for row in result.data["working_meanwhile"][:3]]
    assert "not known" in result.note


def test_no_atoms_are_made(tools):
    """A node that makes none is said to make none, without an end to be expected."""
    ask(tools, "beam_find_atom_growth", seconds=0.5)  # whatever code was not loaded yet
    result = ask(tools, "beam_find_atom_growth", seconds=0.5)
    assert result.seen["atoms_grown"] == 0
    assert "full_in_seconds" not in result.seen


def test_a_table_that_only_grows(tools, fault):
    """The table comes first, with its size, its growth and the process that owns it."""
    fault(TABLE, "cart_store")
    first = ask(tools, "beam_find_ets_growth", seconds=1).data["largest_and_growing"][0]
    assert (first["table"], first["owner_name"]) == ("carts", "cart_store")
    assert first["bytes_grown"] > 0
    assert first["objects"] > 0


def test_ports_that_run_out(node, tools, fault):
    """The process that owns most ports is named with their number, beside how many there may be."""
    fault(PORTS, "sensor_poller")
    result = ask(tools, "beam_find_busy_ports", seconds=0.5)
    first = result.data["by_owner"][0]
    assert (first["name"], first["ports"]) == ("sensor_poller", 900)
    assert (result.seen[f"pid:{first['pid']}:ports"], result.seen["limit"]) == (900, 1024)
    assert result.data["total"] == pytest.approx(float(node.run("erlang:system_info(port_count)")), abs=3)


def test_output_that_waits(tools, fault):
    """A port whose peer does not read is named with what waits in it, and with its owner."""
    fault(STUCK, "uploader")
    first = ask(tools, "beam_find_busy_ports", seconds=0.5).data["ports"][0]
    assert (first["name"], first["owner_name"]) == ("tcp_inet", "uploader")
    assert first["queue_size"] > 100_000


def test_too_many_of_a_kind(tools, fault):
    """Processes are counted by what they were started as."""
    fault(CROWD, "crowd")
    first = ask(tools, "beam_count_processes", limit=1).data["initial_calls"][0]
    assert (first["initial_call"], first["processes"]) == ("timer:sleep/1", 500)


def test_a_child_that_is_restarted(tools, fault):
    """It is named with its supervisor; children that stay are not."""
    fault(RESTARTS)
    result = ask(tools, "beam_find_restarting_children", seconds=3)
    assert [(row["child"], row["supervisor"]) for row in result.data["restarted"]] == [("crasher", "kernel_safe_sup")]
    assert result.seen["children"] > 10


def test_a_child_without_an_id_that_is_restarted(node, tools, fault):
    """Of three children of a kind one is killed: the kind is named with its supervisor, and that such children may come and go."""
    source = node.folder / "carts.erl"
    source.write_text(MODULE)
    fault(
        f'{{ok, carts, Code}} = compile:file("{source}", [binary]), {{module, carts}} = code:load_binary(carts, "carts", Code), '
        "carts:start(), spawn(fun() -> timer:sleep(1500), [{_, Cart, _, _} | _] = supervisor:which_children(carts_sup), "
        "exit(Cart, kill) end), ok",
        "carts_sup",
    )
    result = ask(tools, "beam_find_restarting_children", seconds=3)
    rows = [(row["child"], row["known_by"], row["restarts"], row["supervisor"]) for row in result.data["restarted"]]
    assert rows == [("carts:init/1", "initial_call", 1, "carts_sup")]
    assert "come and go" in result.note


def test_schedulers(tools, fault):
    """Untimed ones are said to be so; once the node times them, each has its share, and one that spins leaves none idle for long."""
    untimed = ask(tools, "beam_find_scheduler_imbalance", seconds=0.5)
    assert untimed.status is ToolStatus.TRUNCATED
    assert "does not time its schedulers" in untimed.note
    fault(TIMED, "timekeeper")
    fault(SPIN, "spinner")
    timed = ask(tools, "beam_find_scheduler_imbalance", seconds=1)
    assert timed.status is ToolStatus.DATA
    shares = [value for name, value in timed.seen.items() if name.endswith(":utilization")]
    assert len(shares) == timed.seen["schedulers_online"]
    assert all(0 <= share <= 1 for share in shares)
    assert sum(shares) > 0.5
    assert timed.seen["spread"] == max(shares) - min(shares)
