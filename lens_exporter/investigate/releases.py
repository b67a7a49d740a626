"""Whether what alerts came with a release: the alert's own query, in a Deployment's pods of one release beside those of the last.

A new pod has no past of its own, and what it replaces is another series; its release and the one before are told apart by the
names that Kubernetes makes up. Asked for is the median of each release's pods, so that one bad pod is no bad release.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lens_exporter.baseline.kinds import Replicas, replicas_of
from lens_exporter.baseline.naming import makes_labels, narrowed
from lens_exporter.foundation.clock import rfc3339
from lens_exporter.investigate.course import Course
from lens_exporter.investigate.notebook import OF_PODS, RELEASES, Notebook
from lens_exporter.investigate.selectors import BRACES, MATCHER, unquoted
from lens_exporter.investigate.task import Task
from lens_exporter.investigate.wording import measured_rate, value, when, word
from lens_exporter.model.labels import Labels, matchers, without

_BRACED = re.compile(BRACES)
_BEFORE = (4 * 3600.0, 26 * 3600.0)  # of the alert: most releases are seen at once; a day that a slow one is held against
_SEEN = 1800.0  # seconds: what the release before had for less says little
_APART = 0.1  # of the mean before
_MOST = 0.75  # of the time since the release
_AT_ONCE = 2  # parts of the time: what became so later than in the second did not come with the release
_KEPT = ("namespace", "exported_namespace", "container")  # beside the pod, where the query does not say which it reads


@dataclass(frozen=True, slots=True)
class Release:
    """How an expression was in the pods of this release and in those of the one before."""

    now: Course
    before: Course

    @property
    def parted(self) -> bool:
        """Whether it was beyond all that the release before had, from the start and nearly ever since."""
        up = self.now.mean > self.before.mean
        had = [part for part in self.before.buckets if part is not None]
        furthest = max(had) if up else min(had)
        beyond = [part > furthest if up else part < furthest for part in self.now.buckets if part is not None]
        wide = abs(self.now.mean - self.before.mean) > _APART * abs(self.before.mean)
        return wide and any(beyond[:_AT_ONCE]) and sum(beyond) >= _MOST * len(beyond) and beyond[-1]

    @property
    def alike(self) -> bool:
        """Whether it is in the new pods as it was in those before."""
        had = [part for part in self.before.buckets if part is not None]
        room = _APART * abs(self.before.mean)
        return all(min(had) - room <= part <= max(had) + room for part in self.now.buckets if part is not None)


def questions(notes: Notebook) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ask how the first query that alerts was in the pods of each release; in the day before, where that has not shown another."""
    replicas, task = _replicas(notes.task), notes.task
    query = next((text for one in task.queries if replicas and (text := _of_all(one, task, replicas))), "")
    if not replicas or not query:
        return
    asked = f'{RELEASES}{query}{OF_PODS}{replicas.label}", "(.+)-[^-]+"))'
    for before in _BEFORE:
        yield "promql_range", {"query": asked, "start": rfc3339(task.start - before), "end": rfc3339(task.at)}
        if not any(one.labels["release"] == replicas.name and not one.begun_late for one in notes.releases):
            return


def release(notes: Notebook) -> Release | None:
    """Give the release that the pods which alert came with, where the one before it was seen for long enough."""
    replicas = _replicas(notes.task)
    if replicas is None:
        return None
    receipt = next((one.receipt for one in reversed(notes.releases)), "")
    seen = {one.labels["release"]: one for one in notes.releases if one.receipt == receipt}
    now = seen.pop(replicas.name, None)
    if now is None or not now.begun_late:
        return None
    before = max(seen.values(), key=lambda one: min(one.until, now.begin) - one.begin, default=None)
    return Release(now, before) if before and min(before.until, now.begin) - before.begin >= _SEEN else None


def release_claim(one: Release, notes: Notebook) -> str:
    """Write how it was in the pods of both, as a claim."""
    metric, per_second = measured_rate(one.now)
    has, had, most, least = (
        value(number, metric, per_second=per_second) for number in (one.now.mean, one.before.mean, one.before.high, one.before.low)
    )
    new, old = names(one)
    place = "in place of" if one.before.ended else "beside"
    furthest = f"{most} at most" if one.now.mean > one.before.mean else f"{least} at least"
    return (
        f"{new} has run since {when(one.now.begin, notes)} {place} {old}; the median of its pods is {has} on average, "
        f"that of those before {had}, {furthest}"
    )


def names(one: Release) -> tuple[str, str]:
    """Give the names of the release and of the one before."""
    return word(one.now.labels["release"]), word(one.before.labels["release"])


def _replicas(task: Task) -> Replicas | None:
    """Give the release that all alerts are of."""
    all_of = {replicas_of(one["labels"]) for one in task.alerts}
    return all_of.pop() if len(all_of) == 1 else None


def _of_all(query: str, task: Task, replicas: Replicas) -> str:
    """Write a query as one of all the Deployment's pods; "" where it makes labels, or is not read to its end."""
    if makes_labels(query):
        return ""
    labels = task.alerts[0]["labels"]
    own = {name: labels[name] for name in (*_KEPT, replicas.label) if labels.get(name)}
    written = narrowed(query, own)
    if any(MATCHER.sub("", inside).strip(", \n\t") for inside in _BRACED.findall(written)):
        return ""
    place = without(own, [replicas.label])
    widened, count = _BRACED.subn(lambda found: f"{{{_widened(found[1], place, replicas)}}}", written)
    return widened if count else ""


def _widened(inside: str, place: Labels, replicas: Replicas) -> str:
    """Write the matchers of one pod, or of more than these, as those of the Deployment's."""
    found = MATCHER.findall(inside)
    kept = [
        f"{name}{how}{text}"
        for name, how, text in found
        if name != replicas.label and not (how == "=" and replicas.is_its_own(name, unquoted(text)))
    ]
    named = {name for name, _, _ in found}
    return ",".join((*kept, *matchers(without(place, named)), replicas.any_release()))
