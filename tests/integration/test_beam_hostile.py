"""Peers that are no node, or not a good one: named errors, within the time and the memory there is."""

import socket
import struct
import threading
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from lens_exporter.errors import AnswerTooLarge, BadTerm, CallTimeout, LensError, NodeBusy, NodeUnavailable, SecretUnreadable
from lens_exporter.lenses.beam.asks import Cause
from lens_exporter.lenses.beam.calls import Weight
from lens_exporter.lenses.beam.encode import encode
from lens_exporter.lenses.beam.handshake import Flag, Peers
from lens_exporter.lenses.beam.link import MOST_UNANSWERED, Crowded, Link
from lens_exporter.lenses.beam.node import NodeClient
from lens_exporter.lenses.beam.terms import Atom
from tests.servers.fake_node import COOKIE, NAME, FakeNode, Peer, garbage
from tests.servers.waiting import until

pytestmark = pytest.mark.integration

MIB = 1024 * 1024
SHORT = {Weight.LIGHT: 0.5, Weight.HEAVY: 0.5}


def failure(address, *, cookie: Callable[[], str] = lambda: COOKIE, seconds: float = 2.0) -> NodeUnavailable:
    asks = NodeClient(address, cookie, connect_seconds=seconds)
    with pytest.raises(NodeUnavailable) as caught:
        asks.call("erlang", "node")
    asks.close()
    return caught.value


def drip(peer: Peer) -> None:
    peer.connection.sendall(struct.pack(">H", 2000) + b"s")
    while not peer.closing.wait(0.02):
        peer.connection.sendall(b"x")


def slow_epmd(peer: Peer) -> None:
    peer.connection.sendall(b"w\x00")
    while not peer.closing.wait(0.02):
        peer.connection.sendall(b"\x01")


def flood(peer: Peer) -> None:
    while not peer.closing.is_set():
        peer.connection.sendall(b"\xff" + garbage(65536))


def status(text: bytes) -> Callable[[Peer], None]:
    def serve(peer: Peer) -> None:
        peer._handshake_message()
        peer.say(b"s" + text)
        peer.hold()

    return serve


def old_challenge(peer: Peer) -> None:
    peer._handshake_message()
    peer.say(b"snamed:\x00\x05a@b.c\x00\x00\x00\x01")
    peer.say(b"n\x00\x05" + bytes(8) + b"a@b")
    peer.hold()


@pytest.mark.parametrize(
    ("behave", "cause"),
    [
        (lambda _peer: None, Cause.REFUSED),
        (lambda peer: peer.hold(), Cause.TIMED_OUT),
        (drip, Cause.TIMED_OUT),
        (lambda peer: peer.connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Cause.NONSENSE),
        (lambda peer: peer.connection.sendall(bytes(20)), Cause.NONSENSE),
        (flood, Cause.NONSENSE),
        (status(b"nok"), Cause.REFUSED),
        (status(b"not_allowed"), Cause.REFUSED),
        (status(b"named:\xff\xffx"), Cause.NONSENSE),
        (old_challenge, Cause.TOO_OLD),
        (lambda peer: peer.handshake(name="other@127.0.0.1"), Cause.NONSENSE),
        (lambda peer: peer.handshake(cookie="another"), Cause.COOKIE_WRONG),
        (lambda peer: peer.handshake(flags=int(Flag.HANDSHAKE_23)), Cause.NONSENSE),
    ],
)
def test_who_cannot_shake_hands_is_named(behave, cause):
    """Whatever answers at the port, the error says what it did, and comes within the time to connect."""
    with FakeNode(behave) as node:
        error = failure(node.address, seconds=1.0)
    assert error.cause == cause, error
    assert NAME in str(error)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"w\x01", Cause.NOT_REGISTERED),
        (b"", Cause.EPMD_UNREACHABLE),
        (b"w", Cause.EPMD_UNREACHABLE),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Cause.EPMD_NONSENSE),
        (b"w\x00" + struct.pack(">HBBHHH", 0, 77, 0, 6, 5, 4) + b"fake\0\0", Cause.EPMD_NONSENSE),
        (b"w\x00" + struct.pack(">HBBHHH", 4000, 77, 0, 6, 5, 5) + b"other\0\0", Cause.EPMD_NONSENSE),
        (b"w\x00" + struct.pack(">HBBHHH", 4000, 77, 0, 6, 5, 65535) + b"fake", Cause.EPMD_NONSENSE),
        (b"w\x00" + struct.pack(">HBBHHH", 4000, 77, 0, 5, 5, 4) + b"fake\0\0", Cause.TOO_OLD),
        (b"w\x00" + struct.pack(">HBBHHH", 1, 77, 0, 6, 5, 4) + b"fake\0\0", Cause.UNREACHABLE),
    ],
)
def test_an_epmd_that_lies_is_named(answer, cause):
    """Each kind of wrong answer has its cause; a wrong port is found out by whoever is there."""
    with FakeNode(lambda peer: peer.connection.sendall(answer)) as epmd:
        assert failure(replace(epmd.address, port=None, epmd_port=epmd.port)).cause == cause


