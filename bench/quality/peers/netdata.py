"""netdata's machine learning (src/ml, GPL-3.0, own code from its documented rules): k-means consensus.

Per metric: difference of neighbours, mean of the last 3 of these, the last 6 such means are one vector. Every 3 hours a model is
trained on the vectors of the last 6 hours: k-means with 2 centres; a vector's distance is the mean of its distances to both, put
on a scale where the training vectors lie between 0 and 100. 18 models are kept. A metric is anomalous where all models give at
least 99; a node where more than 1 % of its metrics are, averaged over 5 minutes.
Score here: the lowest of the models' figures, not capped at 100. Differences: netdata's rate is one sample a second; at a row of
5 minutes 6 hours are 72 rows, and slower series get 72 rows too, since a model needs some. All vectors are trained on (netdata
samples down to 1,440, which is never reached). A gap holds the last value, as in training there; no suppression of metrics that
are anomalous for long.
"""

import numpy as np

from ..data import BoolArray, FloatArray
from .peer import Peer

_SMOOTH, _LAGS = 3, 6
_TRAIN, _EVERY = 6 * 3600.0, 3 * 3600.0
_LEAST_ROWS = 72
_MODELS = 18
_ANOMALOUS = 99.0
_NODE_RATE, _NODE_SPAN = 0.01, 300.0
_ITERATIONS = 1000
_FARTHEST = 0.01  # the second centre starts at this quantile from the farthest vector (dlib::pick_initial_centers)


def kmeans_consensus() -> Peer:
    """netdata's anomaly bit as a score, and its node anomaly."""
    return Peer("netdata k-means", "> 1 % of metrics anomalous over 5 min", _score, _node)


def _score(values: FloatArray, times: FloatArray, step: float) -> FloatArray:
    del times  # netdata's models count samples
    train = max(_LEAST_ROWS, round(_TRAIN / step))
    every = max(_LEAST_ROWS // 2, round(_EVERY / step))
    vectors = _vectors(_held(values))
    scores, first = np.zeros(values.shape), _SMOOTH + _LAGS
    centres: list[FloatArray] = []  # of the newest models: [series, 2, 6]
    ranges: list[FloatArray] = []  # [series, 2]: lowest and highest distance in training
    for at in range(first + train // 2, values.shape[1], every):
        learnt = vectors[:, max(first, at - train) : at]
        centres = [*centres, _two_means(learnt)][-_MODELS:]
        distance = _distance(learnt, centres[-1])
        ranges = [*ranges, np.stack([distance.min(axis=1), distance.max(axis=1)], axis=1)][-_MODELS:]
        scores[:, at : at + every] = _consensus(vectors[:, at : at + every], centres, ranges)
    return scores


def _node(scores: FloatArray, step: float) -> BoolArray:
    rate = (scores >= _ANOMALOUS).mean(axis=0)
    rows = max(1, round(_NODE_SPAN / step))
    alarm: BoolArray = np.convolve(rate, np.ones(rows) / rows)[: len(rate)] > _NODE_RATE
    return alarm


def _held(values: FloatArray) -> FloatArray:
    """Fill gaps with the value before, leading ones with 0."""
    at = np.where(np.isfinite(values), np.arange(values.shape[1]), -1)
    last = np.maximum.accumulate(at, axis=1)
    return np.where(last >= 0, np.take_along_axis(values, np.maximum(last, 0), axis=1), 0.0)


def _vectors(values: FloatArray) -> FloatArray:
    """Six smoothed differences, newest last: [series, time, 6]."""
    change = np.diff(values, axis=1, prepend=values[:, :1])
    totals = np.concatenate([np.zeros((len(change), _SMOOTH)), np.cumsum(change, axis=1)], axis=1)
    smooth = (totals[:, _SMOOTH:] - totals[:, :-_SMOOTH]) / _SMOOTH
    padded = np.concatenate([np.zeros((len(smooth), _LAGS - 1)), smooth], axis=1)
    return np.lib.stride_tricks.sliding_window_view(padded, _LAGS, axis=1)


def _two_means(vectors: FloatArray) -> FloatArray:
    """Lloyd's k-means with k = 2 of each series: [series, n, 6] -> [series, 2, 6]."""
    series = np.arange(len(vectors))
    away = np.linalg.norm(vectors - vectors[:, :1], axis=2)
    far = np.argsort(-away, axis=1, kind="stable")[:, int(_FARTHEST * vectors.shape[1])]
    centres = np.stack([vectors[:, 0], vectors[series, far]], axis=1)
    belongs = np.full(vectors.shape[:2], fill_value=False)
    for _ in range(_ITERATIONS):
        nearest = np.linalg.norm(vectors - centres[:, 1:], axis=2) < np.linalg.norm(vectors - centres[:, :1], axis=2)
        if (nearest == belongs).all():
            break
        belongs = nearest
        for which, member in enumerate((~belongs, belongs)):
            number = member.sum(axis=1)[:, None]
            middle = np.einsum("snf,sn->sf", vectors, member.astype(np.float64)) / np.maximum(number, 1)
            centres[:, which] = np.where(number > 0, middle, centres[:, which])
    return centres


def _distance(vectors: FloatArray, centres: FloatArray) -> FloatArray:
    """Mean distance to the two centres: [series, n]."""
    near, far = (np.linalg.norm(vectors - centres[:, which, None], axis=2) for which in (0, 1))
    mean: FloatArray = (near + far) / 2
    return mean


def _consensus(vectors: FloatArray, centres: list[FloatArray], ranges: list[FloatArray]) -> FloatArray:
    """The lowest figure of all models: [series, n]. A model that saw no variation gives 0."""
    lowest = np.full(vectors.shape[:2], np.inf)
    for centre, limits in zip(centres, ranges, strict=True):
        low, width = limits[:, :1], limits[:, 1:] - limits[:, :1]
        figure = 100.0 * np.abs(_distance(vectors, centre) - low) / np.where(width > 0, width, np.inf)
        lowest = np.minimum(lowest, figure)
    return lowest
