"""Receipts asked again, and claims struck or kept by them."""

from dataclasses import replace

import pytest

from lens_exporter.investigate.receipts import check, recheck
from lens_exporter.investigate.toolbox import Toolbox
from lens_exporter.model.analysis import (
    ClaimKind,
    Finding,
    Health,
    HealthAnalysis,
    Hypothesis,
    HypothesisState,
    Outcome,
    Receipt,
    Recheck,
)
from lens_exporter.model.tool import Tool, ToolResult, ToolStatus
from tests.unit.investigate.scripted import AT, Number, counter_tool

SEEN = {"first": 61.0, "last": 1480.0}


def receipt(number=2, *, status=ToolStatus.DATA, seen=None, recheck=Recheck.CONFIRMED, tool="get_number", note=""):
    return Receipt(f"r{number}", tool, {"value": 61.0, "limit": 10}, status, SEEN if seen is None else seen, AT, 0.1, note, recheck)


def analysis(*findings, outcome=Outcome.CAUSE_FOUND, summary="Open files leak on this target.", **fields):
    return HealthAnalysis(Health.WARNING, outcome, summary, tuple(findings), **fields)


def found(claim, *receipts, kind=ClaimKind.FACT):
    return Finding(claim, receipts, kind)


def test_a_claim_whose_numbers_were_seen_holds():
    """Nothing is struck and nothing is said when everything is proved."""
    checked = check(analysis(found("open files 61 -> 1,480", "r2")), [receipt()])
    assert checked.issues == ()
    assert checked.analysis.findings[0].holds is True
    assert checked.analysis.outcome is Outcome.CAUSE_FOUND


@pytest.mark.parametrize(
    ("cited", "given", "why"),
    [
        (("r2", "r4"), [receipt(), receipt(4, seen={})], "1,999 is in none of r2, r4"),
        (("r2",), [receipt()], "1,999 is not in r2"),
        ((), [receipt()], "cites no receipt"),
        (("r9",), [receipt()], "there is no receipt r9"),
        (("r2",), [receipt(status=ToolStatus.ERROR, note="it broke")], "r2 has no answer (error: it broke)"),
        (("r2",), [receipt(recheck=Recheck.CHANGED)], "r2 gave other numbers when it was asked again"),
    ],
)
def test_a_claim_that_is_not_proved_is_struck_with_the_reason(cited, given, why):
    """The reason names the number or the receipt, so that a reader can see it for himself."""
    checked = check(analysis(found("open files 61 -> 1,999", *cited)), given)
    (finding,) = checked.analysis.findings
    assert (finding.holds, finding.struck) == (False, why)
    assert why in checked.issues[0]
    assert checked.struck == 1


@pytest.mark.parametrize("state", [Recheck.RECORDED, Recheck.FAILED, None])
def test_a_receipt_that_could_not_be_asked_again_still_counts(state):
    """A live reading, or a server that went away since, does not take back what was seen."""
    assert not check(analysis(found("1,480 open files", "r2")), [receipt(recheck=state)]).issues


def test_nothing_is_an_answer_that_can_be_cited():
    """An empty answer proves that there is nothing."""
    empty = receipt(3, status=ToolStatus.EMPTY, seen={"alerts": 0.0})
    assert not check(analysis(found("no other alert fires", "r3"), found("1,480 open files", "r2")), [receipt(), empty]).issues


def test_without_a_finding_that_holds_a_cause_cannot_stand():
    """A cause whose every fact is struck becomes inconclusive and says why."""
    checked = check(analysis(found("1,999 open files", "r2"), found("perhaps GC", "r2", kind=ClaimKind.SPECULATION)), [receipt()])
    assert checked.analysis.outcome is Outcome.INCONCLUSIVE
    assert checked.analysis.reason == "a cause was claimed, but no finding for it holds"


