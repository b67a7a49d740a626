"""Every kind of secret, marked, through every kind of failure: no mark comes out anywhere."""

import base64
import html
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bcrypt
import pytest
import requests
import yaml

from tests.servers.certificates import Authority
from tests.servers.faulty import FaultyServer, Reply, Request
from tests.servers.lens_process import LensProcess
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance

# Each looks like nothing a pattern knows, so that only not showing it hides it.
MARKS = {
    name: f"{name}Qx7Zw3Kp9mark"
    for name in (
        "PromBearer",
        "DataPassword",
        "DataHeader",
        "AlertEnv",
        "GrafanaToken",
        "ModelKey",
        "ErlangCookie",
        "DatabaseEnv",
        "WebhookToken",
        "AdminEnvToken",
        "UserPassword",
        "GuessedPassword",
        "GuessedToken",
        "InlineToken",
        "InlinePassword",
        "UrlPassword",
        "HalfToken",
        "WrongHash",
    )
}
# Those that a server is sent hold what formats escape, so that it may come back in other characters.
for _sent in ("PromBearer", "DataPassword", "DataHeader", "AlertEnv", "GrafanaToken", "ModelKey"):
    MARKS[_sent] += "\"/&<'+=\\end"
WAYS = {"json": lambda text: json.dumps(text)[1:-1], "html": html.escape, "address": lambda text: quote(text, safe="")}


def echo(status: int) -> FaultyServer:
    """A server, or a proxy before it, whose error page repeats what it was asked: the headers with their secrets."""

    turns: list[str] = []

    def respond(request: Request) -> Reply:
        said = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
        decoded = [base64.b64decode(v.split()[1]).decode() for v in request.headers.values() if v.startswith("Basic ")]
        # The first characters are what is quoted: each way of writing has its turn.
        turns.append(request.path)
        written = [said, *(write(said) for write in WAYS.values())][len(turns) % 4]
        return Reply(f"refused {written} {decoded if len(turns) % 4 == 0 else ''}".encode(), status, "text/plain")

    return FaultyServer(respond)


