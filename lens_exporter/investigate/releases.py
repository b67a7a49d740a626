"""Whether what alerts came with a release: a Deployment's pods of one release beside those of the one before. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from lens_exporter.model.window import FloatArray

PART = 1200.0  # seconds: levels are medians of so long, so that neither a reading nor a start makes one
_PAUSE = 600.0  # seconds: what is away for longer was taken away; a rollout that stops the old pods first takes less
_AWAY = 2  # points: of a pod that is gone the last value is given for no longer where its target is known to be
_LOOKED_BACK = 3  # points that repeat what ended before them
_SEEN = 1800.0  # seconds: what the release before had for less says little
_FEWEST = 5  # readings of the new pods: a start is none yet
_JUMP = 2.0  # of the furthest that the release before went in as long a time
_APART = 0.1  # of what was before: two releases are never the same to the last tenth
_MOST, _LITTLE = 0.5, 0.25  # of the way that the alerting pod has gone


class ReleaseVerdict(StrEnum):
    """What may be said of a release."""

    CAME_WITH_IT = "came_with_it"
    AS_BEFORE = "as_before"  # the middle pod has what the release before had: if one has not, it is that pod
    OTHERWISE = "otherwise"  # another level, but not at once, not clearly, not all of it, or to the other side


@dataclass(frozen=True, slots=True)
class Compared:
    """A release beside the one before. Levels are of the middle pod; most and least are those of any such part of the time."""

    verdict: ReleaseVerdict
    release: str
    before: str
    since: float  # Unix seconds
    beside: bool  # pods of the release before still run
    until: float | None  # its pods are gone since then
    pods: int
    level: float  # now
    own: float  # the alerting pod's
    was: float  # when the release came
    most: float
    least: float

    @property
    def as_before(self) -> bool:
        """Whether the release is as the one before."""
        return self.verdict is ReleaseVerdict.AS_BEFORE

    @property
    def alone(self) -> bool:
        """Whether the alerting pod is beyond all that the release before had, and its own release is not."""
        beyond = self.own > self.most + _APART * abs(self.most) or self.own < self.least - _APART * abs(self.least)
        return self.as_before and self.pods > 2 and beyond


def compare(times: FloatArray, releases: Mapping[str, FloatArray], release: str, own: FloatArray, side: int = 0) -> Compared | None:
    """Hold a release against the one that was there before it.

    releases: the values of each release's pods [pod, time], NaN where there is none. own [time] is the pod that alerts. side: 1
    where more is worse, -1 where less is, 0 where nobody knows. None where no release came in that time, or none was there before.

    It came with the release where the middle pod went, at once and for good, beyond all that the release before had, further than
    that ever went in as long a time, and most of the way that the alerting pod has gone. A queue that grows all the time, a load
    that comes each morning, and one bad pod are no release. Where it came with the release before, that one is given.
    """
    step = float(times[1] - times[0])
    part, pause = max(_FEWEST, round(PART / step)), max(3, round(_PAUSE / step))
    now = _middle(releases[release])
    begin = _begin(now, pause)
    if begin is None:
        return None
    before = _before(releases, release, begin, pause, _SEEN / step)
    if before is None:
        return None
    then, since = _middle(releases[before]), now[begin:]
    parts = _parts(then, part)
    had = parts[np.isfinite(parts)]
    if not had.size or not np.isfinite(own).any():
        return None
    levels = _Levels(_latest(then[:begin], part), _latest(since[:part], part), _latest(since, part // 2), _latest(own, part // 2))
    if np.count_nonzero(np.isfinite(now[:begin])) >= _SEEN / step and not levels.moved(_latest(now[:begin], begin)):
        return None  # it was there before, and was well: what came since did not come with it
    verdict = ReleaseVerdict.OTHERWISE
    if np.count_nonzero(np.isfinite(since)) >= _FEWEST:
        furthest = _furthest(parts, part)
        if levels.side * side >= 0 and furthest >= 0.0 and _came(levels, had, furthest):
            verdict = ReleaseVerdict.CAME_WITH_IT
        elif _same(levels, since, had, part, furthest):
            earlier = compare(times, {name: pods for name, pods in releases.items() if name != release}, before, own, side)
            if earlier is not None and earlier.verdict is ReleaseVerdict.CAME_WITH_IT:
                return earlier
            verdict = ReleaseVerdict.AS_BEFORE
    return Compared(
        verdict,
        release,
        before,
        since=float(times[begin]),
        beside=bool(np.isfinite(then[-_LOOKED_BACK:]).any()),
        until=None if np.isfinite(now[-_AWAY:]).any() else float(times[np.flatnonzero(np.isfinite(now))[-1]]),
        pods=int(np.isfinite(releases[release][:, begin:]).any(axis=1).sum()),
        level=_latest(since, part),
        own=_latest(own, part),
        was=levels.before,
        most=float(had.max()),
        least=float(had.min()),
    )


@dataclass(frozen=True, slots=True)
class _Levels:
    """The middle pod before the release, at first and at last since it, and the alerting pod at last."""

    before: float
    first: float
    last: float
    alerting: float

    @property
    def side(self) -> int:
        return 1 if self.alerting > self.before else -1

    def moved(self, level: float) -> bool:
        """Whether a level is as far from where it was before as what alerts, or half of that."""
        return self.side * (level - self.before) > _MOST * abs(self.alerting - self.before)


def _came(levels: _Levels, had: FloatArray, furthest: float) -> bool:
    """Whether the middle pod went beyond all that was before, at once, and has gone on from there with the alerting pod."""
    up = levels.side
    beyond = min(up * levels.first, up * levels.last) > float((up * had).max())
    at_once = up * (levels.first - levels.before) > _JUMP * furthest
    most = levels.moved(levels.first) and levels.moved(levels.last)  # a small step is not what made the rest of the way later
    return beyond and at_once and most and up * (levels.last - levels.before) > _APART * abs(levels.before)


def _same(levels: _Levels, since: FloatArray, had: FloatArray, part: int, furthest: float) -> bool:
    """Whether the middle pod stayed within what was before and where it was, and went no further in as long a time."""
    room = _APART * float(np.abs(had).max())
    lately = _parts(since, max(_FEWEST, part // 2))
    known = lately[np.isfinite(lately)]
    within = bool(known.size and known.max() <= had.max() + room and known.min() >= had.min() - room)
    near = max(_APART * abs(levels.before), _LITTLE * abs(levels.alerting - levels.before))
    return within and abs(levels.last - levels.before) <= near and _furthest(_parts(since, part), part) <= _JUMP * furthest + room


def _furthest(parts: FloatArray, length: int) -> float:
    """Give how far it went at most from one part to the next; below zero where there are no two."""
    moves = np.abs(parts[length:] - parts[:-length])
    return float(moves[np.isfinite(moves)].max(initial=-np.inf))


def _begin(now: FloatArray, pause: int) -> int | None:
    """Give where the last stretch of a release begins; None where it was there from the beginning, or never."""
    places = np.flatnonzero(np.isfinite(now))
    if not places.size:
        return None
    breaks = np.flatnonzero(np.diff(places) > pause)
    begin = int(places[breaks[-1] + 1 if breaks.size else 0])
    return begin if begin > pause else None


def _before(releases: Mapping[str, FloatArray], release: str, begin: int, pause: int, seen: float) -> str | None:
    """Name the release that was there last when this one came, of several the one that was there for longest.

    One that was there for minutes is nobody's predecessor, but what was before it is.
    """
    earlier = {name: np.flatnonzero(np.isfinite(rows[:, :begin]).any(axis=0)) for name, rows in releases.items() if name != release}
    there = np.unique(np.concatenate([*earlier.values(), [begin]]))
    breaks = np.flatnonzero(np.diff(there) > pause)
    since = there[breaks[-1] + 1] if breaks.size else there[0]  # from here on some pod was there all the time
    found = {name: (places[-1], places.size) for name, places in earlier.items() if places.size >= seen and places[-1] >= since}
    return max(found, key=lambda name: found[name], default=None)


def _middle(rows: FloatArray) -> FloatArray:
    """Give the median of the pods that are there, at each time."""
    there = np.isfinite(rows).any(axis=0)
    middle = np.full(rows.shape[1], np.nan)
    middle[there] = np.nanmedian(rows[:, there], axis=0)
    return middle


def _parts(values: FloatArray, length: int) -> FloatArray:
    """Give the median of each stretch of `length`, NaN where half of it is missing."""
    if values.size < length:
        return np.array([_latest(values, length)])
    stretches = np.lib.stride_tricks.sliding_window_view(values, length)
    known = 2 * np.isfinite(stretches).sum(axis=1) >= length
    medians = np.full(known.size, np.nan)
    medians[known] = np.nanmedian(stretches[known], axis=1)
    return medians


def _latest(values: FloatArray, length: int) -> float:
    """Give the median of the last values that there are, of so many at most."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite[-length:])) if finite.size else float("nan")
