"""Values of a backtest for tests: alerts, incidents and what was replayed, in hours since a noon."""

from typing import Any

from lens_exporter.replay.backtest.incidents import Incident
from lens_exporter.replay.backtest.matchers import matchers_of
from lens_exporter.replay.backtest.report import Asked, Report, report
from lens_exporter.replay.backtest.theirs import RuleAlert, Theirs
from lens_exporter.replay.journal import Fired, Suppression, Withheld
from lens_exporter.replay.replay import Replayed
from lens_exporter.replay.span import Span

NOON = 1_795_132_800.0  # 2026-11-20 00:00 UTC, so that hours read as the clock
HOUR = 3600.0
API = {"instance": "api-7:9000", "job": "api"}
DB = {"instance": "db-1:9100", "job": "db"}
WEEK = Span(NOON, NOON + 168 * HOUR)


def at(hour: float) -> float:
    return NOON + hour * HOUR


def fired(begin: float, end: float | None, about: dict[str, str] = API, **options: Any) -> Fired:
    """An alert of one series from begin to end, in hours; None: it still fires."""
    metric, rule = options.pop("metric", "latency"), options.pop("rule", "group")
    severity = options.pop("severity", "warning")
    labels = {"alertname": "LensLatency", "severity": severity, "watcher": "api", "category": "latency", **about}
    return Fired(
        labels=labels,
        severity=severity,
        rule=rule,
        summary="api-7: latency at 400 ms; 90 to 140 ms is normal",
        metric=metric,
        series=about,
        group=about,
        since=at(begin),
        began=at(begin),
        ended=None if end is None else at(end),
        reason="" if end is None else "normal",
        **options,
    )


def rule_alert(begin: float, end: float, about: dict[str, str] = API, name: str = "HighLatency") -> RuleAlert:
    labels = {"alertname": name, "alertstate": "firing", "severity": "page", **about}
    return RuleAlert(labels, at(begin), at(end))


def incident(begin: float, end: float, name: str = "", matchers: str = "") -> Incident:
    return Incident(at(begin), at(end), name, matchers_of(matchers))


def replayed(*alerts: Fired, **options: Any) -> Replayed:
    series = options.pop("series", (("latency", API), ("errors", API), ("latency", DB)))
    facts = {"ticks": 10_080, "failed": 0, "judged": 10_080, "errors": {}, "learnt_from": at(-216)}
    kept_back = {"suppressed": options.pop("suppressed", ()), "expected": options.pop("withheld", ())}
    return Replayed(alerts=alerts, series=series, **kept_back, **{**facts, **options})


def suppression(hour: float, times: int = 3) -> Suppression:
    return Suppression("latency_high", API, "api-7 again", at(hour), at(hour + 1), times)


def withheld(hour: float) -> Withheld:
    return Withheld("latency_high", "warning", API, "api-7 again", at(hour), "01JD")


def reported(*alerts: Fired, theirs: Theirs | None = None, incidents: Any = None, **options: Any) -> Report:
    more = {name: options.pop(name) for name in ("reading", "expected") if name in options}
    asked = Asked("api", "http://prometheus:9090", "* * * * *", WEEK, 1.4, **more)
    return report(asked, replayed(*alerts, **options), theirs or Theirs(), incidents, seconds=42.0)
