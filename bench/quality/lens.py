"""Our own side: what `lens-exporter detect` writes, read back. Defaults everywhere; only the budget is set."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lens_exporter.replay.detect import Request, detect
from lens_exporter.replay.table import Table

from .data import MONDAY, BoolArray, FloatArray, Healthy, Machine
from .report import PER_WEEK, MachineScores
from .short import Piece

NAME = "lens-exporter"
_GROUP = "all of it"
_DEFAULT_PER_WEEK = Request().false_alarms_per_week


@dataclass(frozen=True, slots=True)
class Said:
    """score, anomaly [series, time]; with a group the last row is the group's."""

    score: FloatArray
    anomaly: BoolArray


def run(times: FloatArray, values: FloatArray, *, grouped: bool = False, per_week: float = _DEFAULT_PER_WEEK) -> Said:
    """Put values [series, time] through `detect` as a CSV table and read its answer."""
    names = [f"series_{index}" for index in range(len(values))]
    table = Table("bench", io.BytesIO(_csv(names, times, values)).read1)
    request = Request(false_alarms_per_week=per_week, group=_GROUP if grouped else None)
    answer = io.BytesIO(b"".join(detect(table, request, say=lambda _words: None)))
    header = answer.readline().decode().strip().split(",")
    columns = [header.index(name) for name in ("score", "anomaly")]
    read = np.loadtxt(answer, delimiter=",", quotechar='"', usecols=columns, ndmin=2)
    shaped = read.reshape(len(times), len(names) + grouped, 2).transpose(2, 1, 0)
    return Said(np.ascontiguousarray(shaped[0]), shaped[1] > 0)


def series_scores(times: FloatArray, values: FloatArray) -> FloatArray:
    """Score a lone series [time]; a SeriesScorer."""
    scores: FloatArray = run(times, values[None]).score[0]
    return scores


def machine_scores(train: FloatArray, test: FloatArray, step: float) -> MachineScores:
    """Score a machine's test part as one group, once for each budget; a MachineScorer."""
    values, begin = np.concatenate([train, test]).T, len(train)
    times = MONDAY + step * np.arange(values.shape[1], dtype=np.float64)
    said = {per_week: run(times, values, grouped=True, per_week=per_week) for per_week in PER_WEEK.values()}
    score = said[_DEFAULT_PER_WEEK].score[:, begin:]
    return MachineScores(score[-1], score[:-1], {per_week: each.anomaly[-1, begin:] for per_week, each in said.items()})


def metric_scores(machine: Machine, per_week: float = _DEFAULT_PER_WEEK) -> Said:
    """Judge the test part of a machine as if each metric were all there is: [metric, time]."""
    times, values = np.concatenate([machine.train_times, machine.test_times]), np.concatenate([machine.train, machine.test]).T
    said = run(times, values, per_week=per_week)
    return Said(said.score[:, len(machine.train) :], said.anomaly[:, len(machine.train) :])


def group_scores(piece: Piece) -> FloatArray:
    """Score a piece of a machine as one group: [time]."""
    return run(piece.times, piece.values, grouped=True).score[-1]


def lone_alarms(recording: Healthy) -> BoolArray:
    """Alarms at the default budget, each series judged by itself: [series, time]."""
    return run(recording.times, recording.values).anomaly


def group_alarms(recording: Healthy) -> BoolArray:
    """Alarms at the default budget, the series of each group judged together: [group, time]."""
    names = np.array(recording.groups)
    each = (recording.values[names == name] for name in np.unique(names))
    return np.array([run(recording.times, values, grouped=True).anomaly[-1] for values in each])


def _csv(names: Sequence[str], times: FloatArray, values: FloatArray) -> bytes:
    lines = [",".join(["timestamp", *names])]
    rows = zip(times.tolist(), values.T.tolist(), strict=True)
    lines += [f"{time!r},{','.join('' if value != value else repr(value) for value in row)}" for time, row in rows]
    return ("\n".join(lines) + "\n").encode()