def test_an_epmd_that_drips():
    """An epmd that sends a byte now and then is given up in time."""
    with FakeNode(slow_epmd) as epmd:
        error = failure(replace(epmd.address, port=None, epmd_port=epmd.port), seconds=0.3)
    assert error.cause in {Cause.TIMED_OUT, Cause.EPMD_NONSENSE}


def test_an_epmd_that_sends_to_another_node():
    """The node at the port says who it is; another one is not asked."""
    with FakeNode(lambda peer: peer.handshake(name="victim@127.0.0.1")) as other:
        answer = b"w\x00" + struct.pack(">HBBHHH", other.port, 77, 0, 6, 5, 4) + b"fake\0\0"
        with FakeNode(lambda peer: peer.connection.sendall(answer)) as epmd:
            error = failure(replace(epmd.address, port=None, epmd_port=epmd.port))
    assert error.cause == Cause.NONSENSE
    assert "victim@127.0.0.1" in error.reason


def test_a_cookie_that_cannot_be_read():
    """Without a cookie nothing is sent, and the error names the setting."""

    def unreadable() -> str:
        raise SecretUnreadable(key="lenses.beam[0].cookie_file", path="/nowhere", reason="No such file or directory")

    with FakeNode(lambda peer: peer.hold()) as node:
        error = failure(node.address, cookie=unreadable)
        assert node.connections == 0
    assert error.cause == Cause.COOKIE_UNREADABLE
    assert "lenses.beam[0].cookie_file" in error.reason


# --- after the handshake ---


def answering(*answers: Callable[[Peer], None]) -> Callable[[Peer], None]:
    """Shake hands, do what is told for the first requests, and answer the following ones with ok."""

    def serve(peer: Peer) -> None:
        peer.handshake()
        for each in answers:
            each(peer)
        while True:
            own, reference, _ = peer.request()
            peer.answer(own, reference, Atom("ok"))

    return serve


def with_bytes(term: bytes) -> Callable[[Peer], None]:
    def serve(peer: Peer) -> None:
        own, reference, _ = peer.request()
        peer.answer_bytes(own, reference, term)

    return serve


def hundred_megabytes(peer: Peer) -> None:
    own, reference, _ = peer.request()
    head = peer.head(own, reference) + b"m" + struct.pack(">I", 100 * MIB)
    peer.connection.sendall(struct.pack(">I", len(head) + 100 * MIB) + head)
    block = bytes(MIB)
    for _ in range(100):
        peer.connection.sendall(block)


@pytest.mark.parametrize(
    ("bomb", "error", "words"),
    [
        (hundred_megabytes, AnswerTooLarge, "more than 1048576 bytes"),
        (with_bytes(b"l\x00\x00\x00\x01" * 100_000 + b"j" * 100_001), BadTerm, "nested too deeply"),
        (with_bytes(b"h\x01" * 400_000 + b"j"), BadTerm, "nested too deeply"),
        (with_bytes(b"v\xff\xff" + b"a" * 65535), BadTerm, "255 characters"),
        (with_bytes(b"P\x7f\xff\xff\xff" + zlib.compress(bytes(10 * MIB))), BadTerm, "would inflate"),
        (with_bytes(b"l\xff\xff\xff\xffj"), BadTerm, "cut off"),
        (with_bytes(b"\x00"), BadTerm, "no tag 0"),
        (with_bytes(b""), BadTerm, "cut off"),
    ],
)
def test_a_term_bomb_costs_its_own_call_only(bomb, error, words):
    """The call fails by name in a few megabytes of memory, and over the same connection the next one is answered."""
    with FakeNode(answering(bomb)) as node:
        asks = NodeClient(node.address, lambda: COOKIE)
        tracemalloc.start()
        try:
            with pytest.raises(error, match=words):
                asks.call("erlang", "node")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 8 * MIB
        assert asks.call("erlang", "node") == "ok"
        assert node.connections == 1
        asks.close()


def nonsense(data: bytes) -> Callable[[Peer], None]:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.connection.sendall(data)
        peer.hold()

    return serve


