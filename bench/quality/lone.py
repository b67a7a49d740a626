"""Detectors side by side on lone series: NAB's official score, thresholds carried over to other files, differences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .bootstrap import Resamples, difference
from .data import FloatArray, LoneSeries
from .nab import PROFILES, STANDARD, Corpus, Sweep, corpus, sweep
from .peers import Kept, Peer
from .report import SeriesScorer, Target, differences, number, table

_PEAK_ROWS = 100


@dataclass(frozen=True, slots=True)
class LoneRun:
    """One detector on all files, as its scores are and with only new peaks counting."""

    name: str
    swept: Sweep
    peaks: Sweep


def run_peer(peer: Peer, files: Sequence[LoneSeries], kept: Kept) -> LoneRun:
    """Score the files with a peer."""
    return _run(peer.name, corpus(files), [kept.score(peer, each.values[None], each.times, step_of(each))[0] for each in files])


def run_scorer(name: str, scorer: SeriesScorer, files: Sequence[LoneSeries]) -> LoneRun:
    """Score the files with a detector of our own kind."""
    return _run(name, corpus(files), [scorer(each.times, each.values) for each in files])


def step_of(series: LoneSeries) -> float:
    """Give the usual seconds between rows."""
    return float(np.median(np.diff(series.times)))


def only_peaks(scores: FloatArray, rows: int = _PEAK_ROWS) -> FloatArray:
    """Keep a score [time] where it is above all of the rows before it, 0 elsewhere.

    NAB charges every row outside a window, so any detector gains by saying things once; peers are shown with this, too.
    """
    before = np.concatenate([np.full(rows, -np.inf), scores])[:-1]
    highest = np.lib.stride_tricks.sliding_window_view(before, rows).max(axis=1)
    return np.where(scores > highest, scores, 0.0)


def score_table(runs: Sequence[LoneRun]) -> str:
    """The three profiles at their best thresholds, and the standard one at thresholds fitted on other files."""
    head = (
        "detector",
        "standard",
        "low FP",
        "low FN",
        "windows hit",
        "false rows",
        "threshold from other files",
        "peaks only",
        "the same, threshold from other files",
    )
    return table(head, [_row(run) for run in runs])


def difference_table(ours: LoneRun, peers: Sequence[LoneRun], resamples: Resamples) -> str:
    """Our scores minus each peer's with 95 % intervals: files are drawn, thresholds are fitted anew on each resample."""
    own = [resamples.nab(ours.swept, profile) for profile in PROFILES]
    rows = {}
    for peer in peers:
        plain = [difference(first, resamples.nab(peer.swept, profile)) for first, profile in zip(own, PROFILES, strict=True)]
        rows[peer.name] = [*plain, difference(own[0], resamples.nab(peer.peaks, STANDARD))]
    return differences(ours.name, (*(profile.name for profile in PROFILES), "standard, peer's peaks only"), rows, digits=1)


def target_table(ours: LoneRun) -> str:
    """What our own detector is to reach on the given half, and what published detectors reach on the whole corpus."""
    rows = [Target("standard, given half", 72.0).row(ours.swept.best(STANDARD).score)]
    for profile, best in zip(PROFILES, ((75.0, "ARTime 74.9"), (67.0, "CAD OSE 67.0"), (80.5, "ARTime 80.4")), strict=True):
        rows.append(Target(f"{profile.name} (whole corpus: {best[1]})", best[0]).row(ours.swept.best(profile).score))
    return table(("target", "aim", "measured", ""), rows)


def _run(name: str, labels: Corpus, scores: Sequence[FloatArray]) -> LoneRun:
    return LoneRun(name, sweep(labels, scores), sweep(labels, [only_peaks(each) for each in scores]))


def _row(run: LoneRun) -> list[str]:
    best = [run.swept.best(profile) for profile in PROFILES]
    return [
        run.name,
        *(number(each.score, 1) for each in best),
        str(best[0].windows_hit),
        str(best[0].false_rows),
        _transfer(run.swept),
        number(run.peaks.best(STANDARD).score, 1),
        _transfer(run.peaks),
    ]


def _transfer(swept: Sweep) -> str:
    seen = swept.transfer(STANDARD)
    return f"{number(seen.mean, 1)} +- {number(seen.sd, 1)}"
