"""What a listener's connections are set to."""

import socket

from lens_exporter.exposition.server import listen


def test_answers_are_sent_at_once() -> None:
    """A connection does not hold small packets back (Nagle), which would add 40 ms to every scrape but the first."""
    listener = listen("127.0.0.1", 0)
    with listener.sock, socket.create_connection((listener.host, listener.port)):
        accepted, _ = listener.sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
