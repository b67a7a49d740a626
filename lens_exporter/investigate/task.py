"""The task of one investigation: what alerts, since when, on which target, and which queries show it.

It is one text. A model reads it; the offline analyst reads the JSON between its marks. Everything in there that came from outside
(labels, annotations) is JSON with `<` escaped, so that no alert can end the marks or speak as lens-exporter.
"""

import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lens_exporter.baseline.naming import narrowed
from lens_exporter.foundation.clock import rfc3339
from lens_exporter.investigate.selectors import BRACES, LONGEST_QUERY, QUOTED
from lens_exporter.investigate.unit import severity_of
from lens_exporter.model.alert import Alert, AlertGroup
from lens_exporter.model.labels import without

_SHOWN_ALERTS = 20  # of a large group; the others are counted
_LONGEST_VALUE = 600
_QUERIES = 3
_LONG_LOOK, _LONG_STEP = 3 * 3600.0, 30.0  # seconds
_BEGIN, _END = "<alerts>", "</alerts>"
# Labels that say what an alert is about, not which series it looks at.
_ABOUT = ("alertname", "severity", "watcher", "category", "lens_origin", "prometheus", "replica", "alertstate", "priority", "team")
_IDENTIFYING = ("cluster", "namespace", "job", "instance", "pod", "container", "node", "process", "device", "name")
_COMPARISON = re.compile(r"(?:==|!=|>=|<=|>|<)\s*(?:bool\s+)?[-+]?(?:\d[\d.]*(?:[eE][-+]?\d+)?|\([^()]*\))\s*$")
_QUOTES = re.compile(rf"{BRACES}|{QUOTED}")
_SETS = re.compile(r"\b(?:and|or|unless)\b|[<>]|[!=]=")


