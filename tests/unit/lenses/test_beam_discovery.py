"""Which nodes there are."""

import socket
import threading
from functools import partial
from itertools import count

import pytest

from lens_exporter.config.beam import Beam
from lens_exporter.errors import LensUnavailable
from lens_exporter.lenses.beam.discovery import MOST_NODES, Discovery, Found, resolve
from lens_exporter.lenses.beam.epmd_names import registered

COOKIE = {"cookie_env": "COOKIE"}


def nobody(host: str, port: int) -> tuple[str, ...]:
    raise LensUnavailable(lens=f"epmd on {host}", reason=f"port {port} is closed")


def found_by(given: Beam, registered=nobody, resolver=resolve, **changed) -> list[Found]:
    return [found for section, found in Discovery(registered, resolver, **changed)([given]) if section is given]


def test_names_and_epmd():
    """Nodes by name stand as they are; those that an EPMD knows get its host. One that does not answer spoils nothing else."""
    given = Beam(nodes=("rabbit@mq1",), epmd=("mq2", "mq3"), epmd_port=4370, **COOKIE)
    asked = []

    def epmd(host, port):
        asked.append((host, port))
        return ("rabbit", "shell") if host == "mq2" else nobody(host, port)

    assert found_by(given, epmd) == [
        Found("nodes", ("rabbit@mq1",)),
        Found("epmd mq2", ("rabbit@mq2", "shell@mq2")),
        Found("epmd mq3", (), "epmd on mq3: port 4370 is closed"),
    ]
    assert sorted(asked) == [("mq2", 4370), ("mq3", 4370)]


def test_each_address_of_a_host():
    """Without a number there is one node for each address."""
    given = Beam(dns=("shop@shop-headless",), **COOKIE)
    (found,) = found_by(given, nobody, lambda host: {"shop-headless": ["10.0.0.1", "fd00::1"]}[host])
    assert found == Found("dns shop@shop-headless", ("shop@10.0.0.1", "shop@fd00::1"))


def test_the_pods_of_a_statefulset():
    """With a number there is one node for each that has an address; one that is down hides none of those after it."""
    there = {f"rabbitmq-{number}.rabbitmq" for number in (0, 1, 3, 7)}
    asked = []

    def resolver(host):
        asked.append(host)
        return ["10.0.0.1"] if host in there else []

    given = Beam(dns=("rabbit@rabbitmq-{n}.rabbitmq",), **COOKIE)
    (found,) = found_by(given, nobody, resolver)
    assert found.names == tuple(f"rabbit@rabbitmq-{number}.rabbitmq" for number in (0, 1, 3, 7))
    assert asked[-1] == "rabbitmq-11.rabbitmq"
    assert found_by(given, nobody, lambda _: [])[0].names == ()


@pytest.mark.parametrize(
    "given", [Beam(dns=("shop@shop-{n}.shop",), **COOKIE), Beam(dns=("shop@shop",), **COOKIE), Beam(epmd=("mq1",), **COOKIE)]
)
def test_whoever_names_nodes_without_end(given):
    """Two hundred nodes of a section are taken, and it is said that there are more; asking ends there."""
    asked = []

    def resolver(host):
        asked.append(host)
        return [f"10.0.{number // 256}.{number % 256}" for number in range(1000)]

    (found,) = found_by(given, lambda *_: [f"n{number}" for number in range(1000)], resolver)
    assert len(set(found.names)) == MOST_NODES == 200
    assert found.more
    assert len(asked) <= MOST_NODES + 1
    (few,) = found_by(Beam(epmd=("mq1",), **COOKIE), lambda *_: [f"n{number}" for number in range(200)])
    assert (len(few.names), few.more) == (200, False)


