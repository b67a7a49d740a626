"""compare_releases: what alerts on a Deployment's pod, in all its pods of this release and of the one before."""

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field, StringConstraints

from lens_exporter.baseline.kinds import Replicas, pod_of, replicas_of
from lens_exporter.baseline.naming import makes_labels
from lens_exporter.foundation.clock import rfc3339
from lens_exporter.investigate.moments import Moment
from lens_exporter.investigate.releases import PART, Compared, compare
from lens_exporter.investigate.selectors import MATCHER, unquoted
from lens_exporter.investigate.task import filters
from lens_exporter.investigate.tools_promql import PromqlServer, Query
from lens_exporter.model.labels import Labels, matchers, without
from lens_exporter.model.tool import Tool, ToolResult, ToolStatus
from lens_exporter.model.window import FloatArray
from lens_exporter.prometheus.answers import Series
from lens_exporter.prometheus.promql import Selection, readings, rewritten, selections

_DAY = 26 * 3600.0  # before the alert: what comes each day must have been seen
_LONGEST = 72 * 3600.0
_STEP, _POINTS = 120.0, 780
_LEAD, _COARSE, _FEW = 600.0, 60.0, 60  # of the look at the series that alerts: seconds before, seconds apart, points at most
_LONGEST_LABEL, _LONGEST_WRITTEN = 600, 16_000  # characters
_PLACES = ("namespace", "exported_namespace")
_COUNTERS = ("_total", "_sum", "_count", "_bucket")
_UNREAD = set("{}\"'`")
_HUGE = 1e300  # no metric is so far from zero, and two of these have no mean
_TOGETHER = 3  # points: so long after its end a series is still shown, and a container and the next are one pod


class ReleaseArguments(BaseModel, extra="forbid"):
    query: Query = Field(description="PromQL that shows what alerts, with the pod's name in a label of its answer")
    labels: dict[str, Annotated[str, StringConstraints(max_length=_LONGEST_LABEL)]] = Field(
        min_length=1, max_length=64, description="the alert's labels, its pod's name among them"
    )
    start: Moment = Field(description="when the alert began")
    at: Moment = Field("now", validate_default=True)
    direction: str = Field("", pattern="^(up|down|)$", description="which way is worse, where that is known")


def release_tool(source: PromqlServer) -> Tool:
    """Give compare_releases over one server."""
    return Tool(
        "compare_releases",
        "Compare a pod that a Deployment made (web-7d9f8c6b5-x2x4k), and all pods of its release, with those of the release "
        "before, over a day: a new pod has no past of its own. Says whether what alerts came with the release.",
        lambda arguments: compare_releases(source, arguments),
        ReleaseArguments,
        repeatable=True,
    )


