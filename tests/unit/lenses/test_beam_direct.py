"""One node's answers as a snapshot: numbers where they are known, and a failure that stays in its part."""

import pytest

from lens_exporter.errors import CallFailed, CallTimeout, NodeUnavailable
from lens_exporter.lenses.beam.answers import BROKER, MEMORY, PARTS, SCHEDULERS, STATISTICS, SYSTEM
from lens_exporter.lenses.beam.direct import read
from lens_exporter.lenses.beam.queues import PAGE, QUEUES
from lens_exporter.lenses.beam.snapshot import Host, Queues
from lens_exporter.lenses.beam.terms import Atom, Pid
from lens_exporter.lenses.emission import Usage
from tests.recordings.beam import NO_BROKER, RecordedNode, written

GONE = NodeUnavailable(node="shop@mq1", cause="the connection was lost", reason="reset")
LENGTH = Atom("message_queue_len")
LATE = CallTimeout(node="shop@mq1", call="erlang:memory/0", seconds="5")


def test_what_a_node_has_told():
    """Every quantity arrives in its unit: bytes, seconds, counts by kind."""
    told = read(RecordedNode(), queues_up_to=1000)
    assert told.otp_release == "25"
    assert told.processes == Usage(49, 262144)
    assert told.ports == Usage(6, 65536)
    assert told.atoms == Usage(9268, 1048576)
    assert told.ets_tables == Usage(22, 8192)
    assert told.memory["total"] == told.memory["processes"] + told.memory["system"] == 15_890_088
    assert set(told.memory) >= {"atom", "atom_used", "binary", "code", "ets", "processes_used"}
    assert told.run_queues == {"normal": 1, "dirty_cpu": 0, "dirty_io": 0}
    assert told.schedulers_online == {"normal": 2, "dirty_cpu": 2, "dirty_io": 10}
    assert (told.reductions, told.collections, told.reclaimed_bytes) == (6073419, 470, 315619 * 8)
    assert told.uptime_seconds == 1.68
    assert told.host == Host("vm", 5706)
    assert told.queues == Queues(longest=3, messages=4)
    assert told.broker_memory_limit == 10110600806
    assert (told.failed, told.unread) == ({}, {})


def test_time_of_schedulers_by_kind():
    """Normal schedulers, dirty CPU and dirty IO are told apart by their numbers; one that is not online does not count."""
    times = "erlang:statistics(scheduler_wall_time_all)"
    rows = [(1, 5, 10), (2, 1, 10), (3, 2, 10), (4, 0, 10), (5, 7, 20), (6, 3, 20)]
    node = RecordedNode(changed={times: rows, "erlang:system_info(schedulers_online)": 1})
    worked = read(node).worked
    assert {kind: (each.active, each.total) for kind, each in worked.items()} == {
        "normal": (5, 10),
        "dirty_cpu": (2, 20),
        "dirty_io": (10, 40),
    }


@pytest.mark.parametrize("online", [10**12, 0, -1, 1.5])
def test_a_number_of_schedulers_that_cannot_be(online):
    """What a node says of its schedulers is compared with their rows, and nothing as large is built from it."""
    told = read(RecordedNode(changed={"erlang:system_info(schedulers_online)": online}), parts=(SCHEDULERS,))
    assert told.schedulers_online["normal"] == online
    assert ("normal" in told.worked) == (online >= 1)


def test_only_known_kinds_of_memory():
    """Kinds become labels: whatever else a node may name is left out, and one that names none of them fails that part."""
    sizes = [(Atom("total"), 5), *((Atom(f"kind_{number}"), number) for number in range(1000)), (b"code", 7), (7, 7)]
    assert read(RecordedNode(changed={"erlang:memory()": sizes})).memory == {"total": 5.0}
    assert "erlang:memory()" in read(RecordedNode(changed={"erlang:memory()": sizes[1:]})).failed[MEMORY]


@pytest.mark.parametrize(("release", "read_as"), [([50, 55], "27"), (b"27" * 1000, "27" * 16), ([50, 10, 55], None), ([], None)])
def test_a_release_becomes_a_label(release, read_as):
    """It is cut to 32 letters, and one that cannot be printed fails its part."""
    told = read(RecordedNode(changed={"erlang:system_info(otp_release)": release}))
    assert told.otp_release == read_as
    assert (SYSTEM in told.failed) == (read_as is None)


@pytest.mark.parametrize("part", [SYSTEM, MEMORY, STATISTICS, SCHEDULERS, BROKER])
def test_only_what_is_asked_for_is_read(part):
    """A question about one part makes the calls of that part and no other."""
    node = RecordedNode()
    read(node, parts=(part,))
    assert sorted(node.asked) == sorted(map(written, PARTS[part]))


def test_a_node_that_lets_one_question_wait_is_asked_no_more():
    """The first call that is late ends the reading; one that is late among those sent together ends it before mailboxes."""
    node = RecordedNode(changed={"erlang:statistics(run_queue_lengths_all)": LATE})
    with pytest.raises(CallTimeout):
        read(node, queues_up_to=1000)
    assert node.asked == ["erlang:statistics(run_queue_lengths_all)"]
    node = RecordedNode(changed={"erlang:memory()": LATE})
    assert read(node, queues_up_to=1000).failed == {MEMORY: str(LATE), QUEUES: str(LATE)}
    assert "erlang:processes()" not in node.asked


