"""The companion alert says what was found, shortly and checkably."""

from dataclasses import replace

import pytest

from lens_exporter.foundation.tracing import written
from lens_exporter.model.analysis import Cost, Finding, Outcome, Recheck, ReviewVerdict, Verdict
from lens_exporter.publish.acceptable import MAX_ANNOTATION, MAX_LABEL_VALUE, acceptable
from lens_exporter.publish.companion import Sender, companion, enrichment
from tests.unit.publish.findings_of import ID, group, investigated, receipt, source
from tests.unit.publish.timeline import NOON


def built(result=None, of=None, external_url="https://lens.example"):
    return companion(result or investigated(), of or group(), Sender("lens-1", external_url), at=NOON)


def test_labels_are_those_of_the_contract_and_nothing_else():
    """Name, severity, verdict, source and origin, then the target's labels; no numbers, no prose."""
    assert built().labels == {
        "alertname": "LensInvestigation",
        "severity": "info",
        "verdict": "cause_found",
        "source_alertname": "LensMemory",
        "source_fingerprint": source().fingerprint,
        "lens_origin": "lens-1",
        "instance": "api-7:9000",
        "job": "api",
    }


def test_annotations_of_the_example():
    """Evidence is numbered and cites tool and receipt, struck claims are gone, the link leads to the story."""
    assert built().annotations == {
        "summary": "Open files leak and carry memory with them: /export keeps every result file open.",
        "evidence": "1 open files 61 -> 1,480 from 14:01 (process_open_fds, r2)\n"
        "2 1,402 of 1,480 are /tmp/export-*.csv (get_open_files, r4; process_open_fds, r2)\n"
        "ruled out: traffic (212 -> 214 req/s, r6), GC (no uncollectable objects, r7)\n"
        "open: a slow disk",
        "next": "lsof -p 4211 | grep export; roll back 2026-11-20.3 (deployed 13:58, r8)",
        "confidence": "high (4 of 4 receipts hold; 1 claim struck; reviewer accepted at first reading)",
        "cost": "$0.004, 5 tools, 4 model calls, 11 s",
        "analyst": "claude",
        "lens_story": f"https://lens.example/investigations/{ID}",
    }


def test_without_an_address_the_story_is_the_id():
    """Nothing points to a place that nobody configured."""
    alert = built(external_url="")
    assert alert.annotations["lens_story"] == ID
    assert alert.generator_url == ""


def test_a_group_has_one_companion_with_what_its_alerts_share():
    """The first is the source, all are listed, and only labels with one value name the target."""
    of = group(source(), source("HighLatency", instance="api-8:9000", prometheus="monitoring/k8s", __replica__="a"))
    alert = built(of=replace(of, truncated=3))
    assert alert.labels["source_alertname"] == "LensMemory"
    assert alert.labels["job"] == "api"
    assert "instance" not in alert.labels
    assert alert.annotations["source_fingerprints"] == ", ".join(one.fingerprint for one in of.alerts)
    assert alert.annotations["covers"] == "2 alerts: HighLatency, LensMemory, 3 more left out by Alertmanager"


def test_external_labels_are_on_it_where_its_source_has_none_of_that_name():
    """The Prometheus that sent the source may be of another place, and what is ours stays ours."""
    sender = Sender("lens-1", external_labels={"cluster": "eu-1", "job": "lens", "prometheus": "mine"})
    alert = companion(investigated(), group(), sender, at=NOON)
    assert alert.labels == built().labels | {"cluster": "eu-1", "prometheus": "mine"}
    assert alert.labels["job"] == "api"
    theirs = companion(investigated(), group(source(cluster="us-1")), sender, at=NOON)
    assert theirs.labels["cluster"] == "us-1"


def test_labels_of_who_evaluated_are_not_the_target():
    """Prometheus' replica labels and hidden labels would make a companion for each replica."""
    of = group(source(prometheus="monitoring/k8s", prometheus_replica="k8s-0", __name__="x", verdict="mine"))
    assert set(built(of=of).labels) == set(built().labels)


def test_the_offline_analyst_says_so_once():
    """Where no model was used, the summary says it, whoever wrote it and however much of it had to be cut."""
    for analyst in ("offline", "offline analyst"):
        assert built(investigated(analyst=analyst)).annotations["summary"].endswith("open. [offline analyst, no model was used]")
    own = "Open files leak. Offline analyst: no model was used."
    assert built(investigated(analyst="offline analyst", summary=own)).annotations["summary"] == own
    long = f"{'word ' * 200}Offline analyst: no model was used."
    cut = built(investigated(analyst="offline analyst", summary=long)).annotations["summary"]
    assert cut.endswith("... [offline analyst, no model was used]")
    assert len(cut) <= 500


