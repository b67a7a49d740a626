"""The commands as a person runs them: what they print, where, and with which exit code."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from lens_exporter.baseline.expected import Declaration, DeclarationSource
from lens_exporter.baseline.register import Register, expected_table
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.decision import Anomaly, Rule, Severity
from lens_exporter.model.matcher import Matcher
from lens_exporter.watch.cooldown import Cooldown, cooldowns_table
from tests.servers.fake_alertmanager import FakeAlertmanager
from tests.servers.faulty import FaultyServer, ok
from tests.servers.gate import GatedPrometheus

pytestmark = pytest.mark.integration

GOLDEN = Path(__file__).parent.parent / "golden"
COMMANDS = (
    "",
    "run",
    "health",
    "check-config",
    "watch",
    "investigate",
    "events",
    "detect",
    "backtest",
    "rules",
    "rules baseline",
    "demo",
)
PAYLOAD = {
    "version": "4",
    "groupKey": "g",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "FilesLeak", "severity": "warning", "instance": "api-7:9000"},
            "startsAt": "2026-11-20T14:02:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
        }
    ],
}


def lens(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lens_exporter.cli", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, timeout=60, check=False, env={**os.environ, "COLUMNS": "100"}
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_the_golden_one(command, tmp_path):
    """Help is part of the interface: a change of it is seen. `pytest --regenerate` is not needed: copy the output."""
    answer = lens(*command.split(), "--help", folder=tmp_path)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == (GOLDEN / f"help-{command.replace(' ', '-') or 'lens-exporter'}.txt").read_text("utf-8")


def test_the_package_is_the_command_too(tmp_path):
    """`python -m lens_exporter`, where the environment's bin is not in the path."""
    command = [sys.executable, "-m", "lens_exporter", "--help"]
    environment = {**os.environ, "COLUMNS": "100"}
    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False, env=environment)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == (GOLDEN / "help-lens-exporter.txt").read_text("utf-8")


