"""From what was learnt to what is judged: for each metric its newest columns, next to what is normal for them."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lens_exporter.baseline.detection.scored import Habits
from lens_exporter.baseline.early import Early
from lens_exporter.baseline.recent import Columns
from lens_exporter.baseline.roster import Grouped, Roster, run_of
from lens_exporter.baseline.rules import Reading
from lens_exporter.model.decision import GroupStanding
from lens_exporter.model.metric import BaselineMetric, Direction
from lens_exporter.model.window import BoolArray, FloatArray, IntArray, Learnt, Peers, Scores, Window

_TOLD_BY = 3  # readings in which a metric must have departed to speak for its group


def readings(
    metrics: Sequence[BaselineMetric],
    roster: Roster,
    grouped: Grouped,
    columns: Columns,
    observations: IntArray,
    extremes: tuple[FloatArray, FloatArray],
    habits: Habits,
    early: Early,
    peers: Peers,
    *,
    warnings: Sequence[tuple[str, ...]],
    step: float,
    false_alarms_per_week: float,
) -> list[Reading]:
    """Give each metric's readings: of the series that are known, and of those that the first judge still has to look after."""
    metric_of = roster.metric_of
    learnt = _learnt(metrics, metric_of, grouped, columns, extremes, habits)
    known = np.ones(len(roster), dtype=np.bool_)
    known[early.series] = False
    first = early.scores(metrics, roster, grouped, peers, per_week=false_alarms_per_week, step=step)
    found = []
    for index, (metric, members) in enumerate(zip(metrics, roster.members(), strict=True)):
        own, labels = members.places, members.labels
        if not known[own].all():
            own = own[known[own]]
            labels = tuple(roster.labels[series] for series in own.tolist())
        if own.size:
            window = Window(metric.name, labels, columns.times, columns.values[:, run_of(own)].T, step, warnings[index])
            found.append(Reading(metric, window, _whole(metric, window.values, _scores(columns, own, observations[own], learnt))))
        young = np.flatnonzero(metric_of[early.series] == index)
        if young.size or not own.size:
            window = early.window(metric.name, roster, young, step, warnings[index])
            found.append(Reading(metric, window, _whole(metric, window.values, first.of(young))))
    return found


def standings(found: Sequence[Reading]) -> tuple[GroupStanding, ...]:
    """Give how each group stands that has a score and a threshold."""
    seen: dict[int, GroupStanding] = {}
    for learnt in (reading.scores.learnt for reading in found):
        if learnt is None:
            continue
        rows = np.full(len(learnt.group_labels) + 1, -1, dtype=np.int64)  # the first of each group; the last place is for none
        rows[learnt.group[::-1]] = np.arange(learnt.group.size)[::-1]
        groups = np.flatnonzero(rows[:-1] >= 0)
        columns = (one[rows[groups]].tolist() for one in (learnt.group_score, learnt.group_threshold, learnt.alarmed))
        for group, score, threshold, alarmed in zip(groups.tolist(), *columns, strict=True):
            if group not in seen and math.isfinite(score) and math.isfinite(threshold):
                seen[group] = GroupStanding(learnt.group_labels[group], score, threshold, alarmed)
    return tuple(seen.values())


def _whole(metric: BaselineMetric, values: FloatArray, scores: Scores) -> Scores:
    """Keep the normal range of a share of a whole within it: it is neither negative nor above the whole, whoever judged it."""
    if metric.scale is None or metric.direction is Direction.DOWN:
        return scores
    absent = ~np.isfinite(values)
    whole = ((values >= 0.0) & (values <= metric.scale) | absent).all(axis=1, keepdims=True)
    lower, upper = np.maximum(scores.lower, 0.0), np.minimum(scores.upper, metric.scale)
    return replace(scores, lower=np.where(whole, lower, scores.lower), upper=np.where(whole, upper, scores.upper))


def _scores(columns: Columns, own: IntArray, observations: IntArray, learnt: Learnt) -> Scores:
    run = run_of(own)
    expected, lower, upper, distance = (
        array[:, run].T for array in (columns.expected, columns.lower, columns.upper, columns.distance)
    )
    mine = Learnt(
        grouped=learnt.grouped[own],
        alarmed=learnt.alarmed[own],
        missed=learnt.missed[own],
        leads=learnt.leads[own],
        place=learnt.place[own],
        novel=columns.novel[:, run].T,
        unusual=columns.unusual[:, run].T,
        sustained=columns.sustained[:, run].T,
        highest=learnt.highest[own],
        lowest=learnt.lowest[own],
        above=learnt.above[run],
        below=learnt.below[run],
        otherwise=learnt.otherwise[run],
        group_about=learnt.group_about,
        group_score=learnt.group_score[own],
        group_threshold=learnt.group_threshold[own],
        group=learnt.group[own],
        group_labels=learnt.group_labels,
    )
    return Scores(expected, lower, upper, distance, observations, mine)


