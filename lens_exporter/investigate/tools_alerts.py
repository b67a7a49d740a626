"""What else is alerting, and which rules exist, asked through callables: Alertmanager and Prometheus both know."""

import re
from collections.abc import Callable, Sequence

from pydantic import BaseModel, Field

from lens_exporter.foundation.clock import rfc3339
from lens_exporter.model.alert import COMPANION, Alert
from lens_exporter.model.tool import Tool, ToolResult, ToolStatus
from lens_exporter.prometheus.answers import ServerRule

_SHOWN_ALERTS = 30
_PLAIN = re.compile(r"\w{1,100}", re.ASCII).fullmatch  # a name that is one word
_SHOWN_RULES = 60
_NOBODY_TO_ASK = ToolResult(ToolStatus.UNAVAILABLE, note="no Alertmanager is configured")


class AlertArguments(BaseModel, extra="forbid"):
    labels: dict[str, str] = Field(default_factory=dict, max_length=20, description="only alerts with these labels")


class RuleArguments(BaseModel, extra="forbid"):
    contains: str = Field("", max_length=100, description="only rules whose name or query contains this")


def alert_tools(alerts: Callable[[], Sequence[Alert]] | None, rules: Callable[[], Sequence[ServerRule]]) -> tuple[Tool, ...]:
    """Give list_active_alerts and list_rules over two callables, which may raise; None is for no Alertmanager to ask."""
    return (
        Tool(
            "list_active_alerts",
            "List what is alerting now, oldest first; findings of earlier investigations are left out.",
            lambda arguments: _NOBODY_TO_ASK if alerts is None else active_alerts(alerts(), arguments),
            AlertArguments,
        ),
        Tool(
            "list_rules",
            "List the alerting and recording rules of the Prometheus server.",
            lambda arguments: matching_rules(rules(), arguments),
            RuleArguments,
        ),
    )


def active_alerts(alerts: Sequence[Alert], arguments: AlertArguments) -> ToolResult:
    """Answer labels, summary and start of each matching alert that fires."""
    matching = sorted(
        (
            alert
            for alert in alerts
            if alert.ends_at is None
            and alert.name != COMPANION
            and all(alert.labels.get(name) == value for name, value in arguments.labels.items())
        ),
        key=lambda alert: (alert.starts_at, alert.fingerprint),
    )
    seen = {"alerts": float(len(matching))}
    rows = []
    for index, alert in enumerate(matching[:_SHOWN_ALERTS], 1):
        summary = alert.annotations.get("summary") or alert.annotations.get("description") or ""
        rows.append({"labels": dict(alert.labels), "starts_at": rfc3339(alert.starts_at), "summary": summary[:300]})
        # Named, as suspects are: whoever reads the receipt sees which alert it was.
        seen[f"{index} {alert.name}.starts_at" if _PLAIN(alert.name) else f"{index}.starts_at"] = alert.starts_at
    if not rows:
        return ToolResult(ToolStatus.EMPTY, [], "no alert matches", seen)
    if len(matching) > len(rows):
        return ToolResult(ToolStatus.TRUNCATED, rows, f"{len(matching) - len(rows)} more alerts are not shown", seen)
    return ToolResult(ToolStatus.DATA, rows, "", seen)


def matching_rules(rules: Sequence[ServerRule], arguments: RuleArguments) -> ToolResult:
    """Answer name, query and state of each matching rule."""
    part = arguments.contains.lower()
    matching = [rule for rule in rules if part in rule.name.lower() or part in rule.query.lower()]
    rows = [
        {"group": rule.group, "kind": rule.kind, "name": rule.name, "query": rule.query, "for_seconds": rule.duration}
        | ({"state": rule.state} if rule.state else {})
        | ({"last_error": rule.last_error} if rule.last_error else {})
        for rule in matching[:_SHOWN_RULES]
    ]
    seen = {"rules": float(len(matching))} | {
        f"{i}.for_seconds": rule.duration for i, rule in enumerate(matching[:_SHOWN_RULES], 1)
    }
    if not rows:
        return ToolResult(ToolStatus.EMPTY, [], "no rule matches", seen)
    if len(matching) > len(rows):
        return ToolResult(ToolStatus.TRUNCATED, rows, f"{len(matching) - len(rows)} more rules are not shown", seen)
    return ToolResult(ToolStatus.DATA, rows, "", seen)
