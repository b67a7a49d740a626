"""One investigation, from an alert group to a reviewed analysis: agent, receipts, check, judge, and again if the judge says so."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lens_exporter.foundation import conventions
from lens_exporter.foundation.clock import Clock, rfc3339, wall
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.foundation.tracing import span
from lens_exporter.investigate.agent import Agent, AgentLimits, Draft, Stop
from lens_exporter.investigate.analysis_schema import SUBMIT
from lens_exporter.investigate.judge import OFFLINE, Judge
from lens_exporter.investigate.offline import ANALYST, OfflineAnalyst, best_so_far
from lens_exporter.investigate.receipts import ANSWERS, Checked, check, recheck
from lens_exporter.investigate.steps import StepRunner
from lens_exporter.investigate.task import render, task_of
from lens_exporter.investigate.toolbox import Toolbox
from lens_exporter.llm import prompts
from lens_exporter.llm.client import ModelClient
from lens_exporter.model.alert import AlertGroup
from lens_exporter.model.analysis import Cost, Health, HealthAnalysis, Investigated, Outcome, Receipt, ReviewVerdict, Verdict
from lens_exporter.model.conversation import Instruction, Reply, Trail
from lens_exporter.model.decision import Severity

_RETRY_ITERATIONS = 4  # model calls of an answer that was sent back
_LONGEST_SUMMARY = 500


@dataclass(frozen=True, slots=True)
class _Case:
    """What stays the same over the attempts of one investigation."""

    id: str
    correlation: str
    alerts: str
    critical: bool
    toolbox: Toolbox
    step: StepRunner
    at: float


class Investigator:
    """Runs investigations. Safe to use from many threads: everything of one investigation lives in its run.

    client, reviewer and toolbox are asked for each time, so that a reload counts; the toolbox may depend on the alerts. Without
    fall_back a model that is away leaves the alert not investigated; with it the offline analyst takes over.
    """

    def __init__(
        self,
        *,
        client: Callable[[], ModelClient],
        reviewer: Callable[[], ModelClient | None],
        toolbox: Callable[[AlertGroup], Toolbox],
        events: Events,
        telemetry: Telemetry,
        limits: AgentLimits,
        retries: int = 2,
        fall_back: bool = True,
        settle: float = 5.0,
        clock: Clock = wall,
    ) -> None:
        """Settle is how far back (seconds) an investigation takes its now.

        Newer samples may still be on their way into the store, and what was seen must be there when it is asked again.
        """
        self._client = client
        self._reviewer = reviewer
        self._toolbox = toolbox
        self._events = events
        self._telemetry = telemetry
        self._limits = limits
        self._retries = retries
        self._fall_back = fall_back
        self._settle = settle
        self._clock = clock

    def run(self, investigation: str, correlation: str, group: AlertGroup, step: StepRunner) -> Investigated:
        """Investigate a group. Every model call, tool call, check and review runs through `step`; nothing else has effects."""
        client = self._client()
        at = step("begin", lambda: float(int(self._clock() - self._settle)))
        task = task_of(group, at)
        case = _Case(
            investigation,
            correlation,
            render(task),
            task.severity == Severity.CRITICAL,
            self._toolbox(group),
            step,
            at,
        )
        attributes = {
            conventions.OPERATION: conventions.INVOKE_AGENT,
            conventions.AGENT_NAME: "investigator",
            "lens.investigation": investigation,
        }
        with span(f"{conventions.INVOKE_AGENT} investigator", correlation=correlation, **attributes):
            return self._attempts(case, client)

    def _attempts(self, case: _Case, client: ModelClient) -> Investigated:
        trail: Trail = (Instruction(prompts.investigation_task(alerts=case.alerts, now=rfc3339(case.at))),)
        receipts: tuple[Receipt, ...] = ()
        reviewing = Cost()
        before: HealthAnalysis | None = None
        attempt = 1
        while True:
            draft, client, away = self._draft(case, client, trail, receipts, again=attempt > 1)
            analysis = draft.analysis or before or _unanswered(draft)
            if draft.stop is Stop.MODEL_AWAY and before is not None:
                analysis = replace(analysis, reason=f"model away while correcting this: {draft.away}")
            if away:
                analysis = replace(analysis, reason=f"model away: {away}; {ANALYST}")
            receipts, checked = case.step("receipts", lambda: self._check(case, draft, analysis))  # noqa: B023 - runs at once
            reviewer = None if away else self._reviewer()
            judge = Judge(
                reviewer, self._retries, clock=self._clock, on_verdict=lambda n, verdict: self._reviewed(case, n, verdict)
            )
            may_retry = draft.stop is Stop.SUBMITTED and client.name != OFFLINE
            review = judge.review(
                checked, draft.trail, attempt, case.step, alerts=case.alerts, may_retry=may_retry, critical=case.critical
            )
            reviewing += review.cost
            if review.verdict.verdict is not ReviewVerdict.RETRY:
                break
            verdict = review.verdict
            again = prompts.retry_task(issues=verdict.issues, feedback=verdict.feedback, output_tool=SUBMIT)
            trail, before, attempt = (*draft.trail, Instruction(again)), checked.analysis, attempt + 1
        return Investigated(
            id=case.id,
            correlation=case.correlation,
            analysis=_with_failures(checked.analysis, receipts),
            verdict=review.verdict,
            receipts=receipts,
            cost=draft.cost + reviewing,
            analyst=ANALYST if client.name == OFFLINE else client.name,
        )

    def _draft(
        self, case: _Case, client: ModelClient, trail: Trail, receipts: Sequence[Receipt], *, again: bool
    ) -> tuple[Draft, ModelClient, str]:
        """Run the agent; where the model is away before its first answer, let the offline analyst go on from where it stopped."""
        limits = replace(self._limits, iterations=min(_RETRY_ITERATIONS, self._limits.iterations)) if again else self._limits
        system = prompts.investigator(SUBMIT)

        def run(analyst: ModelClient, trail: Trail, receipts: Sequence[Receipt]) -> Draft:
            agent = Agent(
                case.toolbox, limits, case.step, now=case.at, clock=self._clock, on_tool=lambda receipt: self._called(case, receipt)
            )
            return agent.run(analyst, system, trail, receipts, critical=case.critical)

        draft = run(client, trail, receipts)
        if draft.stop is not Stop.MODEL_AWAY or again or not self._fall_back or client.name == OFFLINE:
            return draft, client, ""
        offline = OfflineAnalyst()
        return run(offline, draft.trail, draft.receipts), offline, draft.away

    def _check(self, case: _Case, draft: Draft, analysis: HealthAnalysis) -> tuple[tuple[Receipt, ...], Checked]:
        iterations = sum(isinstance(one, Reply) for one in draft.trail)
        self._events.append(
            "agent.stopped",
            correlation=case.correlation,
            subject=case.id,
            reason=draft.stop.value,
            iterations=iterations,
            tool_calls=len(draft.receipts),
        )
        with span("check receipts"):
            receipts = recheck(draft.receipts, case.toolbox)
            checked = check(analysis, receipts)
        known = {one.id for one in draft.receipts if one.recheck is not None}
        outcomes = Counter(one.recheck.value for one in receipts if one.recheck is not None and one.id not in known)
        for outcome, count in outcomes.items():
            self._telemetry.inc("lens_receipts_total", count, recheck=outcome)
        if checked.struck:
            self._telemetry.inc("lens_findings_struck_total", checked.struck)
        self._events.append(
            "receipts.checked", correlation=case.correlation, subject=case.id, receipts=dict(outcomes), struck=list(checked.issues)
        )
        return receipts, checked

    def _called(self, case: _Case, receipt: Receipt) -> None:
        self._telemetry.inc("lens_tool_calls_total", tool=receipt.tool, status=receipt.status.value)
        self._events.append(
            "tool.called",
            correlation=case.correlation,
            subject=case.id,
            receipt=receipt.id,
            tool=receipt.tool,
            arguments=receipt.arguments,
            status=receipt.status.value,
            seconds=receipt.seconds,
            note=receipt.note,
        )

    def _reviewed(self, case: _Case, attempt: int, verdict: Verdict) -> None:
        self._telemetry.inc("lens_reviews_total", verdict=verdict.verdict.value)
        told = {"correlation": case.correlation, "subject": case.id}
        if verdict.failure:
            self._events.append("judge.failed", **told, attempt=attempt, error=verdict.failure)
        self._events.append(
            "judge.reviewed",
            **told,
            attempt=attempt,
            verdict=verdict.verdict.value,
            by=list(verdict.by),
            issues=list(verdict.issues),
        )


def _unanswered(draft: Draft) -> HealthAnalysis:
    """Write the best answer so far from the receipts: never more than inconclusive, since nobody concluded anything."""
    if draft.stop is Stop.MODEL_AWAY:
        reason = f"model away: {draft.away}"
        return HealthAnalysis(Health.WARNING, Outcome.NOT_INVESTIGATED, _cut(f"Not investigated: {reason}"), reason=reason)
    seen = best_so_far(draft.trail)
    status = Health.WARNING if seen.status is Health.HEALTHY else seen.status
    return replace(seen, status=status, outcome=Outcome.INCONCLUSIVE, reason=draft.stop.value)


def _with_failures(analysis: HealthAnalysis, receipts: Sequence[Receipt]) -> HealthAnalysis:
    """Say what could not be asked, and that nothing was investigated when no tool answered anything."""
    problems = list(dict.fromkeys(f"{one.tool}: {one.note or one.status.value}" for one in receipts if one.status not in ANSWERS))
    if analysis.outcome is Outcome.NOT_INVESTIGATED:
        return analysis
    if any(one.status in ANSWERS for one in receipts):
        if analysis.outcome is not Outcome.INCONCLUSIVE or not problems:
            return analysis
        return replace(analysis, reason="; ".join(filter(None, (analysis.reason, problems[0]))))
    problem = f"no tool answered ({problems[0]})" if problems else "no tool could be asked about this target"
    reason = "; ".join(filter(None, (analysis.reason, problem)))
    status = Health.WARNING if analysis.status is Health.HEALTHY else analysis.status
    return replace(
        analysis,
        status=status,
        outcome=Outcome.NOT_INVESTIGATED,
        summary=_cut(f"Not investigated: {problem}"),
        findings=(),
        hypotheses=(),
        reason=reason,
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SUMMARY else f"{text[: _LONGEST_SUMMARY - 3]}..."
