"""`lens-exporter health`, as a container's health check asks."""

import subprocess
import sys

import pytest
import yaml

from lens_exporter.errors import RemoteError, Unreachable
from lens_exporter.health import health
from tests.servers.certificates import Authority
from tests.servers.faulty import FaultyServer, Reply
from tests.servers.lens_http import guarded

pytestmark = pytest.mark.integration

PASSWORD = "$2b$04$yjEwcHb5Ckt9vDe0xr2cOeiVnWYmCpFSVBsBi6m7q7bvKYQhJ1i8i"  # of nobody


def test_it_needs_no_password_and_no_name_in_the_certificate(tmp_path):
    """Over TLS with users: the certificate names the address that others use, and health is for everybody."""
    pair = Authority(tmp_path / "ca").sign("lens", names="DNS:lens.example.org")
    web = {
        "tls_server_config": {"cert_file": str(pair.cert), "key_file": str(pair.key)},
        "basic_auth_users": {"scraper": PASSWORD},
    }
    (tmp_path / "web.yml").write_text(yaml.safe_dump(web), "utf-8")
    with guarded({"config_file": str(tmp_path / "web.yml")}) as (url, _, _):
        assert url.startswith("https://")
        assert health(url, 5) == "lens-exporter is healthy."
        with pytest.raises(Unreachable):
            health(url.replace("https", "http"), 5)


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (Reply(b"over capacity", 503), RemoteError, "503 over capacity"),
        (Reply(b"", 404), RemoteError, "404"),
        (
            Reply(b"Prometheus Server is Healthy.\n"),
            RemoteError,
            'something else answers there, with "Prometheus Server is Healthy."',
        ),
        (Reply(hang=True), Unreachable, "timed out"),
    ],
)
def test_any_other_answer_is_a_failure(reply, error, said):
    """What is not a 200 in time is not health, and the error says what it was."""
    with FaultyServer(reply) as server, pytest.raises(error, match=said):
        health(server.url, 0.5)


def test_it_asks_the_one_path():
    """/-/healthy below the given address, and nothing else."""
    with FaultyServer(Reply(b"lens-exporter is healthy.\n")) as server:
        health(f"{server.url}/lens/", 5)
        assert [(request.method, request.path) for request in server.requests] == [("GET", "/lens/-/healthy")]


def test_an_address_that_is_none_is_a_wrong_call(tmp_path):
    """Exit code 2, as for every wrong call."""
    command = [sys.executable, "-m", "lens_exporter.cli", "health", "--url", "localhost:10077"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "expected an address like" in done.stderr