def test_the_sources_of_a_section_share_its_nodes():
    """Two sources with 150 nodes each make two hundred; another section has its own, and nodes that are named count for nothing."""
    sections = [Beam(nodes=("shop@mq0",), epmd=("mq1", "mq2"), **COOKIE), Beam(epmd=("mq3",), **COOKIE)]
    found = Discovery(lambda *_: [f"n{number}" for number in range(150)])(sections)
    assert [(each.source, len(each.names), each.more) for _, each in found] == [
        ("nodes", 1, False),
        ("epmd mq1", 150, False),
        ("epmd mq2", 50, True),
        ("epmd mq3", 150, False),
    ]


def test_one_deadline_for_all_settings():
    """All are asked at once and waited for together; who is late costs itself only, and is not asked again meanwhile."""
    all_asked, answer, asked = threading.Barrier(4, timeout=30), threading.Event(), []
    here, looks = threading.current_thread(), count()

    def clock():
        """Stand still until four are begun and the first is waited for, then be ten seconds later."""
        return 10.0 if threading.current_thread() is here and next(looks) >= 5 else 0.0

    def epmd(host, _port):
        asked.append(host)
        if len(asked) <= 4:
            all_asked.wait()
        if host != "mq0":
            answer.wait(60)
        return ("rabbit",)

    discover = Discovery(epmd, seconds=4.0, clock=clock)
    sections = [Beam(epmd=("mq0", "mq1"), **COOKIE), Beam(epmd=("mq2", "mq3"), **COOKIE)]
    first = {found.source: found for _, found in discover(sections)}
    second = [found.error for _, found in discover(sections)]
    answer.set()
    assert first["epmd mq0"] == Found("epmd mq0", ("rabbit@mq0",))
    assert [first[f"epmd mq{number}"].error for number in (1, 2, 3)] == ["no answer within 4 s"] * 3
    assert second == ["", *["no answer within 4 s"] * 3]
    assert sorted(asked) == ["mq0", "mq0", "mq1", "mq2", "mq3"]


def test_a_resolver_that_does_not_answer():
    """Nobody to ask is an error, not an empty answer."""

    def silent(*_asked, **_more):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    (found,) = found_by(Beam(dns=("shop@shop",), **COOKIE), nobody, partial(resolve, lookup=silent))
    assert found == Found("dns shop@shop", (), "Temporary failure in name resolution")


def test_the_systems_resolver():
    """An address is one, and a name that cannot exist has none."""
    assert resolve("127.0.0.1") == ("127.0.0.1",)
    assert resolve("no-such-host.invalid") == ()


@pytest.fixture
def epmd():
    """Something on a port of loopback that answers every request as it is told, and hangs up."""
    answers: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while answers:
                connection, _ = server.accept()
                with connection:
                    assert connection.recv(100) == b"\x00\x01n"
                    connection.sendall(answers.pop(0))

        def asked(answer: bytes):
            answers.append(answer)
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            try:
                return registered("127.0.0.1", server.getsockname()[1])
            finally:
                thread.join(10)

        yield asked


def test_what_an_epmd_has_registered(epmd):
    """Names are read from its lines, of which there may be none."""
    assert epmd(b"\x00\x00\x11\x11") == ()
    assert epmd(b"\x00\x00\x11\x11name rabbit at port 25672\nname shell-1 at port 40001\n") == ("rabbit", "shell-1")


@pytest.mark.parametrize("answer", [b"", b"\x00\x00", b"HTTP/1.1 400 Bad Request\r\n", b"\x00\x00\x11\x11name a b at port 1\n"])
def test_an_epmd_that_lies(epmd, answer):
    """What is no list of names is an error that says so."""
    with pytest.raises(LensUnavailable, match=r"epmd on 127\.0\.0\.1: it answered nonsense"):
        epmd(answer)


def test_an_epmd_that_floods(epmd):
    """An answer without end is given up."""
    with pytest.raises(LensUnavailable, match="it answered more than 65536 bytes"):
        epmd(b"\x00\x00\x11\x11" + b"name rabbit at port 25672\n" * 3000)


def test_no_epmd():
    """A closed port is an error with its reason."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(LensUnavailable, match="refused"):
        registered("127.0.0.1", port)
