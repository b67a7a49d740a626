"""The agent's loop: limits first, then act. The trail is its only state, and every call in it is a recorded step.

Modelled on mini-swe-agent's default agent. It ends always, it raises nothing of a model's or a tool's failing, and under replay
it goes the same way: its limits are read from what the steps recorded, never from a clock beside them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pydantic import ValidationError

from lens_exporter.errors import LensError
from lens_exporter.foundation import conventions
from lens_exporter.foundation.clock import Clock, wall
from lens_exporter.foundation.tracing import span
from lens_exporter.investigate.analysis_schema import SUBMIT, SubmittedAnalysis, submit_spec
from lens_exporter.investigate.calls import asked_before
from lens_exporter.investigate.steps import StepRunner
from lens_exporter.investigate.toolbox import Prepared, Refused, Toolbox
from lens_exporter.llm.client import INVESTIGATOR, ModelClient
from lens_exporter.llm.feedback import problems
from lens_exporter.model.analysis import Cost, HealthAnalysis, Receipt
from lens_exporter.model.conversation import Answered, Instruction, Reply, Step, ToolCall, Trail
from lens_exporter.model.tool import ToolResult, ToolStatus

_CALLS_A_REPLY = 8  # more tool calls in one reply are not made
_INVALID_ANSWERS = 2  # final answers that are sent back before code writes one
_LAST_CALL = f"This is the last call. Hand in what you have with {SUBMIT} now; say inconclusive where it is."


@dataclass(frozen=True, slots=True)
class AgentLimits:
    """What one investigation may use, retries included. seconds is the time its model and tool calls took."""

    iterations: int = 10  # model calls before the last one
    tokens: int = 200_000
    dollars: float = 0.25
    seconds: float = 300.0


class Stop(StrEnum):
    """Why the loop ended."""

    SUBMITTED = "submitted"
    ITERATIONS = "iterations spent"
    TOKENS = "tokens spent"
    DOLLARS = "money spent"
    SECONDS = "time spent"
    INVALID = "no valid final answer"
    MODEL_AWAY = "model away"


@dataclass(frozen=True, slots=True)
class Draft:
    """What a run of the loop left behind. analysis is None when none was handed in: stop says why, away what the client said."""

    analysis: HealthAnalysis | None
    trail: Trail
    receipts: tuple[Receipt, ...]
    stop: Stop
    away: str = ""

    @property
    def cost(self) -> Cost:
        return cost_of(self.trail, self.receipts)


@dataclass(frozen=True, slots=True)
class _Away:
    """A recorded model call that failed."""

    reason: str


@dataclass(slots=True)
class _Conversation:
    trail: list[Step]
    receipts: list[Receipt]

    def refuse(self, call: ToolCall, reason: str) -> None:
        self.trail.append(Answered(call, ToolResult(ToolStatus.ERROR, note=reason)))

    def draft(self, stop: Stop, analysis: HealthAnalysis | None = None, away: str = "") -> Draft:
        return Draft(analysis, tuple(self.trail), tuple(self.receipts), stop, away)


class Agent:
    """Runs the loop of one investigation with one toolbox. `now` (Unix seconds) is what its tools take for now."""

    def __init__(
        self,
        toolbox: Toolbox,
        limits: AgentLimits,
        step: StepRunner,
        *,
        now: float,
        clock: Clock = wall,
        on_tool: Callable[[Receipt], None] = lambda _receipt: None,
    ) -> None:
        self._toolbox = toolbox
        self._limits = limits
        self._step = step
        self._now = now
        self._clock = clock
        self._on_tool = on_tool

    def run(
        self, client: ModelClient, system: str, trail: Trail, receipts: Sequence[Receipt] = (), *, critical: bool = False
    ) -> Draft:
        """Go on from `trail` until an analysis is handed in or a limit is reached."""
        conversation = _Conversation(list(trail), list(receipts))
        already = sum(isinstance(one, Reply) for one in trail)
        invalid = 0
        while True:
            spent = self._spent(conversation, already)
            if spent not in {None, Stop.ITERATIONS}:
                return conversation.draft(spent)
            if spent is Stop.ITERATIONS:
                conversation.trail.append(Instruction(_LAST_CALL))
            reply = self._ask(client, system, conversation, critical=critical, last=spent is not None)
            if isinstance(reply, _Away):
                return conversation.draft(Stop.MODEL_AWAY, away=reply.reason)
            conversation.trail.append(reply)
            analysis, bad = self._act(reply, conversation, last=spent is not None)
            if analysis is not None:
                return conversation.draft(Stop.SUBMITTED, analysis)
            invalid += bad
            if invalid > _INVALID_ANSWERS:
                return conversation.draft(Stop.INVALID)
            if spent is not None and not bad:
                return conversation.draft(spent)

    def _spent(self, conversation: _Conversation, already: int) -> Stop | None:
        cost = cost_of(conversation.trail, conversation.receipts)
        if cost.input_tokens + cost.output_tokens >= self._limits.tokens:
            return Stop.TOKENS
        if cost.dollars > 0 and cost.dollars >= self._limits.dollars:  # a limit of nothing stops no free model
            return Stop.DOLLARS
        if cost.seconds >= self._limits.seconds:
            return Stop.SECONDS
        replies = sum(isinstance(one, Reply) for one in conversation.trail) - already
        return Stop.ITERATIONS if replies >= self._limits.iterations else None

    def _ask(self, client: ModelClient, system: str, conversation: _Conversation, *, critical: bool, last: bool) -> Reply | _Away:
        tools = (submit_spec(),) if last else (*self._toolbox.specs(), submit_spec())
        trail = tuple(conversation.trail)

        def work() -> Reply | _Away:
            started = self._clock()
            try:
                reply = client.ask(system, trail, tools, role=INVESTIGATOR, critical=critical)
            except LensError as error:
                return _Away(str(error))
            return replace(reply, cost=replace(reply.cost, seconds=self._clock() - started))

        return self._step("model", work)

    def _act(self, reply: Reply, conversation: _Conversation, *, last: bool) -> tuple[HealthAnalysis | None, int]:
        """Answer every call of a reply in order. Gives the analysis when one was handed in, and how many invalid ones were."""
        if not reply.calls:
            conversation.trail.append(Instruction(f"Call a tool, or hand in the final answer with {SUBMIT}."))
            return None, 0
        analysis: HealthAnalysis | None = None
        invalid = 0
        for number, call in enumerate(reply.calls):
            if analysis is not None:
                conversation.refuse(call, f"not called: {SUBMIT} had ended the investigation")
            elif call.name == SUBMIT:
                analysis = _submitted(call, conversation)
                invalid += analysis is None
            elif last:
                conversation.refuse(call, f"not called: only {SUBMIT} is left")
            elif number >= _CALLS_A_REPLY:
                conversation.refuse(call, f"not called: at most {_CALLS_A_REPLY} tools in one reply")
            else:
                self._use(call, conversation)
        return analysis, invalid

    def _use(self, call: ToolCall, conversation: _Conversation) -> None:
        prepared = self._toolbox.prepare(call.name, call.arguments, self._now)
        if isinstance(prepared, Refused):
            conversation.refuse(call, prepared.reason)
            return
        before = asked_before(call.name, prepared.asked, conversation.receipts)
        if before is not None:
            conversation.refuse(
                call, f"you asked this before, as {before.id}, and its answer stands; ask something else or {SUBMIT}"
            )
            return
        receipt_id = f"r{len(conversation.receipts) + 1}"
        receipt, result = self._step(f"tool {call.name}", lambda: self._call(receipt_id, prepared))
        conversation.receipts.append(receipt)
        conversation.trail.append(Answered(call, result, receipt.id))

    def _call(self, receipt_id: str, prepared: Prepared) -> tuple[Receipt, ToolResult]:
        started = self._clock()
        with span(
            f"{conventions.EXECUTE_TOOL} {prepared.tool.name}",
            **{conventions.OPERATION: conventions.EXECUTE_TOOL, conventions.TOOL_NAME: prepared.tool.name},
        ):
            result = self._toolbox.run(prepared)
        seconds = self._clock() - started
        receipt = Receipt(
            receipt_id, prepared.tool.name, prepared.asked, result.status, result.seen, started, seconds, result.note[:500]
        )
        self._on_tool(receipt)  # inside the step: a replay tells nothing twice
        return receipt, result


def _submitted(call: ToolCall, conversation: _Conversation) -> HealthAnalysis | None:
    """Check a final answer; an invalid one is answered with what is wrong with it."""
    if isinstance(call.arguments, str):
        conversation.refuse(call, f"the arguments of {SUBMIT} are not a JSON object")
        return None
    try:
        submitted = SubmittedAnalysis.model_validate(call.arguments)
    except ValidationError as error:
        conversation.refuse(call, f"not accepted: {problems(error)}")
        return None
    conversation.trail.append(Answered(call, ToolResult(ToolStatus.DATA, note="received")))
    return submitted.analysis()


def cost_of(trail: Trail | Sequence[Step], receipts: Sequence[Receipt]) -> Cost:
    """Add up what the recorded steps cost."""
    models = sum((one.cost for one in trail if isinstance(one, Reply)), Cost())
    return models + Cost(tool_calls=len(receipts), seconds=sum(one.seconds for one in receipts))
