"""How close the band of the recording rules is to the detector's: `python bench/rules_agreement.py` prints a table in markdown.

Every server of ASD and SMD, test part. Both bands are known before the row they judge: the detector's by design, the rules' as of
the evaluation before. A row is judged alike when both bands hold it, or neither does. Alarms are what the rules' alerts would be:
three rows in a row outside, per machine and week, outside labelled events and an hour around them. All metrics of a machine share
its budget in both.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the twin is imported as the tests import it

from bench.quality.data import DEFAULT_ROOT, BoolArray, DataAbsent, FloatArray, Machine, load_asd, load_smd
from bench.quality.report import provenance
from bench.rules_band import rule_band
from lens_exporter.baseline.detection.engine import Engine
from lens_exporter.baseline.detection.tuning import Tuning
from lens_exporter.rules.plan import deviations

_WEEK = 7 * 86_400.0
_AROUND = 3600.0  # seconds beside an event that count for neither side
_READINGS = 3
_SETS: dict[str, Callable[[Path], list[Machine]]] = {"asd": load_asd, "smd": load_smd}
_HEAD = (
    "server",
    "rows",
    "expected apart",
    "width",
    "log width corr.",
    "alike",
    "kappa",
    "outside: detector",
    "rules",
    "alarms a week: detector's band",
    "rules",
    "events",
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two bands over the same rows of one server."""

    name: str
    rows: int  # of all series together
    apart: float  # median distance of both expected values, in half-widths of the detector's band
    ratio: tuple[float, float, float]  # width of the rules by the detector's: 10 %, 50 % and 90 % quantile
    correlation: float  # of the logarithms of both widths
    alike: float  # share of rows that both bands judge alike
    kappa: float  # Cohen's: 0 is chance, 1 is one and the same
    outside: tuple[float, float]  # share of rows outside: detector's band, rules' band
    alarms: tuple[float, float]  # of all series together, a week: three rows outside the detector's band, the rules' band
    caught: float  # share of events with an alarm of the rules in any series


def compare(machine: Machine) -> Agreement:
    """Run the detector and the rules over a server's train and test part, and compare the test part."""
    values = np.concatenate([machine.train, machine.test]).T.astype(np.float64)
    times = np.concatenate([machine.train_times, machine.test_times])
    test = slice(len(machine.train), None)
    series, tuning = values.shape[0], Tuning(step=machine.step)
    engine = Engine(series, [range(series)], tuning, shares=np.full(series, 1 / series))
    scored = engine.advance(times, values)
    expected, half = scored.expected[:, test], ((scored.upper - scored.lower) / 2)[:, test]
    ours, width = (
        each[:, test] for each in _before_each_row(values, machine.step, deviations(tuning.false_alarms_per_week / series))
    )
    tested = values[:, test]
    known = np.isfinite(half) & np.isfinite(width) & (half > 0) & (width > 0)
    theirs_out, ours_out = np.abs(tested - expected) > half, np.abs(tested - ours) > width
    ratio = width[known] / half[known]
    alarm = _lasting(ours_out)
    return Agreement(
        name=machine.name,
        rows=int(known.sum()),
        apart=float(np.median(np.abs(expected - ours)[known] / half[known])),
        ratio=tuple(float(q) for q in np.quantile(ratio, (0.1, 0.5, 0.9))),
        correlation=float(np.corrcoef(np.log(width[known]), np.log(half[known]))[0, 1]),
        alike=float((theirs_out == ours_out)[known].mean()),
        kappa=_kappa(theirs_out[known], ours_out[known]),
        outside=(float(theirs_out[known].mean()), float(ours_out[known].mean())),
        alarms=(_alarms(_lasting(theirs_out), machine), _alarms(alarm, machine)),
        caught=float(np.mean([alarm[:, event.start : event.end].any() for event in machine.events])),
    )


def _before_each_row(values: FloatArray, step: float, wide: float) -> tuple[FloatArray, FloatArray]:
    """Give expected and width [series, time] as they were recorded before each row."""
    band = rule_band(values, step, wide)
    newest = np.searchsorted(band.rows, np.arange(values.shape[1]), side="left") - 1
    found = (np.where(newest >= 0, each[:, np.maximum(newest, 0)], np.nan) for each in (band.expected, band.width))
    expected, width = found
    return expected, width


def _lasting(outside: BoolArray) -> BoolArray:
    """Mark the rows that are the third in a row, or later."""
    lasting = outside.copy()
    for back in range(1, _READINGS):
        lasting[:, back:] &= outside[:, :-back]
    lasting[:, : _READINGS - 1] = False
    return lasting


def _alarms(alarm: BoolArray, machine: Machine) -> float:
    margin = round(_AROUND / machine.step)
    near = np.convolve(machine.label.astype(np.float64), np.ones(2 * margin + 1), "same") > 0
    begins = alarm & ~np.pad(alarm, ((0, 0), (1, 0)))[:, :-1]
    weeks = (~near).sum() * machine.step / _WEEK
    return float(begins[:, ~near].sum() / weeks)


def _kappa(one: BoolArray, other: BoolArray) -> float:
    agreed, a, b = float((one == other).mean()), float(one.mean()), float(other.mean())
    chance = a * b + (1 - a) * (1 - b)
    return (agreed - chance) / (1 - chance)


def _line(each: Agreement) -> str:
    low, middle, high = each.ratio
    cells = (
        each.name,
        f"{each.rows:,}",
        f"{each.apart:.3f}",
        f"{middle:.2f} ({low:.2f} .. {high:.2f})",
        f"{each.correlation:.2f}",
        f"{each.alike:.1%}",
        f"{each.kappa:.2f}",
        f"{each.outside[0]:.2%}",
        f"{each.outside[1]:.2%}",
        f"{each.alarms[0]:.1f}",
        f"{each.alarms[1]:.1f}",
        f"{each.caught:.0%}",
    )
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="How close the band of the recording rules is to the detector's.")
    parser.add_argument("--data", type=Path, default=DEFAULT_ROOT, help="folder of the public data sets")
    parser.add_argument("--set", choices=[*_SETS, "all"], default="all")
    options = parser.parse_args(arguments)
    print(provenance(" ".join(["python bench/rules_agreement.py", *arguments]), datetime.now(UTC)))
    print(f"| {' | '.join(_HEAD)} |\n|{'---|' * len(_HEAD)}")
    for name, load in _SETS.items():
        if options.set not in {name, "all"}:
            continue
        try:
            machines = load(options.data)
        except DataAbsent as absent:
            print(f"{absent}\n")
            continue
        for machine in machines:
            print(_line(compare(machine)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