class Site:
    """One process with a secret of every kind, and nothing but servers that refuse it in many words."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prometheus, self.second, self.alertmanager, self.grafana, self.model = (
            echo(code) for code in (401, 500, 500, 403, 401)
        )
        self.servers = [self.prometheus, self.second, self.alertmanager, self.grafana, self.model]
        for server in self.servers:
            server.__enter__()
        self.authority = Authority(folder / "ca")
        self.certificate = self.authority.sign("lens")
        self.hashed = bcrypt.hashpw(MARKS["UserPassword"].encode(), bcrypt.gensalt(4)).decode()
        self.write_web(self.hashed)
        self.environment = {"ALERTS": MARKS["AlertEnv"], "ADMIN": MARKS["AdminEnvToken"]}
        self.outputs: dict[str, str] = {}
        showing = {
            "verify": str(self.authority.cert),
            "cert": None,
            "headers": {"Authorization": f"Bearer {MARKS['AdminEnvToken']}"},
        }
        self.lens = LensProcess(
            folder / "lens", self.config(), environment=self.environment, showing=showing, flags=["--log.level=debug"]
        )

    def secret(self, name: str) -> str:
        path = self.folder / name
        path.write_text(MARKS[name] + "\n")
        path.chmod(0o600)
        return str(path)

    def write_web(self, hashed: str) -> None:
        tls = {"cert_file": str(self.certificate.cert), "key_file": str(self.certificate.key)}
        content = {"tls_server_config": tls, "basic_auth_users": {"alice": hashed}}
        (self.folder / "web.yml").write_text(yaml.safe_dump(content))

    def config(self) -> dict[str, Any]:
        basic = {"username": "lens", "password_file": self.secret("DataPassword")}
        return {
            "prometheus": {"url": self.prometheus.url, "bearer_token_file": self.secret("PromBearer")},
            "datasources": {"second": {"url": self.second.url, "basic_auth": basic, "headers": {"X-Api-Key": MARKS["DataHeader"]}}},
            "alertmanager": {"urls": [self.alertmanager.url], "bearer_token_env": "ALERTS"},
            "grafana": {"url": self.grafana.url, "token_file": self.secret("GrafanaToken")},
            "llm": {
                "primary": "model",
                "clients": [
                    {
                        "name": "model",
                        "provider": "openai",
                        "options": {"model": "m", "base_url": self.model.url, "api_key_file": self.secret("ModelKey")},
                    }
                ],
            },
            "watchers": [
                {"host": "* * * * * *"},
                {"name": "other", "lens": "python", "schedule": "* * * * * *", "datasource": "second"},
                {"beam": {"schedule": "* * * * * *", "nodes": ["gone@127.0.0.1"], "cookie_file": self.secret("ErlangCookie")}},
            ],
            "investigate": {"debounce": "100ms"},
            "web": {
                "config_file": str(self.folder / "web.yml"),
                "tokens": [
                    {"name": "alerts", "token_file": self.secret("WebhookToken"), "scopes": ["webhook"]},
                    {"name": "ops", "token_env": "ADMIN", "scopes": ["admin", "read"]},
                ],
            },
        }

    def close(self) -> None:
        self.lens.kill()
        for server in self.servers:
            server.__exit__(None, None, None)

    def hears(self, name: str, answer: requests.Response) -> requests.Response:
        """Keep an answer with its headers among what is searched."""
        self.outputs[f"answer: {name}"] = f"{answer.headers}{answer.text}"
        return answer

    def call(self, name: str, method: str, path: str, *, auth: str, **options: Any) -> requests.Response:
        headers = {"Authorization": auth, "Content-Type": "application/json"}
        where = self.lens.url + path
        answer = requests.request(method, where, headers=headers, verify=str(self.authority.cert), timeout=10, **options)
        return self.hears(name, answer)

    def command(self, name: str, *arguments: object, environment: Mapping[str, str] | None = None) -> int:
        """Run a command of the command line and keep what it says."""
        argv = [sys.executable, "-m", "lens_exporter.cli", *map(str, arguments)]
        env = {"PATH": "/usr/bin:/bin", **self.environment, **(environment or {})}
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=env, cwd=self.folder)
        self.outputs[f"command: {name}"] = ended.stdout + ended.stderr
        return ended.returncode


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    made = Site(tmp_path)
    made.lens.start()
    yield made
    made.close()


def fail_in_every_way(site: Site) -> None:
    """Drive each secret's path once, wrong ones too, and wait until each failure has been told."""
    lens = site.lens
    for kind in ("watcher.failed",):
        until(lambda kind=kind: {each["subject"] for each in lens.events(kind)} >= {"host", "other", "beam"}, 40)
    wrong = base64.b64encode(f"alice:{MARKS['GuessedPassword']}".encode()).decode()
    right = base64.b64encode(f"alice:{MARKS['UserPassword']}".encode()).decode()
    assert site.call("guess", "GET", "/metrics", auth=f"Basic {wrong}").status_code == 401
    assert site.call("alice", "GET", "/api/v1/watchers", auth=f"Basic {right}").status_code == 200
    assert site.call("token", "GET", "/metrics", auth=f"Bearer {MARKS['GuessedToken']}").status_code == 401
    assert site.call("garbled", "GET", "/metrics", auth=MARKS["GuessedToken"]).status_code == 401
    assert site.call("scope", "GET", "/metrics", auth=f"Bearer {MARKS['WebhookToken']}").status_code == 403
    alert = {
        "status": "firing",
        "labels": {"alertname": "DiskFull", "severity": "critical", "instance": "a"},
        "startsAt": "2026-11-20T14:02:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
    }
    body = {"version": "4", "groupKey": "k", "status": "firing", "alerts": [alert]}
    assert site.call("webhook", "POST", "/webhook", auth=f"Bearer {MARKS['WebhookToken']}", json=body).status_code == 200
    until(lambda: lens.events("llm.failed"), 40)
    until(lambda: lens.events("alert.delivery_failed"), 40)
    until(lambda: lens.events("finding.publish_failed"), 40)


