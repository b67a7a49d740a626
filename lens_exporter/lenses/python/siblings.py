"""The processes of one program, such as a server's workers, told by any one of them: each answers over a socket of its own.

The sockets lie in a directory that only the program's user may enter. Who is asked for metrics asks them all at that moment: no
file is shared and nothing is out of date. A process that ended leaves a socket that nobody answers; the next who asks removes it.
"""

from __future__ import annotations

import atexit
import logging
import os
import socket
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from lens_exporter.errors import LensUnavailable

log = logging.getLogger("lens_exporter.lenses")

_PREFIX, _SUFFIX = "lens-", ".sock"
_SECONDS = 2.0  # for one sibling's answer
_LONGEST = 4 * 1024 * 1024  # bytes of an answer; a process has some ten kilobytes
_WAITING = 16  # connections that wait to be answered


class Siblings:
    """This process among those of its program."""

    def __init__(self, directory: str | os.PathLike[str], collect: Callable[[], Iterable[Metric]]) -> None:
        self._directory = Path(directory).absolute()  # programs change theirs
        self._collect = collect
        self._path = self._directory / f"{_PREFIX}{os.getpid()}{_SUFFIX}"
        # What this process forks copies the socket, and would keep it alive, unanswered, when this process is gone.
        itself = weakref.WeakMethod(self.abandon)
        os.register_at_fork(after_in_child=lambda: (let_go := itself()) and let_go())
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Begin to answer.

        Raises:
            OSError: the directory cannot be made or written to, or others may enter it.

        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = self._directory.stat()
        if held.st_uid != os.geteuid() or held.st_mode & 0o077:
            raise PermissionError(f"{self._directory} must belong to the program's user and be open to nobody else (chmod 700)")
        # Under its name only once it listens: who finds one that refuses takes its process for gone.
        begun = self._path.with_suffix(".opening")  # the longer name: where an address is too long, here is where it shows
        begun.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _address(begun) as address:
            self._socket.bind(address)
        self._socket.listen(_WAITING)
        begun.replace(self._path)
        atexit.register(self.close)
        threading.Thread(target=self._answer, args=(self._socket,), name="lens-siblings", daemon=True).start()

    def close(self) -> None:
        """Answer no more. A second call does nothing."""
        atexit.unregister(self.close)
        if self._socket is not None:
            self._path.unlink(missing_ok=True)
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits on it
            self.abandon()

    def abandon(self) -> None:
        """Let go of what a fork copied: the parent goes on with it. A second call does nothing."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def others(self) -> Iterator[Sibling]:
        """Give the other processes there are now."""
        for path in sorted(self._directory.glob(f"{_PREFIX}*{_SUFFIX}")):
            if path != self._path:
                yield Sibling(path)

    def _answer(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return  # closed
            with connection:
                connection.settimeout(_SECONDS)
                try:
                    connection.sendall(generate_latest(_Families(self._collect)))
                except Exception as error:  # noqa: BLE001 - whatever it is, the next who asks shall be answered
                    log.warning("a process of this program was not answered: %s: %s", type(error).__name__, error)


class Sibling:
    """Another process, as a lens."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = f"python:{path.name.removeprefix(_PREFIX).removesuffix(_SUFFIX)}"

    def collect(self) -> Iterable[Metric]:
        """Ask it for its families.

        Raises:
            LensUnavailable: it ended, or does not answer.

        """
        try:
            return list(text_string_to_metric_families(self._asked().decode()))
        except (ConnectionRefusedError, FileNotFoundError):
            self._path.unlink(missing_ok=True)
            raise LensUnavailable(lens=self.name, reason="the process has ended") from None
        except (OSError, ValueError) as error:
            raise LensUnavailable(lens=self.name, reason=str(error)) from error

    def _asked(self) -> bytes:
        answer = bytearray()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_SECONDS)
            with _address(self._path) as address:
                connection.connect(address)
            while part := connection.recv(65_536):
                answer += part
                if len(answer) > _LONGEST:
                    raise ValueError(f"an answer of more than {_LONGEST} bytes")
        return bytes(answer)


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """Name a socket by no more bytes than a socket's address holds (108 on Linux), however deep its directory lies."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        short = Path(f"/proc/self/fd/{directory}")
        yield str(short / path.name if short.exists() else path)
    finally:
        os.close(directory)


class _Families:
    """What generate_latest asks of a registry."""

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self.collect = collect
