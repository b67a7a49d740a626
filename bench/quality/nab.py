"""NAB's official score, vectorised: all thresholds of a detector in a fraction of a second.

The rules are those of the Numenta Anomaly Benchmark (Lavin and Ahmad 2015, and nab/sweeper.py of its repository), in own code:
one detection per row whose score reaches the threshold; of each labelled window only the best (earliest) detection counts; each
detection outside costs; the first rows of a file are not scored; one threshold for all files, chosen to maximise the score.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .data import BoolArray, FloatArray, IntArray, LoneSeries

_PROBATION = 0.15  # share of a file that is not scored, counted on 5,000 rows at most


@dataclass(frozen=True, slots=True)
class Profile:
    """What a detection outside every window and a missed window cost; a window hit at its first row is worth 1."""

    name: str
    false_row: float
    missed: float


STANDARD = Profile("standard", 0.11, 1.0)
LOW_FP = Profile("low FP", 0.22, 1.0)
LOW_FN = Profile("low FN", 0.11, 2.0)
PROFILES = (STANDARD, LOW_FP, LOW_FN)


@dataclass(frozen=True, slots=True)
class NabScore:
    """score: 100 is perfect, 0 is no detection at all; threshold: a row with at least this score is a detection."""

    score: float
    threshold: float
    windows_hit: int
    false_rows: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """Score with the threshold fitted on other files: mean and standard deviation over the splits."""

    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class Corpus:
    """What each scored row of all files is worth, files one after the other.

    file, window: index [row], window -1 outside; worth [row]: of a detection there, in (0, 1] inside a window, the cost in [0, 1]
    to be multiplied by the profile's false_row outside; lengths, skipped: rows and unscored rows per file; windows: per file.
    """

    file: IntArray
    window: IntArray
    worth: FloatArray
    lengths: tuple[int, ...]
    skipped: tuple[int, ...]
    windows: IntArray


def corpus(files: Sequence[LoneSeries]) -> Corpus:
    """Prepare the labels of these files."""
    parts = [_rows(len(each.values), each.windows) for each in files]
    skipped = [probation(len(each.values)) for each in files]
    counts = np.array([len(set(window[skip:].tolist()) - {-1}) for (window, _), skip in zip(parts, skipped, strict=True)])
    offsets = np.concatenate(([0], np.cumsum([len(each.windows) for each in files])))
    windows = [
        np.where(window[skip:] >= 0, window[skip:] + offset, -1)
        for (window, _), skip, offset in zip(parts, skipped, offsets[:-1], strict=True)
    ]
    lengths = tuple(len(each.values) for each in files)
    scored = [length - skip for length, skip in zip(lengths, skipped, strict=True)]
    return Corpus(
        file=np.repeat(np.arange(len(files)), scored),
        window=np.concatenate(windows).astype(np.int64),
        worth=np.concatenate([worth[skip:] for (_, worth), skip in zip(parts, skipped, strict=True)]),
        lengths=lengths,
        skipped=tuple(skipped),
        windows=counts.astype(np.int64),
    )


def probation(rows: int) -> int:
    """How many rows at the beginning of a file are not scored."""
    return int(min(math.floor(_PROBATION * rows), _PROBATION * 5000))


def _rows(length: int, windows: Sequence[tuple[int, int]]) -> tuple[IntArray, FloatArray]:
    """Give each row's window (-1 outside) and the worth (inside) or cost (outside, full before the first window) of a detection."""
    row = np.arange(length)
    window, worth = np.full(length, -1, dtype=np.int64), np.ones(length)
    for index, (first, last) in enumerate(sorted(windows)):
        width = last - first + 1
        after = (row[last + 1 :] - last) / max(width - 1, 1)
        worth[last + 1 :] = np.where(after < 3.0, -_sigmoid(after), 1.0)
        worth[first : last + 1] = _sigmoid(-(last - row[first : last + 1] + 1) / width) / _sigmoid(np.array(-1.0))
        window[first : last + 1] = index
    return window, worth


def _sigmoid(position: FloatArray) -> FloatArray:
    """NAB's scaled sigmoid: about 1 at -1 (a window's first row), 0 at 0 (its end), towards -1 beyond."""
    return 2.0 / (1.0 + np.exp(5.0 * position)) - 1.0


