"""What the offline analyst says of Erlang nodes: the process or the table that the node's own tools name."""

import re

import numpy as np
import pytest
from pydantic import BaseModel

from lens_exporter.model.alert import Alert
from lens_exporter.model.analysis import Outcome
from lens_exporter.model.tool import Tool, ToolResult, ToolStatus
from tests.unit.investigate.export_service import asked, claims, investigated, live
from tests.unit.investigate.scripted import AT, MINUTE, leak, steady

NODE = {"node": "shop@mq1"}
SCRAPED = {**NODE, "instance": "127.0.0.1:9464", "job": "lens"}
MIB = 1024.0 * 1024.0
PID = "<0.93.0>"


def one(name, course, **labels):
    return ({"__name__": name, **SCRAPED, **labels}, course)


CALM = (
    one("lens_beam_info", steady(1), otp_release="27"),
    one("lens_beam_memory_bytes", steady(2 * MIB), kind="code"),
    one("lens_beam_reductions_total", lambda times: (times - 1.79e9) * 50_000),
    ({"__name__": "lens_python_info", "instance": "127.0.0.1:9464", "job": "lens", "hostname": "vm", "pid": "4211"}, steady(1)),
)


def alert(name, query):
    known = {"alertname": name, "severity": "warning", "watcher": "beam", **NODE}
    return Alert(known, {"lens_query": query}, AT - 5 * MINUTE)


class OfNode(BaseModel, extra="forbid"):
    node: str | None = None
    sort_by: str = ""


def answering(name, data, seen, asked=None):
    def answer(arguments):
        assert arguments.node == "shop@mq1"
        return ToolResult(ToolStatus.DATA, data | ({"sort_by": arguments.sort_by} if arguments.sort_by else {}), seen=seen)

    return Tool(name, "", answer, OfNode)


def growing(column, value):
    row = {"pid": PID, "name": "order_consumer", column: value}
    return answering("beam_find_growing_processes", {"processes": [row]}, {f"pid:{PID}:{column}": value})


def binaries(value):
    data = {"processes": [{"pid": PID, "name": "frame_cache"}]}
    return answering("beam_find_binary_leaks", data, {f"pid:{PID}:binary_bytes": value, "binary_bytes": 1.05 * value})


def tables(value):
    data = {"largest_and_growing": [{"table": "carts", "owner": PID, "owner_name": "cart_store"}]}
    return answering("beam_find_ets_growth", data, {"table:carts:bytes": value})


STACKS = live("get_thread_stacks", {"threads": 3.0})
OF_HOST = answering("get_process", {}, {})


def memory(kind, level, per_minute=0.0):
    return one("lens_beam_memory_bytes", leak(level, AT - 6 * MINUTE, per_minute) if per_minute else steady(level), kind=kind)


def of_kind(kind):
    return f'max without (kind) (lens_beam_memory_bytes{{kind="{kind}",node="shop@mq1"}})'


def test_a_mailbox_that_grows():
    """The process whose mailbox it is leads; the tools of hosts and processes are not asked about a node."""
    series = one("lens_beam_message_queue_longest", leak(2, AT - 6 * MINUTE, 5000))
    tools = (growing("message_queue", 30_002.0), OF_HOST)
    answer = investigated([*CALM, series], alert("LensQueues", 'lens_beam_message_queue_longest{node="shop@mq1"}'), tools=tools)
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert claims(answer)[0] == f"30,002 messages wait in the mailbox of process order_consumer ({PID})"
    assert asked(answer).count("beam_find_growing_processes") == 1
    assert "get_process" not in asked(answer)


@pytest.mark.parametrize(
    ("kind", "claim"),
    [
        ("binary", f"process frame_cache ({PID}) keeps 250 MB of binaries alive"),
        ("ets", "the ETS table carts of cart_store holds 250 MB"),
    ],
)
def test_memory_is_explained_by_what_is_of_its_kind(kind, claim):
    """Of two large holders the one of the kind that rose is the cause, though the other holds as much."""
    series = [memory(each, 10 * MIB, 40 * MIB if each == kind else 0.0) for each in ("binary", "ets")]
    total = one("lens_beam_memory_used_bytes", leak(60 * MIB, AT - 6 * MINUTE, 40 * MIB))
    for query in (of_kind(kind), 'lens_beam_memory_used_bytes{node="shop@mq1"}'):
        answer = investigated([*CALM, *series, total], alert("LensMemory", query), tools=(binaries(250e6), tables(250e6)))
        assert answer.analysis.outcome is Outcome.CAUSE_FOUND, query
        assert claims(answer)[0] == claim, query


def test_what_the_process_keeps_may_be_none_of_the_rise():
    """A holder of less than half of the rise is told and is no cause."""
    series = memory("binary", 100 * MIB, 40 * MIB)
    answer = investigated([*CALM, series], alert("LensMemory", of_kind("binary")), tools=(binaries(110e6),))
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert f"process frame_cache ({PID}) keeps 110 MB of binaries alive" in claims(answer)


def test_a_process_that_spins():
    """It is named where it does most of the additional work."""
    series = one("lens_beam_reductions_total", lambda t: (t - 1.79e9) * 50_000 + 3e7 * (t - AT + 6 * MINUTE).clip(0))
    query = 'rate(lens_beam_reductions_total{node=~"mailbox@mq1|shop@mq1"}[5m])'  # names of nodes say nothing
    answer = investigated(
        [*CALM[:2], series], alert("LensCpu", query), tools=(growing("reductions_per_second", 29_900_000.0), STACKS)
    )
    assert "get_thread_stacks" not in asked(answer)
    assert asked(answer).count("beam_find_growing_processes") == 1
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert claims(answer)[0] == f"process order_consumer ({PID}) does 29,900,000 reductions a second"