def test_check_config_names_every_error_with_its_line(tmp_path):
    """Two mistakes, two lines on standard error, exit code 2."""
    (tmp_path / "bad.yml").write_text('watchers:\n  - hots: "* * * * *"\n  - host: "61 * * * *"\n', "utf-8")
    answer = lens("check-config", "bad.yml", folder=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert [line.partition(": ")[0] for line in answer.stderr.splitlines()] == ["bad.yml:2", "bad.yml:3"]


def test_check_config_says_what_a_good_one_does(tmp_path):
    """A summary a person can check, and a warning for a secret that cannot be read."""
    (tmp_path / "good.yml").write_text(
        "prometheus: {url: http://p:9090}\ngrafana: {url: http://g:3000, token_file: none.token}\n"
        'watchers: [{host: "*/5 * * * *"}]\n',
        "utf-8",
    )
    answer = lens("check-config", "good.yml", folder=tmp_path)
    assert answer.returncode == 0
    assert "host (host, */5 * * * *)" in answer.stdout
    assert "warning: good.yml:2: cannot read the secret for grafana.token_file from none.token" in answer.stderr
    assert answer.stdout.endswith("good.yml: fine, but for 1 warning\n")


@pytest.mark.parametrize(
    ("flag", "given", "expected"),
    [
        ("--web.listen-address", "foo", 'an address to listen on like "127.0.0.1:10077" or ":10077"'),
        ("--web.telemetry-path", "foo", "text that matches ^/[^\\s?#]*$"),
        ("--web.external-url", "ftp://x", 'an address like "http://localhost:9090"'),
    ],
)
def test_a_wrong_flag_is_one_line(flag, given, expected, tmp_path):
    """Which flag, what it takes, and what it got; exit code 2, and nothing was begun."""
    answer = lens("run", flag, given, folder=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == f'{flag}: expected {expected}, got "{given}"\n'
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_taken_is_one_line(tmp_path):
    """Somebody listens there already: exit code 1 and the address."""
    with FaultyServer() as other:
        address = other.url.removeprefix("http://")
        answer = lens("run", "--web.listen-address", address, folder=tmp_path)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith(f"lens-exporter: cannot listen on {address}: ")
    assert len(answer.stderr.splitlines()) == 1


def test_watch_once_shows_each_series_and_the_decision(tmp_path):
    """The table of one look at a series that climbs; nothing is stored and nobody is told."""
    with GatedPrometheus() as prometheus, FakeAlertmanager() as alertmanager:
        (tmp_path / "lens.yml").write_text(
            f"prometheus: {{url: {prometheus.url}}}\nalertmanager: {{urls: [{alertmanager.url}]}}\n"
            "watchers:\n  - name: files\n    schedule: '* * * * *'\n    window: 1h\n"
            "    metrics: {open_files: {query: python_open_fds, direction: up}}\n",
            "utf-8",
        )
        answer = lens("watch", "files", "--once", "--config.file=lens.yml", folder=tmp_path)
        assert [(one.method, one.path) for one in alertmanager.requests] == [("GET", "/api/v2/silences")]
    assert (answer.returncode, answer.stderr) == (0, "")
    header, row, decision, *_ = answer.stdout.splitlines()
    assert header.split() == ["files", "api-7:9000", "now", "normal", "score", "since"]
    assert row.split()[:2] == ["open_files", "1,480"]
    assert row.rstrip().endswith("anomaly")
    assert decision == "decision: anomaly open_high (warning) - would be admitted"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lens.yml"]


def test_watch_once_knows_the_cooldown_of_the_running_one(tmp_path):
    """Suppressed while the stored cooldown lasts; the look leaves the database as it was."""
    database = Database(f"sqlite:///{tmp_path / 'lens.db'}")
    database.migrate()
    target = {"instance": "api-7:9000"}
    anomaly = Anomaly("open_high", Severity.WARNING, "", "", "", target, Rule.JUMP, 0.0, (), cooldown_minutes=1440.0)
    admitted = Cooldown(database, "files").admit(anomaly, time.time())
    with database.reading() as connection:
        before = connection.execute(sa.select(cooldowns_table)).all()
    with GatedPrometheus() as prometheus:
        (tmp_path / "lens.yml").write_text(
            f"prometheus: {{url: {prometheus.url}}}\ndatabase_url: sqlite:///lens.db\n"
            "watchers:\n  - name: files\n    schedule: '* * * * *'\n    window: 1h\n"
            "    metrics: {open_files: {query: python_open_fds, direction: up}}\n",
            "utf-8",
        )
        answer = lens("watch", "files", "--once", "--config.file=lens.yml", folder=tmp_path)
    until = datetime.fromtimestamp(admitted.until, UTC).strftime("%H:%M UTC")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert f"decision: anomaly open_high (warning) - would be suppressed, cooldown until {until}" in answer.stdout
    with database.reading() as connection:
        assert connection.execute(sa.select(cooldowns_table)).all() == before
    database.close()


FILES = (
    "watchers:\n  - name: files\n    schedule: '* * * * *'\n    window: 1h\n"
    "    metrics: {open_files: {query: python_open_fds, direction: up}}\n"
)


def silence(comment):
    now = datetime.now(UTC)
    return {
        "id": "8c2a",
        "matchers": [{"name": "alertname", "value": "Lens.*", "isRegex": True, "isEqual": True}],
        "startsAt": (now - timedelta(hours=1)).isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "updatedAt": now.isoformat(),
        "createdBy": "alice",
        "comment": comment,
        "status": {"state": "active"},
    }


def test_watch_once_goes_by_what_a_silence_declares(tmp_path):
    """As the running one would at its next round, also where none has ever run; a silence of other words changes nothing."""
    with GatedPrometheus() as prometheus, FaultyServer() as alertmanager:
        (tmp_path / "lens.yml").write_text(
            f"prometheus: {{url: {prometheus.url}}}\nalertmanager: {{urls: [{alertmanager.url}]}}\n{FILES}", "utf-8"
        )
        fates = []
        for comment in ("Expected: load test", "noise"):
            alertmanager.respond = lambda _request, comment=comment: ok([silence(comment)])
            answer = lens("watch", "files", "--once", "--config.file=lens.yml", folder=tmp_path)
            assert (answer.returncode, answer.stderr) == (0, "")
            (fate,) = (line for line in answer.stdout.splitlines() if line.startswith("decision: "))
            fates.append(fate.removeprefix("decision: anomaly open_high (warning) - "))
    assert fates == [
        'would not be told: alice has declared it to be expected: "Expected: load test"',
        "would be admitted",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lens.yml"]


def test_watch_once_goes_by_what_the_running_one_has_stored(tmp_path):
    """Declared by a request, or by a silence whose Alertmanager is away: that is said; the look leaves the database as it was."""
    database = Database(f"sqlite:///{tmp_path / 'lens.db'}")
    database.migrate()
    now = time.time()
    matchers = (Matcher("watcher", "files"), Matcher("instance", "api-7:9000"))
    Register(database).put(Declaration("01JD", DeclarationSource.API, matchers, now - 600, now + 600, "API", "deploy"))
    with database.reading() as connection:
        before = connection.execute(sa.select(expected_table)).all()
    with GatedPrometheus() as prometheus:
        (tmp_path / "lens.yml").write_text(
            f"prometheus: {{url: {prometheus.url}}}\nalertmanager: {{urls: ['http://127.0.0.1:9']}}\n"
            f"database_url: sqlite:///lens.db\n{FILES}",
            "utf-8",
        )
        answer = lens("watch", "files", "--once", "--config.file=lens.yml", folder=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert '(warning) - would not be told: API has declared it to be expected: "deploy"' in answer.stdout
    (said,) = answer.stderr.splitlines()
    assert "http://127.0.0.1:9 cannot be reached" in said
    with database.reading() as connection:
        assert connection.execute(sa.select(expected_table)).all() == before
    database.close()


def test_watch_once_says_that_nobody_knows_what_is_expected(tmp_path):
    """A database that cannot be read costs the declarations, not the look."""
    (tmp_path / "lens.db").write_bytes(b"no database at all, but long enough to be read as one" * 40)
    with GatedPrometheus() as prometheus:
        (tmp_path / "lens.yml").write_text(
            f"prometheus: {{url: {prometheus.url}}}\ndatabase_url: sqlite:///lens.db\n{FILES}", "utf-8"
        )
        answer = lens("watch", "files", "--once", "--config.file=lens.yml", folder=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "decision: anomaly open_high (warning)" in answer.stdout
    (said,) = answer.stderr.splitlines()
    assert "file is not a database" in said


@pytest.mark.parametrize(
    "command",
    [("watch", "pyhton", "--once"), ("backtest", "--watcher=pyhton", "--from=-1h"), ("rules", "baseline", "--watcher=pyhton")],
)
def test_a_watcher_that_is_not_there_is_a_wrong_call(command, tmp_path):
    """Exit code 2, what was probably meant and what there is: of every command that takes one."""
    answer = lens(*command, folder=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "lens-exporter: there is no watcher 'pyhton' (did you mean \"python\"?); known: host, python\n"


def test_watch_once_that_cannot_read_has_failed(tmp_path):
    """Exit code 1, for a script that looks; what was read is shown all the same, with what was not."""
    with FaultyServer(ok({"status": "error", "errorType": "bad_data", "error": "parse error"}, 400)) as prometheus:
        (tmp_path / "lens.yml").write_text(f"prometheus: {{url: {prometheus.url}}}\n{FILES}", "utf-8")
        answer = lens("watch", "files", "--once", "--config.file=lens.yml", folder=tmp_path)
    assert answer.returncode == 1
    assert "could not be read: PromQL query failed (bad_data): parse error" in answer.stdout
    assert answer.stderr == "lens-exporter: watcher files: 1 of 1 metrics could not be read\n"


def test_ctrl_c_ends_a_command_as_it_ends_others(tmp_path):
    """130, as shells have it."""
    with GatedPrometheus() as prometheus:
        (tmp_path / "lens.yml").write_text(f"prometheus: {{url: {prometheus.url}}}\n{FILES}", "utf-8")
        # Whoever runs these tests in a shell's background has SIGINT ignored, and so would the command.
        heard = "import signal; signal.signal(2, signal.default_int_handler); from lens_exporter.cli import main; main()"
        command = [sys.executable, "-c", heard, "watch", "files", "--config.file=lens.yml"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("files ")
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
            assert process.stderr is not None
            assert "Traceback" not in process.stderr.read()


def test_an_alert_cannot_be_looked_up_without_an_alertmanager(tmp_path):
    """The file that names none, and the setting."""
    (tmp_path / "lens.yml").write_text("watchers: [{host: '* * * * *'}]\n", "utf-8")
    answer = lens("investigate", "--alert=8c2a", "--config.file=lens.yml", folder=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    said = "lens-exporter: lens.yml: alertmanager.urls: no Alertmanager is configured, so no alert can be looked up\n"
    assert answer.stderr == said


def test_investigating_a_saved_webhook_prints_the_finding(tmp_path):
    """The text starts with the verdict; JSON is the API's document; neither posts anything."""
    (tmp_path / "payload.json").write_text(json.dumps(PAYLOAD), "utf-8")
    with GatedPrometheus() as prometheus:
        (tmp_path / "lens.yml").write_text(f"prometheus: {{url: {prometheus.url}}}\n", "utf-8")
        text = lens("investigate", "--file=payload.json", "--config.file=lens.yml", folder=tmp_path)
        data = lens("investigate", "--file=payload.json", "--format=json", "--config.file=lens.yml", folder=tmp_path)
    assert (text.returncode, text.stderr) == (0, "")
    assert text.stdout.split()[0] == "verdict"
    assert "offline analyst" in text.stdout.lower()
    document = json.loads(data.stdout)
    assert document["receipts"]["r1"]["tool"] == "rank_suspects"
    assert document["cost"]["model_calls"] == 0


def test_investigating_an_alert_that_alertmanager_holds(tmp_path):
    """Found by its fingerprint; one that nobody holds is said to be unknown, with the address asked."""
    alert = {
        "labels": PAYLOAD["alerts"][0]["labels"],
        "annotations": {},
        "startsAt": "2026-11-20T14:02:00Z",
        "endsAt": "2026-11-20T15:02:00Z",
        "fingerprint": "8c2a1f0011223344",
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
        "receivers": [],
    }
    with GatedPrometheus() as prometheus, FaultyServer(ok([alert])) as alertmanager:
        (tmp_path / "lens.yml").write_text(
            f"prometheus: {{url: {prometheus.url}}}\nalertmanager: {{urls: [{alertmanager.url}]}}\n", "utf-8"
        )
        found = lens("investigate", "--alert=8c2a1f0011223344", "--config.file=lens.yml", folder=tmp_path)
        missing = lens("investigate", "--alert=0000000000000000", "--config.file=lens.yml", folder=tmp_path)
        assert {request.method for request in alertmanager.requests} == {"GET"}
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("verdict")
    assert missing.returncode == 1
    assert f"there is no alert 0000000000000000 in {alertmanager.url}" in missing.stderr


def test_garbage_in_a_payload_is_named(tmp_path):
    """What is wrong with the file, in one line."""
    (tmp_path / "payload.json").write_text('{"version": "3"', "utf-8")
    answer = lens("investigate", "--file=payload.json", folder=tmp_path)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("lens-exporter: not an Alertmanager webhook of version 4:")


def test_events_tell_one_story_in_order(tmp_path):
    """Oldest first, only that correlation; as JSON one object a line; without a database exit code 1."""
    missing = lens("events", folder=tmp_path)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "there is no such file" in missing.stderr
    database = Database(f"sqlite:///{tmp_path / 'lens.db'}")
    database.migrate()
    events = Events(database, Telemetry())
    story, other = "01JD3V7Q4C0000000000000001", "01JD3V7Q4C0000000000000002"
    for kind, correlation in (("anomaly.detected", story), ("alert.fired", story), ("alert.fired", other)):
        events.append(kind, correlation=correlation, subject="python")
    database.close()
    (tmp_path / "lens.yml").write_text("database_url: sqlite:///lens.db\n", "utf-8")
    text = lens("events", "--correlation", story, "--config.file=lens.yml", folder=tmp_path)
    assert [line.split()[1] for line in text.stdout.splitlines()] == ["anomaly.detected", "alert.fired"]
    data = lens("events", "--type=alert.fired", "--format=json", "--config.file=lens.yml", folder=tmp_path)
    assert [json.loads(line)["correlation"] for line in data.stdout.splitlines()] == [story, other]
    none = lens("events", "--correlation", story, "--type=alert.resolved", "--config.file=lens.yml", folder=tmp_path)
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "")
    nobody = lens("events", "--correlation=NOPE", "--config.file=lens.yml", folder=tmp_path)
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert nobody.stderr == "lens-exporter: no event has the correlation id NOPE\n"


def test_an_event_type_that_is_not_there_is_a_wrong_call(tmp_path):
    """Exit code 2 and one line with what was probably meant and what there is; no database is needed to know."""
    answer = lens("events", "--type=alert.fird", folder=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith(
        "lens-exporter: there is no event type 'alert.fird' (did you mean \"alert.fired\"?); known: service.started, "
    )
    assert answer.stderr.count("\n") == 1


def test_check_config_reads_the_web_config_file_too(tmp_path):
    """What is wrong in it is an error with its line; what only this machine lacks, or would be open, is a warning; who may call is said."""
    web, config = tmp_path / "web.yml", tmp_path / "lens.yml"
    web.write_text("tls_server_config:\n  cert_file: a.pem\n  key_file: a.key\n  min_version: SSL3\n")
    config.write_text("web:\n  listen_address: ':10077'\n  config_file: web.yml\n")
    answer = lens("check-config", "lens.yml", folder=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == 'web.yml:4: tls_server_config.min_version: expected TLS12 or TLS13, got "SSL3"\n'
    web.write_text("tls_server_config:\n  cert_file: a.pem\n  key_file: a.key\n")
    answer = lens("check-config", "lens.yml", folder=tmp_path)
    assert answer.returncode == 0
    assert "would not start here: web.yml: tls_server_config.cert_file: a.pem: No such file or directory" in answer.stderr
    config.write_text("web:\n  listen_address: ':10077'\n")
    answer = lens("check-config", "lens.yml", folder=tmp_path)
    assert "lets in         everybody who reaches it" in answer.stdout
    assert "would not start here: web.listen_address: :10077 can be reached from other machines" in answer.stderr
