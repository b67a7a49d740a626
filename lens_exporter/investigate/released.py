"""What the offline analyst asks and says about a release."""

from collections.abc import Iterator
from typing import Any

from lens_exporter.baseline.kinds import replicas_of
from lens_exporter.foundation.clock import rfc3339
from lens_exporter.investigate.families import family_of
from lens_exporter.investigate.notebook import Notebook, Released
from lens_exporter.investigate.releases import ReleaseVerdict
from lens_exporter.investigate.wording import measured_by, span, value, when, word
from lens_exporter.prometheus.promql import selections

_LABELS, _LONGEST = 64, 300
_NAME = 48  # characters: its end tells one release from another


def questions(notes: Notebook) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ask of each query that alerts on a Deployment's pod whether it came with the release, once for each release."""
    task, asked = notes.task, set()
    for query in task.queries:
        labels = {name: text for name, text in task.alerting(query).items() if len(text) <= _LONGEST}
        replicas = replicas_of(labels)
        about = (replicas, tuple(one.metric for one in selections(query)))
        if replicas is None or about in asked or len(labels) > _LABELS:
            continue
        asked.add(about)
        yield (
            "compare_releases",
            {
                "query": query,
                "labels": labels,
                "start": rfc3339(task.start),
                "at": rfc3339(task.at),
                "direction": task.direction(query),
            },
        )


def of_deployments(notes: Notebook) -> bool:
    """Whether an alert is of a pod that a Deployment made."""
    return any(replicas_of(one["labels"]) is not None for one in notes.task.alerts)


def came_with(notes: Notebook) -> Released | None:
    """Give the first release that something came with."""
    return next((one for one in notes.releases if one.compared.verdict is ReleaseVerdict.CAME_WITH_IT), None)


def release_claim(one: Released, notes: Notebook) -> str:
    """Write since when a release runs, what its middle pod has, and what that of the release before had."""
    found = one.compared
    up = found.level > found.was
    furthest = f"{_value(one, found.most)} at most" if up else f"{_value(one, found.least)} at least"
    place = "beside" if found.beside else "in place of"
    ran = f"has run since {when(found.since, notes)}" if found.until is None else f"ran {span(found.since, found.until, notes)}"
    return (
        f"{name(found.release)} {ran} {place} {name(found.before)}; {_called(one)} "
        f"{_value(one, found.level)} in its middle pod, {_value(one, found.was)} before ({furthest} over 20 min)"
    )


def same_claim(one: Released, notes: Notebook) -> str:
    """Write that a release is as the one before."""
    found = one.compared
    level, was = _value(one, found.level), _value(one, found.was)
    return (
        f"release ({name(found.release)} since {when(found.since, notes)}: {_called(one)} {level} in its middle pod, "
        f"{was} in that of {name(found.before)})"
    )


def alone_claim(one: Released) -> str:
    """Write that it is one pod."""
    found = one.compared
    return f"it is this pod: {_called(one)} {_value(one, found.own)}, {_value(one, found.level)} in the middle pod of its release"


def name(release: str) -> str:
    """Name a release; of a long name the end, which is another for each."""
    return word(release if len(release) <= _NAME else f"...{release[-_NAME:]}")


def _called(one: Released) -> str:
    metric, _ = measured_by(one.query)
    family = family_of(one.query)
    return family.name if family else word(metric) if metric else "the alert's query"


def _value(one: Released, number: float) -> str:
    metric, per_second = measured_by(one.query)
    return value(number, metric, per_second=per_second)
