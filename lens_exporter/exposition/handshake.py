"""TLS handshakes that end with an answer."""

import ssl
from collections.abc import Callable
from contextvars import ContextVar

# Set by whoever begins a handshake, in the context its callbacks run in.
hears_of_failure: ContextVar[Callable[[ssl.SSLError], None]] = ContextVar("hears_of_failure", default=lambda _error: None)


class SayingWhy(ssl.SSLObject):
    """Lets a client hear why its handshake failed: asyncio by itself throws the alert away with the connection."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            hears_of_failure.get()(error)
            # As if more were to come: that sends what is to be sent.
            raise ssl.SSLWantReadError(*error.args) from error
