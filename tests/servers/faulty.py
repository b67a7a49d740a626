"""An HTTP server that answers as it is told: rightly, wrongly, slowly, by halves. It remembers what it was asked."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    params: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode())

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    half: bool = False  # promise the whole body, send half of it, and hang up
    hang: bool = False  # never answer (until the server is closed)


def ok(value: Any, status: int = 200) -> Reply:
    return Reply(json.dumps(value).encode(), status)


Respond = Callable[[Request], Reply]


class FaultyServer:
    """Serves `respond(request)`, which may be replaced while it runs. A context manager."""

    def __init__(self, respond: Respond | Reply = Reply()) -> None:
        self.requests: list[Request] = []
        self.respond: Respond = respond if callable(respond) else lambda _request: respond
        self._closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                if server._thread is None:  # it is down: a connection from before ends without an answer
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                split = urlsplit(self.path)
                request = Request(self.command, split.path, parse_qs(split.query), dict(self.headers), body)
                server.requests.append(request)
                reply = server.respond(request)
                with suppress(ConnectionError):  # whoever asked may have left meanwhile
                    self._send(reply)

            def _send(self, reply: Reply) -> None:
                if reply.hang:
                    server._closing.wait()
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.content_type)
                self.send_header("Content-Length", str(len(reply.body)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body[: len(reply.body) // 2] if reply.half else reply.body)
                self.close_connection = self.close_connection or reply.half

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server's names

            def log_message(self, *_arguments: Any) -> None:
                pass

        self._handler = Handler
        self._thread: threading.Thread | None = None
        self._listen(0)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def _listen(self, port: int) -> None:
        self._http = ThreadingHTTPServer(("127.0.0.1", port), self._handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def go_down(self) -> None:
        """Refuse connections, as a server that was stopped does."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def come_back(self) -> None:
        """Listen again, on the same port."""
        self._listen(self._http.server_address[1])

    def close(self) -> None:
        self._closing.set()
        self.go_down()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
