"""The public data: NAB (half), ASD 1-6, four SMD machines, PetShop's days without issue.

Read where they lie (`--data`, by default ../shared/data beside the checkout); never copied into the project. Their README there
names sources and licences.
"""

import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MONDAY = 1_577_664_000  # 2019-12-30 00:00 UTC: where the sets without timestamps begin
DEFAULT_ROOT = Path(__file__).resolve().parents[3] / "shared" / "data"


class DataAbsent(Exception):
    """A data set is not there; the message says which, where it was looked for and what is skipped."""


@dataclass(frozen=True, slots=True)
class LoneSeries:
    """One file of NAB. times: unix seconds [time], as irregular as the file; windows: first and last row, both inside."""

    name: str
    times: FloatArray
    values: FloatArray
    windows: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Event:
    """Rows start .. end - 1 of the test part are labelled; causes: the metric columns that carry it (may be empty)."""

    start: int
    end: int
    causes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """One server: train and test [time, metric], one right after the other; label [time] of the test part; step in seconds."""

    name: str
    step: float
    train: FloatArray
    test: FloatArray
    label: BoolArray
    events: tuple[Event, ...]

    @property
    def train_times(self) -> FloatArray:
        """Unix seconds [time]; the sets carry none, so they begin on a Monday at midnight."""
        return MONDAY + self.step * np.arange(len(self.train), dtype=np.float64)

    @property
    def test_times(self) -> FloatArray:
        """Unix seconds [time], going on where the train part ends."""
        return MONDAY + self.step * np.arange(len(self.train), len(self.train) + len(self.test), dtype=np.float64)

    @property
    def days(self) -> float:
        """Length of the test part in days."""
        return len(self.test) * self.step / 86_400


@dataclass(frozen=True, slots=True)
class Healthy:
    """Days without a known issue. times: unix seconds [time]; values [series, time], NaN is a gap; groups: one name per series."""

    name: str
    times: FloatArray
    values: FloatArray
    series: tuple[str, ...]
    groups: tuple[str, ...]

    def series_days(self, rows: BoolArray) -> float:
        """Count the days in which a series has values, summed over the series, within these rows [time]."""
        step = float(np.median(np.diff(self.times)))
        return float(np.isfinite(self.values[:, rows]).sum() * step / 86_400)


def load_nab(root: Path = DEFAULT_ROOT) -> list[LoneSeries]:
    """Give the given half of the Numenta Anomaly Benchmark, in the order of `windows.json`.

    Timestamps are read as UTC and rows stay in file order, double and backward ones too, as the official runner feeds them.
    Raises DataAbsent.
    """
    folder = _present(root / "nab", "NAB")
    labels: dict[str, list[list[str]]] = json.loads((folder / "windows.json").read_text())
    return [_nab_file(folder, name, windows) for name, windows in labels.items()]


def load_asd(root: Path = DEFAULT_ROOT) -> list[Machine]:
    """Give the Application Server Dataset's servers, 19 metrics every 5 minutes, values as they are. Raises DataAbsent."""
    return [_machine(path, 300.0) for path in sorted(_present(root / "asd", "ASD").glob("*.npz"))]


def load_smd(root: Path = DEFAULT_ROOT) -> list[Machine]:
    """Give the Server Machine Dataset's machines, 38 metrics every minute, rescaled by what the train part knows.

    The set comes min-max scaled over train and test together, so its scale knows the future. Per metric: both parts become
    (x - lowest of train) / (highest of train - lowest of train); where the train part is constant the divisor is 1. Test values
    may therefore be negative or far above 1. Raises DataAbsent.
    """
    return [_rescaled(_machine(path, 60.0)) for path in sorted(_present(root / "smd", "SMD").glob("*.npz"))]


def load_petshop(root: Path = DEFAULT_ROOT) -> list[Healthy]:
    """Give PetShop's two recordings without issue: two days each, every 5 minutes; a group is a microservice. Raises DataAbsent."""
    folder = _present(root / "petshop", "PetShop")
    return [_noissue(path) for path in sorted(folder.glob("*/noissue.csv.gz"))]


def _present(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise DataAbsent(f"{name} is skipped: there is no folder {folder} (give another one with --data)")
    return folder


def _nab_file(folder: Path, name: str, windows: Sequence[Sequence[str]]) -> LoneSeries:
    with gzip.open(folder / f"{name}.gz", "rt", newline="") as lines:
        stamps, values = zip(*list(csv.reader(lines))[1:], strict=True)
    times = _seconds(stamps)
    # A window is given by the timestamps of its first and last row; of rows with the same timestamp the first one counts.
    rows = tuple((_row(times, first), _row(times, last)) for first, last in windows)
    return LoneSeries(name, times, np.array(values, dtype=np.float64), rows)


def _row(times: FloatArray, stamp: str) -> int:
    return int(np.flatnonzero(times == _seconds([stamp])[0])[0])


def _seconds(stamps: Sequence[str]) -> FloatArray:
    return np.array(stamps, dtype="datetime64[us]").astype(np.int64) / 1e6


def _machine(path: Path, step: float) -> Machine:
    with np.load(path) as parts:
        train, test = parts["train"].astype(np.float64), parts["test"].astype(np.float64)
        label: BoolArray = parts["label"].astype(np.bool_)
    causes: list[tuple[int, int, list[int]]] = json.loads(path.with_suffix(".causes.json").read_text())
    return Machine(path.stem, step, train, test, label, tuple(_events(label, causes)))


def _events(label: BoolArray, causes: Sequence[tuple[int, int, Sequence[int]]]) -> Iterator[Event]:
    """Give each run of labelled rows with the columns of every cause entry that meets it.

    The runs are the truth: the entries' last row is inside in ASD and one past it in SMD, and two entries of SMD have no label.
    """
    edges = np.diff(np.concatenate(([0], label.astype(np.int8), [0])))
    for start, end in zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True):
        columns = {column for first, last, entry in causes if first < end and last >= start for column in entry}
        yield Event(start, end, tuple(sorted(columns)))


def _rescaled(machine: Machine) -> Machine:
    low, high = machine.train.min(axis=0), machine.train.max(axis=0)
    width = np.where(high > low, high - low, 1.0)
    train, test = (machine.train - low) / width, (machine.test - low) / width
    return Machine(machine.name, machine.step, train, test, machine.label, machine.events)


def _noissue(path: Path) -> Healthy:
    with gzip.open(path, "rt", newline="") as lines:
        rows = list(csv.reader(lines))
    names, body = rows[:3], rows[4:]  # the fourth row only names the index
    series = tuple("/".join(parts) for parts in zip(*(row[1:] for row in names), strict=True))
    table = np.array([[float(cell) if cell else np.nan for cell in row] for row in body])
    return Healthy(path.parent.name, table[:, 0], np.ascontiguousarray(table[:, 1:].T), series, tuple(names[0][1:]))
