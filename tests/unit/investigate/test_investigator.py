"""From an alert group to a reviewed analysis: retries, models that are away, tools that are, and the story in events."""

from dataclasses import replace

import pytest

from lens_exporter.baseline.robust import RobustDetector
from lens_exporter.errors import ModelTimeout, Unreachable
from lens_exporter.investigate.agent import AgentLimits
from lens_exporter.investigate.offline import OfflineAnalyst
from lens_exporter.investigate.toolbox import Toolbox
from lens_exporter.investigate.tools_promql import promql_tools
from lens_exporter.investigate.tools_suspects import suspect_tool
from lens_exporter.model.analysis import Cost, Outcome, Recheck, ReviewVerdict
from lens_exporter.model.decision import Severity
from tests.unit.investigate.scripted import (
    API_7,
    CORRELATION,
    Scripted,
    Site,
    Target,
    call,
    leaking_api,
    memory_alert,
    says,
    submits,
)

AWAY = ModelTimeout(client="claude", seconds=60)
LOOK = says(call("rank_suspects", labels=API_7, start="now-11m"))
TRUE = {"claim": "open files 61 -> 1,461 from 14:01", "receipts": ["r1"]}
FALSE = {"claim": "1,999 open files", "receipts": ["r1"]}


def finds(*findings, **changes):
    summary = "Open files leak and carry memory with them."
    return submits(**{"outcome": "cause_found", "findings": list(findings), "summary": summary} | changes)


def reviews(verdict, **fields):
    return says(call("submit_review", verdict=verdict, **fields))


def test_a_proved_analysis_goes_out_accepted():
    """Receipts are re-checked, every claim holds, the reviewer accepts; the cost of all of it is added up."""
    site = Site(leaking_api(), Scripted([LOOK, finds(TRUE)]), reviewer=Scripted([reviews("accept")], name="second"))
    answer = site.investigate()
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert answer.verdict.verdict is ReviewVerdict.ACCEPT
    assert answer.verdict.by == ("receipts", "second")
    assert [one.recheck for one in answer.receipts] == [Recheck.CONFIRMED]
    assert (answer.analyst, answer.correlation) == ("scripted", CORRELATION)
    assert answer.cost == Cost(300, 30, 0.003, 3, 1, 0.0)
    assert site.steps == ["begin", "model", "tool rank_suspects", "model", "receipts", "judge"]


def test_a_hallucinated_number_is_sent_back_and_corrected():
    """The model is told which number is where not; the corrected answer goes out."""
    client = Scripted([LOOK, finds(TRUE, FALSE), finds(TRUE)])
    answer = Site(leaking_api(), client).investigate()
    assert "1,999 is not in r1" in client.asked[-1][0][-1].text
    assert answer.verdict.verdict is ReviewVerdict.ACCEPT
    assert answer.verdict.attempts == 2
    assert all(finding.holds for finding in answer.analysis.findings)


def test_a_model_that_insists_goes_out_with_its_claims_struck():
    """After two retries the answer goes out, with the verdict on it and without the cause."""
    site = Site(leaking_api(), Scripted([LOOK, finds(FALSE), finds(FALSE), finds(FALSE)]))
    answer = site.investigate()
    assert answer.verdict.verdict is ReviewVerdict.INCONCLUSIVE
    assert answer.verdict.attempts == 3
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert answer.analysis.findings[0].struck == "1,999 is not in r1"
    assert site.telemetry.value("lens_findings_struck_total") == 3.0


def test_a_reviewer_may_ask_for_more():
    """Its feedback reaches the analyst, and the second answer is the one that counts."""
    reviewer = Scripted([reviews("retry", feedback="look at the threads"), reviews("accept")])
    client = Scripted([LOOK, finds(TRUE), says(call("promql_range", query="process_threads")), finds(TRUE)])
    answer = Site(leaking_api(), client, reviewer=reviewer).investigate()
    assert "look at the threads" in client.asked[2][0][-1].text
    assert answer.verdict.attempts == 2
    assert [one.id for one in answer.receipts] == ["r1", "r2"]


def test_the_offline_analyst_takes_over_when_the_model_is_away():
    """It goes on from the receipts there are, and the reason says what happened."""
    site = Site(leaking_api(), Scripted([LOOK, AWAY]), reviewer=Scripted([]))
    answer = site.investigate()
    assert answer.analyst == "offline analyst"
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert answer.analysis.reason == f"model away: {AWAY}; offline analyst"
    assert "the model went away" in answer.analysis.summary
    assert answer.receipts[0].id == "r1"
    assert answer.cost.dollars == 0.001


def test_a_model_that_goes_away_while_correcting_leaves_its_first_answer():
    """One claim struck, the others proved, and the reason said: better than starting over."""
    answer = Site(leaking_api(), Scripted([LOOK, finds(TRUE, FALSE), AWAY])).investigate()
    assert [finding.holds for finding in answer.analysis.findings] == [True, False]
    assert answer.analysis.reason == f"model away while correcting this: {AWAY}"
    assert (answer.analyst, answer.verdict.verdict) == ("scripted", ReviewVerdict.INCONCLUSIVE)


