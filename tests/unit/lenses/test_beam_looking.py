"""How much is asked of a node at most when everything of one kind on it is looked through."""

import pytest

from lens_exporter.errors import CallFailed, QuestionTooLong
from lens_exporter.lenses.beam.calls import PAGE
from lens_exporter.lenses.beam.looking import amounts, processes
from lens_exporter.lenses.beam.terms import Atom, Pid
from lens_exporter.lenses.beam.timed import TimedAsks


class Node:
    """Answers as a node with so many processes, of which each page takes so many seconds."""

    name = "shop@app1"

    def __init__(self, count=3, seconds=0.0):
        self.count = count
        self.seconds = seconds
        self.now = 0.0
        self.asked = []

    def call(self, module, function, *arguments):
        self.asked.append(f"{module}:{function}")
        if function == "system_info":
            return self.count
        if function == "processes":
            return [Pid(Atom(self.name), number, 0, 1) for number in range(self.count)]
        self.now += self.seconds
        _, pids, items = arguments
        return [(item, 7) if pid.id else Atom("undefined") for pid, item in zip(pids, items, strict=True)]

    def calls(self, several):
        return [self.call(module, function, *arguments) for module, function, arguments in several]


def test_too_many_processes_are_not_listed():
    """The node is asked how many there are first; the list would be built before anybody could refuse it."""
    node = Node(count=2_000_000)
    with pytest.raises(CallFailed, match="it has 2,000,000 processes, and the list of more than 1,500,000 is a burden on it"):
        processes(node)
    assert node.asked == ["erlang:system_info"]
    assert len(processes(Node())) == 3


def test_a_question_ends_when_nobody_waits_for_it_any_more():
    """Ten seconds a page and 25 in all: after three pages the fourth is not asked for, and the error says what was not."""
    node = Node(seconds=10.0)
    pids = [Pid(Atom(node.name), number, 0, 1) for number in range(5 * PAGE)]
    asks = TimedAsks(node, 25.0, lambda: node.now)
    with pytest.raises(QuestionTooLong, match=r"lists:zipwith/3 any more: the 25 s of the whole question are over"):
        amounts(asks, pids, "memory")
    assert len(node.asked) == 3
    assert [type(answer) for answer in asks.calls([("erlang", "memory", ())])] == [QuestionTooLong]
    assert len(node.asked) == 3


def test_who_is_gone_has_no_amount():
    """One for each in their order: what ended between the list and the question counts as -1."""
    node = Node()
    assert amounts(node, processes(node), "memory") == [-1.0, 7.0, 7.0]
