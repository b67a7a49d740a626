"""Receipts: what was seen is asked again by code, and what is claimed is held against what was seen."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lens_exporter.baseline import evidence
from lens_exporter.baseline.quoted import Quoted, Unit, quoted
from lens_exporter.investigate.toolbox import Toolbox
from lens_exporter.model.analysis import ClaimKind, Finding, HealthAnalysis, Hypothesis, Outcome, Receipt, Recheck
from lens_exporter.model.tool import ToolStatus

ANSWERS = {ToolStatus.DATA, ToolStatus.TRUNCATED, ToolStatus.EMPTY}  # "there is nothing" is an answer and can be cited
_TOLERANCE = 1e-3  # a past moment gives the same numbers, but replicas of a store may differ in the last digits
_AWAY = 2
_SHORTEST_SUMMARY = 10
_LONGEST_SUMMARY = 500


@dataclass(frozen=True, slots=True)
class Checked:
    """An analysis after code has held every claim against its receipts. issues say what did not hold; none: everything did."""

    analysis: HealthAnalysis
    issues: tuple[str, ...] = ()

    @property
    def struck(self) -> int:
        return sum(finding.holds is False for finding in self.analysis.findings)


def recheck(receipts: Sequence[Receipt], toolbox: Toolbox) -> tuple[Receipt, ...]:
    """Ask again whatever can be asked again and has not been yet; live readings stand as recorded.

    When two in a row cannot be asked again the server is away, and the others are not tried.
    """
    checked: list[Receipt] = []
    failures = 0
    for one in receipts:
        if one.recheck is not None:
            checked.append(one)
        elif failures >= _AWAY and toolbox.repeatable(one.tool) and one.status in ANSWERS:
            checked.append(replace(one, recheck=Recheck.FAILED, note=_and(one.note, "not asked again: the server is away")))
        else:
            checked.append(_again(one, toolbox))
            failures = failures + 1 if checked[-1].recheck is Recheck.FAILED else 0
    return tuple(checked)


def _again(receipt: Receipt, toolbox: Toolbox) -> Receipt:
    if receipt.status not in ANSWERS or not toolbox.repeatable(receipt.tool):
        return replace(receipt, recheck=Recheck.RECORDED)
    result = toolbox.call(receipt.tool, receipt.arguments)
    if result.status not in ANSWERS:
        return replace(receipt, recheck=Recheck.FAILED, note=_and(receipt.note, f"not asked again: {result.note}"))
    difference = _difference(receipt.seen, result.seen)
    if difference:
        return replace(receipt, recheck=Recheck.CHANGED, note=_and(receipt.note, f"asked again: {difference}"))
    return replace(receipt, recheck=Recheck.CONFIRMED)


def _difference(before: dict[str, float], after: dict[str, float]) -> str:
    if before.keys() != after.keys():
        return f"{len(after)} numbers instead of {len(before)}"
    for name, value in before.items():
        # Within a tenth of a percent of a Unix time lie three weeks: moments must agree to the second.
        slack = 1.0 if evidence.Seen("", name.rsplit(".", 1)[-1], value, "").is_time else abs(value) * _TOLERANCE + 1e-9
        if not math.isclose(value, after[name], rel_tol=0.0, abs_tol=slack):
            return f"{name} is {after[name]:g} instead of {value:g}"
    return ""


def check(analysis: HealthAnalysis, receipts: Sequence[Receipt]) -> Checked:
    """Strike every claim that its receipts do not prove, and repair what stands on it.

    A finding must cite receipts that exist, answered and did not change, and each of its numbers must be in them. Hypotheses,
    concerns, recommendations and sentences of the summary with an unproved number are dropped. Without a finding that holds, a
    cause cannot stand.
    """
    known = {receipt.id: receipt for receipt in receipts}
    everything = evidence.seen({one.id: one.seen for one in receipts if not _unusable(one)})
    issues: list[str] = []

    findings = tuple(_check_finding(finding, known) for finding in analysis.findings)
    issues += [f'finding "{one.claim}": {one.struck}' for one in findings if one.struck]
    hypotheses = tuple(one for one in analysis.hypotheses if _kept(one, known, issues))
    concerns = tuple(one for one in analysis.concerns if not _missing("concern", one, everything, issues))
    # A number without a unit in what to do next is an argument of a command: lsof -p 4211.
    advice = tuple(
        one
        for one in analysis.recommendations
        if not _missing("recommendation", one, everything, issues, only=lambda number: number.unit is not Unit.NONE)
    )
    sentences = [one for one in evidence.sentences(analysis.summary) if not _missing("summary", one, everything, issues)]
    checked = replace(analysis, findings=findings, hypotheses=hypotheses, concerns=concerns, recommendations=advice)
    checked = _outcome(checked)
    return Checked(replace(checked, summary=_summary(" ".join(sentences), checked)), tuple(issues))


def _check_finding(finding: Finding, known: dict[str, Receipt]) -> Finding:
    struck = why_not(finding.claim, finding.receipts, known)
    return replace(finding, holds=not struck, struck=struck)


def why_not(claim: str, cited: Sequence[str], known: dict[str, Receipt]) -> str:
    """Say why `claim` is not proved by the receipts it cites; "" when it is."""
    if not cited:
        return "cites no receipt"
    missing = [one for one in cited if one not in known]
    if missing:
        return f"there is no receipt {', '.join(missing)}"
    for one in cited:
        problem = _unusable(known[one])
        if problem:
            return f"{one} {problem}"
    unproved = evidence.unproved(claim, evidence.seen({one: known[one].seen for one in cited}))
    if unproved:
        verb = "is" if len(unproved) == 1 else "are"
        where = f"none of {', '.join(cited)}" if len(cited) > 1 else f"not in {cited[0]}"
        return f"{', '.join(unproved)} {verb} {'in ' if len(cited) > 1 else ''}{where}"
    return ""


def _unusable(receipt: Receipt) -> str:
    if receipt.status not in ANSWERS:
        return (
            f"has no answer ({receipt.status.value}: {receipt.note})" if receipt.note else f"has no answer ({receipt.status.value})"
        )
    if receipt.recheck is Recheck.CHANGED:
        return "gave other numbers when it was asked again"
    return ""


def _kept(hypothesis: Hypothesis, known: dict[str, Receipt], issues: list[str]) -> bool:
    if not hypothesis.receipts and not quoted(hypothesis.claim):
        return True  # an open thought without numbers
    problem = why_not(hypothesis.claim, hypothesis.receipts, known)
    if problem:
        issues.append(f'hypothesis "{hypothesis.claim}": {problem}')
    return not problem


def _missing(
    what: str,
    text: str,
    numbers: Sequence[evidence.Seen],
    issues: list[str],
    *,
    only: Callable[[Quoted], bool] = lambda _number: True,
) -> bool:
    unproved = [number.text for number in quoted(text) if only(number) and not evidence.proved(number, numbers)]
    if unproved:
        issues.append(f'{what} "{text}": {", ".join(unproved)} in no receipt')
    return bool(unproved)


def _outcome(analysis: HealthAnalysis) -> HealthAnalysis:
    if analysis.outcome not in {Outcome.CAUSE_FOUND, Outcome.NOTHING_WRONG}:
        return analysis
    stands = any(one.holds and one.kind is ClaimKind.FACT for one in analysis.findings)
    if stands or (analysis.outcome is Outcome.NOTHING_WRONG and not analysis.findings):
        return analysis
    claimed = "a cause was claimed" if analysis.outcome is Outcome.CAUSE_FOUND else "all was said to be well"
    reason = _and(analysis.reason, f"{claimed}, but no finding for it holds")
    return replace(analysis, outcome=Outcome.INCONCLUSIVE, reason=reason)


def _summary(kept: str, analysis: HealthAnalysis) -> str:
    if len(kept) >= _SHORTEST_SUMMARY:
        return kept
    holding = [one.claim.rstrip(".") for one in analysis.findings if one.holds]
    text = "; ".join(holding) or "no claim about it could be proved from what was seen"
    return f"{analysis.outcome.value.replace('_', ' ').capitalize()}: {text}."[:_LONGEST_SUMMARY]


def _and(first: str, second: str) -> str:
    return f"{first}; {second}" if first else second
