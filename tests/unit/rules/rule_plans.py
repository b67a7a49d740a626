"""Watchers for rules, as a configuration would give them."""

from dataclasses import replace
from typing import Any

from lens_exporter.config.settings import Prometheus, Watcher
from lens_exporter.model.metric import BaselineMetric, Direction
from lens_exporter.rules.plan import Plan, plan_for


def plan(name: str = "checkout", *, tenant: str | None = None, **settings: Any) -> Plan:
    """Plan the rules of a watcher with these settings; without a lens or metrics it watches one metric of the user's."""
    if "lens" not in settings:
        settings = {"lens": "promql", "metrics": {"errors": {"query": "sum by (pod) (errors)"}}, **settings}
    watcher = Watcher.model_validate({"name": name, "schedule": "* * * * *", **settings})
    return plan_for(watcher, Prometheus(tenant=tenant))


def one_metric(**known: Any) -> Plan:
    """Plan the rules of a watcher of one metric, load, of which this is known."""
    metric = BaselineMetric("load", "load", **{**known, "direction": Direction(known.get("direction", "both"))})
    return replace(plan(), metrics=(metric,))
