"""The API's shape of an investigation: the same keys whether it waits, runs, is done or was cancelled. Times are RFC 3339, UTC."""

from collections.abc import Sequence
from typing import Any

from lens_exporter.foundation import tracing
from lens_exporter.foundation.clock import rfc3339
from lens_exporter.investigate.unit import Brief, Unit
from lens_exporter.model.analysis import Delivery, Finding, Investigated, Receipt, Recheck

VERSION = 1

_NOTHING_YET: dict[str, Any] = {
    "verdict": None,
    "status": None,
    "summary": "",
    "reason": "",
    "analyst": None,
    "findings": [],
    "hypotheses": [],
    "concerns": [],
    "recommendations": [],
    "receipts": {},
    "review": None,
    "cost": None,
    "deliveries": [],
}


def document(unit: Unit, deliveries: Sequence[Delivery] = ()) -> dict[str, Any]:
    """Shape one investigation whole. deliveries are those the publisher knows now; without any, the ones at its end are shown."""
    shape = {
        "version": VERSION,
        "id": unit.id,
        "state": unit.state.value,
        "severity": unit.severity.value,
        "due": _time(unit.due),
        "created_at": _time(unit.created_at),
        "started_at": _time(unit.started_at),
        "finished_at": _time(unit.finished_at),
        "source": _source(unit),
        "correlation": unit.correlation,
        "trace_id": tracing.written(unit.correlation),
        **_NOTHING_YET,
        **(unit.document or {"reason": unit.reason}),
    }
    return shape if not deliveries else {**shape, "deliveries": [_delivery(one) for one in deliveries]}


def brief(unit: Brief) -> dict[str, Any]:
    """Shape one investigation for a list."""
    return {
        "id": unit.id,
        "state": unit.state.value,
        "verdict": unit.verdict or None,
        "status": unit.status or None,
        "severity": unit.severity.value,
        "summary": unit.summary,
        "reason": unit.reason,
        "source": {
            "kind": unit.source.value,
            "alertname": unit.alertname,
            "alerts": unit.alerts,
            "group_key": unit.group_key,
            "labels": dict(unit.labels),
        },
        "due": _time(unit.due),
        "created_at": _time(unit.created_at),
        "started_at": _time(unit.started_at),
        "finished_at": _time(unit.finished_at),
        "correlation": unit.correlation,
    }


def result(investigated: Investigated, deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """Shape what an investigation found; this part is kept with it once it is done."""
    analysis, verdict, cost = investigated.analysis, investigated.verdict, investigated.cost
    return {
        "verdict": analysis.outcome.value,
        "status": analysis.status.value,
        "summary": analysis.summary,
        "reason": analysis.reason,
        "analyst": investigated.analyst,
        "findings": [_finding(finding) for finding in analysis.findings],
        "hypotheses": [
            {"claim": one.claim, "state": one.state.value, "receipts": list(one.receipts)} for one in analysis.hypotheses
        ],
        "concerns": list(analysis.concerns),
        "recommendations": list(analysis.recommendations),
        "receipts": {receipt.id: _receipt(receipt) for receipt in investigated.receipts},
        "review": {
            "attempts": verdict.attempts,
            "verdict": verdict.verdict.value,
            "confidence": verdict.confidence,
            "by": list(verdict.by),
            "issues": list(verdict.issues),
            "failure": verdict.failure,
        },
        "cost": {
            "input_tokens": cost.input_tokens,
            "output_tokens": cost.output_tokens,
            "dollars": cost.dollars,
            "model_calls": cost.model_calls,
            "tool_calls": cost.tool_calls,
            "seconds": round(cost.seconds, 3),
        },
        "deliveries": [_delivery(one) for one in deliveries],
    }


def _source(unit: Unit) -> dict[str, Any]:
    group = unit.group
    first = group.alerts[0] if group.alerts else None
    return {
        "kind": unit.source.value,
        "alertname": first.name if first else "",
        "fingerprint": first.fingerprint if first else "",
        "starts_at": _time(first.starts_at) if first else None,
        "group_key": group.key,
        "receiver": group.receiver,
        "alerts": len(group.alerts),
        "truncated": group.truncated,
        "labels": group.common,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "claim": finding.claim,
        "kind": finding.kind.value,
        "receipts": list(finding.receipts),
        "holds": finding.holds,
    }
    return {**shape, "struck": finding.struck} if finding.struck else shape


def _receipt(receipt: Receipt) -> dict[str, Any]:
    return {
        "tool": receipt.tool,
        "arguments": receipt.arguments,
        "status": receipt.status.value,
        "seen": receipt.seen,
        "at": _time(receipt.at),
        "seconds": round(receipt.seconds, 3),
        "note": receipt.note,
        "rechecked": receipt.recheck is Recheck.CONFIRMED,
        "recheck": receipt.recheck.value if receipt.recheck else None,
    }


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {"target": delivery.target, "state": delivery.state.value, "at": _time(delivery.at), "detail": delivery.detail}


def _time(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)
