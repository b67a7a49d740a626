"""False alarms where nothing is known to be wrong: PetShop's days without issue."""

from collections.abc import Callable, Sequence

import numpy as np

from .data import BoolArray, Healthy
from .peers import Kept, Peer
from .report import number, table

Alarms = Callable[[Healthy], int]
"""How many alarms a detector raises on a recording."""


def episodes(alarm: BoolArray) -> int:
    """Count alarms: runs of alarming rows, [time] or [series, time]."""
    rows = np.atleast_2d(alarm)
    return int((rows[:, 1:] & ~rows[:, :-1]).sum() + rows[:, 0].sum())


def peer_alarms(peer: Peer, kept: Kept) -> Alarms:
    """Count a peer's alarms with its published rule, each series judged by itself."""

    def alarms(recording: Healthy) -> int:
        step = float(np.median(np.diff(recording.times)))
        scores = kept.score(peer, recording.values, recording.times, step)
        return sum(episodes(peer.decide(each[None], step)) for each in scores)

    return alarms


def healthy_table(detectors: Sequence[tuple[str, str, Alarms]], recordings: Sequence[Healthy]) -> str:
    """Alarms of each detector (name, decision, counter) over all recordings, and per 1,000 series-days."""
    days = sum(each.series_days for each in recordings)
    rows = []
    for name, decision, alarms in detectors:
        seen = sum(alarms(each) for each in recordings)
        rows.append([name, decision, str(seen), number(1000 * seen / days, 1)])
    return table(("detector", "its own decision", f"alarms in {days:.0f} series-days", "per 1,000 series-days"), rows)