@pytest.mark.parametrize(
    "data",
    [b"\x00\x00\x00\x01q", b"\x00\x00\x00\x04p\x83h\x05", b"\x00\x00\x00\x03p\x82a", b"\xff\xff\xff\xff" + b"A" * 5000],
)
def test_nonsense_after_the_handshake_ends_the_connection(data):
    """Who stops speaking the protocol is hung up on, and the call that waited says so at once."""
    with FakeNode(answering(nonsense(data))) as node:
        asks = NodeClient(node.address, lambda: COOKIE)
        with pytest.raises(NodeUnavailable) as caught:
            asks.call("erlang", "node")
        assert caught.value.cause == Cause.NONSENSE
        asks.close()


def test_a_frame_of_four_gigabytes_is_never_kept():
    """A peer that promises 4 GiB and sends 200 MB of it costs a few megabytes and, in the end, the call."""
    sent = threading.Event()

    def endless(peer: Peer) -> None:
        own, reference, _ = peer.request()
        head = peer.head(own, reference)
        peer.connection.sendall(b"\xff\xff\xff\xff" + head)
        block = bytes(MIB)
        for _ in range(200):
            peer.connection.sendall(block)
        sent.set()
        peer.hold()

    with FakeNode(answering(endless)) as node:
        asks = NodeClient(node.address, lambda: COOKIE, seconds=SHORT)
        tracemalloc.start()
        try:
            with pytest.raises(AnswerTooLarge):
                asks.call("erlang", "node")
            assert sent.wait(60)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 8 * MIB
        with pytest.raises(CallTimeout):
            asks.call("erlang", "node")
        asks.close()


def test_half_of_a_connection():
    """A peer that is gone without a word costs one call its time; the next one is made over a new connection."""
    first = threading.Event()

    def serve(peer: Peer) -> None:
        if not first.is_set():
            first.set()
            peer.handshake()
            peer.hold()
        answering()(peer)

    with FakeNode(serve) as node:
        asks = NodeClient(node.address, lambda: COOKIE, seconds=SHORT)
        with pytest.raises(CallTimeout):
            asks.call("erlang", "node")
        assert asks.call("erlang", "node") == "ok"
        assert node.connections == 2
        asks.close()


def test_an_answer_that_comes_too_late_is_nobody_elses():
    """An answer to a call that was given up is let go by; the next call gets its own."""

    def late(peer: Peer) -> None:
        own, reference, _ = peer.request()
        peer.connection.sendall(bytes(4))  # a tick: the connection is alive
        own, later, _ = peer.request()
        peer.answer(own, reference, Atom("late"))
        peer.answer(own, later, Atom("right"))

    with FakeNode(answering(late)) as node:
        asks = NodeClient(node.address, lambda: COOKIE, seconds=SHORT)
        with pytest.raises(CallTimeout):
            asks.call("erlang", "node")
        assert asks.call("erlang", "node") == "right"
        assert node.connections == 1
        asks.close()


def test_a_node_whose_server_for_calls_hangs():
    """Of a node that ticks and answers nothing no more than 64 calls wait; once it answers, it is asked again."""
    work, sent = threading.Event(), []

    def hung(peer: Peer) -> None:
        for _ in range(MOST_UNANSWERED):
            sent.append(peer.request())
            peer.connection.sendall(bytes(4))
        work.wait(60)
        for own, reference, _ in sent:
            peer.answer(own, reference, Atom("late"))

    with FakeNode(answering(hung)) as node:
        asks = NodeClient(node.address, lambda: COOKIE, seconds=SHORT)
        errors = [error for _ in range(4) for error in asks.calls([("erlang", "node", ())] * 32)]
        assert [type(error) for error in errors] == [CallTimeout] * 64 + [NodeBusy] * 64
        assert "64 calls have not been answered" in str(errors[-1])
        assert len(sent) == 64
        work.set()
        until(lambda: asks.calls([("erlang", "node", ())]) == ["ok"])
        assert node.connections == 1
        asks.close()


def linked(node: FakeNode, **options) -> Link:
    connection = socket.create_connection(("127.0.0.1", node.port))
    return Link(connection, Peers("lens@a", 1, 2), **options)


def test_an_answer_to_a_call_that_was_given_up_is_not_kept():
    """It is heard of, so that it no longer counts as unanswered, and its bytes are let go by."""
    given_up = threading.Event()

    def serve(peer: Peer) -> None:
        own, reference, _ = peer.request()
        given_up.wait(60)
        peer.answer(own, reference, bytes(1000))
        peer.hold()

    with FakeNode(serve) as node:
        link = linked(node)
        pending = link.send(gen_call, "rex", MIB)
        pending.forget(0.0)
        given_up.set()
        assert pending.wait(60)
        assert (pending.answered, pending.answer) == (True, None)
        link.close()


