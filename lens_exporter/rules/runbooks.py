"""Where the pages of docs/runbooks/ are read: the one place that says so, for every rule of this repository."""

from functools import cache

from lens_exporter.baseline.naming import category
from lens_exporter.lenses import catalog
from lens_exporter.watch.alerting import alert_name

# A name that never resolves (RFC 2606), for the pages have no home on the web yet. Whoever loads the rules puts their own here:
# docs/how-to/rules.md has the line, and the chart has a value for it.
RUNBOOKS = "https://lens-exporter.example/runbooks"


def runbook(alert: str) -> str:
    """Give the address of an alert's page."""
    return f"{RUNBOOKS}/{alert}.md"


@cache
def built_in() -> frozenset[str]:
    """Name the alerts of the built-in lenses; each has a page."""
    metrics = (metric for kind in catalog.kinds().values() for metric in kind.baseline_metrics)
    return frozenset(alert_name(category(metric)) for metric in metrics)