def change_for_the_worse(site: Site) -> None:
    """Write secrets where none belong, while running."""
    lens, good = site.lens, site.config()
    site.write_web(MARKS["WrongHash"])
    until(lambda: lens.events("web.config_rejected"), 10)
    (site.folder / "WebhookToken").write_text(f"{MARKS['HalfToken']}\n{MARKS['WebhookToken']}\n")
    until(lambda: len(lens.events("web.config_rejected")) > 1 or not lens.get("/-/healthy").ok, 10)
    for name, changes in {
        "inline token": {"prometheus": {**good["prometheus"], "bearer_token": MARKS["InlineToken"]}},
        "inline password": {"datasources": {"x": {"basic_auth": {"username": "u", "password": MARKS["InlinePassword"]}}}},
        "password in address": {"grafana": {"url": f"http://u:{MARKS['UrlPassword']}@grafana"}},
        "password as file": {"database_url": f"postgresql://u:{MARKS['UrlPassword']}@db/x"},
        "token as variable": {
            "web": {**good["web"], "tokens": [{"name": "x", "token_env": MARKS["InlineToken"] + "!", "scopes": ["read"]}]}
        },
    }.items():
        lens.configure({**good, **changes})
        assert site.hears(name, lens.post("/-/reload")).status_code == 500
        assert site.command(f"check-config, {name}", "check-config", lens.config_file) == 2
    lens.configure(good)


def everything_said(site: Site) -> Mapping[str, str]:
    """Collect all that lens-exporter shows, to whom it may and to whom it may not."""
    lens = site.lens
    paths = ["/", "/metrics", "/-/ready", "/-/healthy", "/nothing", "/static/lens.css"]
    paths += [f"/api/v1/{name}" for name in ("watchers", "watchers/host", "watchers/beam", "alerts", "investigations", "expected")]
    paths += ["/api/v1/openapi.json", "/api/v1/events?limit=5000"]
    for each in lens.get("/api/v1/investigations").json()["investigations"]:
        paths += [f"/api/v1/investigations/{each['id']}", f"/investigations/{each['id']}"]
    paths += [f"/anomalies/{one}" for one in {each["correlation"] for each in lens.events()} - {""}]
    for path in paths:
        site.hears(path, lens.get(path))
    site.command("check-config", "check-config", lens.config_file)
    site.command("events", "events", "--limit=5000", "--format=json", f"--config.file={lens.config_file}")
    site.command("watch", "watch", "host", "--once", f"--config.file={lens.config_file}")
    database = {"database_url": "postgresql://lens@127.0.0.1:1/lens", "database_password_env": "DB"}
    (site.folder / "postgres.yml").write_text(yaml.safe_dump({**site.config(), **database}))
    password = {"DB": MARKS["DatabaseEnv"]}
    assert site.command(
        "no database", "run", "--config.file=postgres.yml", "--web.listen-address=127.0.0.1:0", environment=password
    )
    lens.stop()
    files = {
        str(path): path.read_bytes().decode("latin-1")
        for path in lens.folder.iterdir()
        if path.is_file() and path != lens.config_file
    }
    assert any("lens.db" in name for name in files)
    assert any(name.endswith(".log") for name in files)
    return {**site.outputs, **files}


def test_no_secret_comes_out(site):
    """Files, variables, hashes and private keys; servers that repeat what they are sent; guesses; wrong files: no mark is anywhere."""
    fail_in_every_way(site)
    change_for_the_worse(site)
    said = everything_said(site)
    private = site.certificate.key.read_text().splitlines()[1]
    searched = {**MARKS, "PrivateKey": private, "Hash": site.hashed}
    searched |= {f"{name} in base64": base64.b64encode(f"lens:{mark}".encode()).decode() for name, mark in MARKS.items()}
    searched |= {f"alice's {name} in base64": base64.b64encode(f"alice:{mark}".encode()).decode() for name, mark in MARKS.items()}
    searched |= {f"{name} in {way}": write(mark) for name, mark in list(searched.items()) for way, write in WAYS.items()}
    found = [(name, where) for where, text in said.items() for name, mark in searched.items() if mark in text]
    shown = {
        name: next(text[max(0, text.index(searched[name]) - 200) :][:300] for where, text in said.items() if searched[name] in text)
        for name, _ in found
    }
    assert found == [], shown