@dataclass(frozen=True, slots=True)
class Task:
    """Times are Unix seconds. at is the moment of asking: nothing after it is looked at. queries show what alerts."""

    at: float
    start: float
    severity: str
    names: tuple[str, ...]
    target: dict[str, str]
    queries: tuple[str, ...]
    firing: int
    resolved: int
    alerts: tuple[dict[str, Any], ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    conditions: tuple[str, ...] = ()  # the rules' whole expressions: what they still answer is still alerting
    subjects: tuple[int, ...] = ()  # of each query the place, among the alerts, of the first that asks it

    def asked_queries(self) -> tuple[tuple[str, ...], ...]:
        """Give, for each query, the forms to ask it in: narrowed to the target where that is safe, then as the rule has it."""
        return tuple(tuple(dict.fromkeys((self._narrowed(query), query))) for query in self.queries)

    def asked_conditions(self) -> tuple[str, ...]:
        """Give each rule's whole expression, narrowed to the target where that is safe."""
        bare = ((rule, without_threshold(rule)) for rule in self.conditions)
        return tuple(self._narrowed(query) + rule[len(query) :] for rule, query in bare)

    def long_look(self) -> dict[str, Any]:
        """Give the range that tells whether what alerts comes and goes, {} where several things do.

        Of a rule it is whether it is met, 0 or 1, so that what is not sampled is told from what is not met; else the query itself.
        """
        rules, queries = self.conditions, self.queries
        bare = [self._narrowed(without_threshold(rule)) for rule in rules]
        if len(queries) > 1 or len(rules) > 1 or not (bare or queries):
            return {}
        asked = (
            f"{bare[0]} {compared}" if rules and (compared := _as_bool(rules[0])) else "" if rules else self._narrowed(queries[0])
        )
        where = {"start": rfc3339(self.at - _LONG_LOOK), "end": rfc3339(self.at), "step": _LONG_STEP}
        return {"query": asked, **where} if asked else {}

    def alerting(self, query: str) -> dict[str, str]:
        """Give the labels of the first alert that asks a query; none where it is not among those that are shown."""
        places = dict(zip(self.queries, self.subjects, strict=False))
        place = places.get(query, len(self.alerts))
        return dict(self.alerts[place]["labels"]) if place < len(self.alerts) else {}

    def direction(self, query: str) -> str:
        """Say which way is worse by the rule that a query is of: "up", "down", "" where no rule says it."""
        above = next((rule[len(query) :] for rule in self.conditions if without_threshold(rule) == query != rule), "")
        return "up" if above.lstrip().startswith(">") else "down" if above.lstrip().startswith("<") else ""

    def _narrowed(self, query: str) -> str:
        where = {name: self.target[name] for name in ("instance", "job") if self.target.get(name) and f"{name}=" not in query}
        return narrowed(query, where)


def task_of(group: AlertGroup, at: float) -> Task:
    """Read a group of alerts as a task. The target is what its alerts have in common.

    What fires comes first, the group's own first alert before the others: the findings are published as those of that one.
    """
    lead = group.alerts[:1]
    alerts = sorted(group.alerts, key=lambda one: (one.ends_at is not None, one not in lead, one.starts_at, one.fingerprint))
    shown = alerts[:_SHOWN_ALERTS]
    hidden = Counter(f"{alert.name} {alert.labels.get('severity', '')}".strip() for alert in alerts[_SHOWN_ALERTS:])
    if group.truncated:
        hidden["left out by Alertmanager"] = group.truncated
    asked: dict[str, int] = {}
    for place, alert in enumerate(alerts):
        if query := query_of(alert):
            asked.setdefault(query, place)
    return Task(
        at=at,
        start=min((alert.starts_at for alert in alerts if alert.starts_at), default=at),
        severity=severity_of(alerts).value,
        names=tuple(dict.fromkeys(alert.name[:_LONGEST_VALUE] for alert in alerts))[:_SHOWN_ALERTS],
        target=target_of(alerts),
        queries=tuple(asked)[:_QUERIES],
        firing=sum(alert.ends_at is None for alert in alerts),
        resolved=sum(alert.ends_at is not None for alert in alerts),
        alerts=tuple(_shown(alert) for alert in shown),
        left_out=dict(hidden),
        conditions=tuple(dict.fromkeys(rule for alert in alerts if (rule := rule_of(alert))))[:_QUERIES],
        subjects=tuple(asked.values())[:_QUERIES],
    )


def target_of(alerts: list[Alert]) -> dict[str, str]:
    """Give the labels common to all alerts that identify where they come from."""
    if not alerts:
        return {}
    first = without(alerts[0].labels, _ABOUT)
    return {name: value for name, value in first.items() if all(alert.labels.get(name) == value for alert in alerts[1:])}


def narrow(target: dict[str, str]) -> list[dict[str, str]]:
    """Give selections of the target's series to try in turn: the usual identifying labels, then fewer of them."""
    known = {name: target[name] for name in _IDENTIFYING if target.get(name)}
    host = {name: target[name] for name in ("job", "instance") if target.get(name)}
    # An Erlang node is told by who publishes it, who publishes others too: its own name says more than the instance.
    erlang = {"node": target["node"]} if "@" in target.get("node", "") else {}
    tries = [
        erlang,
        {k: v for k, v in known.items() if k in {"namespace", "pod"}} if "pod" in known else {},  # the instance may tell of many
        host if "instance" in host else {},
    ]
    tries += [{"instance": target["instance"]}] if target.get("instance") else []
    tries += [{name: target[name]} for name in ("node", "job", "namespace") if target.get(name)]
    tries.append(known)
    return [one for index, one in enumerate(tries) if one and one not in tries[:index]]


def query_of(alert: Alert) -> str:
    """Give the PromQL that shows the alert's series: our own annotation, or the rule's expression without its threshold."""
    own = alert.annotations.get("lens_query", "")
    return own if own and len(own) <= LONGEST_QUERY else without_threshold(rule_of(alert))


def rule_of(alert: Alert) -> str:
    """Give the expression of the rule that made the alert, from the generator's address; "" for none, or too long a one."""
    try:
        query = urlsplit(alert.generator_url).query
        expressions = parse_qs(query).get("g0.expr", [""])
    except ValueError:  # "http://[bad": whoever sends an alert may write any text there
        return ""
    rule = expressions[0].strip()
    return rule if len(rule) <= LONGEST_QUERY else ""


def without_threshold(expression: str) -> str:
    """Cut a last comparison with a number off: a range of the bare expression shows the way to the threshold too."""
    match = _COMPARISON.search(expression)
    if match is None:
        return expression.strip()
    rest = expression[: match.start()].strip()
    # "a > 1 and b > 2" is no comparison of the whole; neither is one inside parentheses.
    if not rest or rest.count("(") != rest.count(")") or _SETS.search(_outside_quotes(rest)):
        return expression.strip()
    return rest


def _as_bool(rule: str) -> str:
    """Write the last comparison of a rule so that it answers 0 or 1: "> bool 0.5"; "" where it has none, or answers so already."""
    last = rule.strip()[len(without_threshold(rule)) :].strip()
    found = re.fullmatch(r"([=!<>]=?)\s*(?!bool\b)(\S.*)", last)
    return f"{found[1]} bool {found[2]}" if found else ""


def filters(expression: str) -> bool:
    """Say whether an expression may have no value though what it reads is there: it compares, or is about absence."""
    return re.search(rf"\babsent|{_SETS.pattern}", _outside_quotes(expression)) is not None


def _outside_quotes(expression: str) -> str:
    return _QUOTES.sub(" ", expression)


def _shown(alert: Alert) -> dict[str, Any]:
    return {
        "labels": {name: value[:_LONGEST_VALUE] for name, value in alert.labels.items()},
        "annotations": {name: value[:_LONGEST_VALUE] for name, value in alert.annotations.items()},
        "starts_at": rfc3339(alert.starts_at),
        "ends_at": rfc3339(alert.ends_at) if alert.ends_at is not None else None,
    }


def render(task: Task) -> str:
    """Write the task as the text an analyst gets."""
    names = " ".join(", ".join(task.names).replace("<", " ").split())
    number = f"{task.firing} firing" + (f", {task.resolved} resolved" if task.resolved else "")
    lines = [
        f"Alerts: {names} ({number}). Severity: {task.severity}.",
        f"Since {rfc3339(task.start)}; now it is {rfc3339(task.at)}, and nothing later can be asked for.",
        _BEGIN,
        json.dumps(asdict(task), ensure_ascii=False, default=str).replace("<", "\\u003c"),
        _END,
    ]
    return "\n".join(lines)


def parse(text: str) -> Task:
    """Read a rendered task back, whatever prose stands around it.

    Raises:
        ValueError: there is none in the text.

    """
    _before, found, rest = text.rpartition(f"{_BEGIN}\n")
    if not found:
        raise ValueError("no task between the marks")
    fields = json.loads(rest.partition(_END)[0])
    lists = ("names", "queries", "alerts", "conditions", "subjects")
    return Task(**fields | {name: tuple(fields.get(name, ())) for name in lists})
