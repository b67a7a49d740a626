"""Generated rules in the hands of promtool and of a real Prometheus."""

import math
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from bench.rules_band import rule_band
from lens_exporter.demo.backfill import Series
from lens_exporter.demo.servers import find
from lens_exporter.prometheus.client import Prometheus
from lens_exporter.prometheus.cost import QueryLimits
from lens_exporter.rules.alerts import When
from lens_exporter.rules.document import Ruler, document
from tests.servers.endpoints import endpoint
from tests.servers.missing import skip_or_fail
from tests.servers.prometheus import PrometheusServer
from tests.servers.waiting import until
from tests.unit.rules.rule_plans import plan

pytestmark = pytest.mark.integration

SHIPPED = Path(__file__).parents[2] / "rules"
HOSTILE = {
    "quotes": {
        "query": 'errors{path=~"/a\'b|c\\\\\\\\d", code!=`5`} # a comment ends it',
        "words": 'what {{ "they" }} call it: 100 %',
    },
    "lines": {"query": 'sum by (pod, severity) (\n  rate(errors_total{job="a"}[5m]) # of all\n)', "unit": 'req "%d" }}'},
    "down": {"query": "free_bytes", "unit": "bytes", "direction": "down", "ceiling": 1e9, "full": 0, "min_change": 1e-9},
    "both": {"query": "temperature", "unit": "percent", "ceiling": 90, "full": 100},
}
FIVE_MINUTES, DAY = 300, 86_400


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    with skip_or_fail():
        program = find("promtool")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)


def as_prometheus_has_them(text: str) -> str:
    """Leave out what only the other rulers know."""
    groups = yaml.safe_load(text)["groups"]
    return yaml.safe_dump({"groups": [{k: v for k, v in group.items() if k in {"name", "interval", "rules"}} for group in groups]})


