"""A PostgreSQL that takes connections and does not answer: nobody waits longer for it than some seconds."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

import sqlalchemy as sa

_SECONDS = 5  # for whatever is asked of a server together, and for a connection to be made


class PatientEngine:
    """Connections to it, none of which is kept for later; each statement is a transaction."""

    def __init__(self, address: sa.URL, **client: Any) -> None:
        self._engine = sa.create_engine(
            address,
            poolclass=sa.NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": _SECONDS, **client},
        )
        sa.event.listen(self._engine, "do_connect", self._connected)
        self._patience: Patience | None = None

    def connect(self) -> sa.Connection:
        """Make a connection, which the patience there is watches."""
        return self._engine.connect()

    @contextmanager
    def patiently(self) -> Iterator["Patience"]:
        """Give what the block asks some seconds for all answers together. One thread at a time.

        Raises:
            sqlalchemy.exc.TimeoutError: they are over.

        """
        with Patience() as patience:
            self._patience = patience
            try:
                yield patience
            except sa.exc.DBAPIError as error:
                if patience.over:
                    raise sa.exc.TimeoutError(f"no answer within {_SECONDS} s") from error
                raise
            finally:
                self._patience = None

    def _connected(self, dialect: sa.Dialect, _record: object, args: Any, options: Any) -> Any:
        connection = dialect.connect(*args, **options)
        if self._patience is not None:
            self._patience.watch(connection)  # before SQLAlchemy asks it anything
        return connection


class Patience:
    """Some seconds for an answer. Then the connections are shut down, so that who waits on one hears an error, and none is left.

    A server that is stopped is no broken connection: its kernel goes on to acknowledge what is sent, so no option of TCP ends that.
    """

    def __init__(self) -> None:
        self.over = False
        self._sockets: list[socket.socket] = []  # of our own: nobody else closes these, so none is another file by then
        self._turns = threading.Lock()
        self._timer = threading.Timer(_SECONDS, self._end)
        self._timer.daemon = True

    def watch(self, connection: Any) -> None:
        """Shut this one down too, at once if it is too late already."""
        with self._turns:
            self._sockets.append(socket.socket(fileno=os.dup(connection.fileno())))
        if self.over:
            self._end()

    def _end(self) -> None:
        self.over = True
        with self._turns:
            for one in self._sockets:
                with suppress(OSError):  # it has ended already
                    one.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()
        with self._turns:
            for one in self._sockets:
                one.close()
            self._sockets.clear()