def gen_call(own, reference):
    return (Atom("$gen_call"), (own, reference), Atom("x"))


def test_calls_given_up_long_ago_stand_in_nobodys_way():
    """An answer may have got lost on the node: after a minute a call that was given up makes room, one that is waited for does not."""
    now = [1000.0]
    with FakeNode(lambda peer: peer.hold()) as node:
        link = linked(node, clock=lambda: now[0])
        waiting = [link.send(gen_call, "rex", 10) for _ in range(MOST_UNANSWERED)]
        for pending in waiting[:2]:
            pending.forget(now[0])
        now[0] += 59
        with pytest.raises(Crowded):
            link.send(gen_call, "rex", 10)
        now[0] += 2
        assert not link.send(gen_call, "rex", 10).settled
        assert not link.send(gen_call, "rex", 10).settled
        with pytest.raises(Crowded):
            link.send(gen_call, "rex", 10)
        link.close()


def test_a_peer_that_does_not_read():
    """What it does not take waits up to four megabytes, and no more is sent."""
    with FakeNode(lambda peer: peer.hold()) as node:
        link = linked(node)

        def send() -> None:
            for _ in range(60):
                link.send(lambda _own, _reference: bytes(MIB), "rex", 10)

        tracemalloc.start()
        try:
            with pytest.raises(Crowded, match="bytes wait for it to read them"):
                send()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 12 * MIB
        link.close()


def test_messages_nobody_asked_for_are_let_go_by():
    """Links, monitors, messages to others, answers to unknown references: none of them is kept, none does harm."""

    def chatty(peer: Peer) -> None:
        own, reference, _ = peer.request()
        for control in ((1, own, own), (6, own, Atom(""), Atom("net_kernel")), (19, own, own, reference), (61, 1, own, own)):
            peer.send(b"p" + encode(control) + encode((Atom("$gen_call"), (own, reference), [1] * 1000)))
        peer.send(b"p" + encode((2, Atom(""), own)) + encode((Atom("a"), Atom("b"))))
        peer.send(b"p" + encode((2, Atom(""), own)) + encode((replace(reference, creation=1), Atom("b"))))
        peer.answer(own, reference, Atom("right"))

    with FakeNode(answering(chatty)) as node:
        asks = NodeClient(node.address, lambda: COOKIE)
        assert asks.call("erlang", "node") == "right"
        assert asks.call("erlang", "node") == "ok"
        asks.close()


def test_attempts_become_rarer():
    """Each failed attempt doubles the pause before the next, up to a minute; meanwhile calls fail at once with the same cause."""
    now = [1000.0]
    with FakeNode(lambda _peer: None) as node:
        asks = NodeClient(node.address, lambda: COOKIE, clock=lambda: now[0])

        def attempts(after: float) -> int:
            before = node.connections
            now[0] += after
            for _ in range(3):
                (error,) = asks.calls([("erlang", "node", ())])
                assert isinstance(error, NodeUnavailable)
                assert error.cause == Cause.REFUSED
            return node.connections - before

        assert [attempts(after) for after in (0, 0.9, 0.2, 1.8, 0.3, 3.8, 0.3)] == [1, 0, 1, 0, 1, 0, 1]
        for _ in range(10):
            attempts(61)
        assert [attempts(59), attempts(2)] == [0, 1]
        asks.close()


def test_a_link_ticks_and_knows_silence():
    """A link that has nothing to say says so in time, answers ticks, and ends when nothing comes for too long."""
    ticked: list[bytes] = []
    with FakeNode(lambda peer: [ticked.append(peer.frame()) for _ in range(3)] and peer.hold()) as node:
        connection = socket.create_connection(("127.0.0.1", node.port))
        link = Link(connection, Peers("lens@a", 1, 2), tick=0.02, silence=0.5)
        until(lambda: ticked == [b"", b"", b""])
        until(lambda: link.lost)
        assert link.lost == "nothing came for 0.5 s"
        pending = link.send(lambda _own, _reference: Atom("x"), "rex", 10)
        assert pending.settled
        assert not pending.answered


def test_a_closed_client_says_so():
    """After close() every call fails by name, and nothing is opened again."""
    with FakeNode(answering()) as node:
        asks = NodeClient(node.address, lambda: COOKIE)
        assert asks.call("erlang", "node") == "ok"
        asks.close()
        (error,) = asks.calls([("erlang", "node", ())])
        assert isinstance(error, LensError)
        assert isinstance(error, NodeUnavailable)
        assert error.cause == Cause.CLOSED
        assert node.connections == 1
