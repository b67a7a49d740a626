"""Which series of a replay are worth drawing, and what of the report belongs to each."""

from collections.abc import Sequence
from dataclasses import dataclass

from lens_exporter.baseline.roster import group_of
from lens_exporter.replay.backtest.recording import GroupTrack, Recording, Track
from lens_exporter.replay.backtest.report import Report, WouldBe

MOST = 6
_FEWEST = 4  # a quiet replay shows some series too: those that came closest


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One series, the group it is judged with, and alerts: those it carries, and those others of its group carry."""

    track: Track
    group: GroupTrack | None
    own: tuple[WouldBe, ...]
    others: tuple[WouldBe, ...]


def panels(report: Report, recording: Recording) -> tuple[Panel, ...]:
    """Choose at most six series: those that carry alerts, most alerts first; where these are few, those with the highest scores."""
    carried: dict[tuple[str, frozenset[tuple[str, str]]], list[WouldBe]] = {}
    for one in report.alerts:
        carried.setdefault((one.alert.metric, frozenset(one.alert.series.items())), []).append(one)
    loud = sorted(carried, key=lambda identity: -len(carried[identity]))
    chosen = [recording.tracks[identity] for identity in loud if identity in recording.tracks][:MOST]
    if len(chosen) < _FEWEST:
        rest = (track for track in recording.tracks.values() if track not in chosen)
        chosen += sorted(rest, key=lambda track: -track.peak)[: _FEWEST - len(chosen)]
    return tuple(_panel(track, report, recording, carried) for track in chosen)


def _panel(
    track: Track,
    report: Report,
    recording: Recording,
    carried: dict[tuple[str, frozenset[tuple[str, str]]], list[WouldBe]],
) -> Panel:
    own: Sequence[WouldBe] = carried.get((track.metric, frozenset(track.labels.items())), ())
    key = group_of(track.labels, report.asked.group_labels)
    group = None if key is None else recording.groups.get(frozenset(key))
    others = () if key is None else tuple(one for one in report.alerts if one not in own and one.alert.group == dict(key))
    return Panel(track, group, tuple(own), others)
