"""rank_suspects: everything one target publishes, judged against its own past in one bounded query."""

import re
from typing import Any

import numpy as np
from pydantic import BaseModel, Field, field_validator

from lens_exporter.foundation.catalogue import BAND_METRICS, LENS_METRICS, METRICS
from lens_exporter.foundation.clock import rfc3339
from lens_exporter.investigate.families import family_of
from lens_exporter.investigate.gaps import Gap, sampled
from lens_exporter.investigate.limits import is_limit, is_share
from lens_exporter.investigate.measures import COARSE
from lens_exporter.investigate.moments import Moment
from lens_exporter.investigate.samples import Samples, name_of
from lens_exporter.investigate.suspects import HISTORY, Ranking, Scorer, Suspect, fine_step, rank
from lens_exporter.investigate.tools_promql import PromqlServer
from lens_exporter.investigate.turnover import Moved
from lens_exporter.model import labels as label_sets
from lens_exporter.model.tool import Tool, ToolResult, ToolStatus
from lens_exporter.model.window import FloatArray
from lens_exporter.prometheus.answers import Series

_SHOWN_SUSPECTS = 12
_SHOWN_MOVED = 5
_SIZE = HISTORY * COARSE  # points of the grid
_UNSEEN = 0.1  # of the grid: so much of it may be lost to gaps
_LONGEST_AGE = 86_400.0  # of the trouble; two weeks are its history then, and an onset before that day is found by walking back
# Bands and scores restate other series; histograms' buckets are many and each says little alone.
_LEFT_OUT = "lens_baseline_.*|lens_anomaly_.*|ALERTS.*|scrape_.*|.*_bucket|.*_created|.*_timestamp_seconds"
# What lens-exporter counts about its own work moves with every incident and causes none.
_OWN_NAMES = "|".join(re.escape(spec.name) for spec in (*METRICS, *LENS_METRICS, *BAND_METRICS))
_OWN = re.compile(rf"(?:{_OWN_NAMES})(?:_sum|_count)?")


class SuspectArguments(BaseModel, extra="forbid"):
    labels: dict[str, str] = Field(
        min_length=1, max_length=10, description='the target, like {"instance": "api-7:9000", "job": "api"}'
    )
    start: Moment = Field(description="when the trouble began")
    at: Moment = Field("now", validate_default=True)
    history: float | None = Field(
        None, gt=0, le=7 * 86_400, description="seconds of history to compare with; longer finds slower changes"
    )

    @field_validator("labels")
    @classmethod
    def _names(cls, labels: dict[str, str]) -> dict[str, str]:
        for name in labels:
            if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
                raise ValueError(f"{name!r} is not a label name")
        return labels


def suspect_tool(source: PromqlServer, detector: Scorer) -> Tool:
    """Give rank_suspects over one server."""
    return Tool(
        "rank_suspects",
        "Judge every series of a target against its own past and rank those that left their normal: before and after, onset (of a "
        "line its begin, give or take onset_within seconds), score in half-widths of the normal band, and when "
        "it is full where a limit is known. Also says what stayed steady, what disappeared, restarted or was deployed. Ask this "
        "first.",
        lambda arguments: rank_suspects(source, detector, arguments),
        SuspectArguments,
        repeatable=True,
    )


def rank_suspects(source: PromqlServer, detector: Scorer, arguments: SuspectArguments) -> ToolResult:
    """Fetch the target's series on one grid and rank them.

    Where nothing was sampled for a good part of the grid, it is laid out wider: what is normal must have been seen.
    """
    start = min(max(arguments.start, arguments.at - _LONGEST_AGE), arguments.at)
    selector = label_sets.selector(arguments.labels)
    history = arguments.history
    for last in (False, True):
        step = fine_step(start, arguments.at, history)
        times = arguments.at - step * np.arange(_SIZE - 1, -1, -1, dtype=np.float64)
        query = f'{selector[:-1]},__name__!~"{_LEFT_OUT}"}}'
        answer = source.query_range(query, float(times[0]), float(times[-1]), step)
        counters = {name: known.type == "counter" for name, known in source.metadata().items()}
        samples = [
            _samples(one, times, step, counters)
            for one in answer.series
            if one.values.size and not _OWN.fullmatch(one.labels.get("__name__", ""))
        ]
        if not samples:
            note = f"no series match {selector}; try fewer labels"
            return ToolResult(ToolStatus.EMPTY, {"suspects": []}, note, {"series": 0.0})
        newest = _newest(source, samples, times, arguments.labels)
        unseen = 0 if newest is None else int((~sampled(samples, times, newest)).sum())
        if last or unseen <= _UNSEEN * _SIZE:
            break
        history = (_SIZE + unseen) * step
    ranking = rank(samples, times, detector, newest)
    notes = [answer.note, *answer.warnings]
    hidden = len(ranking.suspects) - _SHOWN_SUSPECTS
    if hidden > 0:
        notes.append(f"{hidden} weaker suspects are not shown")
    if not ranking.judged:
        notes.append("no series has enough history to be judged")
    return ToolResult(answer.status, _data(ranking), "; ".join(filter(None, notes)), _seen(ranking))


def _on_grid(one: Series, times: FloatArray, step: float) -> FloatArray:
    values = np.full(len(times), np.nan)
    places = np.rint((one.times - times[0]) / step).astype(np.int64)
    inside = (places >= 0) & (places < len(times))
    values[places[inside]] = one.values[inside]
    return values