def test_a_summary_loses_only_the_sentence_with_an_unproved_number():
    """What is proved of a summary stays, word for word."""
    text = "Open files rose to 1,480. A restart buys about 47 minutes. Close them."
    checked = check(analysis(found("1,480 open files", "r2"), summary=text), [receipt()])
    assert checked.analysis.summary == "Open files rose to 1,480. Close them."
    assert checked.issues == ('summary "A restart buys about 47 minutes.": 47 minutes in no receipt',)


def test_a_summary_without_a_true_sentence_is_written_from_the_findings_that_hold():
    """Nobody is left with an empty summary, nor with a wrong one."""
    checked = check(analysis(found("1,480 open files.", "r2"), summary="It leaks 77 files."), [receipt()])
    assert checked.analysis.summary == "Cause found: 1,480 open files."
    nothing = check(analysis(summary="It leaks 77 files."), [receipt()])
    assert nothing.analysis.summary == "Inconclusive: no claim about it could be proved from what was seen."


def test_hypotheses_and_concerns_with_unproved_numbers_are_dropped():
    """They reach the reader like findings do, so they are held to the same."""
    kept = Hypothesis("threads 61 -> 1,480", HypothesisState.RULED_OUT, ("r2",))
    thought = Hypothesis("the cache may be cold", HypothesisState.OPEN)
    wrong = Hypothesis("traffic 5 -> 9", HypothesisState.RULED_OUT, ("r2",))
    given = analysis(
        found("1,480 open files", "r2"), hypotheses=(kept, thought, wrong), concerns=("full at 15:00", "it will fill up")
    )
    checked = check(given, [receipt()])
    assert checked.analysis.hypotheses == (kept, thought)
    assert checked.analysis.concerns == ("it will fill up",)
    assert len(checked.issues) == 2


def test_a_hypothesis_that_cites_what_is_not_there_is_dropped():
    """Without a number too: an open thought is one that cites nothing."""
    invented = Hypothesis("a slow disk", HypothesisState.OPEN, ("r9",))
    checked = check(analysis(found("1,480 open files", "r2"), hypotheses=(invented,)), [receipt()])
    assert checked.analysis.hypotheses == ()
    assert checked.issues == ('hypothesis "a slow disk": there is no receipt r9',)


def test_repeatable_receipts_are_asked_again_and_live_ones_stand():
    """Code asks Prometheus the same question again; a live reading cannot be repeated and is recorded as such."""
    again, asked = counter_tool(repeatable=True)
    live = replace(again, name="get_live", repeatable=False)
    box = Toolbox([again, live])
    given = [
        receipt(1, seen={"value": 61.0}, recheck=None),
        receipt(2, seen={"value": 60.0}, recheck=None),
        receipt(3, seen={"value": 5.0}, recheck=None, tool="get_live"),
        receipt(4, seen={"value": 60.0}, recheck=Recheck.CONFIRMED),
    ]
    assert [one.recheck for one in recheck(given, box)] == [Recheck.CONFIRMED, Recheck.CHANGED, Recheck.RECORDED, Recheck.CONFIRMED]
    assert asked == [61.0, 61.0]


def test_moments_must_agree_to_the_second():
    """A tenth of a percent is slack enough for a value and far too much for a time."""
    tool = Tool(
        "get_number",
        "",
        lambda _: ToolResult(ToolStatus.DATA, seen={"value": 1000.5, "onset_at": AT + 60}),
        Number,
        repeatable=True,
    )
    (changed,) = recheck([receipt(seen={"value": 1000.0, "onset_at": AT}, recheck=None)], Toolbox([tool]))
    assert changed.recheck is Recheck.CHANGED
    assert "onset_at" in changed.note


def test_a_server_that_went_away_fails_the_receipts_and_is_not_asked_for_each():
    """After two failures in a row the others are not tried: twenty timeouts would hold the answer back for minutes."""
    tried = []

    def away(arguments):
        tried.append(arguments)
        raise ConnectionError("no route")

    box = Toolbox([Tool("get_number", "", away, Number, repeatable=True)])
    answers = recheck([receipt(number, recheck=None) for number in range(1, 6)], box)
    assert {one.recheck for one in answers} == {Recheck.FAILED}
    assert len(tried) == 2
    assert "no route" in answers[0].note
