"""What an investigation finds, with the receipts that prove it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lens_exporter.model.tool import ToolStatus


class Health(StrEnum):
    HEALTHY = "healthy"
    WARNING = "warning"
    CRITICAL = "critical"


class Outcome(StrEnum):
    """The `verdict` label of a companion alert."""

    CAUSE_FOUND = "cause_found"
    INCONCLUSIVE = "inconclusive"
    NOTHING_WRONG = "nothing_wrong"
    NOT_INVESTIGATED = "not_investigated"


class Recheck(StrEnum):
    """How code re-checked a receipt before anybody cited it."""

    CONFIRMED = "confirmed"  # asked again, same numbers
    RECORDED = "recorded"  # a live reading that cannot be asked again; the recorded answer stands
    CHANGED = "changed"  # asked again, other numbers: whatever cites it is struck
    FAILED = "failed"  # could not be asked again (server away); kept, and said


class ClaimKind(StrEnum):
    FACT = "fact"
    SPECULATION = "speculation"


class HypothesisState(StrEnum):
    SUPPORTED = "supported"
    RULED_OUT = "ruled_out"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One tool call: what was asked, when, and the numbers seen."""

    id: str  # r1, r2, ... in order of the calls
    tool: str
    arguments: dict[str, Any]
    status: ToolStatus
    seen: dict[str, float]
    at: float  # Unix seconds
    seconds: float
    note: str = ""
    recheck: Recheck | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    claim: str
    receipts: tuple[str, ...]
    kind: ClaimKind = ClaimKind.FACT
    holds: bool | None = None  # None until code has checked it
    struck: str = ""  # why it does not hold


@dataclass(frozen=True, slots=True)
class Hypothesis:
    claim: str
    state: HypothesisState
    receipts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HealthAnalysis:
    """The seed's result. healthy means no concerns and at most one recommendation."""

    status: Health
    outcome: Outcome
    summary: str  # 10 to 500 characters
    findings: tuple[Finding, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    concerns: tuple[str, ...] = ()
    recommendations: tuple[str, ...] = ()
    reasoning: str = ""
    reason: str = ""  # for not_investigated and inconclusive: budget, breaker open, iterations spent, ...


class ReviewVerdict(StrEnum):
    ACCEPT = "accept"
    RETRY = "retry"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Verdict:
    """accept has no issues, retry has feedback. by names who judged: receipts (code), then the reviewing client."""

    verdict: ReviewVerdict
    issues: tuple[str, ...] = ()
    feedback: str = ""
    by: tuple[str, ...] = ("receipts",)
    attempts: int = 1
    confidence: str = "medium"
    failure: str = ""  # a judge that failed does not block, and it is said here


@dataclass(frozen=True, slots=True)
class Cost:
    input_tokens: int = 0
    output_tokens: int = 0
    dollars: float = 0.0
    model_calls: int = 0
    tool_calls: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.dollars + other.dollars,
            self.model_calls + other.model_calls,
            self.tool_calls + other.tool_calls,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Investigated:
    """Everything publishing needs: the reviewed analysis with its receipts."""

    id: str
    correlation: str
    analysis: HealthAnalysis
    verdict: Verdict
    receipts: tuple[Receipt, ...]
    cost: Cost
    analyst: str  # client name, or "offline analyst"


class DeliveryState(StrEnum):
    DELIVERED = "delivered"
    FAILED = "failed"
    SKIPPED = "skipped"  # the target is not configured


@dataclass(frozen=True, slots=True)
class Delivery:
    target: str  # alertmanager, grafana
    state: DeliveryState
    at: float
    detail: str = ""
    remote_id: str = field(default="")  # Grafana's annotation id
