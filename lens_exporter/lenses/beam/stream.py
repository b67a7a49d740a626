"""Reading and writing a socket by exact numbers of bytes, before a link takes it over."""

import socket

_GONE = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)  # the same as an end, if it had something left to read


class Wrong(Exception):
    """What the other side sent is not what its protocol says."""


class HungUp(Exception):
    """The other side closed the connection where more had to come."""


class Stream:
    """Never reads more than it is asked for: what follows a handshake belongs to whoever comes next."""

    def __init__(self, connection: socket.socket, *, header: int = 2) -> None:
        self.header = header  # bytes of the length before each message of a handshake
        self._socket = connection

    def send(self, data: bytes) -> None:
        """Write it all.

        Raises:
            HungUp: the other side has closed.
            OSError: the connection failed.

        """
        try:
            self._socket.sendall(data)
        except _GONE:
            raise HungUp from None

    def take(self, size: int) -> bytes:
        """Read exactly `size` bytes.

        Raises:
            HungUp: the connection ended before.
            OSError: it failed.

        """
        found = bytearray()
        while len(found) < size:
            try:
                part = self._socket.recv(size - len(found))
            except _GONE:
                raise HungUp from None
            if not part:
                raise HungUp
            found += part
        return bytes(found)