def test_a_model_away_without_fall_back_is_not_investigated():
    """Where only a model may judge, nobody pretends."""
    answer = Site(leaking_api(), Scripted([AWAY]), fall_back=False).investigate()
    assert answer.analysis.outcome is Outcome.NOT_INVESTIGATED
    assert str(AWAY) in answer.analysis.reason


class Away(Target):
    """A Prometheus that cannot be reached."""

    def query_range(self, query, start, end, step):
        raise Unreachable(service="prometheus", url="http://localhost:9090", reason="connection refused")

    query = series = metadata = query_range


def test_when_no_tool_answers_nothing_is_claimed():
    """Prometheus is down and there is nothing else: not investigated, with the reason."""
    site = Site(Away({}), OfflineAnalyst())
    site.toolbox = Toolbox([*promql_tools(Away({})), suspect_tool(Away({}), RobustDetector())])
    answer = site.investigate()
    assert answer.analysis.outcome is Outcome.NOT_INVESTIGATED
    assert "connection refused" in answer.analysis.reason
    assert "connection refused" in answer.analysis.summary
    assert answer.analysis.findings == ()
    assert answer.receipts


def test_when_some_tools_answer_the_others_are_told():
    """Alerts can be listed, Prometheus cannot be asked: inconclusive, and why."""
    answer = Site(Away({}), OfflineAnalyst()).investigate()
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert "rank_suspects: prometheus at http://localhost:9090 cannot be reached" in answer.analysis.reason


def test_a_spent_limit_gives_the_best_answer_so_far():
    """Code writes what the receipts show, never more than inconclusive, and says why."""
    circling = [LOOK, *(says(call("promql_range", query=f"up{{n='{number}'}}")) for number in range(9))]
    answer = Site(leaking_api(), Scripted(circling), limits=AgentLimits(tokens=400)).investigate()
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert answer.analysis.reason == "tokens spent"
    assert answer.analysis.findings[0].claim.startswith("open files (process_open_fds) 61 -> 1,461")
    assert answer.analysis.findings[0].holds
    assert "the model handed in no answer" in answer.analysis.summary
    assert answer.verdict.verdict is ReviewVerdict.ACCEPT


def test_a_limit_spent_in_a_retry_keeps_the_answer_before_it():
    """An answer with one claim struck is better than none."""
    client = Scripted([LOOK, finds(TRUE, FALSE)])
    answer = Site(leaking_api(), client, limits=AgentLimits(tokens=220)).investigate()
    assert answer.analysis.findings[0].claim == TRUE["claim"]
    assert [finding.holds for finding in answer.analysis.findings] == [True, False]
    assert answer.verdict.verdict is ReviewVerdict.INCONCLUSIVE


def test_critical_alerts_may_use_the_reserve():
    """The budget's reserve is for them."""
    client = Scripted([submits()])
    labels = {**memory_alert().labels, "severity": Severity.CRITICAL.value}
    Site(leaking_api(), client).investigate(memory_alert(labels=labels))
    assert [asked[3] for asked in client.asked] == [True]


def test_events_tell_the_story_in_order():
    """Tool calls, the end of the loop, the check and the review, all under one correlation id."""
    site = Site(leaking_api(), Scripted([LOOK, finds(TRUE)]))
    site.investigate()
    assert [event.type for event in site.events.query(correlation=CORRELATION)] == [
        "tool.called",
        "agent.stopped",
        "receipts.checked",
        "judge.reviewed",
    ]
    assert site.told("agent.stopped") == [{"reason": "submitted", "iterations": 2, "tool_calls": 1}]
    assert site.told("receipts.checked") == [{"receipts": {"confirmed": 1}, "struck": []}]
    assert site.telemetry.value("lens_receipts_total", recheck="confirmed") == 1.0
    assert site.telemetry.value("lens_reviews_total", verdict="accept") == 1.0


def test_a_failing_judge_is_told_and_counted():
    """The answer goes out; the event says that nobody but code has read it."""
    site = Site(leaking_api(), Scripted([LOOK, finds(TRUE)]), reviewer=Scripted([AWAY]))
    assert site.investigate().verdict.failure == str(AWAY)
    assert site.told("judge.failed") == [{"attempt": 1, "error": str(AWAY)}]


@pytest.mark.parametrize("killed_after", range(1, 6))
def test_a_restart_after_any_step_repeats_none_of_them(killed_after):
    """Steps recorded before the kill give back what they gave; model and tools are asked for the rest only."""
    recorded = []

    def killed(_name, work):
        if len(recorded) == killed_after:
            raise KeyboardInterrupt
        recorded.append(work())
        return recorded[-1]

    replies = [LOOK, finds(TRUE)]
    first = Scripted(replies)
    site = Site(leaking_api(), first)
    site._step = killed
    with pytest.raises(KeyboardInterrupt):
        site.investigate()

    rest = iter(list(recorded))
    second = Scripted(replies[len(first.asked) :])
    again = Site(leaking_api(), second)
    again._step = lambda _name, work: next(rest, None) or work()
    answer = again.investigate()
    assert len(first.asked) + len(second.asked) == 2
    assert replace(answer, cost=Cost()) == replace(Site(leaking_api(), Scripted(replies)).investigate(), cost=Cost())