@dataclass(frozen=True, slots=True)
class Sweep:
    """One detector's scores under every threshold. ends: last row of each tie, of scored rows by falling score."""

    corpus: Corpus
    ends: IntArray
    thresholds: FloatArray  # [end]
    file: IntArray  # [row by falling score], as are the next ones
    outside: BoolArray
    first_hit: FloatArray  # 1 where a window is hit for the first time
    gain: FloatArray  # by how much the row raises its window's worth
    cost: FloatArray  # outside a window, before the profile's weight

    def best(self, profile: Profile) -> NabScore:
        """Give the official score: at the threshold that maximises it on these very files."""
        curve = self._curve(profile, None)
        at = int(np.argmax(curve))
        return self._describe(profile, at, curve)

    def at(self, threshold: float, profile: Profile) -> NabScore:
        """Score with this threshold."""
        reached = int(np.searchsorted(-self.thresholds, -threshold, side="right"))
        return self._describe(profile, reached, self._curve(profile, None))

    def transfer(self, profile: Profile, *, splits: int = 25, seed: int = 0) -> Transfer:
        """Fit the threshold on a random half of the files and score it on the other, both ways pooled; so many seeded splits."""
        random, files = np.random.default_rng(seed), len(self.corpus.lengths)
        scores = []
        for _ in range(splits):
            weight = np.zeros(files)
            weight[random.permutation(files)[: files // 2]] = 1.0
            here, there = self._curve(profile, weight), self._curve(profile, 1.0 - weight)
            raw = there[int(np.argmax(here))] + here[int(np.argmax(there))]
            scores.append(self._normalised(profile, raw, float(self.corpus.windows.sum())))
        return Transfer(float(np.mean(scores)), float(np.std(scores, ddof=1)))

    def resampled(self, profile: Profile, weights: FloatArray) -> FloatArray:
        """Give the official score of each resampled corpus. weights [resample, file]: how often each file is in it.

        The threshold is chosen anew on each, as the official rules would. NaN where a resample has no window.
        """
        windows = weights @ self.corpus.windows
        raw = np.array([self._curve(profile, weight).max() for weight in weights])
        return np.array([self._normalised(profile, *each) if each[1] else np.nan for each in zip(raw, windows, strict=True)])

    def _curve(self, profile: Profile, weight: FloatArray | None) -> FloatArray:
        """Raw score for each number of included ties, from none (null detector) to all; files weighted."""
        each = profile.missed * self.first_hit + self.gain - profile.false_row * self.cost
        missed = float(self.corpus.windows.sum() if weight is None else weight @ self.corpus.windows)
        if weight is not None:
            each *= weight[self.file]
        return np.concatenate(([0.0], np.cumsum(each)[self.ends])) - profile.missed * missed

    def _describe(self, profile: Profile, at: int, curve: FloatArray) -> NabScore:
        last = int(self.ends[at - 1]) + 1 if at else 0
        windows = float(self.corpus.windows.sum())
        return NabScore(
            score=self._normalised(profile, float(curve[at]), windows),
            threshold=float(self.thresholds[at - 1]) if at else math.inf,
            windows_hit=int(self.first_hit[:last].sum()),
            false_rows=int(self.outside[:last].sum()),
        )

    @staticmethod
    def _normalised(profile: Profile, raw: float, windows: float) -> float:
        null = -profile.missed * windows
        return 100.0 * (raw - null) / (windows - null)


def sweep(labels: Corpus, scores: Sequence[FloatArray]) -> Sweep:
    """Sort out one detector's scores: one array [time] per file, in the corpus' order, higher is more anomalous.

    Raises ValueError when lengths differ or a score is NaN.
    """
    if tuple(len(each) for each in scores) != labels.lengths:
        raise ValueError("scores and files differ in length")
    flat = np.concatenate([each[skip:] for each, skip in zip(scores, labels.skipped, strict=True)]).astype(np.float64)
    if np.isnan(flat).any():
        raise ValueError("a score is NaN")
    order = np.argsort(-flat, kind="stable")
    falling, window, worth = flat[order], labels.window[order], labels.worth[order]
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    first_hit, gain = _gains(window, worth)
    return Sweep(
        corpus=labels,
        ends=ends,
        thresholds=falling[ends],
        file=labels.file[order],
        outside=window < 0,
        first_hit=first_hit,
        gain=gain,
        cost=np.where(window < 0, worth, 0.0),
    )


def _gains(window: IntArray, worth: FloatArray) -> tuple[FloatArray, FloatArray]:
    """By how much each row, taken in this order, raises the best worth seen in its window; and where it is the first."""
    first_hit, gain = np.zeros(len(window)), np.zeros(len(window))
    for index in range(int(window.max(initial=-1)) + 1):
        rows = np.flatnonzero(window == index)
        if len(rows):
            first_hit[rows[0]] = 1.0
            gain[rows] = np.diff(np.maximum.accumulate(worth[rows]), prepend=0.0)
    return first_hit, gain
