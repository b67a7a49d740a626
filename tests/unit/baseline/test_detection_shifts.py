"""Parts of a week beside a level that has followed since."""

import numpy as np
import pytest

from lens_exporter.baseline.detection.engine import Engine
from lens_exporter.baseline.detection.shifts import followed
from lens_exporter.baseline.detection.tuning import Tuning
from lens_exporter.model.window import BoolArray, FloatArray

PARTS = 56  # of three hours
PER_DAY = 8
SHIFT = slice(30, 40)  # thirty hours


def marked(residual: FloatArray, value: FloatArray, *, inside: float = 1.0, floor: float = 0.01) -> BoolArray:
    """Ask about one series by the means of its residuals and the middles of its values [part]."""
    means, middles = (np.where(np.isnan(residual), np.nan, one)[:, None] for one in (residual, value))
    return followed(means, np.where(np.isnan(means), np.nan, inside), middles, np.full(1, floor), PER_DAY)[:, 0]


def steps(*sizes: tuple[slice, float]) -> FloatArray:
    """Noise of the means, with steps of these sizes."""
    means = 0.2 * np.random.default_rng(3).standard_normal(PARTS)
    for part, size in sizes:
        means[part] += size
    return means


AFTER = slice(SHIFT.start, None)
SHIFTS = {
    "a level that has stayed": (steps((SHIFT, 9.0)), steps((AFTER, 9.0))),
    "followed half way first": (steps((SHIFT, 9.0), (slice(36, 40), -2.0)), steps((AFTER, 9.0))),
    "downwards, however far": (steps((SHIFT, -1e6)), steps((AFTER, -1e6))),
}
DAYS = 9.0 * np.sin(2.0 * np.pi * np.arange(PARTS) / PER_DAY)  # a season moves values by as much
SHIFTS |= {
    "a level that has stayed under a day and a night": (steps((SHIFT, 9.0)), DAYS + steps((AFTER, 9.0))),
    "of half a day, with a day and a night": (steps((slice(36, 40), 9.0)), DAYS + steps((slice(36, None), 9.0))),
}
OTHERS = {
    "an incident under a day and a night": (steps((slice(32, 36), 9.0)), DAYS + steps((slice(32, 36), 9.0))),
    "followed in part so far": (steps((slice(44, 54), 9.0), (slice(54, None), 3.0)), steps((slice(44, None), 9.0))),
    "a weekend with one wild reading in its last part": (steps((SHIFT, 9.0)), steps((SHIFT, 9.0), (slice(39, 40), -9.0))),
    "a weekend, whose values are back": (steps((SHIFT, 9.0)), steps((SHIFT, 9.0))),
    "not over yet": (steps((AFTER, 9.0)), steps((AFTER, 9.0))),
    "three hours": (steps((slice(30, 31), 9.0)), steps((AFTER, 9.0))),
    "no farther than parts stray inside": (steps((SHIFT, 3.0)), steps((AFTER, 3.0))),
    "what it does all week": (np.tile([-9.0] * 7 + [9.0] * 7, 4), np.tile([-9.0] * 7 + [9.0] * 7, 4)),
    "nothing known": (np.full(PARTS, np.nan), np.full(PARTS, np.nan)),
}


@pytest.mark.parametrize("case", SHIFTS)
def test_a_shift_that_was_followed_is_found(case: str) -> None:
    """All of its parts, and no other."""
    begins = 36 if "half a day" in case else SHIFT.start
    np.testing.assert_array_equal(np.flatnonzero(marked(*SHIFTS[case])), np.arange(begins, SHIFT.stop))


def test_a_shift_that_is_followed_in_steps_waits_for_the_last_of_them() -> None:
    """Just beyond what is far at the end of the run, and just within it after that: were it forgotten then, the rest would be told."""
    residual, value = steps((slice(44, 53), 9.0)), steps((slice(44, None), 9.0))
    residual[52], residual[53:] = 5.6, 4.6
    for known, found in ((55, []), (56, list(range(44, 53)))):
        begun = residual.copy()
        begun[known:] = np.nan
        assert np.flatnonzero(marked(begun, value)).tolist() == found


@pytest.mark.parametrize("case", OTHERS)
def test_what_is_no_shift_or_none_yet_is_left(case: str) -> None:
    assert not marked(*OTHERS[case]).any()


def test_gaps_are_neither_an_end_nor_parts_of_it() -> None:
    """A group keeps the first day of a shift out of its memory, and a server may be away in between."""
    residual, value = SHIFTS["a level that has stayed"]
    gappy = residual.copy()
    gappy[[28, 29, 30, 31, 32, 35, 36, 40, 41]] = np.nan
    np.testing.assert_array_equal(np.flatnonzero(marked(gappy, value)), [33, 34, 37, 38, 39])


def test_what_is_tiny_beside_the_least_that_counts_is_none() -> None:
    """The floor of a scale is one of shifts, too."""
    assert not marked(*SHIFTS["a level that has stayed"], floor=2.0).any()


def test_each_series_by_itself() -> None:
    """A shift of one is none of the others."""
    cases = [SHIFTS["a level that has stayed"], OTHERS["not over yet"], SHIFTS["downwards, however far"]]
    means, middles = (np.stack([case[which] for case in cases], axis=1) for which in (0, 1))
    found = followed(means, np.ones(means.shape), middles, np.full(3, 0.01), PER_DAY)
    assert found.sum(axis=0).tolist() == [10, 0, 10]


def test_bands_are_about_as_narrow_as_before_six_days_after_a_shift() -> None:
    """What single series strayed by in the meantime is neither their scale nor their budget; a quarter more with the latter."""
    values = np.random.default_rng(1).standard_normal((4, 16 * 288))
    values[:, 10 * 288 :] += 60.0
    scored = Engine(4, [], Tuning(step=300.0)).advance(300.0 * np.arange(values.shape[1]), values)
    before, after = ((scored.upper - scored.expected)[:, day * 288 - 1].mean() for day in (10, 16))
    assert after == pytest.approx(before, rel=0.2)