def test_schedulers_that_are_not_timed():
    """With the node's flag off there is no utilization of schedulers, and it is said why; nothing else is missing."""
    told = read(RecordedNode(changed={"erlang:statistics(scheduler_wall_time_all)": Atom("undefined")}))
    assert told.worked is None
    assert "scheduler_wall_time" in told.unread["scheduler utilization"]
    assert told.schedulers_online["normal"] == 2
    assert told.failed == {}


@pytest.mark.parametrize("part", [SYSTEM, MEMORY, STATISTICS, SCHEDULERS])
def test_a_part_that_fails(part):
    """A part that was not answered is named with its reason, and the others are there."""
    told = read(RecordedNode(changed={written(PARTS[part][-1]): LATE}))
    assert told.failed == {part: str(LATE)}
    assert (told.otp_release is None) == (part == SYSTEM)
    assert (told.memory == {}) == (part == MEMORY)
    assert (told.reductions is None) == (part == STATISTICS)
    assert (told.schedulers_online == {}) == (part == SCHEDULERS)


@pytest.mark.parametrize("answer", [Atom("undefined"), 3.5, [], [1], [(Atom("total"), b"x")], {}])
@pytest.mark.parametrize("call", ["erlang:memory()", "erlang:statistics(reductions)", "erlang:statistics(run_queue_lengths_all)"])
def test_an_answer_of_another_shape(call, answer):
    """What is not the shape of OTP 25 to 27 is a failure of its part that names the call, and never a number."""
    told = read(RecordedNode(changed={call: answer}))
    part = MEMORY if "memory" in call else STATISTICS
    assert list(told.failed) == [part]
    assert call.removesuffix(")") in told.failed[part]
    assert told.memory == {} if part == MEMORY else told.reductions is None


def test_a_node_that_is_gone():
    """A lost connection is the node's failure, wherever in a reading it is lost."""
    for call in ("erlang:memory()", "erlang:processes()", "erlang:statistics(run_queue_lengths_all)"):
        with pytest.raises(NodeUnavailable):
            read(RecordedNode(changed={call: GONE}), queues_up_to=1000)


def test_nothing_that_can_be_read():
    """When every part fails the reading fails, with the first reason."""
    changed = {written(call): LATE for calls in PARTS.values() for call in calls}
    with pytest.raises(CallTimeout):
        read(RecordedNode(changed=changed))


def test_a_node_without_rabbitmq():
    """A node that is no RabbitMQ has no limit of its own, and that is no failure; RabbitMQ that does not answer is one."""
    told = read(RecordedNode(changed=NO_BROKER))
    assert (told.broker_memory_limit, told.failed) == (None, {})
    late = CallFailed(node="shop@mq1", call="vm_memory_monitor:get_memory_limit/0", reason="{timeout,{gen_server,call,[...]}}")
    for error in (LATE, late):
        assert read(RecordedNode(changed={"vm_memory_monitor:get_memory_limit()": error})).failed == {BROKER: str(error)}
    unasked = RecordedNode()
    assert read(unasked, parts=[part for part in PARTS if part != BROKER]).broker_memory_limit is None
    assert "vm_memory_monitor:get_memory_limit()" not in unasked.asked


def test_run_queues_are_asked_for_alone():
    """The lens does not count the processes that its own calls make: it asks for queues and processes before all else."""
    node = RecordedNode()
    rounds: list[int] = []
    calls = node.calls
    node.calls = lambda several: (rounds.append(len(several)), calls(several))[1]
    read(node)
    assert node.asked[:2] == ["erlang:statistics(run_queue_lengths_all)", "erlang:system_info(process_count)"]
    assert rounds[:2] == [1, 1]


def test_mailboxes_of_many_processes():
    """Processes are asked in pages; above the limit none is, and it is said how many there are."""
    pids = [Pid(Atom("shop@mq1"), number, 0, 1) for number in range(2 * PAGE + 1)]
    empty = [(LENGTH, 0)] * (PAGE - 2)
    pages = [[(LENGTH, 2), (LENGTH, 0), *empty], [(LENGTH, 7), Atom("undefined"), *empty], [(LENGTH, 1)]]
    node = RecordedNode(changed={"erlang:processes()": pids})
    recorded = node.calls
    node.calls = lambda several: recorded(several) if several[0][0] != "lists" else (recorded(several), [pages.pop(0)])[1]
    assert read(node, queues_up_to=1000).queues == Queues(longest=7, messages=10)
    assert node.asked.count("lists:zipwith()") == 3
    few = RecordedNode()
    told = read(few, queues_up_to=48)
    assert told.queues is None
    assert told.unread == {QUEUES: "it has 49 processes, mailboxes are looked into up to 48"}
    assert "erlang:processes()" not in few.asked


@pytest.mark.parametrize(
    "changed", [{"erlang:processes()": Atom("many")}, {"lists:zipwith()": Atom("no")}, {"lists:zipwith()": [(Atom("links"), 1)]}]
)
def test_mailboxes_of_another_shape(changed):
    """An answer that is no list of mailboxes fails that part, never counts as none."""
    told = read(RecordedNode(changed=changed), queues_up_to=1000)
    assert told.queues is None
    assert QUEUES in told.failed
