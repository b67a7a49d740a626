"""The whole loop on real servers, on a timeline: normal, leak, one alert, investigation, companion, recovery, both resolved."""

import time
from collections import Counter
from dataclasses import dataclass

import pytest
import requests

from lens_exporter.demo.observe import Observer, Snapshot
from lens_exporter.demo.stack import JOB, OWN_FILES, OWN_MEMORY, THEIRS, Stack
from lens_exporter.demo.story import acts, play
from lens_exporter.model.labels import fingerprint
from tests.servers.missing import skip_or_fail
from tests.servers.victoriametrics import VictoriaStack

pytestmark = [pytest.mark.acceptance, pytest.mark.integration]


@dataclass(frozen=True)
class Told:
    """The story as it was seen: what each act's hops showed, and a look at the servers at the end of each act."""

    stack: Stack
    hops: Counter
    looks: dict[str, Snapshot]

    @property
    def leaking(self):
        return self.looks["file leak"]

    @property
    def after(self):
        return self.looks["recovery"]


# One test a server, because the story is played once and every worker of a parallel run would play it for itself.
@pytest.mark.timeout(330)
@pytest.mark.parametrize("kind", [Stack, VictoriaStack], ids=["prometheus", "victoriametrics"])
def test_the_whole_loop(tmp_path, kind):
    """Every hop is seen in the servers' own APIs, and afterwards everything that must hold about them does."""
    with kind(tmp_path) as stack:
        with skip_or_fail():
            stack.start()
        told = tell(stack)
        for check in CHECKS:
            check(told)


def tell(stack):
    observer = Observer(stack.prometheus.url, stack.alertmanager.url, stack.lens.url)
    hops, looks = Counter(), {}
    until = time.monotonic() + 280
    for act in acts():
        seen = play(act, stack, observer, until=until)
        missing = [f"{hop.name} in {hop.where}" for hop in act.hops if hop not in seen]
        assert not missing, f"{act.name}: not seen: {missing}\n" + "\n".join(f"{s.name}: {s.tail()}" for s in stack.servers)
        hops[act.name] = len(seen)
        looks[act.name] = observer.look()
    return Told(stack, hops, looks)


def fired(look, name):
    return [e for e in look.events if e["type"] == "alert.fired" and e["data"]["labels"]["alertname"] == name]


def named(look, name):
    return [alert for alert in look.alerts if alert["labels"]["alertname"] == name]


def every_hop_is_seen_in_the_servers_own_apis(told):
    """Samples, decision, alert, webhook, investigation with receipts, companion, resolution: for two own alerts and one of theirs."""
    assert told.hops == {"normal": 1, "memory leak": 5, "file leak": 9, "recovery": 1}


def one_anomaly_is_one_alert_and_not_two(told):
    """However often it is seen and re-sent: one in Alertmanager, fired once, notified once, investigated once, one companion."""
    for name in (OWN_MEMORY, OWN_FILES):
        assert len(named(told.leaking, name)) == 1
        assert len(fired(told.after, name)) == 1
        group = f'"{name}"'
        webhooks = [e for e in told.after.events if e["type"] == "webhook.received" and group in e["data"]["group_key"]]
        assert Counter(e["data"]["status"] for e in webhooks) == {"firing": 1, "resolved": 1}
        assert len([one for one in told.after.investigations if one["source"]["alertname"] == name]) == 1
        companions = [e for e in fired(told.after, "LensInvestigation") if e["data"]["labels"]["source_alertname"] == name]
        assert len(companions) == 1


def alertmanager_and_lens_exporter_mean_the_same_alert(told):
    """Our fingerprint is Alertmanager's, and the start is the anomaly's own."""
    (alert,) = named(told.leaking, OWN_MEMORY)
    assert alert["fingerprint"] == fingerprint(alert["labels"])
    (event,) = fired(told.leaking, OWN_MEMORY)
    assert event["data"]["fingerprint"] == alert["fingerprint"]
    assert alert["labels"]["job"] == JOB
    assert alert["labels"]["watcher"] == "python"


def one_correlation_tells_the_whole_story_in_order(told):
    """One query gives the anomaly, its alert, the webhook, the investigation, the finding, the end."""
    (event,) = fired(told.after, OWN_MEMORY)
    answer = requests.get(f"{told.stack.lens.url}/api/v1/events", params={"correlation": event["correlation"]}, timeout=5).json()
    types = [one["type"] for one in answer["events"]]
    wanted = [
        "anomaly.detected",
        "alert.fired",
        "webhook.received",
        "investigation.started",
        "receipts.checked",
        "judge.reviewed",
        "finding.published",
        "anomaly.over",
        "alert.resolved",
    ]
    positions = [types.index(kind) for kind in wanted]
    assert positions == sorted(positions), list(zip(wanted, positions, strict=True))
    page = requests.get(f"{told.stack.lens.url}/anomalies/{event['correlation']}", timeout=5)
    assert page.status_code == 200
    assert "anomaly.detected" in page.text


def every_claim_that_holds_has_a_receipt_that_was_checked(told):
    """Findings cite receipts of this investigation, each re-checked by code; the analyst says that no model was used."""
    for one in told.after.investigations:
        assert one["state"] == "done"
        assert "offline" in one["analyst"]
        assert one["cost"]["dollars"] == 0
        for finding in one["findings"]:
            assert set(finding["receipts"]) <= set(one["receipts"])
        assert {receipt["recheck"] for receipt in one["receipts"].values()} <= {"confirmed", "recorded"}


def their_alert_is_answered_and_never_posted_again(told):
    """The companion points at it; lens-exporter fired no alert of that name itself."""
    (theirs,) = named(told.leaking, THEIRS)
    (companion,) = [a for a in named(told.leaking, "LensInvestigation") if a["labels"]["source_alertname"] == THEIRS]
    assert companion["labels"]["source_fingerprint"] == theirs["fingerprint"]
    assert fired(told.after, THEIRS) == []
    assert "watcher" not in theirs["labels"]


def companions_coming_back_are_no_work(told):
    """The webhooks that carry our own findings made no investigation."""
    sources = {one["source"]["alertname"] for one in told.after.investigations}
    assert sources == {OWN_MEMORY, OWN_FILES, THEIRS}


def the_bands_are_in_prometheus(told):
    """What is normal was published and scraped, so that users can plot it."""
    for name in ("lens_baseline_expected", "lens_baseline_lower", "lens_baseline_upper", "lens_anomaly_score"):
        query = f'count(max_over_time({name}{{watcher="python"}}[5m]))'
        answer = requests.get(f"{told.stack.prometheus.url}/api/v1/query", params={"query": query}, timeout=5).json()
        assert int(answer["data"]["result"][0]["value"][1]) > 0, name


def the_first_page_shows_the_findings(told):
    """A person sees what was found without an API."""
    page = requests.get(told.stack.lens.url, timeout=5)
    assert page.status_code == 200
    assert all(name in page.text for name in (OWN_MEMORY, OWN_FILES, THEIRS))
    assert "offline analyst" in page.text


CHECKS = (
    every_hop_is_seen_in_the_servers_own_apis,
    one_anomaly_is_one_alert_and_not_two,
    alertmanager_and_lens_exporter_mean_the_same_alert,
    one_correlation_tells_the_whole_story_in_order,
    every_claim_that_holds_has_a_receipt_that_was_checked,
    their_alert_is_answered_and_never_posted_again,
    companions_coming_back_are_no_work,
    the_bands_are_in_prometheus,
    the_first_page_shows_the_findings,
)
