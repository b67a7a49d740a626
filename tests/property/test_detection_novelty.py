"""What must hold of the novelty rule for any history."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lens_exporter.baseline.detection.novelty import Novelty
from lens_exporter.baseline.detection.peaks import Peaks
from lens_exporter.model.window import FloatArray

VALUES = st.integers(-50, 50).map(float) | st.floats(-1e9, 1e9, width=32) | st.sampled_from([1.7e9, 1.7e9 + 1, 0.0, 0.1])
READINGS = VALUES | st.sampled_from([np.nan, np.inf])
SIZES = st.sampled_from([(80, 40), (150, 30), (60, 7), (10, 1)])  # memory, refit


@st.composite
def histories(draw: st.DrawFn, least: int = 1) -> FloatArray:
    """A few series of up to 200 rows: a short drawn pattern, repeated with drawn rows in between, so that little is drawn."""
    series = draw(st.integers(1, 3))
    pattern = draw(arrays.arrays(np.float64, (series, draw(st.integers(1, 12))), elements=READINGS))
    length = draw(st.integers(least, 200))
    values = np.tile(pattern, (1, length // pattern.shape[1] + 1))[:, :length].copy()
    values += draw(st.sampled_from([0.0, 1.0])) * np.random.default_rng(draw(st.integers(0, 99))).standard_normal(values.shape)
    for _ in range(draw(st.integers(0, 5))):
        values[:, draw(st.integers(0, length - 1))] = draw(READINGS)
    return values


def cut(values: FloatArray, cuts: list[int]) -> list[FloatArray]:
    return np.split(values, sorted({min(each, values.shape[1]) for each in cuts}), axis=1)


@given(histories(), SIZES, st.lists(st.integers(0, 200), max_size=12))
@settings(max_examples=80, deadline=None)
def test_any_partition_gives_the_same_bit_by_bit(values: FloatArray, sizes: tuple[int, int], cuts: list[int]) -> None:
    """Rows at once, in blocks, or one by one; with a look ahead before each block."""
    memory, refit = sizes
    whole = Novelty(len(values), memory=memory, refit=refit).advance(values)
    parts = Novelty(len(values), memory=memory, refit=refit)
    found = []
    for part in cut(values, cuts):
        peeked = parts.peek(part)
        found.append(parts.advance(part))
        np.testing.assert_array_equal(peeked, found[-1])
    np.testing.assert_array_equal(np.concatenate(found, axis=1), whole)


@given(histories(least=60), SIZES, st.integers(0, 999))
@settings(max_examples=80, deadline=None)
def test_whoever_peeks_at_what_comes_otherwise_changes_nothing(values: FloatArray, sizes: tuple[int, int], seed: int) -> None:
    """A few rows are looked at before they are learnt, again and again, and some of them change meanwhile."""
    memory, refit = sizes
    whole = Novelty(len(values), memory=memory, refit=refit).advance(values)
    parts = Novelty(len(values), memory=memory, refit=refit)
    found, at, random = [], 0, np.random.default_rng(seed)
    while at < values.shape[1]:
        seen = values[:, at : at + random.integers(1, 6)].copy()
        if random.random() < 0.3:
            seen[:, random.integers(seen.shape[1])] += random.choice([1.0, 1e-3, np.nan])
        peeked = parts.peek(seen)
        np.testing.assert_array_equal(parts.peek(seen), peeked)
        rows = int(random.integers(0, 4))
        found.append(parts.advance(values[:, at : at + rows]))
        at += rows
    np.testing.assert_array_equal(np.concatenate(found, axis=1), whole)


@given(histories(least=60), SIZES, st.sampled_from([2.0**-20, 0.5, 8.0, 2.0**20]))
@settings(max_examples=40, deadline=None)
def test_the_unit_does_not_matter(values: FloatArray, sizes: tuple[int, int], factor: float) -> None:
    """Bytes or gigabytes: the same surprise."""
    memory, refit = sizes
    here, there = (Novelty(len(values), memory=memory, refit=refit).advance(each) for each in (values, values * factor))
    np.testing.assert_allclose(there, here, atol=1e-6)


@given(st.integers(0, 1000), st.floats(1e-6, 1e9))
@settings(max_examples=40, deadline=None)
def test_nor_does_a_unit_that_is_no_power_of_two(seed: int, factor: float) -> None:
    """Any positive factor gives the same surprise, up to single precision."""
    values = np.random.default_rng(seed).standard_normal((2, 400))
    here, there = (Novelty(2, memory=200, refit=50).advance(each) for each in (values, values * factor))
    # A value may lie on the other side of a cell's edge in another unit: that moves a distance by a part of the grain, not more.
    assert np.nanquantile(np.abs(there - here), 0.9) < 0.05


@given(histories(), SIZES, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_series_does_not_matter(values: FloatArray, sizes: tuple[int, int], random: object) -> None:
    """A series' surprise does not depend on its neighbours."""
    order = list(range(len(values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    here, there = (Novelty(len(values), memory=sizes[0], refit=sizes[1]).advance(each) for each in (values, values[order]))
    np.testing.assert_array_equal(there, here[order])


@given(histories(least=10), SIZES, st.integers(1, 9), READINGS)
@settings(max_examples=40, deadline=None)
def test_no_later_value_changes_a_surprise(values: FloatArray, sizes: tuple[int, int], back: int, other: float) -> None:
    """Row t comes from rows before t only."""
    changed = values.copy()
    changed[:, -back:] = other
    here, there = (Novelty(len(values), memory=sizes[0], refit=sizes[1]).advance(each) for each in (values, changed))
    np.testing.assert_array_equal(there[:, :-back], here[:, :-back])


@given(histories(least=60), SIZES)
@settings(max_examples=40, deadline=None)
def test_what_was_just_seen_is_never_more_surprising_than_anything_else(values: FloatArray, sizes: tuple[int, int]) -> None:
    """A surprise is a number wherever there is a value and a tail, and a repetition is the least of all."""
    novelty = Novelty(len(values), memory=sizes[0], refit=sizes[1])
    novelty.advance(np.where(np.isfinite(values), values, 1.0))
    again, other = novelty.peek(np.full((len(values), 1), 1.0)), novelty.peek(np.full((len(values), 1), 3e30))
    assert (np.isnan(again) | (again <= other)).all()
    assert not np.isinf(again).any()


@given(
    arrays.arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 150)), elements=st.floats(-5, 9) | st.just(np.nan)),
    st.lists(st.integers(0, 150), max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_peaks_in_any_partition_are_the_same(surprise: FloatArray, cuts: list[int]) -> None:
    """News and thresholds do not depend on how rows come in."""
    whole = Peaks(len(surprise), alarms_per_row=1e-3).advance(surprise)
    parts = Peaks(len(surprise), alarms_per_row=1e-3)
    found = [parts.advance(part) for part in cut(surprise, cuts)]
    for name in ("fresh", "threshold", "alarm"):
        np.testing.assert_array_equal(np.concatenate([getattr(each, name) for each in found], axis=1), getattr(whole, name))
