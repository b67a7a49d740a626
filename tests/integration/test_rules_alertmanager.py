"""The inhibition rule of docs/how-to/rules.md in a real Alertmanager: people are told once."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from lens_exporter.demo.servers import LocalServer, find
from lens_exporter.model.decision import Severity
from lens_exporter.rules.alerts import When, alerts
from lens_exporter.watch.alerting import alert_of
from lens_exporter.watch.ports import Watched
from tests.servers.missing import skip_or_fail
from tests.servers.waiting import until
from tests.unit.baseline.reading_site import ANOMALY
from tests.unit.rules.rule_plans import plan

pytestmark = pytest.mark.integration

DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "rules.md"
API_7 = {"instance": "api-7:9000", "job": "api"}


@pytest.fixture
def alertmanager(tmp_path):
    (told,) = re.findall(r"```yaml\n(?:#.*\n)?(inhibit_rules:.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    config = tmp_path / "alertmanager.yml"
    config.write_text(f"route: {{receiver: none}}\nreceivers: [{{name: none}}]\n{told}", "utf-8")
    with skip_or_fail():
        amtool, program = find("amtool"), find("alertmanager", "prometheus-alertmanager")
    checked = subprocess.run([amtool, "check-config", str(config)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    argv = [program, f"--config.file={config}", f"--storage.path={tmp_path / 'data'}", "--cluster.listen-address="]
    with LocalServer("alertmanager", argv, folder=tmp_path).start() as server:
        yield server


def of_the_watcher(target, severity=Severity.WARNING):
    return dict(
        alert_of(replace(ANOMALY, target=target, severity=severity), Watched("checkout", (), step=60), correlation="s").labels
    )


def of_the_rules(series):
    """As a ruler labels the alert of one series."""
    (alert,) = alerts(plan(metrics={"errors": {"query": "errors", "category": "errors"}}), When.ALWAYS)
    return {"alertname": alert.name, **alert.labels, **series}


def muted(server, *posted):
    """Post alerts, and tell of each whether Alertmanager mutes it, once it has muted one that was posted after them."""
    control = of_the_watcher({"instance": "control"}), of_the_rules({"instance": "control"})
    for some in (posted, control):
        requests.post(f"{server.url}/api/v2/alerts", json=[{"labels": one} for one in some], timeout=10).raise_for_status()

    def states():
        found = requests.get(f"{server.url}/api/v2/alerts", timeout=10).json()
        by_labels = {tuple(sorted(one["labels"].items())): bool(one["status"]["inhibitedBy"]) for one in found}
        *asked, seen = (by_labels.get(tuple(sorted(labels.items()))) for labels in (*posted, control[1]))
        return asked if seen else None

    return until(states, 20)


def test_what_the_watcher_tells_the_rules_do_not_tell_again(alertmanager):
    """Of one machine the watcher's alert mutes the rules' one, whichever metric each names; another machine's is not muted."""
    other = {**API_7, "instance": "api-8:9000"}
    posted = of_the_watcher(API_7), of_the_rules(API_7), of_the_rules(other)
    assert posted[0]["alertname"] != posted[1]["alertname"]
    assert muted(alertmanager, *posted) == [False, True, False]


def test_alone_they_speak(alertmanager):
    """With no alert of the watcher nothing is muted."""
    assert muted(alertmanager, of_the_rules(API_7)) == [False]


def test_what_a_model_lowered_mutes_nothing(alertmanager):
    """An alert that was lowered to info is no page, so the rules' one must be."""
    assert muted(alertmanager, of_the_watcher(API_7, Severity.INFO), of_the_rules(API_7)) == [False, False]


def test_an_alert_of_another_watcher_mutes_nothing(alertmanager):
    """The labels that name the machine are not enough."""
    stranger = {**of_the_watcher(API_7), "watcher": "host"}
    assert muted(alertmanager, stranger, of_the_rules(API_7)) == [False, False]
