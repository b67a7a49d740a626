"""False alarms where nothing is known to be wrong: PetShop's days without issue."""

from collections.abc import Callable, Sequence

import numpy as np

from .data import BoolArray, Healthy
from .peers import Kept, Peer
from .report import Target, number, table

Alarms = Callable[[Healthy], BoolArray]
"""Alarms of a detector on a recording, [whatever it judges, time]."""

_WARM_UP = 86_400.0
_AIM = 1.0  # false alarms in 1,000 series-days


def episodes(alarm: BoolArray) -> int:
    """Count alarms: runs of alarming rows in [judged, time]."""
    return int((alarm[:, 1:] & ~alarm[:, :-1]).sum() + alarm[:, 0].sum())


def peer_alarms(peer: Peer, kept: Kept) -> Alarms:
    """Apply a peer's published rule, each series judged by itself."""

    def alarms(recording: Healthy) -> BoolArray:
        step = float(np.median(np.diff(recording.times)))
        scores = kept.score(peer, recording.values, recording.times, step)
        return np.array([peer.decide(each[None], step) for each in scores])

    return alarms


def healthy_table(detectors: Sequence[tuple[str, str, Alarms]], recordings: Sequence[Healthy]) -> str:
    """Count alarms of each detector (name, decision, alarms) after the first day, which is warm-up, and per 1,000 series-days."""
    warm = [each.times >= each.times[0] + _WARM_UP for each in recordings]
    days = sum(each.series_days(rows) for each, rows in zip(recordings, warm, strict=True))
    rows = []
    for name, decision, alarms in detectors:
        seen = sum(episodes(alarms(each)[:, after]) for each, after in zip(recordings, warm, strict=True))
        rate = 1000 * seen / days
        rows.append([name, decision, str(seen), number(rate, 1), Target("", _AIM, at_most=True).row(rate)[-1]])
    head = ("detector", "its own decision", f"alarms in {days:.0f} series-days", "per 1,000 series-days", f"at most {_AIM:g}")
    return table(head, rows)
