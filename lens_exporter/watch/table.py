"""The text of `lens-exporter watch NAME --once`: every series next to what is normal for it, then the decisions."""

from collections.abc import Callable, Collection, Sequence

from lens_exporter.baseline.naming import cleaned, target_name
from lens_exporter.baseline.numbers import clock, number
from lens_exporter.model.decision import Anomaly, Observation
from lens_exporter.model.labels import Labels, without
from lens_exporter.watch.look import Look

_COLUMNS = ("now", "normal", "score", "since", "", "")
_NO_VALUE = "-"


def table(watcher: str, seen: Look, *, fate: Callable[[Anomaly], str] = lambda _anomaly: "", written: Collection[str] = ()) -> str:
    """Write a look as text of aligned columns. `fate` adds what became (or would become) of an anomaly.

    written: metrics whose queries somebody wrote by hand. Those of a lens may lack: not every machine has swap.
    """
    targets: dict[tuple[tuple[str, str], ...], list[Observation]] = {}
    for one in seen.observations:
        targets.setdefault(tuple(sorted(one.target.items())), []).append(one)
    headings = _headings([observations[0].target for observations in targets.values()])
    rows: list[tuple[str, ...]] = []
    for index, (name, observations) in enumerate(zip(headings, targets.values(), strict=True)):
        rows.append((f"{watcher}   {name}" if index == 0 else name, *(_COLUMNS if index == 0 else ("",) * len(_COLUMNS))))
        rows.extend(_row(one) for one in observations)
    if not rows:
        rows = [(f"{watcher}   no series", *_COLUMNS)]
    lines = [*_aligned(rows), *_decisions(seen, fate)]
    if not seen.failures:
        lines += _nothing(seen, written)
    lines += [f"could not be read: {error}" for error in seen.failures]
    lines += [f"warning: {text}" for text in seen.said]
    return "\n".join(lines) + "\n"


def _nothing(seen: Look, written: Collection[str]) -> list[str]:
    """Name what has no series. Of a large metric those that are as always are not listed, so that it is not known of each."""
    if not seen.series and not seen.conclusions:
        return ["no series: does the query name a metric that exists? does a selector leave all out?"]
    listed = {one.metric for one in seen.observations}
    missing = [] if seen.unlisted else [name for name in written if name not in listed]
    return [f"no series of {', '.join(map(cleaned, missing))}: does the query name a metric that exists?"] if missing else []


def _row(one: Observation) -> tuple[str, ...]:
    since = clock(one.since, one.at) if one.since is not None else ""
    full = f"full at about {clock(one.full_at, one.at)}" if one.full_at is not None else ""
    return (f"  {cleaned(one.metric)}", _figure(one.value, one.unit), _normal(one), _score(one.score), since, one.phase.value, full)


def _normal(one: Observation) -> str:
    if one.lower is None or one.upper is None:
        return _NO_VALUE
    lower = max(0.0, one.lower) if (one.expected or 0.0) >= 0 else one.lower
    return f"{_figure(lower, one.unit)} .. {_figure(one.upper, one.unit)}"


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return _NO_VALUE
    # Metrics' names carry their unit; only bytes are unreadable without a prefix.
    return number(value, unit) if unit == "bytes" else number(value)


def _score(score: float | None) -> str:
    return _NO_VALUE if score is None else f"{score:.1f}"


def _headings(targets: Sequence[Labels]) -> list[str]:
    """Name each target by its address, and by the labels that tell it from the others there: which disk, which window."""
    alike: dict[str, list[Labels]] = {}
    for target in targets:
        alike.setdefault(target.get("instance", ""), []).append(target)
    return [_heading(target, alike[target.get("instance", "")]) for target in targets]


def _heading(target: Labels, alike: Sequence[Labels]) -> str:
    names = {name for one in alike for name in one}
    telling = sorted(name for name in names if len({one.get(name, "") for one in alike}) > 1)
    extras = ", ".join(f"{cleaned(name)}={cleaned(target[name])}" for name in telling if target.get(name))
    rest = without(target, telling)
    place = cleaned(target.get("instance", "")) or (target_name(rest) if rest or not extras else "")
    return f"{place} ({extras})" if place and extras else place or extras


def _decisions(seen: Look, fate: Callable[[Anomaly], str]) -> list[str]:
    anomalies = [c.decision for c in seen.conclusions if isinstance(c.decision, Anomaly)]
    lines = []
    for anomaly in anomalies:
        became = fate(anomaly)
        lines.append(f"decision: anomaly {anomaly.anomaly_type} ({anomaly.severity.value})" + (f" - {became}" if became else ""))
        lines += [f"  {line}" for line in (anomaly.summary, *anomaly.description.split("\n")) if line]
    if not anomalies:
        counted = seen.intents
        told = (intent for intent in ("healthy", "continue_observing") if intent in counted)
        words = [f"{counted[intent]} {intent.replace('_', ' ')}" for intent in told]
        lines.append(f"decision: {', '.join(words) or 'nothing to decide on'}")
    return lines


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
