"""A backtest as a picture: what each series did, what was normal, how far from it, and who said so."""

from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from lens_exporter.baseline.numbers import number
from lens_exporter.errors import ExtraMissing, TableUnwritable
from lens_exporter.foundation.output import output
from lens_exporter.replay.backtest.drawing import DAY, lanes_of, legend_of, shade, the_lanes, the_score, the_value
from lens_exporter.replay.backtest.panels import Panel, panels
from lens_exporter.replay.backtest.recording import Recording
from lens_exporter.replay.backtest.report import Report
from lens_exporter.replay.backtest.text import day_and_time, fired, lasted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FORMATS = (".png", ".svg", ".pdf")
_WIDTH = 14.0  # inches, as are the heights
_VALUE_HEIGHT, _SCORE_HEIGHT, _LANE_HEIGHT, _AROUND = 1.7, 0.8, 0.24, 1.2
_DOTS = 120  # an inch
_TICKS = ["%Y", "%b %Y", "%d %b", "%H:%M", "%H:%M", "%H:%M:%S"]  # of years, months, days, hours, minutes, seconds


def expect_drawable(path: Path) -> None:
    """Make sure that a picture can be written, before anybody waits for it.

    Raises:
        ExtraMissing: matplotlib is not installed. TableUnwritable: nothing can be written under this name.

    """
    try:
        import matplotlib as mpl  # noqa: F401, PLC0415 - an extra
    except ImportError:
        raise ExtraMissing(setting="--plot", extra="plot") from None
    if path.suffix.lower() not in _FORMATS:
        raise TableUnwritable(where=path, reason=f"expected a file whose name ends in {', '.join(_FORMATS)}")
    if not path.resolve().parent.is_dir():
        raise TableUnwritable(where=path, reason="there is no such folder")


def draw(report: Report, recording: Recording, path: Path) -> None:
    """Write the picture of a replay. Raises TableUnwritable."""
    figure = _figure(report, recording, panels(report, recording))
    with output(path) as file:
        figure.savefig(file.stream, dpi=_DOTS, format=path.suffix.lower().removeprefix("."))


def _figure(report: Report, recording: Recording, chosen: Sequence[Panel]) -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and slow to import

    lanes = lanes_of(report)
    heights = [_LANE_HEIGHT * len(lanes) + 0.1, *(_VALUE_HEIGHT, _SCORE_HEIGHT) * len(chosen)]
    figure = Figure(figsize=(_WIDTH, sum(heights) + _AROUND), layout="constrained")
    axes: list[Axes] = list(figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0])
    figure.suptitle(_title(report), x=0.01, horizontalalignment="left", fontsize=12, fontweight="bold")
    the_lanes(axes[0], lanes, report)
    for place, panel in enumerate(chosen):
        value, score = axes[1 + 2 * place], axes[2 + 2 * place]
        the_value(value, panel, recording)
        the_score(score, panel, recording)
        for one in (value, score):
            shade(one, panel, report)
    _time(axes, report)
    figure.legend(handles=legend_of(report), loc="outside lower center", ncols=8, frameon=False, fontsize=8)
    return figure


def _title(report: Report) -> str:
    asked = report.asked
    span = f"{day_and_time(asked.span.begin)} to {day_and_time(asked.span.end)} UTC ({lasted(asked.span.end - asked.span.begin)})"
    budget = f"budget {number(asked.budget)} a week for each of {len(report.groups)} groups"
    return f"{asked.watcher}: {fired(report)} ({budget})\n{span}"


def _time(axes: "Sequence[Axes]", report: Report) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415 - an extra

    begin, end = report.asked.span.begin / DAY, report.asked.span.end / DAY
    locator = AutoDateLocator(tz=UTC, minticks=6, maxticks=14)  # type: ignore[no-untyped-call]
    last = axes[-1]
    last.set_xlim(begin, end)
    last.xaxis.set_major_locator(locator)
    last.xaxis.set_major_formatter(
        ConciseDateFormatter(  # type: ignore[no-untyped-call]
            locator, tz=UTC, formats=_TICKS, zero_formats=["", *_TICKS[:2], "%d %b", *_TICKS[4:]], show_offset=False
        )
    )
    last.tick_params(axis="x", labelsize=9, labelbottom=True)
    last.set_xlabel("time (UTC)", fontsize=9)
