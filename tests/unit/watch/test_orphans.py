"""Alerts of watchers that are gone."""

from lens_exporter.watch.orphans import resolve_orphans
from tests.unit.publish.timeline import NOON, own, timeline


def test_alerts_of_watchers_that_are_gone_are_resolved() -> None:
    """Those of configured watchers and of investigations stay."""
    with timeline() as line:
        line.fire(own())
        companion = own("LensInvestigation")
        line.lifecycle.fire(companion, correlation="", origin="investigation", source="f")
        ended = []
        assert resolve_orphans(line.lifecycle, {"python", "host"}, NOON, over=ended.append) == 0
        assert resolve_orphans(line.lifecycle, {"host"}, NOON, over=ended.append) == 1
        assert [(alert.name, alert.ends_at) for alert in ended] == [(own().name, NOON)]
        assert [stored.origin for stored in line.lifecycle.firing()] == ["investigation"]
