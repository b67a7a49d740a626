"""The rule files of rules/: what they are called, that each threshold is argued, and that each alert is seen to fire and to be quiet."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

RULES = Path(__file__).parents[3] / "rules"
OWN = (RULES / "lens-exporter.yml").read_text("utf-8")
FILES = sorted(RULES.glob("*.yml"))


def rules(path: Path) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(path.read_text("utf-8"))["groups"] for rule in group["rules"]]


def promtool_tests(path: Path) -> list[dict[str, Any]]:
    """Give the promtool tests that load a rule file."""
    found = (yaml.safe_load(each.read_text("utf-8")) for each in sorted((RULES / "tests").glob("*.yml")))
    return [test for document in found if f"../{path.name}" in document["rule_files"] for test in document["tests"]]


def fired(test: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Give alert, severity and metric of what a test expects to fire; metric is "" where the alert has none."""
    labels = [
        alert["exp_labels"] | {"alertname": one["alertname"]}
        for one in test.get("alert_rule_test", [])
        for alert in one["exp_alerts"]
    ]
    for one in test.get("promql_expr_test", []):
        if one["expr"].startswith("count by (alertname"):
            labels += [dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"])) for sample in one["exp_samples"]]
    return {(one["alertname"], one["severity"], one.get("metric", "")) for one in labels}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_alert_is_seen_to_fire_and_all_to_be_quiet(path):
    """By rules/tests, which promtool runs in tests/integration/test_rules_promtool.py."""
    tests = promtool_tests(path)
    alerts = {
        (rule["alert"], rule["labels"]["severity"], rule["labels"].get("metric", "")) for rule in rules(path) if "alert" in rule
    }
    assert alerts - {alert for test in tests for alert in fired(test)} == set()
    quiet = [one for test in tests for one in test.get("promql_expr_test", []) if one["expr"].startswith("ALERTS")]
    assert quiet
    assert all(one["exp_samples"] == [] for one in quiet)


def test_records_are_named_level_metric_operations():
    """As Prometheus' own guide has it; and alerts about lens-exporter begin with its name."""
    names = [rule["record"] for rule in rules(RULES / "lens-exporter.yml") if "record" in rule]
    assert names
    assert [name for name in names if not re.fullmatch(r"instance(_[a-z]+)?:lens_[a-z_]+:[a-z]+\d+[mhd]", name)] == []
    alerts = [rule["alert"] for rule in rules(RULES / "lens-exporter.yml") if "alert" in rule]
    assert [name for name in alerts if not re.fullmatch(r"LensExporter([A-Z][a-z]+)+", name)] == []


def test_every_threshold_is_argued():
    """Between the name of an alert and its expression stands why it is as it is."""
    parts = re.split(r"^ +- alert: (\w+)\n", OWN, flags=re.MULTILINE)
    silent = [name for name, text in zip(parts[1::2], parts[2::2], strict=True) if not re.match(r"( +# \S.*\n)+ +expr:", text)]
    assert silent == []
