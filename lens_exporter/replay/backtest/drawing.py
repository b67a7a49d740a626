"""The parts of a backtest's picture: lanes of bars, a series with its band, its score."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lens_exporter.baseline.naming import cleaned, target_name
from lens_exporter.baseline.numbers import number
from lens_exporter.replay.backtest.panels import Panel
from lens_exporter.replay.backtest.recording import Recording
from lens_exporter.replay.backtest.report import Report, WouldBe

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DAY = 86_400.0  # matplotlib counts time in days
_LEAST_BAR = 1 / 400  # of the span: a shorter bar would not be seen
_QUIETEST = 8.0  # times below the threshold a score is drawn at the least: what is lower is all the same

_VALUE, _EXPECTED, _BAND = "#17375e", "#6fb1e8", "#cfdcec"
_SCORE, _THRESHOLD, _FAINT = "#57534e", "#b3261e", "#6f6f6f"
_ALERT = {"critical": "#c0271d", "warning": "#e58a00", "info": "#2a7f9e"}
_OURS, _RULES, _SILENCES, _INCIDENTS = "would fire", "your rules", "silences", "incidents"
_LANE = {_RULES: "#7b4fa3", _SILENCES: "#9a9a9a", _INCIDENTS: "#2f7d4f"}

Bars = list[tuple[float, float, str]]  # begin, end (Unix seconds), colour


def lanes_of(report: Report) -> dict[str, Bars]:
    """Give the bars of each lane: our alerts, and of the others those that have any."""
    lanes: dict[str, Bars] = {_OURS: [(*_extent(one, report), _colour(one)) for one in report.alerts]}
    lanes[_RULES] = [(one.began, one.ended, _LANE[_RULES]) for one in report.theirs.alerts]
    lanes[_SILENCES] = [(one.starts_at, one.ends_at, _LANE[_SILENCES]) for one in report.theirs.silences]
    lanes[_INCIDENTS] = [(one.incident.start, one.incident.end, _LANE[_INCIDENTS]) for one in report.detections or ()]
    return {name: bars for name, bars in lanes.items() if bars or name == _OURS}


def the_lanes(axes: "Axes", lanes: Mapping[str, Bars], report: Report) -> None:
    """Draw one thin bar for each thing that lasted."""
    begin, end = report.asked.span.begin, report.asked.span.end
    least = (end - begin) * _LEAST_BAR
    for row, bars in enumerate(lanes.values()):
        for first, last, colour in bars:
            left, right = max(first, begin), min(max(last, first + least), end)
            axes.broken_barh([(left / DAY, (right - left) / DAY)], (row - 0.32, 0.64), facecolors=colour, linewidth=0)
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    axes.set_yticks(range(len(lanes)), list(lanes), fontsize=8)
    axes.tick_params(axis="both", length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_facecolor("#f6f6f4")
    for row in range(1, len(lanes)):
        axes.axhline(row - 0.5, color="white", linewidth=1.5)


def the_value(axes: "Axes", panel: Panel, recording: Recording) -> None:
    """Draw a series over its band. Of a column with several ticks its lowest and highest value are joined."""
    track = panel.track
    there = recording.ticked
    times = recording.times[there] / DAY
    lowest, highest = track.lowest[there], track.highest[there]
    axes.fill_between(times, track.lower[there], track.upper[there], color=_BAND, linewidth=0)
    axes.fill_between(times, lowest, highest, color=_VALUE, alpha=0.35, linewidth=0)
    axes.plot(times, (lowest + highest) / 2, color=_VALUE, linewidth=0.9)
    axes.plot(times, track.expected[there], color=_EXPECTED, linewidth=1.0)
    axes.set_title(f"{cleaned(track.metric)} of {target_name(track.labels)}", loc="left", fontsize=10, fontweight="bold", pad=3)
    axes.yaxis.set_major_formatter(lambda value, _place: number(value, track.unit))
    axes.locator_params(axis="y", nbins=5)
    _plain(axes)


def the_score(axes: "Axes", panel: Panel, recording: Recording) -> None:
    """Draw what decides: the score of its group against the threshold, or its own, for which 1 is the edge of the band."""
    there = recording.ticked
    times = recording.times[there] / DAY
    if panel.group is not None:
        score, threshold, name = panel.group.score[there], panel.group.threshold[there], "group score"
    else:
        score, threshold, name = panel.track.score[there], np.where(np.isfinite(panel.track.score[there]), 1.0, np.nan), "score"
    axes.plot(times, score, color=_SCORE, linewidth=0.8)
    axes.plot(times, threshold, color=_THRESHOLD, linewidth=1.0, linestyle=(0, (5, 2)))
    axes.fill_between(times, threshold, score, where=score > threshold, color=_THRESHOLD, alpha=0.35, linewidth=0)
    axes.set_ylabel(name, fontsize=8)
    axes.set_yscale("log")  # what is near the threshold counts as much as how far an incident was beyond it
    axes.yaxis.set_major_formatter(lambda value, _place: number(value))
    axes.minorticks_off()
    known = threshold[np.isfinite(threshold)]
    if known.size:
        axes.set_ylim(bottom=float(known.min()) / _QUIETEST, top=max(float(known.max()), float(np.nanmax(score))) * 1.5)
    _plain(axes)


def shade(axes: "Axes", panel: Panel, report: Report) -> None:
    """Shade the time of alerts: those of the series itself, and lighter those that another one of its group carries."""
    for alerts, alpha in ((panel.own, 0.25), (panel.others, 0.10)):
        for one in alerts:
            begin, end = _extent(one, report)
            axes.axvspan(begin / DAY, end / DAY, color=_colour(one), alpha=alpha, linewidth=0)


def legend_of(report: Report) -> list[Any]:
    """Give the keys of what the picture shows, and of nothing else."""
    from matplotlib.lines import Line2D  # noqa: PLC0415 - an extra
    from matplotlib.patches import Patch  # noqa: PLC0415

    keys: list[Any] = [
        Line2D([], [], color=_VALUE, linewidth=1.5, label="value"),
        Line2D([], [], color=_EXPECTED, linewidth=1.5, label="expected"),
        Patch(color=_BAND, label="normal range"),
        Line2D([], [], color=_SCORE, linewidth=1.2, label="score"),
        Line2D([], [], color=_THRESHOLD, linewidth=1.2, linestyle=(0, (5, 2)), label="threshold"),
    ]
    severities = dict.fromkeys(one.alert.severity for one in report.alerts)
    keys += [Patch(color=_ALERT.get(name, _FAINT), alpha=0.45, label=f"alert: {name}") for name in severities]
    return keys


def _plain(axes: "Axes") -> None:
    axes.tick_params(axis="both", labelsize=8, length=2, color=_FAINT)
    axes.tick_params(axis="x", labelbottom=False)
    axes.grid(visible=True, axis="both", color="#ececec", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#cccccc")


def _extent(one: WouldBe, report: Report) -> tuple[float, float]:
    end = report.asked.span.end
    return one.alert.began, end if one.alert.ended is None else one.alert.ended


def _colour(one: WouldBe) -> str:
    return _ALERT.get(one.alert.severity, _FAINT)