@pytest.mark.parametrize("engine", list(Ruler))
@pytest.mark.parametrize("when", list(When))
def test_promtool_accepts_them(engine, when, tmp_path):
    """For each ruler, with hostile queries, words and units: every expression and every template parses, no rule is there twice."""
    chosen = plan(tenant="a|b", metrics=HOSTILE, runbook_url="https://wiki.example/{{x}}")
    text = document(chosen, engine, when, config="lens.yml")
    own = engine in {Ruler.PROMETHEUS, Ruler.THANOS}
    (tmp_path / "rules.yml").write_text(text if own else as_prometheus_has_them(text), "utf-8")
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", tmp_path / "rules.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yml")), ids=lambda path: path.name)
def test_promtool_accepts_what_is_shipped(path):
    """As it lies in rules/."""
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", sorted((SHIPPED / "tests").glob("*.yml")), ids=lambda path: path.name)
def test_what_is_shipped_fires_and_is_quiet(path):
    """The unit tests in rules/tests."""
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_query_of_a_runbook_parses(tmp_path):
    """Each ```promql block of docs/runbooks/ is an expression, as somebody pastes it at night."""
    pages = sorted((SHIPPED.parent / "docs" / "runbooks").glob("*.md"))
    queries = [query for page in pages for query in re.findall(r"```promql\n(.*?)```", page.read_text("utf-8"), re.DOTALL)]
    assert len(queries) > 50
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "pages", "rules": rules}]}), "utf-8")
    checked = promtool("check", "rules", tmp_path / "rules.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def eventful_days() -> np.ndarray:
    """Four days of one series, every five minutes: a daily round, noise, an incident, and at the end another level for good."""
    random = np.random.default_rng(7)
    rows = np.arange(4 * DAY // FIVE_MINUTES)
    values = 50 + 20 * np.sin(rows * 2 * np.pi * FIVE_MINUTES / DAY) + random.normal(0, 1, rows.size)
    values[700:712] += 60
    values[800:] += 45
    return np.round(values, 3)


def test_the_twin_of_the_bench_records_what_the_rules_record(tmp_path):
    """bench/rules_band.py speaks for the rules: expected and width agree at every hour, through warm-up, incident and new level."""
    values = eventful_days()
    chosen = plan("w", metrics={"load": {"query": "load"}})
    twin = rule_band(values[None, :], FIVE_MINUTES, chosen.deviations)
    (tmp_path / "rules.yml").write_text(document(chosen, Ruler.PROMETHEUS, When.NEVER), "utf-8")
    checks = []
    for row in range(11, values.size, 12):
        for name, recorded in (("lens:expected:band", twin.expected[0, row]), ("lens:width:band", twin.width[0, row])):
            if math.isnan(recorded):
                # In the first day a width is recorded, but nothing to put it around.
                checks.append({"expr": "lens:expected:band", "eval_time": f"{row * 5}m", "exp_samples": []})
            else:
                close = f"abs({name} - {float(recorded)!r}) < bool 1e-6"
                labels = '{watcher="w",metric="load"}'
                checks.append({"expr": close, "eval_time": f"{row * 5}m", "exp_samples": [{"labels": labels, "value": 1}]})
    test = {"interval": "5m", "input_series": [{"series": "load", "values": " ".join(map(repr, values.tolist()))}]}
    # Unless it is told, promtool takes groups in an order of chance; the band reads what the other group has recorded.
    order = ["lens-w", "lens-w-band"]
    tests = [{**test, "promql_expr_test": checks}]
    body = {"rule_files": ["rules.yml"], "evaluation_interval": "5m", "group_eval_order": order, "tests": tests}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(body), "utf-8")
    done = promtool("test", "rules", tmp_path / "test.yml")
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert np.isfinite(twin.expected[0]).sum() > 800


HOURS = 26  # of history: a band needs a day
WATCHED = {"load": {"query": "load", "direction": "up", "words": "load"}}


@pytest.fixture(scope="module")
def end() -> int:
    # Blocks that touch the last hours would overlap with what the server holds in memory.
    return math.floor((time.time() - 4 * 3600) / FIVE_MINUTES) * FIVE_MINUTES


@pytest.fixture(scope="module")
def filled(tmp_path_factory, end) -> tuple[Path, list[dict[str, Any]]]:
    """A Prometheus folder with a day and more of two hosts, and of what rules would have recorded about them; and these rules."""
    folder = tmp_path_factory.mktemp("rules")
    times = [end - HOURS * 3600 + 60 * i for i in range(HOURS * 60 + 1)]
    noise = [0.4 + 0.01 * ((i * 7919) % 13 - 6) / 6 for i in range(len(times))]
    # db-2 leaves its range in the last half hour.
    odd = [value + (0.3 if at > end - 1800 else 0.0) for at, value in zip(times, noise, strict=True)]
    history = [
        Series("load", {"instance": host}, list(zip(times, values, strict=True)))
        for host, values in (("db-1:10077", noise), ("db-2:10077", odd))
    ]
    text = document(plan("w", metrics=WATCHED), Ruler.PROMETHEUS, When.LENS_IS_DOWN)
    (folder / "rules.yml").write_text(text, "utf-8")
    # What docs/how-to/rules.md tells to do: each pass finds what the pass before it has recorded.
    for done in range(4):
        with PrometheusServer(folder, history=history if done == 0 else ()) as server:
            argv = ("--url", server.url, "--start", end - HOURS * 3600, "--end", end, "--output-dir", server.folder / "data")
            written = promtool("tsdb", "create-blocks-from", "rules", *argv, folder / "rules.yml")
        assert written.returncode == 0, written.stdout + written.stderr
    return folder, yaml.safe_load(text)["groups"]


def test_history_filled_in_by_promtool_is_a_band_at_once(filled, end):
    """After four passes the band holds both hosts, the alert's expression finds one, and only after it left its range."""
    folder, groups = filled
    (outside,) = [rule["expr"] for group in groups for rule in group["rules"] if "alert" in rule]
    with PrometheusServer(folder) as server:
        prometheus = Prometheus(endpoint(server.url), QueryLimits(timeout=30))

        def hosts(expression: str, at: float) -> list[str]:
            return sorted(series.labels["instance"] for series in prometheus.query(expression, at).series)

        inside = "abs(lens:value:last - lens:expected:band) < lens:width:band"
        assert hosts(inside, end - 3600) == ["db-1:10077", "db-2:10077"]
        assert [hosts(outside, at) for at in (end - 7200, end - 3600, end - 60)] == [[], [], ["db-2:10077"]]


def test_a_running_prometheus_evaluates_them_all_and_fires(filled):
    """Every rule is healthy, and the alert carries what is normal. Only the intervals are shortened, to be done before long."""
    folder, groups = filled
    now = [{"record": "load", "expr": "vector(0.95)", "labels": {"instance": "db-1:10077"}}]
    quick = [{"name": "now", "interval": "1s", "rules": now}]
    for group in groups:
        rules = [{**rule, "for": "1s"} if "alert" in rule else rule for rule in group["rules"]]
        quick.append({**group, "interval": "1s", "rules": rules})
    with PrometheusServer(folder, rules=quick) as server:
        prometheus = Prometheus(endpoint(server.url), QueryLimits(timeout=30))
        (alert,) = until(lambda: [one for one in prometheus.alerts() if one.state == "firing"], 60)
        assert {rule.health for rule in prometheus.rules()} == {"ok"}
    assert (alert.labels["alertname"], alert.labels["instance"], alert.labels["lens_source"]) == ("LensLoad", "db-1:10077", "rules")
    assert alert.annotations["summary"].startswith("db-1: load at 0.95; 0.")
    assert alert.annotations["summary"].endswith(" is normal")
