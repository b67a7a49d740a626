"""The judge: first code, then a reviewing model that sees the analysis without its reasoning. It never blocks an answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import orjson
from pydantic import ValidationError

from lens_exporter.errors import LensError
from lens_exporter.foundation.clock import Clock, wall
from lens_exporter.foundation.tracing import span
from lens_exporter.investigate.analysis_schema import REVIEW, SubmittedReview, as_json, review_spec
from lens_exporter.investigate.receipts import ANSWERS, Checked
from lens_exporter.investigate.steps import StepRunner
from lens_exporter.llm import prompts
from lens_exporter.llm.client import REVIEWER, ModelClient
from lens_exporter.llm.feedback import problems
from lens_exporter.model.analysis import Cost, ReviewVerdict, Verdict
from lens_exporter.model.conversation import Answered, Instruction, Reply, Step, Trail
from lens_exporter.model.tool import ToolResult, ToolStatus

OFFLINE = "offline"
_TRIES = 2  # a review that is not one is sent back once
_ANSWER_CHARACTERS = 1500  # of each tool answer that the reviewer is shown
_TRAIL_CHARACTERS = 30_000


@dataclass(frozen=True, slots=True)
class Review:
    """A verdict and what it cost."""

    verdict: Verdict
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True, slots=True)
class _Said:
    """What the reviewing model said in one recorded step; failure when it said nothing usable."""

    review: SubmittedReview | None
    cost: Cost
    failure: str = ""


class Judge:
    """Reviews one analysis. `retries` is how often it may send one back; after that the answer goes out with the verdict on it."""

    def __init__(
        self,
        reviewer: ModelClient | None,
        retries: int = 2,
        *,
        clock: Clock = wall,
        on_verdict: Callable[[int, Verdict], None] = lambda _attempt, _verdict: None,
    ) -> None:
        self._reviewer = None if reviewer is None or reviewer.name == OFFLINE else reviewer
        self._retries = retries
        self._clock = clock
        self._on_verdict = on_verdict

    def review(
        self,
        checked: Checked,
        trail: Trail,
        attempt: int,
        step: StepRunner,
        *,
        alerts: str,
        may_retry: bool = True,
        critical: bool = False,
    ) -> Review:
        """Judge the answer of attempt 1, 2, ... What code could not prove goes back without asking the model."""
        may_retry = may_retry and attempt <= self._retries

        def work() -> Review:
            review = self._judge(checked, trail, attempt, alerts, may_retry=may_retry, critical=critical)
            self._on_verdict(attempt, review.verdict)  # inside the step: a replay tells nothing twice
            return review

        return step("judge", work)

    def _judge(self, checked: Checked, trail: Trail, attempt: int, alerts: str, *, may_retry: bool, critical: bool) -> Review:
        if checked.issues and may_retry:
            feedback = "Code could not prove these from the cited receipts: correct them, or leave them out."
            return Review(Verdict(ReviewVerdict.RETRY, checked.issues, feedback, attempts=attempt, confidence="high"))
        if self._reviewer is None:
            return Review(_by_code(checked, attempt, trail))
        with span("review analysis", attempt=attempt):
            analysis = orjson.dumps(as_json(checked.analysis)).decode()
            text = prompts.review_task(
                alerts=alerts, analysis=analysis, trail=transcript(trail), attempt=attempt, attempts=self._retries + 1
            )
            said = self._ask(self._reviewer, text, critical=critical)
        if said.review is None:
            return Review(replace(_by_code(checked, attempt, trail), failure=said.failure), said.cost)
        return Review(_combined(checked, said.review, attempt, self._reviewer.name, may_retry=may_retry), said.cost)

    def _ask(self, reviewer: ModelClient, text: str, *, critical: bool) -> _Said:
        conversation: tuple[Step, ...] = (Instruction(text),)
        cost, failure = Cost(), ""
        for _ in range(_TRIES):
            started = self._clock()
            try:
                reply = reviewer.ask(prompts.reviewer(REVIEW), conversation, (review_spec(),), role=REVIEWER, critical=critical)
            except LensError as error:
                return _Said(None, cost, str(error))
            cost += replace(reply.cost, seconds=self._clock() - started)
            review, failure = _read(reply)
            if review is not None:
                return _Said(review, cost)
            refused = tuple(Answered(call, ToolResult(ToolStatus.ERROR, note=failure)) for call in reply.calls)
            conversation += (reply, *(refused or (Instruction(failure),)))
        return _Said(None, cost, f"{reviewer.name} gave no valid review: {failure}")


def _read(reply: Reply) -> tuple[SubmittedReview | None, str]:
    call = next((call for call in reply.calls if call.name == REVIEW), None)
    if call is None or isinstance(call.arguments, str):
        return None, f"call {REVIEW} with a JSON object"
    try:
        return SubmittedReview.model_validate(call.arguments), ""
    except ValidationError as error:
        return None, problems(error)


def _by_code(checked: Checked, attempt: int, trail: Trail) -> Verdict:
    verdict = ReviewVerdict.INCONCLUSIVE if checked.issues else ReviewVerdict.ACCEPT
    asked = [one.result.status in ANSWERS for one in trail if isinstance(one, Answered) and one.receipt]
    seen = 2 * sum(asked) >= len(asked)  # what stands on the smaller part of its questions stands on little
    return Verdict(verdict, checked.issues, attempts=attempt, confidence="medium" if seen and not checked.issues else "low")


def _combined(checked: Checked, said: SubmittedReview, attempt: int, name: str, *, may_retry: bool) -> Verdict:
    """Join the code's reading and the model's. A retry without feedback tells nobody what to do, and is accept."""
    by = ("receipts", name)
    feedback = said.feedback.strip()
    if said.verdict == "inconclusive" or (said.verdict == "retry" and feedback):
        issues = (*checked.issues, *(said.issues or ((feedback[:400],) if feedback else ())))
        verdict = ReviewVerdict.RETRY if said.verdict == "retry" and may_retry else ReviewVerdict.INCONCLUSIVE
        return Verdict(verdict, issues, feedback, by, attempt, said.confidence)
    failure = f"{name} asked for a retry without saying what for; taken as accept" if said.verdict == "retry" else ""
    if checked.issues:
        return Verdict(ReviewVerdict.INCONCLUSIVE, checked.issues, "", by, attempt, said.confidence, failure)
    return Verdict(ReviewVerdict.ACCEPT, (), "", by, attempt, said.confidence, failure)


def transcript(trail: Sequence[Step]) -> str:
    """Write a trail as text for the reviewer: what was asked, what was answered. The analyst's own words are left out."""
    lines: list[str] = []
    for one in trail:
        match one:
            case Answered(call, result, receipt) if receipt:
                answer = orjson.dumps({"seen": result.seen, "data": result.data}, default=str).decode()
                asked = orjson.dumps(call.arguments, default=str).decode()
                note = f" ({result.note})" if result.note else ""
                lines.append(f"{receipt}: {call.name} {asked} -> {result.status.value}{note}: {answer[:_ANSWER_CHARACTERS]}")
            case _:
                continue
    return "\n".join(lines)[-_TRAIL_CHARACTERS:]
