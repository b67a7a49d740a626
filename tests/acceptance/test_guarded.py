"""lens-exporter as it stands on a network: TLS, certificates, users and tokens, with the real programs that call it."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import bcrypt
import pytest
import requests
import yaml

from lens_exporter.demo.servers import LocalServer
from tests.servers.alertmanager import AlertmanagerServer
from tests.servers.certificates import Authority
from tests.servers.lens_process import LensProcess
from tests.servers.prometheus import PrometheusServer
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance

ALERTS, READER, ADMIN = ("a1" * 16, "b2" * 16, "c3" * 16)
PASSWORD = "prometheus-password-4711"


class Site(NamedTuple):
    lens: LensProcess
    authority: Authority
    folder: Path


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    """A process that asks for a certificate and then for a user or a token."""
    authority = Authority(tmp_path / "ca")
    server, operator = authority.sign("lens"), authority.sign("operator")
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
    tls = {
        "cert_file": str(server.cert),
        "key_file": str(server.key),
        "client_auth_type": "RequireAndVerifyClientCert",
        "client_ca_file": str(authority.cert),
    }
    (tmp_path / "web.yml").write_text(yaml.safe_dump({"tls_server_config": tls, "basic_auth_users": {"prometheus": hashed}}))
    for name, token in (("alerts", ALERTS), ("reader", READER), ("admin", ADMIN)):
        (tmp_path / name).write_text(token + "\n")
    tokens = [
        {"name": "alertmanager", "token_file": "../alerts", "scopes": ["webhook"]},
        {"name": "operator", "token_file": "../admin", "scopes": ["admin", "read"]},
    ]
    web = {"config_file": "../web.yml", "tokens": tokens, "user_scopes": {"prometheus": ["read"]}, "max_body_bytes": 1_000_000}
    config = {"watchers": [], "web": web, "investigate": {"debounce": "100ms"}, "prometheus": {"url": "http://127.0.0.1:1"}}
    showing = {
        "verify": str(authority.cert),
        "cert": (str(operator.cert), str(operator.key)),
        "headers": {"Authorization": f"Bearer {ADMIN}"},
    }
    with LensProcess(tmp_path / "lens", config, showing=showing).start() as lens:
        yield Site(lens, authority, tmp_path)


def client(site: Site, name: str) -> dict[str, Any]:
    pair = site.authority.sign(name)
    return {"ca_file": str(site.authority.cert), "cert_file": str(pair.cert), "key_file": str(pair.key)}


def test_a_real_prometheus_scrapes_by_tls_certificate_and_password(site):
    """The target is up and what is published arrives; with the wrong password it is down, told, and Prometheus says 401."""
    job = {
        "scheme": "https",
        "tls_config": client(site, "prometheus"),
        "static_configs": [{"targets": [site.lens.url.removeprefix("https://")]}],
    }
    right = {"job_name": "lens", "basic_auth": {"username": "prometheus", "password": PASSWORD}, **job}
    # Not each second: guessing more often would be slowed, and the answer another one.
    wrong = {"job_name": "wrong", "scrape_interval": "8s", "basic_auth": {"username": "prometheus", "password": "guessed"}, **job}
    with PrometheusServer(site.folder, scrape_configs=[right, wrong]) as prometheus:

        def target(job: str, health: str) -> dict[str, Any] | None:
            found = requests.get(prometheus.url + "/api/v1/targets", timeout=5).json()["data"]["activeTargets"]
            return next((each for each in found if (each["labels"]["job"], each["health"]) == (job, health)), None)

        until(lambda: target("lens", "up"), 20)
        assert "401" in until(lambda: target("wrong", "down"), 20)["lastError"]
        query = {"query": 'lens_build_info{job="lens"}'}
        until(lambda: requests.get(prometheus.url + "/api/v1/query", params=query, timeout=5).json()["data"]["result"], 20)
    denied = site.lens.events("access.denied")
    assert ("bad_credentials", "GET /metrics") in {(each["data"]["reason"], each["data"]["request"]) for each in denied}
    assert site.lens.metrics().value("lens_http_refused_total", reason="bad_credentials") >= 1


def test_a_real_alertmanager_delivers_by_bearer_token(site):
    """The webhook arrives and becomes an investigation; the same token opens nothing else."""
    with AlertmanagerServer(
        site.folder,
        webhook_url=site.lens.url + "/webhook",
        bearer=ALERTS,
        tls=client(site, "alertmanager"),
    ) as alertmanager:
        alert = [{"labels": {"alertname": "DiskFull", "severity": "critical"}, "annotations": {"summary": "x"}}]
        requests.post(alertmanager.url + "/api/v2/alerts", json=alert, timeout=5).raise_for_status()
        until(lambda: site.lens.get("/api/v1/investigations").json()["investigations"], 20)
    assert site.lens.metrics().value("lens_webhooks_total", answer="accepted") >= 1
    site.lens.showing["headers"] = {"Authorization": f"Bearer {ALERTS}"}
    assert [site.lens.get(path).status_code for path in ("/metrics", "/api/v1/events", "/-/healthy")] == [403, 403, 200]
    assert site.lens.post("/-/reload").status_code == 403


def test_what_is_wrong_gets_a_clear_answer_and_is_told(site):
    """A wrong token, an expired certificate, a body that is too large: an answer in words each, an event each."""
    admin = dict(site.lens.showing)
    expired = site.authority.sign("expired", days=-1)
    site.lens.showing["headers"] = {"Authorization": "Bearer " + "f" * 32}
    answer = site.lens.post("/webhook", json={})
    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "this token is not known here")
    site.lens.showing["headers"] = {"Authorization": f"Bearer {ALERTS}"}
    answer = site.lens.post("/webhook", b" " * 1_000_001)
    assert (answer.status_code, answer.json()["error"]["message"]) == (413, "the body has more than 1000000 bytes")
    site.lens.showing["cert"] = (str(expired.cert), str(expired.key))
    with pytest.raises(requests.exceptions.SSLError, match=r"(?i)certificate expired"):
        site.lens.get("/-/healthy")
    site.lens.showing.update(admin)
    told = until(lambda: (found := site.lens.events("access.denied")) and len(found) > 1 and found, 5)
    assert [(each["data"]["reason"], each["data"]["client"]) for each in told] == [
        ("bad_credentials", "127.0.0.1"),
        ("certificate", "127.0.0.1"),
    ]
    assert [each["data"]["answer"] for each in site.lens.events("webhook.refused")] == ["too_large"]


def test_a_token_added_by_reload_counts_and_acts_are_told(site):
    """POST /-/reload takes new tokens without a restart, SIGHUP too; both are told with who asked."""
    lens, admin = site.lens, dict(site.lens.showing["headers"])
    web = yaml.safe_load(lens.config_file.read_text())
    lens.showing["headers"] = {"Authorization": f"Bearer {READER}"}
    assert lens.get("/metrics").status_code == 401
    web["web"]["tokens"].append({"name": "reader", "token_file": "../reader", "scopes": ["read"]})
    lens.configure(web)
    lens.showing["headers"] = admin
    assert lens.post("/-/reload").status_code == 200
    lens.showing["headers"] = {"Authorization": f"Bearer {READER}"}
    assert lens.get("/metrics").status_code == 200
    lens.send(signal.SIGHUP)
    acts = until(lambda: (found := lens.events("admin.acted")) and len(found) == 2 and found, 10)
    assert [(each["data"]["who"], each["data"]["request"], each["data"]["status"]) for each in acts] == [
        ("operator", "POST /-/reload", 200),
        ("local", "SIGHUP", 200),
    ]


def test_a_scrape_does_not_wait_for_bcrypt(site):
    """With a hash of usual cost only the first scrape pays for it: twenty more take less time together than ten hashes would."""
    site.lens.showing["headers"] = {}
    site.lens.showing["auth"] = ("prometheus", PASSWORD)
    assert site.lens.get("/api/v1/watchers").status_code == 200
    began = time.monotonic()
    assert {site.lens.get("/api/v1/watchers").status_code for _ in range(20)} == {200}
    took = time.monotonic() - began
    began = time.monotonic()
    bcrypt.checkpw(PASSWORD.encode(), bcrypt.hashpw(b"x", bcrypt.gensalt(10)))
    assert took < 10 * (time.monotonic() - began)


OPEN = ":0 can be reached from other machines, and nobody would be asked who they are"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--web.listen-address=0.0.0.0:0",), OPEN),
        (("--web.config.file=gone.yml",), "gone.yml: cannot be read: No such file or directory"),
        (("--web.config.file=bad.yml",), "bad.yml:1: basic_auth_user: unknown key"),
    ],
)
def test_it_does_not_start_open_or_with_a_wrong_file(flags, words, tmp_path):
    """Exit code 2, one line that says what to do, and nothing made."""
    (tmp_path / "bad.yml").write_text("basic_auth_user: {}\n")
    (tmp_path / "lens.yml").write_text(f"watchers: []\ndatabase_url: sqlite:///{tmp_path / 'lens.db'}\n")
    command = [sys.executable, "-m", "lens_exporter.cli", "run", "--config.file=lens.yml", *flags]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert words in ended.stderr
    assert not (tmp_path / "lens.db").exists()


def test_the_flag_lets_it_listen_everywhere(tmp_path):
    """Whoever says --web.allow-unauthenticated gets a server on every address."""
    (tmp_path / "lens.yml").write_text(f"watchers: []\ndatabase_url: sqlite:///{tmp_path / 'lens.db'}\n")
    argv = [sys.executable, "-m", "lens_exporter.cli", "run", "--config.file=lens.yml", "--web.allow-unauthenticated"]
    with Everywhere("lens-exporter", argv, folder=tmp_path, ready="/-/healthy").start() as server:
        assert requests.get(server.url + "/metrics", timeout=5).status_code == 200


class Everywhere(LocalServer):
    """A server that is told to listen on every address, asked over loopback."""

    def _address(self) -> str:
        return f"0.0.0.0:{self.port}"
