"""A backtest as JSON of version 1; docs/how-to/backtest.md explains each field. Times are RFC 3339, durations seconds."""

from typing import Any

from lens_exporter.foundation.clock import rfc3339
from lens_exporter.replay.backtest.incidents import Incident
from lens_exporter.replay.backtest.overlap import MARGIN, Detection
from lens_exporter.replay.backtest.report import GroupRate, Report, WouldBe

Document = dict[str, Any]
_VERSION = 1


def document(report: Report) -> Document:
    """Shape a report for programs."""
    asked, replayed = report.asked, report.replayed
    return {
        "version": _VERSION,
        "watcher": asked.watcher,
        "source": asked.source,
        "from": rfc3339(asked.span.begin),
        "to": rfc3339(asked.span.end),
        "margin_seconds": MARGIN,
        "ticks": {
            "schedule": asked.schedule,
            "every_seconds": asked.span.every or None,
            "all": replayed.ticks,
            "judged": replayed.judged,
            "failed": replayed.failed,
            "errors": replayed.errors,
            "seconds": round(report.seconds, 3),
        },
        "history": {"series": len(replayed.series), "groups": len(report.groups), "from": rfc3339(replayed.learnt_from)},
        "alerts": [_alert(one, report) for one in report.alerts],
        "suppressed": [
            {
                "anomaly_type": one.anomaly_type,
                "target": dict(one.target),
                "summary": one.summary,
                "at": rfc3339(one.at),
                "until": rfc3339(one.until),
                "times": one.times,
            }
            for one in replayed.suppressed
        ],
        "rate": {
            "weeks": report.weeks,
            "alerts_per_week": report.per_week(len(report.alerts)),
            "budgeted_alerts": report.budgeted,
            "budgeted_alerts_per_week": report.per_week(report.budgeted),
            "budget_per_week_and_group": asked.budget,
            "budget_per_week": report.allowed,
            "groups": [_rate(one, report) for one in report.groups],
        },
        "your_rules": _rules(report),
        "silences": _silences(report),
        "expected": _expected(report),
        "incidents": _incidents(report),
    }


def _alert(one: WouldBe, report: Report) -> Document:
    alert = one.alert
    return {
        "name": alert.name,
        "severity": alert.severity,
        "rule": alert.rule,
        "budgeted": one.budgeted,
        "labels": dict(alert.labels),
        "target": dict(alert.about),
        "metric": alert.metric,
        "series": dict(alert.series),
        "group": dict(alert.group),
        "summary": alert.summary,
        "since": rfc3339(alert.since),
        "began": rfc3339(alert.began),
        "escalated": None if alert.escalated is None else rfc3339(alert.escalated),
        "ended": None if alert.ended is None else rfc3339(alert.ended),
        "end_reason": alert.reason or None,
        "seconds": alert.seconds(report.asked.span.end),
        "your_alerts": list(one.rule_alerts),
        "silences": list(one.silences),
        "incidents": list(one.incidents),
    }


def _rate(one: GroupRate, report: Report) -> Document:
    return {
        "labels": dict(one.labels),
        "metric": one.metric or None,
        "alerts": one.alerts,
        "alerts_per_week": report.per_week(one.alerts),
        "budgeted_alerts": one.budgeted,
        "budgeted_alerts_per_week": report.per_week(one.budgeted),
    }


def _rules(report: Report) -> Document:
    alone = report.alone
    return {
        "read": not report.theirs.alerts_unread,
        "error": report.theirs.alerts_unread or None,
        "coinciding": sum(bool(one.rule_alerts) for one in report.alerts),
        "alone": len(alone),
        "alerts": [
            {
                "name": one.name,
                "labels": dict(one.labels),
                "began": rfc3339(one.began),
                "ended": rfc3339(one.ended),
                "alone": one in alone,
            }
            for one in report.theirs.alerts
        ],
    }


def _silences(report: Report) -> Document:
    return {
        "alertmanagers": report.theirs.alertmanagers,
        "errors": list(report.theirs.silences_unread),
        "silenced": len(report.silenced),
        "silences": [
            {
                "id": one.id,
                "matchers": [str(matcher) for matcher in one.matchers],
                "starts_at": rfc3339(one.starts_at),
                "ends_at": rfc3339(one.ends_at),
                "comment": one.comment,
                "created_by": one.created_by,
            }
            for one in report.theirs.silences
        ],
    }


def _expected(report: Report) -> Document:
    expected = report.asked.expected
    return {
        "ignored": expected.ignored,
        "error": expected.unread or None,
        "declarations": [
            {
                "id": one.id,
                "source": one.source.value,
                "matchers": [str(matcher) for matcher in one.matchers],
                "starts_at": rfc3339(one.starts_at),
                "ends_at": rfc3339(one.ends_at),
                "by": one.by,
                "comment": one.comment,
            }
            for one in expected.declarations
        ],
        "anomalies": [
            {
                "anomaly_type": one.anomaly_type,
                "severity": one.severity,
                "target": dict(one.target),
                "summary": one.summary,
                "at": rfc3339(one.at),
                "declaration": one.declaration,
            }
            for one in report.replayed.expected
        ],
    }


def _incidents(report: Report) -> Document | None:
    if report.detections is None:
        return None
    caught = [one for one in report.detections if one.by is not None]
    return {
        "caught": len(caught),
        "missed": len(report.detections) - len(caught),
        "median_delay_seconds": report.median_delay,
        "false_alarms": len(report.false_alarms),
        "false_alarms_per_week": report.per_week(len(report.false_alarms)),
        "incidents": [_detection(one) for one in report.detections],
        "outside_of_the_span": [_incident(one) for one in report.elsewhere],
    }


def _detection(one: Detection) -> Document:
    caught = one.by is not None
    return {**_incident(one.incident), "caught": caught, "alert": one.by, "delay_seconds": one.delay if caught else None}


def _incident(one: Incident) -> Document:
    return {
        "name": one.name,
        "matchers": [str(matcher) for matcher in one.matchers],
        "start": rfc3339(one.start),
        "end": rfc3339(one.end),
    }
