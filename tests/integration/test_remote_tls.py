"""TLS and credentials of a configured server, from the settings to a real HTTPS server."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lens_exporter.config.secrets import Secrets
from lens_exporter.config.settings import Prometheus
from lens_exporter.errors import RemoteError, ServerMissing
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.tool import ToolStatus
from lens_exporter.wiring.ground import lay
from lens_exporter.wiring.remotes import Remotes
from tests.servers.faulty import FaultyServer, ok
from tests.servers.missing import skip_or_fail

pytestmark = pytest.mark.integration

NOTHING = ok({"status": "success", "data": {"resultType": "vector", "result": []}})


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    with skip_or_fail():
        if shutil.which("openssl") is None:
            raise ServerMissing(program="openssl", package="openssl")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-out", cert, "-keyout", key, *subject]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return cert, key


@pytest.fixture
def server(certificate: tuple[Path, Path]) -> Iterator[FaultyServer]:
    """An HTTPS server that asks its clients for the same certificate."""
    cert, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.load_verify_locations(cert)
    context.verify_mode = ssl.CERT_REQUIRED
    with FaultyServer(NOTHING) as running:
        running._http.socket = context.wrap_socket(running._http.socket, server_side=True)
        running.url = running.url.replace("http://", "https://")
        yield running


def ask(settings: dict[str, object]) -> ToolStatus:
    database = Database("sqlite://")
    database.migrate()
    ground = lay(database, Telemetry(), Secrets({"TOKEN": "t0ken"}))
    client = Remotes(ground).prometheus("prometheus", Prometheus.model_validate({"timeout": "5s", **settings}))
    return client.query("up").status


def test_authority_client_certificate_bearer_and_tenant_arrive(server, certificate):
    """What the settings name is what the server sees."""
    cert, key = certificate
    tls = {"ca_file": str(cert), "cert_file": str(cert), "key_file": str(key)}
    assert ask({"url": server.url, "tls": tls, "bearer_token_env": "TOKEN", "tenant": "team-a"}) is ToolStatus.EMPTY
    [request] = server.requests
    assert (request.headers["Authorization"], request.headers["X-Scope-OrgID"]) == ("Bearer t0ken", "team-a")


def test_an_unknown_authority_is_refused_before_anything_is_sent(server, certificate):
    """Without ca_file the certificate is nobody's: a named error, and no token on the wire."""
    cert, key = certificate
    with pytest.raises(RemoteError):
        ask({"url": server.url, "tls": {"cert_file": str(cert), "key_file": str(key)}, "bearer_token_env": "TOKEN"})
    assert server.requests == []


def test_a_missing_client_certificate_is_a_named_error(server, certificate):
    """The server asks for one, none is configured: no answer, and an error with a name."""
    with pytest.raises(RemoteError):
        ask({"url": server.url, "tls": {"ca_file": str(certificate[0])}})
    assert server.requests == []


def test_basic_auth_arrives(tmp_path):
    """User from the settings, password from its file."""
    (tmp_path / "password").write_text("s3cret\n")
    with FaultyServer(NOTHING) as server:
        basic = {"username": "lens", "password_file": str(tmp_path / "password")}
        assert ask({"url": server.url, "basic_auth": basic}) is ToolStatus.EMPTY
        assert server.requests[0].headers["Authorization"] == "Basic bGVuczpzM2NyZXQ="
