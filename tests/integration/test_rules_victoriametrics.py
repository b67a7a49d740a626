"""Generated rules on a real VictoriaMetrics, evaluated by its own ruler.

Debian's vmalert is older than the 1.95 that the rules ask for: two fields that came later are left out, and what reads the past
(`-replay`) stands for a ruler that has been running for days.
"""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from bench.rules_band import rule_band
from lens_exporter.demo.backfill import Series
from lens_exporter.rules.alerts import When
from lens_exporter.rules.document import Ruler, document
from tests.integration.test_rules_promtool import HOSTILE, SHIPPED
from tests.servers.victoriametrics import VictoriaMetricsServer, vmalert
from tests.unit.rules.rule_plans import plan

pytestmark = pytest.mark.integration

LATER = {"keep_firing_for", "eval_offset"}  # since vmalert 1.90 and 1.95
END = 1_795_176_000  # 2026-11-20 12:00 UTC
DAYS, EVERY = 3, 300


def as_debian_has_them(text: str) -> list[dict[str, Any]]:
    """Leave out what this vmalert does not know yet."""
    groups = yaml.safe_load(text)["groups"]
    for group in groups:
        group["rules"] = [{k: v for k, v in rule.items() if k not in LATER} for rule in group["rules"]]
    return [{k: v for k, v in group.items() if k not in LATER} for group in groups]


def expressions(groups: list[dict[str, Any]]) -> list[str]:
    return [rule["expr"] for group in groups for rule in group["rules"]]


def replay(server: VictoriaMetricsServer, rules: Path, start: float, end: float) -> None:
    """Let vmalert evaluate a file at every moment of a stretch of the past, one rule after the other."""
    began, ended = (datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for at in (start, end))
    vmalert(
        f"-rule={rules}",
        f"-datasource.url={server.url}",
        f"-remoteWrite.url={server.url}",
        f"-replay.timeFrom={began}",
        f"-replay.timeTo={ended}",
        "-replay.maxDatapointsPerQuery=10000",
        "-replay.rulesDelay=1ms",
        "-replay.disableProgressBar",
    )
    server.flush()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with VictoriaMetricsServer(tmp_path_factory.mktemp("victoria")).start() as running:
        yield running


TEXTS = {
    "hostile": document(plan(metrics=HOSTILE, runbook_url="https://wiki.example/{{x}}"), Ruler.VICTORIAMETRICS, When.LENS_IS_DOWN),
    **{path.stem: path.read_text("utf-8") for path in sorted(SHIPPED.glob("*.yml"))},
}


@pytest.mark.parametrize("name", TEXTS)
def test_every_expression_is_metricsql_and_every_template_is_vmalerts(name, server, tmp_path):
    """With hostile queries and words, and as shipped: the server answers each expression, the ruler takes the file."""
    groups = as_debian_has_them(TEXTS[name])
    for expression in expressions(groups):
        server.query(expression, END)
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": groups}), "utf-8")
    vmalert("-dryRun", f"-rule={tmp_path / 'rules.yml'}")


def test_its_ruler_records_the_band_that_prometheus_records(server, tmp_path):
    """Three days, evaluated by vmalert: expected and width are the twin's, and the alert finds the host that left its band."""
    times = [END - 60 * i for i in reversed(range(DAYS * 1440 + 1))]
    random = np.random.default_rng(7)
    calm = 50 + 20 * np.sin(np.array(times) * 2 * np.pi / 86_400) + random.normal(0, 1, len(times))
    odd = np.where(np.array(times) > END - 600, calm + 30, calm)
    hosts = {"db-1:10077": calm, "db-2:10077": odd}
    server.write(
        Series("load", {"instance": host}, list(zip(times, values.tolist(), strict=True))) for host, values in hosts.items()
    )
    chosen = plan("w", metrics={"load": {"query": "load", "direction": "up", "ceiling": 200, "full": 300}})
    groups = as_debian_has_them(document(chosen, Ruler.VICTORIAMETRICS, When.LENS_IS_DOWN))
    for number, group in enumerate(groups):
        records = [rule for rule in group["rules"] if "record" in rule]
        (tmp_path / f"{number}.yml").write_text(yaml.safe_dump({"groups": [{**group, "rules": records}]}), "utf-8")
        replay(server, tmp_path / f"{number}.yml", times[0], END)
    twin = rule_band(calm[None, ::5], EVERY, chosen.deviations)
    for hours in (1, 6, 18, 30):
        row, at = twin.rows.size - 1 - hours * 12, END - hours * 3600
        expected, width = (
            {labels["instance"]: value for labels, value in server.query(f"lens:{name}:band", at)} for name in ("expected", "width")
        )
        assert set(expected) == set(width) == set(hosts)
        for host in hosts:
            # Ranges are closed on the left in the twin and open here: one reading of seven in a quarter of an hour.
            assert math.isclose(expected[host], twin.expected[0, row], abs_tol=0.1 * twin.width[0, row])
            assert math.isclose(width[host], twin.width[0, row], rel_tol=0.1)
    (outside, _critical) = [rule["expr"] for group in groups for rule in group["rules"] if "alert" in rule]
    found = [[labels["instance"] for labels, _ in server.query(outside, at)] for at in (END - 3600, END)]
    assert found == [[], ["db-2:10077"]]
