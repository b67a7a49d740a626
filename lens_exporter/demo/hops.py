"""The hops of the loop: each a pure function that finds one in a snapshot of what the servers say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lens_exporter.demo.observe import Document, Snapshot
from lens_exporter.demo.stack import JOB
from lens_exporter.model.alert import COMPANION


@dataclass(frozen=True, slots=True)
class Sighting:
    """A hop that was seen: one line, and what a person would read about it."""

    line: str
    detail: tuple[str, ...] = ()


Find = Callable[[Snapshot], Sighting | None]


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of the loop: where it is seen, and how to find it in a snapshot."""

    name: str
    where: str
    find: Find = field(repr=False)


def baseline(least: int) -> Hop:
    """See samples in Prometheus, and a watcher that judges them and finds nothing."""

    def find(seen: Snapshot) -> Sighting | None:
        judged = sum(int(watcher.get("series") or 0) for watcher in seen.watchers)
        if seen.samples < least or not judged or seen.alerts:
            return None
        return Sighting(f"{seen.samples} samples of {JOB} in Prometheus; {judged} series judged, nothing unusual")

    return Hop("baseline", "Prometheus, lens-exporter", find)


def decided(category: str) -> Hop:
    """See the watcher's anomaly."""

    def find(seen: Snapshot) -> Sighting | None:
        for event in seen.events:
            data = event["data"]
            if event["type"] == "anomaly.detected" and str(data.get("anomaly_type", "")).startswith(f"{category}_"):
                return Sighting(f"{data.get('anomaly_type')} ({data.get('rule')}), {data.get('severity')}")
        return None

    return Hop("decision", "lens-exporter", find)


def held(name: str) -> Hop:
    """See the alert in Alertmanager."""

    def find(seen: Snapshot) -> Sighting | None:
        alert = first(seen.alerts, name)
        if alert is None:
            return None
        annotations = alert["annotations"]
        description = str(annotations.get("description", "")).splitlines()
        return Sighting(f"{name}: {annotations.get('summary', '')}", tuple(description))

    return Hop("alert", "Alertmanager", find)


def brought(name: str) -> Hop:
    """See Alertmanager's webhook stored."""

    def find(seen: Snapshot) -> Sighting | None:
        for event in seen.events:
            data = event["data"]
            if event["type"] == "webhook.received" and data.get("status") == "firing" and f'"{name}"' in str(data.get("group_key")):
                return Sighting(f"stored, {data.get('outcome', 'accepted')}")
        return None

    return Hop("webhook", "lens-exporter", find)


def investigated(name: str) -> Hop:
    """See the investigation done, with at least one finding whose receipts hold."""

    def find(seen: Snapshot) -> Sighting | None:
        for one in seen.investigations:
            if (one.get("source") or {}).get("alertname") != name or one.get("state") != "done":
                continue
            holding = [
                finding for finding in one.get("findings") or [] if finding.get("receipts") and finding.get("holds") is not False
            ]
            if not holding:
                continue
            receipts = one.get("receipts") or {}
            cost = one.get("cost") or {}
            line = f"{one.get('verdict')}, {one.get('analyst')}: {cost.get('tool_calls', 0)} tool calls, {len(receipts)} receipts"
            return Sighting(line, tuple(_finding(finding, receipts) for finding in holding))
        return None

    return Hop("investigation", "lens-exporter", find)


def companion(name: str) -> Hop:
    """See the companion alert that carries the finding."""

    def find(seen: Snapshot) -> Sighting | None:
        alert = first(seen.alerts, COMPANION, source_alertname=name)
        if alert is None:
            return None
        annotations = alert["annotations"]
        told = [line for key in ("evidence", "next", "confidence") for line in _lines(key, annotations)]
        verdict, summary = str(alert["labels"].get("verdict", "")).replace("_", " "), str(annotations.get("summary", ""))
        line = summary if summary.lower().startswith(verdict) else f"{verdict}: {summary}"
        return Sighting(line, tuple(told))

    return Hop("companion", "Alertmanager", find)


def over(names: Sequence[str]) -> Hop:
    """See that none of these alerts fires any more, nor a companion of them, and that lens-exporter resolved its own."""

    def find(seen: Snapshot) -> Sighting | None:
        if "alertmanager" in seen.silent:
            return None
        firing = [
            alert
            for alert in seen.alerts
            if {alert["labels"].get("alertname"), alert["labels"].get("source_alertname")} & set(names)
        ]
        resolved = {event["data"].get("labels", {}).get("alertname") for event in seen.events if event["type"] == "alert.resolved"}
        own = {name for name in names if name.startswith("Lens")}
        if firing or not own <= resolved:
            return None
        return Sighting(f"{', '.join(names)} and their companions are resolved")

    return Hop("resolved", "Alertmanager", find)


def first(alerts: Sequence[Document], name: str, **labels: str) -> Document | None:
    """Give the first alert of that name with these labels."""
    wanted = {"alertname": name, **labels}
    return next((alert for alert in alerts if wanted.items() <= alert["labels"].items()), None)


def _finding(finding: Document, receipts: Document) -> str:
    tools = ", ".join(f"{name} {receipts.get(name, {}).get('tool', '')}".strip() for name in finding["receipts"])
    return f"{finding.get('claim')}  [{tools}]"


def _lines(key: str, annotations: Document) -> list[str]:
    lines = str(annotations.get(key, "")).splitlines()
    return [f"{key}: {line}" if index == 0 else f"  {line}" for index, line in enumerate(lines)]
