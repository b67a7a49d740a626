"""Looking inside a node, by what a real one has answered: what is found, what is asked at most, and answers of another shape."""

from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any

import pytest

from lens_exporter.errors import BadTerm, LensError
from lens_exporter.lenses.beam import diagnose_children, diagnose_processes, diagnose_resources
from lens_exporter.lenses.beam.calls import ALLOWED
from lens_exporter.lenses.beam.collect import NodeLens
from lens_exporter.lenses.beam.looking import Watch
from lens_exporter.lenses.beam.memory_limit import MemoryLimits
from lens_exporter.lenses.beam.terms import Atom, Fun, ImproperList, MapPairs, Pid
from lens_exporter.lenses.beam.tools import BeamTools
from lens_exporter.model.tool import ToolResult, ToolStatus
from tests.recordings.beam_inside import InsideNode
from tests.unit.lenses.trees import Hand

TOOLS = [tool.name for tool in BeamTools(lambda: ()).all()]
RESTARTING = "beam_find_restarting_children"


def ask(
    node: InsideNode, name: str, pause: Callable[[float], object] = lambda _: None, clock: Hand | None = None, **given
) -> ToolResult:
    """Ask a tool about the one node there is; pauses take no time, unless the test lets it pass."""
    clock = clock or Hand()
    lens = NodeLens(node, limits=MemoryLimits(hostname=lambda: "elsewhere"), clock=clock)
    tools = BeamTools(lambda: (lens,), Watch(clock, pause))
    (tool,) = [each for each in tools.all() if each.name == name]
    return tool.call(tool.arguments(**given))


@pytest.fixture
def node() -> InsideNode:
    return InsideNode()


def then(node: InsideNode) -> Callable[[float], None]:
    """Let the killed child be restarted at the first pause."""

    def pause(_seconds: float) -> None:
        node.later = True

    return pause


# --- what is asked ---


def test_what_may_be_sent_is_what_is_asked(node):
    """All tools together make every call of the list, and none but those; one only serves to know that a node answers."""
    for name in TOOLS:
        ask(node, name)
    assert node.planned == ALLOWED.keys() - {"erlang:node/0"}


@pytest.mark.parametrize("name", TOOLS)
def test_a_question_ends_with_its_time(node, name):
    """Once four fifths of the time a tool is waited for have passed, nothing more is asked, whatever the question."""
    clock = Hand()
    calls = node.calls

    def slow(several) -> list[Any]:
        clock.now += 10.0
        return calls(several)

    node.calls = slow
    try:
        ask(node, name, clock=clock, pause=lambda seconds: setattr(clock, "now", clock.now + seconds))
    except LensError as error:
        assert "of the whole question are over" in str(error)  # noqa: PT017 - some are answered in time
    assert clock.now <= 1000.0 + 24.0 + 10.0 + 8.0


# --- children ---


def test_a_child_without_an_id_that_is_restarted(node):
    """Of a supervisor whose children have no ids one is killed: it is told by what it was started as, and how sure that is."""
    result = ask(node, RESTARTING, pause=then(node))
    assert [(row["child"], row["known_by"], row["restarts"], row["supervisor"]) for row in result.data["restarted"]] == [
        ("carts:init/1", "initial_call", 1, "carts_sup")
    ]
    assert result.seen["child:carts_sup:carts:init/1:restarts"] == 1
    assert result.seen["restarting"] == 1
    assert "temporary ones that come and go look the same" in result.note
    calm = ask(node, RESTARTING)
    assert (calm.seen["restarting"], calm.note) == (0, "no child was restarted within 2 s")


def carts(node: InsideNode) -> tuple[str, list[Any]]:
    """Give the call that asks carts_sup for its children, and what it answers."""
    (call,) = [
        call
        for call in node._answers
        if call.startswith("supervisor:which_children") and any(each[0] == "undefined" for each in node._answers[call])
        if not call.endswith(" later")
    ]
    return call, node.recorded(call)