def reductions(rate):
    """Give a counter too young to be ranked, of which the query has a minute and a half."""
    begun = AT - 90

    def course(t):
        return np.where(t < begun, np.nan, (t - begun) * 50_000 + rate * (t - AT + 30).clip(0))

    return one("lens_beam_reductions_total", course)


def test_a_process_that_spins_since_a_moment_ago():
    """Where nothing is outside its normal yet, the rise of the alert's own query is explained by the process that does the work."""
    query = 'rate(lens_beam_reductions_total{node="shop@mq1"}[5m])'
    tool = growing("reductions_per_second", 4e6)
    answer = investigated([*CALM[:2], reductions(4e6)], alert("LensCpu", query), tools=(tool,))
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert claims(answer)[0] == f"process order_consumer ({PID}) does 4,000,000 reductions a second"
    assert claims(answer)[1].startswith("the alert's own query went 50,000 -> ")
    assert "The alert's own query went 50,000 -> " in answer.analysis.summary


def test_a_process_that_spins_while_others_wait_to_run():
    """What has long been looked at is ranked as CPU, and is no rise of work: the alert's own query is, young as it is."""
    waiting = one("lens_beam_run_queue_length", leak(0, AT - 6 * MINUTE, 0.5), kind="normal")
    query = 'rate(lens_beam_reductions_total{node="shop@mq1"}[5m])'
    tool = growing("reductions_per_second", 4e6)
    answer = investigated([*CALM[:2], reductions(4e6), waiting], alert("LensCpu", query), tools=(tool,))
    assert "CPU" in answer.analysis.summary  # the ranking has it
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert claims(answer)[0] == f"process order_consumer ({PID}) does 4,000,000 reductions a second"


@pytest.mark.parametrize(("rate", "does"), [(4e6, 60_000.0), (0.0, 4e6)])
def test_a_young_rise_is_explained_by_most_of_it_only(rate, does):
    """Who does little of the additional work is no cause of it, and where nothing rose there is nothing to explain."""
    query = 'rate(lens_beam_reductions_total{node="shop@mq1"}[5m])'
    tool = growing("reductions_per_second", does)
    answer = investigated([*CALM[:2], reductions(rate)], alert("LensCpu", query), tools=(tool,))
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE


def test_ports_that_run_out():
    """Who owns most of them is the cause of their rise."""
    data = {"by_owner": [{"pid": PID, "name": "sensor_poller", "ports": 900}]}
    tool = answering("beam_find_busy_ports", data, {f"pid:{PID}:ports": 900.0, "ports": 910.0})
    series = one("lens_beam_port_used", leak(10, AT - 6 * MINUTE, 150))
    answer = investigated([*CALM, series], alert("LensPorts", 'lens_beam_port_used{node="shop@mq1"}'), tools=(tool,))
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert claims(answer)[0] == f"900 of 910 ports belong to process sensor_poller ({PID})"


def test_who_makes_atoms_is_a_lead():
    """Nothing on a node says who makes them: who works meanwhile is told, and no cause is named."""
    data = {"working_meanwhile": [{"pid": PID, "name": "json_parser"}]}
    tool = answering("beam_find_atom_growth", data, {"atoms_grown": 400.0, "atoms_per_second": 200.0})
    series = one("lens_beam_atom_used", leak(9700, AT - 6 * MINUTE, 12_000))
    answer = investigated([*CALM, series], alert("LensAtoms", 'lens_beam_atom_used{node="shop@mq1"}'), tools=(tool,))
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    lead = f"400 atoms were made while one looked; of the processes at work then, process json_parser ({PID}) worked most"
    assert lead in claims(answer)
    assert f"{lead[0].upper()}{lead[1:]}." in answer.analysis.summary


def test_what_alerts_is_told_by_its_own_query_where_it_is_too_young_to_be_ranked():
    """Somebody else's movement does not make the summary say that what alerts is in order."""
    query = 'rate(lens_beam_reductions_total{node="shop@mq1"}[5m])'
    answer = investigated([*CALM[:2], reductions(4e6), memory("binary", 100 * MIB, 40 * MIB)], alert("LensCpu", query))
    assert re.match(r"Inconclusive: the alert's own query went 50,000 -> 4,050,000; memory", answer.analysis.summary)


def test_a_node_that_nobody_names_is_not_guessed():
    """What an exporter says without the node's name makes no tool look into some node."""
    labels = {"instance": "127.0.0.1:15692", "job": "rabbitmq"}
    series = ({"__name__": "erlang_vm_port_count", **labels}, leak(10, AT - 6 * MINUTE, 150))
    known = {"alertname": "LensPorts", "severity": "warning", "watcher": "beam", **labels}
    own = Alert(known, {"lens_query": "erlang_vm_port_count"}, AT - 5 * MINUTE)
    answer = investigated([series], own, tools=(answering("beam_find_busy_ports", {}, {}),))
    assert "beam_find_busy_ports" not in asked(answer)


def test_other_nodes_of_one_publisher_are_not_looked_at():
    """Whoever publishes a node publishes others: what moved on another one at the same time is not told of it."""
    query = 'lens_beam_message_queue_longest{node="shop@mq1"}'
    known = {"alertname": "LensQueues", "severity": "warning", "watcher": "beam", **SCRAPED}
    own = Alert(known, {"lens_query": query}, AT - 5 * MINUTE)
    series = one("lens_beam_message_queue_longest", leak(2, AT - 6 * MINUTE, 5000))
    other = one("lens_beam_port_used", leak(6, AT - 8 * MINUTE, 100), node="shop@mq2")
    answer = investigated([*CALM, series, other], own, tools=(growing("message_queue", 30_002.0),))
    assert claims(answer)[0].startswith("30,002 messages wait")
    assert not any("port" in claim for claim in claims(answer))
