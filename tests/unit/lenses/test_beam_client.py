"""The client of a node and its connections, which here are opened and lost as a test says."""

import threading

import pytest

from lens_exporter.errors import CallTimeout, NodeBusy, NodeUnavailable
from lens_exporter.lenses.beam.asks import Cause
from lens_exporter.lenses.beam.calls import Weight
from lens_exporter.lenses.beam.handshake import Peers
from lens_exporter.lenses.beam.link import Pending
from lens_exporter.lenses.beam.node import NodeClient
from lens_exporter.lenses.beam.opening import Address

SECONDS = {Weight.LIGHT: 0.01, Weight.HEAVY: 0.01}


class Line:
    """A connection over which nothing is answered. It is lost as soon as somebody has looked who is there, if a test says so."""

    cause, heard = Cause.LOST, float("inf")

    def __init__(self, creation: int, *, breaks: bool = False) -> None:
        self._peers, self._breaks = Peers("lens@a", 1, creation), breaks
        self.lost, self.sent, self.closed = "", 0, False

    @property
    def peers(self) -> Peers:
        if self._breaks:
            self.lost = "the node closed it"
        return self._peers

    def send(self, _request, _to, limit) -> Pending:
        self.sent += 1
        return Pending(limit)

    def close(self) -> None:
        self.closed = True


class Lines:
    """Opens one connection after the other."""

    def __init__(self, *lines: Line) -> None:
        self.left = list(lines)

    def open(self) -> Line:
        return self.left.pop(0)


def client(opener) -> NodeClient:
    return NodeClient(Address("shop@mq1"), lambda: "cookie", seconds=SECONDS, opener=opener)


def test_who_works_on_a_heavy_call_is_told_by_the_connection_it_went_over():
    """A node that restarts between the question for a place and the call keeps the place: it, not the one before, is at work."""
    before, after = Line(1, breaks=True), Line(2)
    asks = client(Lines(before, after))
    with pytest.raises(CallTimeout) as caught:
        asks.call("erlang", "processes")
    assert not isinstance(caught.value, NodeBusy)
    with pytest.raises(NodeBusy):
        asks.call("erlang", "ports")
    assert (before.sent, after.sent) == (0, 1)


def test_closing_waits_for_nobody():
    """A client that is closed while it connects is closed at once; the connection is given up when it is there, and the call says so."""
    opening, opened, line, errors = threading.Event(), threading.Event(), Line(1), []

    class Slow:
        def open(self) -> Line:
            opening.set()
            opened.wait(60)
            return line

    def ask() -> None:
        errors.extend(asks.calls([("erlang", "node", ())]))

    asks = client(Slow())
    asking, closing = threading.Thread(target=ask, daemon=True), threading.Thread(target=lambda: asks.close(), daemon=True)
    asking.start()
    assert opening.wait(60)
    closing.start()
    closing.join(5)
    assert not closing.is_alive()
    opened.set()
    asking.join(60)
    (error,) = errors
    assert isinstance(error, NodeUnavailable)
    assert error.cause == Cause.CLOSED
    assert (line.closed, line.sent) == (True, 0)