def test_a_dynamic_supervisor(node):
    """Elixir's gives {undefined, restarting, ...} while it restarts a child: what ended then and began later counts once."""
    call, (first, *others) = carts(node)
    later = [each for each in node._answers[call + " later"] if each not in others]
    answers = iter([[first, *others], [(Atom("undefined"), Atom("restarting"), *first[2:]), *others], [*later, *others]])
    result = ask(_in_turn(node, call, answers), RESTARTING, pause=then(node))
    assert [(row["child"], row["restarts"]) for row in result.data["restarted"]] == [("carts:init/1", 1)]
    assert result.seen["children"] == ask(InsideNode(), RESTARTING).seen["children"]


def _in_turn(node: InsideNode, call: str, answers: Iterator[Any]) -> InsideNode:
    calls = node.calls

    def changing(several):
        if any(call == f"{module}:{function}({','.join(map(str, arguments))})" for module, function, arguments in several):
            node.changed[call] = next(answers, node.changed.get(call))
        return calls(several)

    node.calls = changing
    return node


def test_children_that_only_begin(node):
    """New children of a kind are no restarts, and neither are those that only end."""
    call, all_of_them = carts(node)
    for looks in ([all_of_them[:1], all_of_them], [all_of_them, all_of_them[:1]]):
        result = ask(_in_turn(InsideNode(), call, iter(looks)), RESTARTING)
        assert result.data["restarted"] == []


@pytest.mark.parametrize(
    ("looks", "restarts"),
    [
        (["one", "two", "two", "three"], 2),
        (["one", "undefined", "undefined", "two"], 1),
        (["one", "undefined", "one", "one"], 0),
        (["one", "restarting", "restarting", "two"], 1),
        (["restarting", "restarting", "one", "restarting"], 2),
        (["undefined", "one", "one", "one"], 0),
    ],
)
def test_a_child_with_an_id(node, looks, restarts):
    """It is restarted when another process stands under its id, or while its supervisor tries; one that was only ended is not."""
    call, (first, *_) = carts(node)
    processes = {name: Pid(Atom("shop@mq1"), number, 0, 1) for number, name in enumerate(("one", "two", "three"), 200)}
    answers = iter([[(Atom("cart"), processes.get(name, Atom(name)), *first[2:])] for name in looks])
    rows = ask(_in_turn(node, call, answers), RESTARTING).data["restarted"]
    assert [(row["child"], row["known_by"], row["restarts"]) for row in rows] == [("cart", "id", restarts)] * (restarts > 0)


@pytest.mark.parametrize("counts", [[(Atom("specs"), 5001), (Atom("active"), 1)], {Atom("active"): 5001}])
def test_a_supervisor_of_very_many(node, counts):
    """It is asked how many children it has before it is asked for them, and not for the list of more than it can tell quickly."""
    call, _ = carts(node)
    node.changed[call.replace("which", "count")] = counts
    result = ask(node, RESTARTING)
    assert call not in node.asked
    assert result.status is ToolStatus.TRUNCATED
    assert "carts_sup" in result.note
    assert "its 5,001 children are not listed, for they are more than 5,000" in result.note
    for each in (each for each in node.asked if "which_children" in each):
        assert node.asked.index(each) > node.asked.index(each.replace("which", "count"))


# --- how much is asked ---


@pytest.mark.parametrize(
    ("name", "module", "constant"),
    [
        ("beam_find_growing_processes", diagnose_processes, "MOST_COMPARED"),
        ("beam_find_atom_growth", diagnose_resources, "MOST_COMPARED"),
        ("beam_find_binary_leaks", diagnose_processes, "MOST"),
        ("beam_count_processes", diagnose_processes, "MOST"),
        (RESTARTING, diagnose_children, "MOST_PROCESSES"),
    ],
)
def test_of_very_many_processes_some_are_looked_at(node, monkeypatch, name, module, constant):
    """Above its limit a diagnostic looks at the first so many, and says of how many."""
    monkeypatch.setattr(module, constant, 10)
    asked: list[int] = []
    calls = node.calls
    node.calls = lambda several: (asked.extend(len(args[1]) for at, _, args in several if at == "lists"), calls(several))[1]
    clock = Hand()

    def pause(seconds: float) -> None:
        clock.now += seconds
        node.changed["erlang:system_info(atom_count)"] = 20_000

    result = ask(node, name, pause=pause, clock=clock)
    assert max(asked) == 10
    assert result.status is ToolStatus.TRUNCATED
    assert "10 of 53 processes were looked at" in result.note