def compare_releases(source: PromqlServer, arguments: ReleaseArguments) -> ToolResult:
    """Ask the query of the alerting pod, then of all pods of its Deployment, and compare.

    Asked is only what can be written plainly for all pods; where a pod has several such series nothing is said.
    """
    replicas = replicas_of(arguments.labels)
    if replicas is None:
        return _nothing("no label names a pod that a Deployment made")
    problem = _unwritable(arguments.query)
    if problem:
        return _nothing(problem)
    own = _own(source, arguments, replicas)
    if own is None:
        return _nothing("the query does not show one series of this pod")
    start = max(arguments.start - _DAY, arguments.at - _LONGEST)
    step = max(_STEP, float(np.ceil((arguments.at - start) / _POINTS)))
    times = arguments.at - step * np.arange(int((arguments.at - start) // step), -1, -1, dtype=np.float64)
    asked = rewritten(arguments.query, lambda one: _of_all(one, own, arguments.labels, replicas))
    if len(asked) > _LONGEST_WRITTEN:
        return _nothing("the query is too long to be asked of all pods")
    answer = source.query_range(asked, float(times[0]), float(times[-1]), step)
    if answer.status is not ToolStatus.DATA:
        return _nothing(answer.note or "no such series")
    pods = _pods(answer.series, times, replicas)
    mine = pods.get(pod_of(arguments.labels)) if pods else None
    if pods is None or mine is None:
        return _nothing("a pod has several such series")
    releases = {
        name: np.array([values for pod, values in pods.items() if pod.startswith(f"{name}-")])
        for name in sorted({pod.rpartition("-")[0] for pod in pods})
    }
    side = {"up": 1, "down": -1}.get(arguments.direction, 0)
    compared = compare(times, releases, replicas.name, mine, side)
    if compared is None:
        return _nothing("no release came in that time, or none was there before it")
    return ToolResult(answer.status, _data(compared), "; ".join(answer.warnings), _seen(compared))


def _nothing(why: str) -> ToolResult:
    return ToolResult(ToolStatus.EMPTY, {}, why, {"releases": 0.0})


def _unwritable(query: str) -> str:
    """Say why a query cannot be asked of all pods, "" where it can."""
    if makes_labels(query) or filters(query):
        return "the query makes labels, or has a value only where a condition holds"
    found = selections(query)
    if not found:
        return "the query selects nothing"
    ends = [one.begin for one in found[1:]] + [len(query)]
    outside = query[: found[0].begin] + "".join(query[one.end : end] for one, end in zip(found, ends, strict=True))
    if set(outside) & _UNREAD or any(MATCHER.sub("", one.matchers).strip(", \n\t") for one in found):
        return "a matcher of the query was not read"
    if any(not read.reach and one.metric.endswith(_COUNTERS) for one, read in zip(found, readings(query), strict=True)):
        return "a counter without rate() begins anew with each pod"
    return ""


def _own(source: PromqlServer, arguments: ReleaseArguments, replicas: Replicas) -> Labels | None:
    """Give the labels of the series that alerts, as the query answers it; None where there is none, or several fit."""
    pinned = {name: arguments.labels[name] for name in (replicas.label, *_PLACES) if arguments.labels.get(name)}
    query = rewritten(arguments.query, lambda one: ",".join(filter(None, (one.matchers.strip(" ,\n\t"), *matchers(pinned)))))
    begin = max(arguments.start - _LEAD, arguments.at - _DAY)
    answer = source.query_range(query, begin, arguments.at, max(_COARSE, (arguments.at - begin) / _FEW))
    known = (without(one.labels, ["__name__"]) for one in answer.series)
    fitting = [one for one in known if all(arguments.labels.get(name, value) == value for name, value in one.items())]
    return fitting[0] if len(fitting) == 1 and fitting[0].get(replicas.label) else None


def _of_all(one: Selection, own: Labels, alerting: Labels, replicas: Replicas) -> str:
    """Write the matchers of one selector as those of all the Deployment's pods, of series like the one that alerts."""
    kept = [
        f"{name}{how}{text}"
        for name, how, text in MATCHER.findall(one.matchers)
        if name != replicas.label and not (how == "=" and replicas.is_its_own(name, unquoted(text)))
    ]
    place = {name: alerting[name] for name in _PLACES if alerting.get(name)}
    alike = {name: text for name, text in (place | dict(own)).items() if not replicas.is_its_own(name, text)}
    added = [each for each in matchers(alike) if each not in kept]
    return ",".join((*kept, *added, replicas.any_release()))


def _pods(series: tuple[Series, ...], times: FloatArray, replicas: Replicas) -> dict[str, FloatArray] | None:
    """Lay the series of each pod on the grid; None where one has several at once."""
    pods: dict[str, FloatArray] = {}
    for one in series:
        found = replicas_of({replicas.label: one.labels.get(replicas.label, "")})
        if found is None or found.deployment != replicas.deployment:
            continue
        values = np.full(times.size, np.nan)
        places = np.rint((one.times - times[0]) / (times[1] - times[0])).astype(np.int64)
        inside = (places >= 0) & (places < times.size) & (np.abs(one.values) < _HUGE)
        values[places[inside]] = one.values[inside]
        known = pods.setdefault(one.labels[replicas.label], values)
        if known is values:
            continue
        if np.count_nonzero(np.isfinite(known) & np.isfinite(values)) > _TOGETHER:
            return None
        known[np.isnan(known)] = values[np.isnan(known)]
    return pods


def _data(compared: Compared) -> dict[str, Any]:
    return {
        "verdict": compared.verdict.value,
        "release": compared.release,
        "before": compared.before,
        "since": rfc3339(compared.since),
        "beside": compared.beside,
        "until": None if compared.until is None else rfc3339(compared.until),
        **dict(_numbers(compared)),
    }


def _numbers(compared: Compared) -> Iterator[tuple[str, float]]:
    for name in ("pods", "level", "own", "was", "most", "least"):
        yield name, float(getattr(compared, name))


def _seen(compared: Compared) -> dict[str, float]:
    until = {} if compared.until is None else {"until_at": compared.until}
    return dict(_numbers(compared)) | {"since_at": compared.since, "part": PART} | until
