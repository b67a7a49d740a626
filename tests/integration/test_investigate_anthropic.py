"""Whole investigations by a model over real HTTP, in both protocols, and what they do when it makes things up or goes away."""

import pytest

from lens_exporter.investigate.agent import AgentLimits
from lens_exporter.investigate.investigator import Investigator
from lens_exporter.model.alert import AlertGroup
from lens_exporter.model.analysis import Outcome, Recheck, ReviewVerdict
from tests.integration.llm_site import site
from tests.servers.model_server import fail, refuse, use
from tests.unit.investigate.scripted import API_7, AT, at_once, leaking_api, memory_alert, toolbox

pytestmark = pytest.mark.integration

LOOK = use("rank_suspects", labels=API_7, start="now-11m")
ACCEPT = use("submit_review", verdict="accept", confidence="high")


def answer(*claims, outcome="cause_found"):
    findings = [{"claim": claim, "receipts": ["r1"]} for claim in claims]
    summary = "Open files leak from 14:01 and carry memory with them."
    return use("submit_analysis", status="warning", outcome=outcome, summary=summary, findings=findings)


def investigate(s):
    investigator = Investigator(
        client=lambda: s.registry.primary,
        reviewer=lambda: s.registry.reviewer,
        toolbox=lambda _group: toolbox(leaking_api()),
        events=s.events,
        telemetry=s.telemetry,
        limits=AgentLimits(),
        clock=lambda: AT + 5.0,
    )
    group = AlertGroup("group", (memory_alert(),))
    return investigator.run("01JD0000000000000000000001", "01JD0000000000000000000000", group, at_once)


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_a_hallucinated_number_never_reaches_anybody(tmp_path, provider):
    """The model is told where its number is not, corrects itself, and a second reading accepts the corrected answer."""
    wrong, right = answer("open files 61 -> 1,999 from 14:01"), answer("open files 61 -> 1,461 from 14:01")
    with site([LOOK, wrong, right, ACCEPT], tmp_path, provider=provider) as s:
        found = investigate(s)
        assert "1,999 is not in r1" in str(s.server.requests[2].body)
    assert [one.claim for one in found.analysis.findings] == ["open files 61 -> 1,461 from 14:01"]
    assert (found.verdict.verdict, found.verdict.attempts, found.verdict.by) == (ReviewVerdict.ACCEPT, 2, ("receipts", "claude"))
    assert found.receipts[0].recheck is Recheck.CONFIRMED
    assert found.analyst == "claude"
    assert found.cost.model_calls == 4


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_a_model_that_insists_is_struck(tmp_path, provider):
    """After two corrections the claim goes out struck, and without a cause."""
    wrong = answer("open files 61 -> 1,999 from 14:01")
    with site([LOOK, wrong, wrong, wrong, ACCEPT], tmp_path, provider=provider) as s:
        found = investigate(s)
    assert found.analysis.findings[0].struck == "1,999 is not in r1"
    assert found.analysis.outcome is Outcome.INCONCLUSIVE
    assert found.verdict.verdict is ReviewVerdict.INCONCLUSIVE


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_wrong_calls_are_answered_and_the_investigation_goes_on(tmp_path, provider):
    """A tool that is not there, arguments that are no JSON, the same question twice: feedback each time, one tool call in all."""
    script = [
        use("run_shell", command="rm -rf /"),
        use("rank_suspects", '{"labels": '),
        LOOK,
        LOOK,
        answer("61 open files before"),
        ACCEPT,
    ]
    with site(script, tmp_path, provider=provider) as s:
        found = investigate(s)
        sent = str(s.server.requests[4].body)
    assert "there is no tool" in sent
    assert "you asked this before, as r1" in sent
    assert (len(found.receipts), found.verdict.verdict) == (1, ReviewVerdict.ACCEPT)


@pytest.mark.parametrize("last", [refuse(), fail(401, message="bad key")])
def test_a_model_that_will_not_or_cannot_answer_is_replaced_by_the_offline_analyst(tmp_path, last):
    """The alert is investigated all the same, from what was already seen, and the answer says by whom and why."""
    with site([LOOK, last], tmp_path) as s:
        found = investigate(s)
    assert found.analyst == "offline analyst"
    assert found.analysis.outcome is Outcome.CAUSE_FOUND
    assert found.analysis.reason.startswith("model away: model client claude")
    assert found.analysis.findings[0].claim.startswith("open files (process_open_fds) 61 -> 1,461 from 14:01")