def test_the_numbers_of_binaries_are_not_hashed(node):
    """A node may choose them so that all fall on one place: each is counted once all the same."""

    class Number(int):
        __hash__ = None  # type: ignore[assignment]

    calls = node.calls
    three = [[(Atom("binary"), [(Number(1), 70, 1), (Number(2), 70, 1), (Number(1), 70, 1)])]]
    node.calls = lambda several: three if "binary" in str(several[0][2][2:]) else calls(several)
    rows = ask(node, "beam_find_binary_leaks").data["processes"]
    assert {row.get("binaries") for row in rows} >= {2}


# --- answers of another shape ---

_STRANGE = [
    Atom("undefined"),
    Atom("x"),
    -1,
    1.5,
    10**400,
    b"\xff\xfe",
    [],
    [0x10FFFF],
    [[]],
    (),
    (Atom("memory"),),
    {Atom("memory"): b"x"},
    [(Atom("memory"), Atom("x"))],
    [(Atom("active"), 10**400)],
    [(1, 2, 3)],
    [(Atom("undefined"), 7, 7, 7)],
    ImproperList((1,), 2),
    MapPairs(((1, 2),)),
    Pid(Atom("x@y"), 1, 2, 3),
]


@pytest.mark.parametrize("name", TOOLS)
def test_an_answer_of_another_shape_is_said(name):
    """A function where anything else must be: each call that a tool makes fails by name, or costs its part of the answer, which says so."""
    plain = InsideNode()
    ask(plain, name, pause=then(plain))
    for call in dict.fromkeys(plain.asked):
        node = InsideNode({call: Fun(b"p\0\0\0\x04")})
        try:
            result = ask(node, name, pause=then(node))
        except BadTerm as error:
            assert "answered something else than it does in OTP 25 to 27" in str(error)  # noqa: PT017 - one of two good outcomes
        else:
            assert _says_so(result, call), (call, result)


def _says_so(result: ToolResult, call: str) -> bool:
    if call == "lists:zipwith(erlang:process_info/2,binary)":
        return not any("binaries" in row for row in result.data["processes"])
    if "metrics" in (result.data or {}):
        return 0.0 in [value for sample, value in result.data["metrics"].items() if sample.startswith("lens_beam_part_up")]
    return result.status is not ToolStatus.DATA and "answered something else" in result.note


@pytest.mark.parametrize("name", TOOLS)
def test_nothing_strange_gets_through(name):
    """Whatever stands in an answer, a tool gives numbers that are finite and text, or says in one of our errors what is wrong."""
    plain = InsideNode()
    ask(plain, name, pause=then(plain))
    for call in dict.fromkeys(plain.asked):
        known = plain.changed.get(call, plain._answers.get(call))
        for strange in _STRANGE:
            for answer in _inside(strange, known):
                node = InsideNode({call: answer})
                try:
                    result = ask(node, name, pause=then(node))
                except LensError:
                    continue
                assert all(isfinite(value) for value in result.seen.values()), (call, answer)
                _plain(result.data)


def _inside(strange: Any, known: Any) -> Iterator[Any]:
    """Put it in place of the answer, of its parts, and of their last parts."""
    yield strange
    if isinstance(known, list | tuple) and known:
        yield type(known)([strange, *known[1:]])
        yield [(*each[:-1], strange) if isinstance(each, tuple) and each else strange for each in known]
    if isinstance(known, dict):
        yield dict.fromkeys(known, strange)


def _plain(data: Any) -> None:
    """Check that nothing of Erlang's is left in it."""
    if isinstance(data, dict):
        for key, value in data.items():
            assert type(key) is str
            _plain(value)
    elif isinstance(data, list):
        for each in data:
            _plain(each)
    else:
        assert data is None or isinstance(data, str | int | float | bool)
        assert type(data) is not Atom
