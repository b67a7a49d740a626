"""What a model hands in, checked at the edge: the final answer of the analyst and of the reviewer."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, model_validator

from lens_exporter.model.analysis import ClaimKind, Finding, Health, HealthAnalysis, Hypothesis, HypothesisState, Outcome
from lens_exporter.model.conversation import ToolSpec

SUBMIT = "submit_analysis"
REVIEW = "submit_review"

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400)]
ReceiptId = Annotated[str, StringConstraints(pattern=r"^r\d{1,4}$")]


class SubmittedFinding(BaseModel, extra="forbid"):
    claim: Line = Field(description="one checkable sentence; every number in it stands in the cited receipts")
    receipts: tuple[ReceiptId, ...] = Field(max_length=20, description="receipt ids like r2 that prove it")
    kind: Literal["fact", "speculation"] = "fact"


class SubmittedHypothesis(BaseModel, extra="forbid"):
    claim: Line
    state: Literal["supported", "ruled_out", "open"]
    receipts: tuple[ReceiptId, ...] = Field((), max_length=20)


class SubmittedAnalysis(BaseModel, extra="forbid"):
    """The investigation's final answer."""

    status: Literal["healthy", "warning", "critical"]
    outcome: Literal["cause_found", "inconclusive", "nothing_wrong"]
    summary: Annotated[str, StringConstraints(strip_whitespace=True, min_length=10, max_length=500)]
    findings: tuple[SubmittedFinding, ...] = Field((), max_length=20)
    hypotheses: tuple[SubmittedHypothesis, ...] = Field((), max_length=20)
    concerns: tuple[Line, ...] = Field((), max_length=10)
    recommendations: tuple[Line, ...] = Field((), max_length=10)
    reasoning: str = Field("", max_length=8000)

    @model_validator(mode="after")
    def _consistent(self) -> "SubmittedAnalysis":
        if self.status == "healthy" and (self.concerns or len(self.recommendations) > 1):
            raise ValueError("status healthy means no concerns and at most one recommendation")
        if self.outcome == "cause_found" and not any(finding.kind == "fact" for finding in self.findings):
            raise ValueError("outcome cause_found needs at least one finding of kind fact")
        return self

    def analysis(self) -> HealthAnalysis:
        return HealthAnalysis(
            status=Health(self.status),
            outcome=Outcome(self.outcome),
            summary=self.summary,
            findings=tuple(Finding(one.claim, one.receipts, ClaimKind(one.kind)) for one in self.findings),
            hypotheses=tuple(Hypothesis(one.claim, HypothesisState(one.state), one.receipts) for one in self.hypotheses),
            concerns=self.concerns,
            recommendations=self.recommendations,
            reasoning=self.reasoning,
        )


class SubmittedReview(BaseModel, extra="forbid"):
    """The reviewer's verdict on one analysis."""

    verdict: Literal["accept", "retry", "inconclusive"]
    confidence: Literal["low", "medium", "high"] = "medium"
    issues: tuple[Line, ...] = Field((), max_length=10)
    feedback: str = Field("", max_length=2000, description="for retry: what to look at or to correct")


def submit_spec() -> ToolSpec:
    """Describe the analyst's final answer as a tool."""
    return ToolSpec(SUBMIT, "Hand in the final answer and end the investigation.", SubmittedAnalysis.model_json_schema())


def review_spec() -> ToolSpec:
    """Describe the reviewer's final answer as a tool."""
    return ToolSpec(REVIEW, "Hand in the verdict on the analysis.", SubmittedReview.model_json_schema())


def as_json(analysis: HealthAnalysis) -> dict[str, Any]:
    """Show an analysis without its reasoning, as the reviewer gets it."""
    return {
        "status": analysis.status.value,
        "outcome": analysis.outcome.value,
        "summary": analysis.summary,
        "findings": [
            {"claim": one.claim, "receipts": list(one.receipts), "kind": one.kind.value, "holds": one.holds, "struck": one.struck}
            for one in analysis.findings
        ],
        "hypotheses": [
            {"claim": one.claim, "state": one.state.value, "receipts": list(one.receipts)} for one in analysis.hypotheses
        ],
        "concerns": list(analysis.concerns),
        "recommendations": list(analysis.recommendations),
    }
