import pytest
import yaml

from lens_exporter.config.file import NoOptions, read
from lens_exporter.demo import hops
from lens_exporter.demo.observe import Snapshot
from lens_exporter.demo.stack import OWN_FILES, OWN_MEMORY, THEIRS, lens_config
from lens_exporter.demo.story import acts

OWN = {
    "labels": {"alertname": "LensMemory", "severity": "warning", "category": "memory"},
    "annotations": {"summary": "memory at 31 % of its limit", "description": "Above its band.\nGrows 8 MB a second."},
    "fingerprint": "9f2c",
}
COMPANION = {
    "labels": {"alertname": "LensInvestigation", "source_alertname": "LensMemory", "verdict": "inconclusive"},
    "annotations": {"summary": "memory grows", "evidence": "1 memory 4 % -> 31 % (r1)\n2 nothing else moved (r2)"},
    "fingerprint": "77aa",
}
DONE = {
    "id": "01X",
    "state": "done",
    "verdict": "inconclusive",
    "analyst": "offline analyst",
    "source": {"alertname": "LensMemory"},
    "findings": [
        {"claim": "memory 4 % -> 31 %", "receipts": ["r1"], "holds": True},
        {"claim": "struck", "receipts": ["r1"], "holds": False},
        {"claim": "said without proof", "receipts": [], "holds": None},
    ],
    "receipts": {"r1": {"tool": "promql_range"}},
    "cost": {"tool_calls": 3},
}


def event(kind, **data):
    return {"id": "1", "at": "2026-11-20T14:02:00Z", "type": kind, "correlation": "01C", "subject": "", "data": data}


def test_nothing_is_seen_where_nothing_is():
    """No hop of the demo is found in an empty snapshot, nor in one of silent servers."""
    for look in (Snapshot(), Snapshot(silent=("prometheus", "alertmanager", "lens-exporter"))):
        for act in acts():
            assert [hop.name for hop in act.hops if hop.find(look)] == []


def test_the_baseline_needs_samples_a_watcher_and_quiet():
    """Enough samples, a watcher that judged series, and no alert."""
    watchers = [{"series": 9}]
    hop = hops.baseline(20)
    assert hop.find(Snapshot(samples=19, watchers=watchers)) is None
    assert hop.find(Snapshot(samples=20, watchers=[{"series": 0}])) is None
    assert hop.find(Snapshot(samples=20, watchers=watchers, alerts=[OWN])) is None
    assert "9 series" in hop.find(Snapshot(samples=20, watchers=watchers)).line


def test_a_decision_is_the_event_of_its_category():
    """Another category's anomaly is not this one."""
    look = Snapshot(events=[event("anomaly.detected", anomaly_type="memory_high", rule="consecutive", severity="warning")])
    assert "memory_high" in hops.decided("memory").find(look).line
    assert hops.decided("files").find(look) is None
    assert hops.decided("mem").find(look) is None


def test_an_alert_is_shown_as_a_person_reads_it():
    """Summary in the line, description below."""
    seen = hops.held("LensMemory").find(Snapshot(alerts=[COMPANION, OWN]))
    assert seen.line == "LensMemory: memory at 31 % of its limit"
    assert seen.detail == ("Above its band.", "Grows 8 MB a second.")
    assert hops.held("LensFiles").find(Snapshot(alerts=[OWN])) is None


def test_a_webhook_is_of_its_group_and_firing():
    """The resolved one later, and those of other groups, do not count."""
    key = '{}:{alertname="LensMemory"}'
    hop = hops.brought("LensMemory")
    assert (
        hop.find(Snapshot(events=[event("webhook.received", group_key=key, status="firing", outcome="promoted")])).line
        == "stored, promoted"
    )
    assert hop.find(Snapshot(events=[event("webhook.received", group_key=key, status="resolved")])) is None
    other = '{}:{alertname="LensMemoryX"}'
    assert hop.find(Snapshot(events=[event("webhook.received", group_key=other, status="firing")])) is None


def test_an_investigation_counts_with_a_finding_that_has_a_receipt():
    """Done, of this alert, and something holds; what is struck or has no receipt is not shown."""
    hop = hops.investigated("LensMemory")
    seen = hop.find(Snapshot(investigations=[DONE]))
    assert "inconclusive, offline analyst: 3 tool calls" in seen.line
    assert seen.detail == ("memory 4 % -> 31 %  [r1 promql_range]",)
    for change in ({"state": "running"}, {"findings": DONE["findings"][1:]}, {"source": {"alertname": "LensFiles"}}):
        assert hop.find(Snapshot(investigations=[{**DONE, **change}])) is None


def test_a_companion_belongs_to_its_source():
    """Found by the alert it explains, shown with its evidence."""
    seen = hops.companion("LensMemory").find(Snapshot(alerts=[OWN, COMPANION]))
    assert seen.line == "inconclusive: memory grows"
    assert seen.detail == ("evidence: 1 memory 4 % -> 31 % (r1)", "  2 nothing else moved (r2)")
    assert hops.companion("LensFiles").find(Snapshot(alerts=[OWN, COMPANION])) is None
    once = {**COMPANION, "annotations": {"summary": "Inconclusive: memory grows"}}
    assert hops.companion("LensMemory").find(Snapshot(alerts=[OWN, once])).line == "Inconclusive: memory grows"


def test_it_is_over_when_nothing_fires_and_lens_exporter_said_so():
    """An alert, a companion, a missing word of lens-exporter or a silent Alertmanager keep it open."""
    hop = hops.over(("LensMemory", "TooManyOpenFiles"))
    resolved = [event("alert.resolved", labels={"alertname": "LensMemory"})]
    assert hop.find(Snapshot(events=resolved)) is not None
    assert hop.find(Snapshot(events=resolved, alerts=[OWN])) is None
    assert hop.find(Snapshot(events=resolved, alerts=[COMPANION])) is None
    assert hop.find(Snapshot()) is None
    assert hop.find(Snapshot(events=resolved, silent=("alertmanager",))) is None


@pytest.mark.parametrize("name", [OWN_MEMORY, OWN_FILES, THEIRS])
def test_every_alert_is_followed_to_its_companion(name):
    """The demo cannot end well without alert, webhook, investigation and companion of each."""
    followed = [(act.name, hop.name) for act in acts() for hop in act.hops]
    kinds = ["alert", "webhook", "investigation", "companion"]
    assert len(followed) == len(acts()[0].hops) + 2 * 5 + 4 + 1
    assert all([hop for _act, hop in followed].count(kind) == 3 for kind in kinds)


def test_the_configuration_it_writes_is_a_valid_one(tmp_path):
    """The demo's lens.yml is read like any user's."""
    config = lens_config("http://127.0.0.1:9090", "http://127.0.0.1:9093", "http://127.0.0.1:1", tmp_path / "lens.db")
    loaded = read(yaml.safe_dump(config), tmp_path / "lens.yml", {"python": NoOptions})
    assert loaded.watchers[0].lens == "python"
    assert loaded.watchers[0].step == 1.0
