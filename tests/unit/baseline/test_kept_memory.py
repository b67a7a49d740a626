"""What is kept of a row is kept, and not the block that it came in."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lens_exporter.baseline.detection.engine import Engine
from lens_exporter.baseline.detection.tuning import DAY, Tuning
from lens_exporter.model.window import FloatArray

Array = NDArray[Any]
STEP, SERIES = 300.0, 12
DAYS = 3


def arrays(of: object, path: str, seen: set[int]) -> Iterator[tuple[str, Array]]:
    """Give every array that an object of ours holds, with the way to it."""
    if id(of) in seen:
        return
    seen.add(id(of))
    if isinstance(of, np.ndarray):
        yield path, of
        return
    if isinstance(of, dict):
        inside = {str(key): value for key, value in of.items()}
    elif isinstance(of, list | tuple):
        inside = {str(place): value for place, value in enumerate(of)}
    elif type(of).__module__.startswith("lens_exporter"):
        slots = [name for kind in type(of).__mro__ for name in getattr(kind, "__slots__", ())]
        inside = getattr(of, "__dict__", {}) | {name: getattr(of, name) for name in slots}
    else:
        return
    for name, value in inside.items():
        yield from arrays(value, f"{path}.{name}", seen)


def root(array: Array) -> Array:
    """Give the array whose memory it is."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


@pytest.mark.parametrize("groups", [[], [range(6), range(6, 12)]])
def test_nothing_holds_on_to_more_than_it_shows(groups: list[range]) -> None:
    """After a block of a day and after single rows: a view of one row would keep a day of rows, 7 kB a series."""
    rows = round(DAYS * DAY / STEP)
    times = 1.7e9 // DAY * DAY + STEP * np.arange(rows + 5)
    values: FloatArray = np.random.default_rng(1).standard_normal((SERIES, times.size))
    engine = Engine(SERIES, groups, Tuning(STEP, memory=2016))
    ends = [*range(288, rows + 1, 288), *range(rows + 1, rows + 6)]
    for begin, end in zip([0, *ends], ends, strict=False):
        engine.advance(times[begin:end], values[:, begin:end])
        shown = defaultdict[int, int](int)
        held: dict[int, tuple[int, str]] = {}
        for path, array in arrays(engine, "", set()):
            shown[id(root(array))] += array.nbytes
            held[id(root(array))] = root(array).nbytes, path
        assert held
        assert [path for key, (size, path) in held.items() if size > shown[key]] == []
