"""What may be sent to a node, and what may not."""

import pytest

from lens_exporter.errors import CallRefused
from lens_exporter.lenses.beam.calls import ALLOWED, PAGE, Weight, plan
from lens_exporter.lenses.beam.encode import encode
from lens_exporter.lenses.beam.terms import Atom, Export, Pid, Port, Reference

NODE = Atom("rabbit@mq1")
PID, PORT, TABLE = Pid(NODE, 85, 0, 7), Port(NODE, 3, 7), Reference(NODE, 7, (1, 2, 3))
MEMORY, INFO = Atom("memory"), Export(Atom("erlang"), Atom("process_info"), 2)


@pytest.mark.parametrize(
    ("module", "function", "arguments"),
    [
        ("os", "cmd", ([108, 115],)),
        ("erlang", "halt", ()),
        ("erlang", "apply", (INFO, [PID, MEMORY])),
        ("erlang", "exit", (PID, Atom("kill"))),
        ("erlang", "garbage_collect", ()),
        ("erlang", "system_flag", (Atom("scheduler_wall_time"), Atom("true"))),
        ("erlang", "system_info", (Atom("procs"),)),
        ("erlang", "system_info", ((Atom("allocator"), Atom("binary_alloc")),)),
        ("erlang", "system_info", (b"process_count",)),
        ("erlang", "statistics", (Atom("nothing"),)),
        ("erlang", "memory", ([Atom("total")],)),
        ("erlang", "process_info", (PID, MEMORY)),
        ("erlang", "process_info", (PID, Atom("messages"))),
        ("erlang", "process_info", (PID, Atom("dictionary"))),
        ("erlang", "process_info", (PID, [MEMORY, Atom("messages")])),
        ("erlang", "process_info", (PID, [MEMORY] * 100)),
        ("erlang", "process_info", (PID, (Atom("dictionary"), Atom("password")))),
        ("erlang", "process_info", (Atom("rex"), MEMORY)),
        ("erlang", "process_info", (PID,)),
        ("erlang", "memory", ([Atom("total"), Atom("all")],)),
        ("ets", "tab2list", (TABLE,)),
        ("ets", "info", (b"table",)),
        ("ets", "lookup", (TABLE, 1)),
        ("persistent_term", "get", ()),
        ("lists", "map", (Export(Atom("os"), Atom("cmd"), 1), [[108]])),
        ("lists", "map", (Export(Atom("erlang"), Atom("process_info"), 1), [PID])),
        ("lists", "map", (Export(Atom("proc_lib"), Atom("translate_initial_call"), 1), [[]])),
        ("lists", "zipwith", (Export(Atom("erlang"), Atom("exit"), 2), [PID], [Atom("kill")])),
        ("lists", "zipwith", (INFO, [PID], [Atom("messages")])),
        ("lists", "zipwith", (INFO, [PID], [[MEMORY, Atom("backtrace")]])),
        ("lists", "zipwith", (INFO, [PID], [[MEMORY] * 100])),
        ("lists", "zipwith", (INFO, [PID], [(Atom("dictionary"), Atom("password"))])),
        ("lists", "zipwith", (INFO, [PID, PID], [MEMORY])),
        ("lists", "zipwith", (INFO, [Atom("rex")], [MEMORY])),
        ("lists", "zipwith", (INFO, [PID] * (PAGE + 1), [MEMORY] * (PAGE + 1))),
        ("lists", "zipwith", (INFO, (PID,), (MEMORY,))),
        ("lists", "zipwith", (Atom("process_info"), [PID], [MEMORY])),
        ("supervisor", "terminate_child", (Atom("sup"), Atom("child"))),
        ("supervisor", "which_children", ([1],)),
        ("supervisor", "which_children", (Atom("kernel_sup"),)),
        ("vm_memory_monitor", "set_vm_memory_high_watermark", (0.9,)),
        ("gen_server", "call", (Atom("sup"), Atom("which_children"), 5000)),
        ("rpc", "call", (NODE, Atom("os"), Atom("cmd"), [[108]])),
    ],
)
def test_nothing_else_passes(module, function, arguments):
    """Calls that write, stop, evaluate, read users' data or take more than a page are refused."""
    with pytest.raises(CallRefused, match=f"{module}:{function}/{len(arguments)}"):
        plan(module, function, arguments)


@pytest.mark.parametrize(
    ("module", "function", "arguments", "weight"),
    [
        ("erlang", "memory", (), Weight.LIGHT),
        ("erlang", "system_info", (Atom("process_limit"),), Weight.LIGHT),
        ("erlang", "statistics", (Atom("run_queue_lengths_all"),), Weight.LIGHT),
        ("vm_memory_monitor", "get_memory_limit", (), Weight.LIGHT),
        ("erlang", "processes", (), Weight.HEAVY),
        ("ets", "all", (), Weight.HEAVY),
        ("lists", "zipwith", (INFO, [PID] * PAGE, [[MEMORY]] * PAGE), Weight.HEAVY),
        ("lists", "zipwith", (INFO, [PID], [MEMORY]), Weight.HEAVY),
        ("lists", "zipwith", (Export(Atom("ets"), Atom("info"), 2), [TABLE, Atom("t")], [Atom("size"), MEMORY]), Weight.HEAVY),
        ("lists", "zipwith", (Export(Atom("erlang"), Atom("port_info"), 2), [PORT], [Atom("name")]), Weight.HEAVY),
        ("lists", "map", (Export(Atom("proc_lib"), Atom("translate_initial_call"), 1), [PID]), Weight.HEAVY),
        ("supervisor", "count_children", (PID,), Weight.HEAVY),
    ],
)
def test_what_is_read_passes(module, function, arguments, weight):
    """Each says how heavy it is, how long it is waited for, and how large its answer may be."""
    planned = plan(module, function, arguments)
    assert planned.weight is weight
    assert 0 < planned.seconds <= 10
    assert 0 < planned.limit <= 64 * 1024 * 1024
    assert encode(planned.arguments)


@pytest.mark.parametrize(
    ("module", "function", "arguments", "server"),
    [
        ("supervisor", "which_children", (PID,), PID),
        ("supervisor", "count_children", (PID,), PID),
        ("vm_memory_monitor", "get_memory_limit", (), Atom("vm_memory_monitor")),
    ],
)
def test_a_server_is_asked_with_a_limit_on_the_node_too(module, function, arguments, server):
    """The node's own function would wait for ever; what is sent gives up there, and not after we do."""
    planned = plan(module, function, arguments)
    assert (planned.module, planned.function) == ("gen_server", "call")
    assert planned.arguments == [server, Atom(function), 5000]
    assert planned.name == f"{module}:{function}/{len(arguments)}"
    assert planned.seconds * 1000 >= planned.arguments[2]


def test_the_list_is_short():
    """Nothing gets onto the list unseen: whoever adds a call changes this number, and says why."""
    assert len(ALLOWED) == 17