def _learnt(
    metrics: Sequence[BaselineMetric],
    metric_of: IntArray,
    grouped: Grouped,
    columns: Columns,
    extremes: tuple[FloatArray, FloatArray],
    habits: Habits,
) -> Learnt:
    """Find which groups stand in alarm, since when, and who carries it. Arrays are of all series."""
    group_of = grouped.of
    place = np.full(metric_of.size, metric_of.size, dtype=np.int64)
    leads = np.zeros(metric_of.size, dtype=np.bool_)
    runs = _runs(columns.alarmed, np.isfinite(columns.group_score))
    alarms = np.flatnonzero(runs).tolist()
    worth = _worth_telling(metrics, metric_of, columns) if alarms else leads[None]  # [time, series]
    for group in alarms:
        own = np.array(grouped.groups[group])
        share = columns.score[-runs[group] :, own].sum(axis=0)
        order = np.argsort(-share, kind="stable")
        place[own[order]] = np.arange(own.size)
        telling = own[order][worth[-runs[group] :, own[order]].all(axis=0)]
        leads[telling[:1]] = True
    highest, lowest = extremes
    return Learnt(
        grouped=group_of >= 0,
        alarmed=np.append(runs, 0)[group_of],  # the last place is for series without a group
        missed=_missed(columns),
        leads=leads,
        place=place,
        novel=columns.novel.T,
        unusual=columns.unusual.T,
        sustained=columns.sustained.T,
        highest=highest,
        lowest=lowest,
        above=habits.above.T,
        below=habits.below.T,
        otherwise=habits.otherwise,
        group_about=habits.groups.T,
        group_score=np.append(columns.group_score[-1], np.nan)[group_of],
        group_threshold=np.append(columns.group_threshold[-1], np.inf)[group_of],
        group=group_of,
        group_labels=grouped.labels,
    )


def _worth_telling(metrics: Sequence[BaselineMetric], metric_of: IntArray, columns: Columns) -> BoolArray:
    """Mark the last three readings of series that a group's alarm may be told by [time, series].

    One departs to the side where the newest does, by the least that its metric was declared with, and by half of its band. A
    group's score is still high in the readings after a single wild one, and some metric is always a little off: neither is news.
    """
    least = np.array([metric.min_change for metric in metrics])[metric_of]
    part = np.array([metric.min_change_ratio for metric in metrics])[metric_of]
    side = np.array([metric.side for metric in metrics])[metric_of]
    last = slice(-_TOLD_BY, None)
    departure, expected = columns.values[last] - columns.expected[last], columns.expected[last]
    gap = np.isnan(columns.values[last])
    with np.errstate(invalid="ignore"):
        far = (np.abs(departure) >= np.maximum(least, part * np.abs(expected))) & (np.abs(columns.distance[last]) >= 0.5)
        same = (side * departure >= 0.0) & (departure * departure[-1:] > 0.0)
    silent = _asked_for(columns.values[last], columns.score[last])
    worth: BoolArray = (far & same) | (gap & ~gap[-1:]) | (silent & silent[-1:])
    return worth


def _missed(columns: Columns) -> IntArray:
    """Count the readings in a row [series], the last of them the newest, that are missing where that is asked for."""
    missed = np.zeros(columns.values.shape[1], dtype=np.int64)
    silent = np.flatnonzero(_asked_for(columns.values[-1], columns.score[-1]))
    gaps = _asked_for(columns.values[:, silent], columns.score[:, silent])
    missed[silent] = _runs(gaps, np.ones_like(gaps))
    return missed


def _asked_for(values: FloatArray, score: FloatArray) -> BoolArray:
    """Mark gaps that are a departure: they have a score only where the watcher asks for it."""
    asked_for: BoolArray = np.isnan(values) & (score > 0.0)
    return asked_for


def _runs(holds: BoolArray, present: BoolArray) -> IntArray:
    """Count the rows at the end [time, groups] in which it holds without a break; rows without a score neither count nor break."""
    length = np.zeros(holds.shape[1], dtype=np.int64)
    unbroken = np.ones(holds.shape[1], dtype=np.bool_)
    for row in reversed(range(holds.shape[0])):
        unbroken &= holds[row] | ~present[row]
        length += unbroken & present[row]
    return length
