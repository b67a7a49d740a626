"""What answers in an Alertmanager's place: its 200 is no sign that an alert was taken."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lens_exporter.errors import BadAnswer
from lens_exporter.model.alert import Alert
from lens_exporter.publish.alertmanager import Alertmanager
from tests.servers.endpoints import endpoint

NOW = time.time()


class Proxy(BaseHTTPRequestHandler):
    """Answers whatever it is asked with 200 and the server's `page`."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        page = self.server.page
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(page)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def proxy():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def post(proxy, page):
    proxy.page = page
    Alertmanager(endpoint(f"http://127.0.0.1:{proxy.server_port}", "alertmanager")).post(
        [Alert({"alertname": "A"}, {}, NOW, NOW + 60)]
    )


def test_a_page_to_sign_in_at_took_no_alert(proxy):
    """It counts as a failure, which is told, counted, and tried again."""
    with pytest.raises(BadAnswer, match=r"no answer of Alertmanager \(200, text/html\): <html>Sign in to continue"):
        post(proxy, b"<html>Sign in to continue</html>")


def test_an_error_with_a_200_took_no_alert(proxy):
    """Gateways are known to answer so."""
    with pytest.raises(BadAnswer, match="login"):
        post(proxy, b'{"error": "login required"}')


@pytest.mark.parametrize("page", [b"", b"{}\n", b"OK"])
def test_nothing_and_a_word_are_answers(proxy, page):
    """Version 2 answers with nothing; others that speak its protocol may say more, by whatever type."""
    post(proxy, page)


def ask(proxy, page):
    proxy.page = page
    Alertmanager(endpoint(f"http://127.0.0.1:{proxy.server_port}", "alertmanager")).alerts()


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (b"<html>Sign in</html>", r"not JSON \(200, text/html\): <html>Sign in"),
        (b'[{"labels": {}}]', r"JSON of an unknown shape, KeyError 'annotations' \(200, text/html\)"),
    ],
)
def test_what_is_no_list_of_alerts_is_named(proxy, page, words):
    with pytest.raises(BadAnswer, match=words):
        ask(proxy, page)
