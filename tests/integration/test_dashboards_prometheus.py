"""Every expression of every dashboard, asked of a real Prometheus that scrapes a real lens-exporter."""

import json
import re
from pathlib import Path

import pytest

from dashboards.generate.overview import VALUE
from tests.integration.dashboard_site import Site, firing, running
from tests.servers.waiting import until

pytestmark = pytest.mark.integration

DASHBOARDS = Path(__file__).parents[2] / "dashboards"
# Metrics of which a healthy site of one minute has no series at all, and why.
ABSENT = {
    "lens_anomalies_suppressed_total": "begins with the first anomaly that comes again within its cooldown",
    "lens_group_score": "a group is judged together once two days of it are known",
    "lens_group_threshold": "as its score",
    "lens_snapshot_timestamp_seconds": "these watchers look back two minutes, and nothing younger than five is learnt",
    "lens_host_swap_utilization_ratio": "this machine may have no swap",
    "lens_host_cpu_throttled_seconds_total": "only where a quota of CPU is set",
    "lens_host_pressure_ratio": "only where the kernel tells",
}


def filled_in(text: str, instance: str) -> str:
    """Put in what Grafana does: one job and instance chosen, All of everything else."""
    chosen = {"__rate_interval": "20s", "__range": "2m", "job": "lens", "instance": instance}
    return re.sub(r"\$(\w+)", lambda match: chosen.get(match[1], ".*"), text)


@pytest.mark.timeout(300)
def test_every_expression_gives_series(tmp_path):
    """All of panels, annotations and variables; those that may be empty are named with their reason, and no other is."""
    with running(tmp_path) as site:
        empty = []
        for path in sorted(DASHBOARDS.glob("*.json")):
            board = json.loads(path.read_text("utf-8"))
            empty += [(path.stem, where, text) for where, text in asked(board) if not site.query(filled_in(text, site.instance))]
        assert [found for found in empty if not excused(site, found[2])] == []
        values_are_those_that_were_judged(site)
        rules_about_it_are_healthy(site)
        its_death_is_told(site)


def excused(site: Site, text: str) -> bool:
    """Say whether an expression is empty because of metrics that are not there, each of them named above, and of nothing else."""
    gone = {metric for metric in re.findall(r"\blens_\w+", text) if not site.query(metric)}
    return bool(gone) and gone <= ABSENT.keys()


def asked(board) -> list[tuple[str, str]]:
    found = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel.get("targets", [])]
    found += [(query["name"], query["expr"]) for query in board["annotations"]["list"] if "expr" in query]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            series, _, label = variable["query"].removeprefix("label_values(").removesuffix(")").rpartition(", ")
            found.append((f"${variable['name']}", f'count by ({label}) ({series}) and on ({label}) {{{label}!=""}}'))
    return found


def values_are_those_that_were_judged(site: Site) -> None:
    """The value of the overview follows from band and score; it is one that the process really had."""
    (value,) = site.query(filled_in(VALUE, site.instance).replace('metric=~".*"', 'metric="threads"'))
    seen = [float(site.query(f"{edge}_over_time(lens_python_threads_used[2m])")[0]["value"][1]) for edge in ("min", "max")]
    assert seen[0] - 1e-6 <= float(value["value"][1]) <= seen[1] + 1e-6


def rules_about_it_are_healthy(site: Site) -> None:
    """rules/lens-exporter.yml over what it is written for: evaluated without an error, and only what is wrong is told."""
    told = {series["metric"]["alertname"] for series in site.query('ALERTS{alertname=~"LensExporter.+"}')}
    # A busy machine may be late at the last scrape. All others are not even pending.
    assert told - {"LensExporterLensFailing"} == {"LensExporterDeliveryFailing"}
    healths = site.rules()
    assert len(healths) >= 20
    assert set(healths.values()) == {"ok"}, healths


def its_death_is_told(site: Site) -> None:
    """By the target that was a lens-exporter, whatever its job is called."""
    assert site.query(firing("LensExporterDown")) == []
    site.lens.kill()
    (down,) = until(lambda: site.query(firing("LensExporterDown")), 30, 0.5, what="the alert that it is down")
    assert (down["metric"]["instance"], down["metric"]["severity"]) == (site.instance, "critical")
