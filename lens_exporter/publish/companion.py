"""The companion alert: what an investigation found, as an alert next to the one it explains. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from lens_exporter.foundation import tracing
from lens_exporter.model.alert import COMPANION, Alert, AlertGroup
from lens_exporter.model.analysis import (
    ClaimKind,
    Finding,
    Hypothesis,
    HypothesisState,
    Investigated,
    Outcome,
    Receipt,
    Recheck,
    ReviewVerdict,
)
from lens_exporter.model.decision import Severity
from lens_exporter.model.labels import Labels, added
from lens_exporter.model.tool import ToolStatus
from lens_exporter.publish.acceptable import shortened

# What an alert says about itself or about who evaluated it, and not about what it is about.
_NOT_THE_TARGET = frozenset(
    {"alertname", "severity", "watcher", "category", "verdict", "lens_origin", "prometheus", "prometheus_replica", "replica"}
)
_OFFLINE = frozenset({"offline", "offline analyst"})
_MARK = " [offline analyst, no model was used]"
_SUMMARY = 500  # characters
_LINE = 300
_LINES = 12
_BARE = re.compile(r"\s*([a-zA-Z_:][\w:]*)\s*(?:\{.*\})?\s*", re.DOTALL)
_GENERAL = frozenset({"rank_suspects", "promql_range", "promql_instant", "list_active_alerts", "list_rules", "find_metrics"})
_ORDINALS = {1: "first", 2: "second", 3: "third"}


@dataclass(frozen=True, slots=True)
class Sender:
    """Which lens-exporter a finding is from, and where its story is read. traced: spans are kept, so findings name their trace."""

    origin: str
    external_url: str = ""
    external_labels: Labels = field(default_factory=dict)
    traced: bool = False


def companion(investigated: Investigated, group: AlertGroup, sender: Sender, *, at: float) -> Alert:
    """Build the companion of a group's investigation, firing since `at` (Unix seconds). The group has an alert or more.

    Labels of the source stay where the sender's external labels have the same names: its Prometheus may be of another place.
    """
    first = group.alerts[0]
    labels = target(group.alerts) | {
        "alertname": COMPANION,
        "severity": Severity.INFO.value,
        "verdict": investigated.analysis.outcome.value,
        "source_alertname": first.name or "unnamed",
        "source_fingerprint": first.fingerprint,
        "lens_origin": sender.origin,
    }
    external = added(labels, sender.external_labels)
    link = story_link(investigated.id, sender.external_url)
    annotations = _annotations(investigated, group, link)
    if sender.traced:
        annotations["lens_trace_id"] = tracing.written(investigated.correlation)
    generator_url = link if sender.external_url else ""
    return Alert(labels | external, annotations, at, generator_url=generator_url, external=tuple(sorted(external)))


def target(alerts: Sequence[Alert]) -> dict[str, str]:
    """Give the labels all alerts share that identify what they are about."""
    shared = set(alerts[0].labels.items())
    for alert in alerts[1:]:
        shared &= set(alert.labels.items())
    return {name: value for name, value in sorted(shared) if name not in _NOT_THE_TARGET and not name.startswith("__")}


def story_link(investigation: str, external_url: str) -> str:
    """Give the address of an investigation, or its id where nobody configured an address."""
    return f"{external_url}/investigations/{investigation}" if external_url else investigation


def enrichment(investigated: Investigated) -> dict[str, str]:
    """Give the annotations an own alert gains from its investigation."""
    return _filled(
        {
            "finding": summary(investigated),
            "verdict": investigated.analysis.outcome.value,
            "evidence": "\n".join(evidence(investigated)[:3]),
        }
    )


def summary(investigated: Investigated) -> str:
    """Say the result in a sentence or two, who reached it included."""
    analysis = investigated.analysis
    text = analysis.summary.strip()
    if analysis.outcome is Outcome.NOT_INVESTIGATED:
        text = _opened("Not investigated", analysis.reason or text)
    elif analysis.outcome is Outcome.INCONCLUSIVE:
        text = _opened("Inconclusive", text)
        if analysis.reason and analysis.reason not in text:
            text = f"{text.rstrip('.')} ({analysis.reason})."
    text = shortened(text, _SUMMARY)
    if investigated.analyst not in _OFFLINE or "offline analyst" in text.lower():
        return text
    return shortened(text, _SUMMARY - len(_MARK)) + _MARK


def evidence(investigated: Investigated) -> list[str]:
    """List the claims that hold, numbered, each with its receipts; then what was ruled out or stays open."""
    receipts = {receipt.id: receipt for receipt in investigated.receipts}
    holding = [finding for finding in investigated.analysis.findings if finding.holds is not False]
    lines = [f"{number} {_claim(finding, receipts)}" for number, finding in enumerate(holding[:_LINES], 1)]
    if len(holding) > _LINES:
        lines.append(f"and {len(holding) - _LINES} more")
    words = {HypothesisState.RULED_OUT: "ruled out", HypothesisState.OPEN: "open"}
    for state, word in words.items():
        if chosen := [_hypothesis(one) for one in investigated.analysis.hypotheses if one.state is state]:
            lines.append(shortened(f"{word}: {', '.join(chosen)}", 2 * _LINE))
    return lines


def confidence(investigated: Investigated) -> str:
    """Say how sure one may be, and why: receipts that hold, and who read the analysis."""
    verdict = investigated.verdict
    checked = [receipt for receipt in investigated.receipts if receipt.recheck is not None]
    reasons = []
    if checked:
        # A recorded call that failed or was unavailable proves nothing.
        holding = sum(
            receipt.recheck in {Recheck.CONFIRMED, Recheck.RECORDED}
            and receipt.status in {ToolStatus.DATA, ToolStatus.TRUNCATED, ToolStatus.EMPTY}
            for receipt in checked
        )
        reasons.append(f"{holding} of {len(checked)} receipts hold")
        if unasked := sum(receipt.recheck is Recheck.FAILED for receipt in checked):
            reasons.append(f"{unasked} could not be asked again")
    elif investigated.receipts:
        reasons.append("receipts not re-checked")
    else:
        reasons.append("no receipts")
    if struck := sum(finding.holds is False for finding in investigated.analysis.findings):
        reasons.append(f"{struck} claim{'s' * (struck > 1)} struck")
    reasons.append(_review(investigated))
    return shortened(f"{verdict.confidence} ({'; '.join(reasons)})", 2 * _LINE)


def cost(investigated: Investigated) -> str:
    """Write money, calls and seconds."""
    spent = investigated.cost
    money = f"${spent.dollars:.3f}" if spent.dollars else "$0"
    tools = f"{spent.tool_calls} tool{'s' * (spent.tool_calls != 1)}"
    models = f"{spent.model_calls or 'no'} model call{'s' * (spent.model_calls != 1)}"
    return f"{money}, {tools}, {models}, {spent.seconds:.{1 if spent.seconds < 1 else 0}f} s"


def _annotations(investigated: Investigated, group: AlertGroup, link: str) -> dict[str, str]:
    analysis = investigated.analysis
    several = len(group.alerts) > 1
    return _filled(
        {
            "summary": summary(investigated),
            "evidence": "\n".join(evidence(investigated)),
            "next": shortened("; ".join(step.strip().rstrip(".") for step in analysis.recommendations), 4 * _LINE),
            "confidence": confidence(investigated),
            "cost": cost(investigated),
            "analyst": investigated.analyst,
            "lens_story": link,
            "source_fingerprints": ", ".join(alert.fingerprint for alert in group.alerts[:64]) if several else "",
            "covers": _covers(group) if several or group.truncated else "",
        }
    )


def _covers(group: AlertGroup) -> str:
    names = sorted({alert.name for alert in group.alerts})
    left_out = f", {group.truncated} more left out by Alertmanager" if group.truncated else ""
    return shortened(f"{len(group.alerts)} alerts: {', '.join(names)}{left_out}", _LINE)


def _claim(finding: Finding, receipts: dict[str, Receipt]) -> str:
    maybe = "perhaps: " if finding.kind is ClaimKind.SPECULATION else ""
    claim = shortened(maybe + finding.claim.strip(), _LINE)
    cited = [_cited(receipt, receipts, claim) for receipt in finding.receipts]
    return _with_proof(claim, ("; " if any("," in one for one in cited) else ", ").join(cited) or "no receipt")


def _with_proof(claim: str, proof: str) -> str:
    """Put what proves a claim behind it, into the brackets that stand there already."""
    if not proof:
        return claim
    return f"{claim[:-1]}, {proof})" if claim.endswith(")") else f"{claim} ({proof})"


def _cited(identity: str, receipts: dict[str, Receipt], claim: str) -> str:
    """Name a receipt: by its id, and by the metric or the live tool it is of, where the claim has not said that."""
    receipt = receipts.get(identity)
    if receipt is None:
        return identity
    unasked = ", not asked again" if receipt.recheck is Recheck.FAILED else ""
    source = _source(receipt)
    said = not source or re.search(rf"(?<!\w){re.escape(source)}(?!\w)", claim)
    return f"{identity}{unasked}" if said else f"{source}, {identity}{unasked}"


def _source(receipt: Receipt) -> str:
    if receipt.tool not in _GENERAL:
        return receipt.tool
    bare = _BARE.fullmatch(str(receipt.arguments.get("query", "")))
    return bare[1] if bare else ""


def _hypothesis(hypothesis: Hypothesis) -> str:
    return _with_proof(shortened(hypothesis.claim.strip(), _LINE), ", ".join(hypothesis.receipts))


def _review(investigated: Investigated) -> str:
    verdict = investigated.verdict
    if verdict.failure:
        return f"the reviewer failed: {shortened(verdict.failure, 120)}"
    reviewed = any(judge != "receipts" for judge in verdict.by)
    who = "reviewer" if reviewed else "code"
    if verdict.verdict is ReviewVerdict.ACCEPT:
        accepted = f"{who} accepted at {_ORDINALS.get(verdict.attempts, f'{verdict.attempts}th')} reading"
        if reviewed:
            return accepted
        nobody = f"no reviewer{': offline' if investigated.analyst in _OFFLINE else ''}"
        return nobody if verdict.attempts == 1 else f"{nobody}; {accepted}"
    issues = f": {shortened('; '.join(verdict.issues), 160)}" if verdict.issues else ""
    return f"{who} did not accept after {verdict.attempts} reading{'s' * (verdict.attempts != 1)}{issues}"


def _opened(word: str, text: str) -> str:
    if text.lower().startswith(word.lower()):
        return text
    return f"{word}: {text}" if text else f"{word}."


def _filled(annotations: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in annotations.items() if value}
