"""The API's shape of an investigation."""

from lens_exporter.foundation.clock import trace_id
from lens_exporter.investigate.document import brief, document, result
from lens_exporter.investigate.unit import State, Unit, UnitSource
from lens_exporter.model.alert import AlertGroup
from lens_exporter.model.analysis import (
    ClaimKind,
    Cost,
    Delivery,
    DeliveryState,
    Finding,
    Health,
    HealthAnalysis,
    Hypothesis,
    HypothesisState,
    Investigated,
    Outcome,
    Receipt,
    Recheck,
    ReviewVerdict,
    Verdict,
)
from lens_exporter.model.decision import Severity
from lens_exporter.model.tool import ToolStatus
from tests.unit.investigate.intake_site import Site, alert

STORY = "01JD0000000000000000000000"
ANALYSIS = HealthAnalysis(
    Health.WARNING,
    Outcome.CAUSE_FOUND,
    "Open files leak and carry memory with them.",
    findings=(
        Finding("open files 61 -> 1,480 from 14:01", ("r2",), ClaimKind.FACT, holds=True),
        Finding("traffic doubled", ("r6",), ClaimKind.FACT, holds=False, struck="r6 saw 212 -> 214"),
    ),
    hypotheses=(Hypothesis("traffic rose", HypothesisState.RULED_OUT, ("r6",)),),
    recommendations=("restart",),
)
RECEIPT = Receipt(
    "r2", "promql_range", {"query": "fds", "step": 15}, ToolStatus.DATA, {"first": 61, "last": 1480}, 1795183320.0, 0.12345
)
INVESTIGATED = Investigated(
    STORY,
    STORY,
    ANALYSIS,
    Verdict(ReviewVerdict.ACCEPT, by=("receipts", "claude"), confidence="high"),
    (RECEIPT, Receipt("r6", "promql_range", {}, ToolStatus.EMPTY, {}, 1.0, 0.0, recheck=Recheck.CONFIRMED)),
    Cost(4120, 610, 0.004, 4, 5, 11.2),
    "claude",
)
DELIVERED = Delivery("alertmanager", DeliveryState.DELIVERED, 1795183400.0)
GROUP = AlertGroup("k", (alert("LensMemory", starts_at=1795183320.0), alert("Other")), receiver="lens")
UNIT = Unit(STORY, STORY, State.HELD, UnitSource.WEBHOOK, GROUP, 1795183350.5, 1795183320.0, Severity.WARNING)


def test_a_done_investigation_shows_everything_with_its_receipts():
    """The shape users build on; every number can be traced to its receipt."""
    done = Unit(**{name: getattr(UNIT, name) for name in UNIT.__slots__} | {"state": State.DONE, "document": _stored()})
    shape = document(done)
    assert (shape["version"], shape["id"], shape["state"], shape["verdict"], shape["status"]) == (
        1,
        STORY,
        "done",
        "cause_found",
        "warning",
    )
    assert shape["source"] == {
        "kind": "webhook",
        "alertname": "LensMemory",
        "fingerprint": alert("LensMemory").fingerprint,
        "starts_at": "2026-11-20T14:02:00Z",
        "group_key": "k",
        "receiver": "lens",
        "alerts": 2,
        "truncated": 0,
        "labels": {},
    }
    assert shape["findings"] == [
        {"claim": "open files 61 -> 1,480 from 14:01", "kind": "fact", "receipts": ["r2"], "holds": True},
        {"claim": "traffic doubled", "kind": "fact", "receipts": ["r6"], "holds": False, "struck": "r6 saw 212 -> 214"},
    ]
    assert shape["hypotheses"] == [{"claim": "traffic rose", "state": "ruled_out", "receipts": ["r6"]}]
    assert shape["recommendations"] == ["restart"]
    assert shape["receipts"]["r2"] == {
        "tool": "promql_range",
        "arguments": {"query": "fds", "step": 15},
        "status": "data",
        "seen": {"first": 61, "last": 1480},
        "at": "2026-11-20T14:02:00Z",
        "seconds": 0.123,
        "note": "",
        "rechecked": False,
        "recheck": None,
    }
    assert shape["receipts"]["r6"]["rechecked"] is True
    assert shape["review"]["attempts"] == 1
    assert (shape["review"]["verdict"], shape["review"]["by"]) == ("accept", ["receipts", "claude"])
    assert shape["cost"] == {
        "input_tokens": 4120,
        "output_tokens": 610,
        "dollars": 0.004,
        "model_calls": 4,
        "tool_calls": 5,
        "seconds": 11.2,
    }
    assert int(shape["trace_id"], 16) == trace_id(STORY)
    assert len(shape["trace_id"]) == 32
    assert shape["deliveries"] == [{"target": "alertmanager", "state": "delivered", "at": "2026-11-20T14:03:20Z", "detail": ""}]


