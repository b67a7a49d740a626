"""Tables in markdown, the targets and whether they are reached, and what a detector must offer to be measured."""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from .bootstrap import Difference
from .data import BoolArray, FloatArray

PER_WEEK = {0.2: 1.4, 1.0: 7.0}
"""False alarm-hours a day of the measures -> the budget in false alarms a week that stands for it."""


@dataclass(frozen=True, slots=True)
class MachineScores:
    """What a detector says about a test part: group [time], series [metric, time], and its own alarms [time] per budget a week."""

    group: FloatArray
    series: FloatArray
    alarm: Mapping[float, BoolArray]


class MachineScorer(Protocol):
    """Judges a group of metrics."""

    def __call__(self, train: FloatArray, test: FloatArray, step: float) -> MachineScores:
        """Learn train [time, metric], then score test [time, metric] row by row; step in seconds."""


class SeriesScorer(Protocol):
    """Judges a lone series."""

    def __call__(self, times: FloatArray, values: FloatArray) -> FloatArray:
        """Score values [time] at times [time] (unix seconds), each row from those before it: [time], higher is more anomalous."""


@dataclass(frozen=True, slots=True)
class Target:
    """A figure to reach. at_most: it may not be larger, else not smaller."""

    what: str
    aim: float
    at_most: bool = False

    def row(self, value: float) -> list[str]:
        """Give the target's table row: what, aim, measured, reached or missed by how much."""
        short = value - self.aim if self.at_most else self.aim - value
        sign = "at most" if self.at_most else "at least"
        return [self.what, f"{sign} {self.aim:g}", number(value), "reached" if short <= 0 else f"missed by {number(short)}"]


def within_factor_two(what: str, budget: float, realised: float) -> list[str]:
    """Give the table row of a budget that must be kept to a factor of two on both sides."""
    ratio = realised / budget
    verdict = "reached" if 0.5 <= ratio <= 2 else f"missed: {ratio:.2g} times the budget"
    return [what, f"{budget / 2:g} to {budget * 2:g}", number(realised), verdict]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a markdown table."""
    lines = [list(head), ["---"] * len(head), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def number(value: float, digits: int = 2) -> str:
    """Write a figure with so many decimals; a dash where there is none."""
    return "-" if value != value else f"{value:.{digits}f}"


def interval(each: Difference, digits: int = 2) -> str:
    """Write a difference with its 95 % interval, bold where 0 lies outside."""
    text = f"{each.value:+.{digits}f} ({each.low:+.{digits}f} .. {each.high:+.{digits}f})"
    return f"**{text}**" if each.decided else text


def differences(title: str, measures: Sequence[str], rows: Mapping[str, Sequence[Difference]], digits: int = 2) -> str:
    """Lay out our differences to each peer, and say in a sentence where a peer is not beaten: where 0 is not below the interval."""
    laid = table((f"{title} minus", *measures), [[name, *(interval(each, digits) for each in row)] for name, row in rows.items()])
    open_ones = [
        f"{name} ({', '.join(measure for measure, each in zip(measures, row, strict=True) if not each.better)})"
        for name, row in rows.items()
        if not all(each.better for each in row)
    ]
    return f"{laid}\n{'Not beaten: ' + '; '.join(open_ones) if open_ones else 'Every peer is beaten on every measure'}.\n"


def provenance(command: str, now: datetime) -> str:
    """Say when, where and with what the figures were made."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("lens-exporter", "numpy"))
    return (
        f"Measured on {now:%Y-%m-%d} with `{command}`: {_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}, {versions}.\n"
    )


def _processor() -> str:
    """Name the processor as the kernel does, where it does."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return names[0] if names else platform.machine()
