"""Finds a node and opens a connection to it; each way it can fail has its name."""

import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address

from lens_exporter.errors import LensError, NodeUnavailable
from lens_exporter.foundation.clock import Clock
from lens_exporter.foundation.deadline import hang_up_after
from lens_exporter.lenses.beam import epmd
from lens_exporter.lenses.beam.asks import Cause
from lens_exporter.lenses.beam.handshake import CookieWrong, Refused, TooOld, shake_hands
from lens_exporter.lenses.beam.link import Link
from lens_exporter.lenses.beam.stream import HungUp, Stream, Wrong


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node is and how it is reached."""

    node: str  # rabbit@mq1, or with a long name rabbit@mq1.example.com
    host: str = ""  # where to connect to, if it is not what stands behind the @
    port: int | None = None  # of the node itself: epmd is not asked then
    epmd_port: int = epmd.PORT
    tls: ssl.SSLContext | None = field(default=None, compare=False)
    own_name: str = ""  # ours, with an @; "": the node makes one up

    @property
    def alive(self) -> str:
        return self.node.partition("@")[0]

    @property
    def at(self) -> str:
        return self.host or self.node.partition("@")[2]


class Opener:
    """Opens connections to one node. cookie is asked anew each time: a changed one is picked up."""

    def __init__(
        self,
        address: Address,
        cookie: Callable[[], str],
        *,
        seconds: float = 5.0,
        clock: Clock = time.monotonic,
        random: Callable[[], int] = lambda: secrets.randbits(32),
    ) -> None:
        self._address = address
        self._cookie = cookie
        self._seconds = seconds
        self._clock = clock
        self._random = random

    def open(self) -> Link:
        """Look the node up, connect, shake hands: within the time limit, but for a DNS that is slow to find the host.

        Raises:
            NodeUnavailable: says which step failed, and how.

        """
        until = self._clock() + self._seconds
        try:
            cookie = self._cookie()
        except LensError as error:
            raise self._failed(Cause.COOKIE_UNREADABLE, str(error)) from error
        port = self._address.port or self._port(until)
        with self._naming(Cause.UNREACHABLE, Cause.NONSENSE, f"port {port}", until):
            connection = self._connect(port, until)
            try:
                with hang_up_after(until - self._clock(), lambda: connection.shutdown(socket.SHUT_RDWR)):
                    if self._address.tls is not None:
                        wrapped = self._address.tls.wrap_socket(
                            connection, server_hostname=self._address.at, do_handshake_on_connect=False
                        )
                        connection = wrapped  # before the handshake: hanging up means this one now
                        wrapped.do_handshake()
                    # The protocol's description has two bytes; distribution over TLS uses the four of later messages at once.
                    stream = Stream(connection, header=4 if self._address.tls is not None else 2)
                    peers = shake_hands(
                        stream, self._address.node, cookie, own_name=self._own_name(connection), random=self._random
                    )
                return Link(connection, peers, clock=self._clock)
            except BaseException:
                connection.close()
                raise

    def _port(self, until: float) -> int:
        address = self._address
        with self._naming(Cause.EPMD_UNREACHABLE, Cause.EPMD_NONSENSE, f"port {address.epmd_port}", until):
            with (
                self._connect(address.epmd_port, until) as connection,
                hang_up_after(until - self._clock(), lambda: connection.shutdown(socket.SHUT_RDWR)),
            ):
                found = epmd.ask(Stream(connection), address.alive)
            if epmd.too_old(found):
                raise TooOld
            return found.port

    def _connect(self, port: int, until: float) -> socket.socket:
        """Connect to the first of the host's addresses, of either family, that answers."""
        failed: OSError = OSError(f"{self._address.at} has no address")
        for family, kind, protocol, _, where in socket.getaddrinfo(self._address.at, port, type=socket.SOCK_STREAM):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(max(until - self._clock(), 0.001))
                connection.connect(where)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                connection.close()
                failed = error
            else:
                return connection
        raise failed

    def _own_name(self, connection: socket.socket) -> str:
        """Give our name, or our host where the node makes up the name: as short or as long as the node's own."""
        if self._address.own_name:
            return self._address.own_name
        behind = self._address.node.partition("@")[2]
        with suppress(ValueError):
            ip_address(behind)
            return str(connection.getsockname()[0])
        host = socket.gethostname()
        if "." not in behind:
            return host.partition(".")[0]
        return host if "." in host else socket.getfqdn(host)

    @contextmanager
    def _naming(self, unreachable: Cause, nonsense: Cause, where: str, until: float) -> Iterator[None]:
        where = f"{self._address.at} {where}"
        try:
            yield
        except epmd.NotRegistered:
            raise self._failed(Cause.NOT_REGISTERED, where) from None
        except TooOld:
            raise self._failed(Cause.TOO_OLD, where) from None
        except CookieWrong as error:
            raise self._failed(Cause.COOKIE_WRONG, f"{where}: {error}") from None
        except Refused as error:
            raise self._failed(Cause.REFUSED, f"{where}: {error}") from None
        except (HungUp, Wrong, OSError) as error:
            if self._clock() >= until or isinstance(error, TimeoutError):
                raise self._failed(Cause.TIMED_OUT, f"{where}, within {self._seconds:g} s") from None
            if isinstance(error, ssl.SSLError):
                raise self._failed(Cause.TLS_FAILED, f"{where}: {error.reason or error}") from None
            if isinstance(error, Wrong):
                raise self._failed(nonsense, f"{where}: {error}") from None
            hung_up = isinstance(error, HungUp)
            told = "it hung up" if hung_up else getattr(error, "strerror", None) or str(error)
            raise self._failed(
                Cause.REFUSED if hung_up and nonsense is Cause.NONSENSE else unreachable, f"{where}: {told}"
            ) from None

    def _failed(self, cause: Cause, reason: str) -> NodeUnavailable:
        return NodeUnavailable(node=self._address.node, cause=cause, reason=reason)