def test_the_shape_is_the_same_while_it_waits():
    """A reader never has to ask whether a key is there."""
    done = Unit(**{name: getattr(UNIT, name) for name in UNIT.__slots__} | {"state": State.DONE, "document": _stored()})
    waiting = document(UNIT)
    assert waiting.keys() == document(done).keys()
    assert (waiting["state"], waiting["verdict"], waiting["findings"], waiting["due"]) == (
        "held",
        None,
        [],
        "2026-11-20T14:02:30.500Z",
    )


def test_deliveries_of_now_replace_those_of_its_end():
    """What was on its way then may have arrived since."""
    done = Unit(**{name: getattr(UNIT, name) for name in UNIT.__slots__} | {"state": State.DONE, "document": _stored()})
    failed = Delivery("alertmanager", DeliveryState.FAILED, 1795183400.0, "refused")
    assert document(done, (failed,))["deliveries"][0]["detail"] == "refused"
    assert document(done, ())["deliveries"][0]["state"] == "delivered", "the publisher forgets after a while"


def test_a_cancelled_one_says_why():
    """A unit that was never begun is not a riddle."""
    site = Site()
    taken = site.accept(alert("A"))
    site.accept(alert("A", ends_at=2000.0))
    shape = document(site.store.unit(taken.investigation))
    assert (shape["state"], shape["reason"]) == ("cancelled", "every alert resolved before it began")


def test_the_list_is_newest_first_and_can_be_narrowed():
    """What an operator looks for is what happened last."""
    site = Site()
    first = site.done(alert("A"), key="one")
    second = site.accept(alert("B", job="api"), alert("C", job="api"), key="two").investigation
    shapes = [brief(one) for one in site.store.briefs()]
    assert [shape["id"] for shape in shapes] == [second, first]
    assert shapes[0]["source"] == {
        "kind": "webhook",
        "alertname": "B",
        "alerts": 2,
        "group_key": "two",
        "labels": {"job": "api"},
    }
    assert (shapes[1]["verdict"], shapes[1]["summary"], shapes[0]["verdict"]) == ("inconclusive", "nothing found", None)
    assert [one.id for one in site.store.briefs(state="done")] == [first]
    assert [one.id for one in site.store.briefs(limit=1)] == [second]


def test_a_list_says_what_each_is_about_but_for_storms():
    """The labels that all alerts have alike; reading thousands of alerts for a line of a list would cost more than it tells."""
    site = Site()
    site.accept(alert("A", instance="api-7", severity="warning"), key="one")
    site.accept(*(alert("B", pod=f"{number * 7919 % 100_003:x}", job="x") for number in range(5000)), key="storm")
    site.accept(alert("C", job="y" * 100_000), key="long")
    about = {one.alertname: one.labels for one in site.store.briefs()}
    assert about == {"A": {"alertname": "A", "instance": "api-7", "severity": "warning"}, "B": {}, "C": {}}


def _stored() -> dict:
    return result(INVESTIGATED, (DELIVERED,))