def _samples(one: Series, times: FloatArray, step: float, counters: dict[str, bool]) -> Samples:
    name = one.labels.get("__name__", "")
    known = counters.get(name)
    return Samples(
        one.labels, _on_grid(one, times, step), known or None
    )  # a type of "unknown" or a wrong gauge still leaves the name's word


def _newest(source: PromqlServer, samples: list[Samples], times: FloatArray, labels: dict[str, str]) -> FloatArray | None:
    """Ask when the newest sample was taken that each point shows: of `up`, which is written whenever somebody looks.

    Where the target has none, of the metric that is there most. None where the server does not say.
    """
    names = {name: np.isfinite(one.values).sum() for one in samples if (name := name_of(one))}
    metric = "up" if "up" in names else max(sorted(names), key=lambda name: names[name], default="")
    step = float(times[1] - times[0])
    query = f"max(timestamp({label_sets.selector({'__name__': metric, **labels})}))"
    answer = source.query_range(query, float(times[0]), float(times[-1]), step)
    return _on_grid(answer.series[0], times, step) if answer.series else None


def _data(ranking: Ranking) -> dict[str, Any]:
    return {
        "looked_at": ranking.looked_at,
        "judged": ranking.judged,
        "step": ranking.step,
        "scrape": ranking.scrape,
        "deviating": len(ranking.suspects),
        "suspects": [_suspect(one) for one in ranking.suspects[:_SHOWN_SUSPECTS]],
        "steady": [_steady(one) for one in _telling(ranking)],
        "gone": [_moved(one) for one in ranking.gone[:_SHOWN_MOVED]],
        "gone_count": len(ranking.gone),
        "restarts": [_moved(one) for one in ranking.restarts[:_SHOWN_MOVED]],
        "deploys": [_moved(one) for one in ranking.deploys[:_SHOWN_MOVED]],
        "starts_known": ranking.starts_known,
        "gaps": [_gap(one) for one in ranking.gaps[-_SHOWN_MOVED:]],
    }


def _seen(ranking: Ranking) -> dict[str, float]:
    """Name every number by the metric it is of, so that a receipt can be read without the answer beside it."""
    seen = {
        "series": float(ranking.looked_at),
        "judged": float(ranking.judged),
        "deviating": float(len(ranking.suspects)),
        "gone": float(len(ranking.gone)),
        "restarts": float(len(ranking.restarts)),
    }
    for index, one in enumerate(ranking.suspects[:_SHOWN_SUSPECTS], 1):
        numbers = {
            "before": one.before,
            "after": one.after,
            "onset_at": one.onset,
            "onset_within": one.within or None,
            "score": one.score,
            "until_at": one.until,
            "per_minute": one.per_minute,
            "limit": one.limit,
            "full_at": one.full_at,
            "alike": float(one.alike) if one.alike > 1 else None,
            "alike_moved": float(one.alike_moved) if one.alike > 1 else None,
        }
        seen |= {f"{index} {one.metric}.{name}": value for name, value in numbers.items() if value is not None}
    for index, one in enumerate(_telling(ranking), 1):
        steady = {"before": one.before, "after": one.after, "score": one.score}
        seen |= {f"steady {index} {one.metric}.{name}": value for name, value in steady.items()}
    for kind, moved in (("gone", ranking.gone), ("restart", ranking.restarts), ("deploy", ranking.deploys)):
        seen |= {f"{kind} {index} {one.metric}.moved_at": one.at for index, one in enumerate(moved[:_SHOWN_MOVED], 1)}
    for index, gap in enumerate(ranking.gaps[-_SHOWN_MOVED:], 1):
        seen |= {f"gap {index}.begin_at": gap.begin} | ({f"gap {index}.end_at": gap.end} if gap.end is not None else {})
    return seen


def _telling(ranking: Ranking) -> list[Suspect]:
    """Pick the steady series that rule something out: of each family without a suspect, the one that comes nearest to its band.

    A limit that stays where it is rules nothing out. A plain count is easier to read than its share of a limit.
    """
    moved = {family.name for one in ranking.suspects if (family := family_of(one.metric, one.labels))}
    nearest: dict[str, Suspect] = {}
    for one in sorted(ranking.steady, key=lambda one: (is_share(one.metric), -abs(one.score), one.metric)):
        family = family_of(one.metric, one.labels)
        if family is not None and family.name not in moved and not is_limit(one.metric) and (one.before or one.after):
            nearest.setdefault(family.name, one)
    return list(nearest.values())


def _suspect(one: Suspect) -> dict[str, Any]:
    row = _steady(one) | {"onset": rfc3339(one.onset), "alike": one.alike, "alike_moved": one.alike_moved}
    row |= {"per_minute": one.per_minute} if one.per_minute is not None else {}
    row |= {"onset_within": one.within} if one.within else {}
    row |= {"limit": one.limit} if one.limit is not None else {}
    row |= {"full": rfc3339(one.full_at)} if one.full_at is not None else {}
    return row | ({"until": rfc3339(one.until)} if one.until is not None else {})


def _steady(one: Suspect) -> dict[str, Any]:
    return {
        "metric": one.metric,
        "labels": dict(one.labels),
        "before": one.before,
        "after": one.after,
        "score": round(one.score, 1),
        "per_second": one.rate,
        "mean": one.mean,
    }


def _moved(one: Moved) -> dict[str, Any]:
    return {"metric": one.metric, "labels": dict(one.labels), "at": rfc3339(one.at)}


def _gap(one: Gap) -> dict[str, Any]:
    return {"begin": rfc3339(one.begin)} | ({"end": rfc3339(one.end)} if one.end is not None else {})