def test_a_claim_names_its_source_once():
    """What proves a claim stands in one pair of brackets; a metric or tool that the claim names already is not named again."""
    findings = (
        Finding("open files (process_open_fds) 61 -> 1,480 from 14:01", ("r2",), holds=True),
        Finding("a process started at 14:02 (process_start_time_seconds)", ("r1",), holds=True),
        Finding("memory followed", ("r1", "r2"), holds=True),
        Finding("nothing was asked", (), holds=True),
    )
    receipts = (receipt("r1", "rank_suspects", query=None), receipt("r2"))
    assert built(investigated(findings=findings, receipts=receipts, hypotheses=())).annotations["evidence"].splitlines() == [
        "1 open files (process_open_fds) 61 -> 1,480 from 14:01 (r2)",
        "2 a process started at 14:02 (process_start_time_seconds, r1)",
        "3 memory followed (r1; process_open_fds, r2)",
        "4 nothing was asked (no receipt)",
    ]


@pytest.mark.parametrize(
    ("spent", "said"),
    [
        (Cost(4120, 610, 0.004, 4, 5, 11.2), "$0.004, 5 tools, 4 model calls, 11 s"),
        (Cost(tool_calls=1, seconds=0.12), "$0, 1 tool, no model calls, 0.1 s"),
    ],
)
def test_what_it_cost(spent, said):
    """Nothing is called nothing."""
    assert built(investigated(cost=spent)).annotations["cost"] == said


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"outcome": Outcome.NOT_INVESTIGATED, "reason": "the budget of 5 dollars a day is spent", "summary": "Was not done."},
            "Not investigated: the budget of 5 dollars a day is spent",
        ),
        (
            {"outcome": Outcome.NOT_INVESTIGATED, "summary": "Not investigated: coalesced into 01JD."},
            "Not investigated: coalesced into 01JD.",
        ),
        (
            {"outcome": Outcome.INCONCLUSIVE, "summary": "Memory grows, nothing else moved.", "reason": "iterations spent"},
            "Inconclusive: Memory grows, nothing else moved (iterations spent).",
        ),
        ({"outcome": Outcome.NOTHING_WRONG, "summary": "Everything is within its band."}, "Everything is within its band."),
    ],
)
def test_outcomes_without_a_cause_read_well(changes, expected):
    """A result that explains nothing says why in its first words."""
    alert = built(investigated(**changes))
    assert alert.annotations["summary"] == expected
    assert alert.labels["verdict"] == changes["outcome"].value


@pytest.mark.parametrize(
    ("verdict", "receipts", "expected"),
    [
        (Verdict(ReviewVerdict.ACCEPT), [receipt("r1")], "1 of 1 receipts hold; no reviewer"),
        (
            Verdict(ReviewVerdict.RETRY, ("no cause named",), "name one", ("receipts", "claude"), 3),
            [receipt("r1"), receipt("r2", recheck=Recheck.CHANGED)],
            "1 of 2 receipts hold; reviewer did not accept after 3 readings: no cause named",
        ),
        (
            Verdict(ReviewVerdict.ACCEPT, failure="model client claude is overloaded"),
            [receipt("r1", recheck=Recheck.FAILED)],
            "0 of 1 receipts hold; 1 could not be asked again; the reviewer failed: model client claude is overloaded",
        ),
        (Verdict(ReviewVerdict.ACCEPT, attempts=2), [], "no receipts; no reviewer; code accepted at second reading"),
        (Verdict(ReviewVerdict.ACCEPT), [receipt("r1", recheck=None)], "receipts not re-checked; no reviewer"),
    ],
)
def test_confidence_says_why(verdict, receipts, expected):
    """How many receipts hold, who read it and at which reading; failures of the judge are said."""
    alert = built(investigated(verdict=verdict, receipts=tuple(receipts), findings=()))
    assert alert.annotations["confidence"] == f"medium ({expected})"


def test_without_a_model_nobody_reviewed_it():
    """The offline analyst has no reviewer, and that is said instead of praise by code."""
    alert = built(investigated(verdict=Verdict(ReviewVerdict.ACCEPT), receipts=(receipt("r1"),), findings=(), analyst="offline"))
    assert alert.annotations["confidence"] == "medium (1 of 1 receipts hold; no reviewer: offline)"


def test_sizes_are_capped_before_anything_is_sent():
    """A talkative model and a hostile label cannot make a giant alert."""
    long = "word " * 5000
    findings = tuple(Finding(long, ("r2",), holds=True) for _ in range(50))
    of = group(source(path="x" * 100_000))
    alert = acceptable(built(investigated(summary=long, findings=findings, recommendations=(long,) * 20), of))
    assert max(map(len, alert.annotations.values())) <= MAX_ANNOTATION
    assert max(map(len, alert.labels.values())) <= MAX_LABEL_VALUE
    assert len(alert.annotations["summary"]) <= 500
    assert "and 38 more" in alert.annotations["evidence"]


def test_an_own_alert_gains_finding_verdict_and_the_first_evidence():
    """Three lines of evidence are enough on the alert itself."""
    added = enrichment(investigated())
    assert set(added) == {"finding", "verdict", "evidence"}
    assert added["verdict"] == "cause_found"
    assert len(added["evidence"].splitlines()) == 3


def test_where_spans_are_kept_a_finding_names_its_trace():
    """The same trace as the alert's, in OpenTelemetry's writing."""
    found = investigated()
    alert = companion(found, group(), Sender("lens-1", traced=True), at=NOON)
    assert alert.annotations["lens_trace_id"] == written(found.correlation)
    assert "lens_trace_id" not in built().annotations
