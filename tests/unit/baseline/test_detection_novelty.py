"""How surprised the novelty rule is by series that people know."""

import pickle

import numpy as np
import pytest

from lens_exporter.baseline.detection.novelty import Novelty
from lens_exporter.baseline.detection.sortedrows import SortedRows
from lens_exporter.baseline.detection.tail import Largest, fit
from lens_exporter.model.window import FloatArray

MEMORY, REFIT = 1000, 100


def last_surprise(history: FloatArray, value: float) -> float:
    """Say how surprising a value is after a history [time]."""
    novelty = Novelty(1, memory=MEMORY, refit=REFIT)
    novelty.advance(history[None])
    return float(novelty.peek(np.array([[value]]))[0, 0])


def noise(rows: int, *, seed: int = 3) -> FloatArray:
    return np.random.default_rng(seed).standard_normal(rows)


def test_a_jump_of_a_constant_series_is_a_surprise_and_float_noise_is_not() -> None:
    """Nothing but 45 for days: 46 is news, and so is 0; 45 plus rounding is what it always was."""
    constant = np.full(700, 45.0)
    assert last_surprise(constant, 46.0) > 5
    assert last_surprise(constant, 0.0) > 5
    assert last_surprise(constant, 45.0 * (1 + 1e-9)) < -2
    assert last_surprise(constant, 45.0) < -2


def test_a_series_that_rested_at_zero_is_surprising_when_it_moves_and_the_number_stays_finite() -> None:
    """The first error ever of an error count."""
    surprise = last_surprise(np.zeros(700), 3.0)
    assert 5 < surprise <= 30


def test_the_noise_of_a_residual_is_measured_by_the_reading_it_comes_from() -> None:
    """A residual of zero has no level of its own: 1e-14 of a reading of 1e6 is rounding."""
    readings, residuals = np.full((1, 500), 1e6), np.zeros((1, 500))
    told, untold = Novelty(1, memory=MEMORY, refit=REFIT), Novelty(1, memory=MEMORY, refit=REFIT)
    told.advance(residuals, readings)
    untold.advance(residuals)
    rounding = np.array([[1e-8]])
    assert told.peek(rounding)[0, 0] < -2
    assert untold.peek(rounding)[0, 0] > 5


def test_one_step_beyond_all_whole_numbers_seen_is_little_and_fifty_steps_are_much() -> None:
    """A count between 0 and 20 reaches 21, or 70."""
    counts = np.random.default_rng(1).integers(0, 21, 3000).astype(float)
    seen, step, leap = (last_surprise(counts, value) for value in (20.0, 21.0, 70.0))
    assert seen < -2
    assert step < 1
    assert leap > 3


def test_a_gap_has_no_surprise_and_teaches_nothing() -> None:
    """NaN and infinity in between change the surprise of values by no more than a tail fitted three rows later does."""
    values = noise(300)
    holed = np.insert(values, 150, [np.nan, np.inf, -np.inf])[None]
    found = Novelty(1, memory=4000, refit=1000).advance(holed)[0]
    assert np.isnan(found[150:153]).all()
    assert np.isfinite(found[153:]).all()
    plain = Novelty(1, memory=4000, refit=1000).advance(values[None])[0]
    np.testing.assert_allclose(np.delete(found, slice(150, 153))[256:], plain[256:], atol=0.1)


def test_too_little_history_has_no_surprise() -> None:
    """The first tail stands after 32 rows, long before the first block ends."""
    found = Novelty(1, memory=MEMORY, refit=REFIT).advance(noise(40)[None])[0]
    assert np.isnan(found[:32]).all()
    assert np.isfinite(found[32:]).all()


def test_small_changes_on_a_large_offset_are_seen() -> None:
    """A level of 1.7e9 hides nothing: noise of a hundred-thousandth of it is as surprising as around zero."""
    values = 17_000 * noise(1500)
    low, high = (Novelty(1, memory=MEMORY, refit=REFIT).advance(each[None])[0] for each in (values, 1.7e9 + values))
    np.testing.assert_allclose(high[100:], low[100:], atol=0.02)


def test_a_value_is_news_again_when_its_block_has_left_memory() -> None:
    """Seen once at row 50, a value is known for at least memory - refit rows and forgotten after memory + refit."""
    history = 0.01 * noise(2500)
    history[50] = 5.0
    assert last_surprise(history[:900], 5.0) < -2
    assert last_surprise(history[:1150], 5.0) > 3


def test_a_value_counts_as_seen_from_the_next_row_on() -> None:
    """The second of two equal leaps is no surprise."""
    novelty = Novelty(1, memory=MEMORY, refit=REFIT)
    novelty.advance(noise(450)[None])
    first, second = novelty.advance(np.array([[40.0, 40.0]]))[0]
    assert first > 2
    assert second < -2


@pytest.mark.parametrize("rows", [7, 41, 200])
def test_many_series_in_blocks_are_as_surprising_as_each_by_itself(rows: int) -> None:
    """Bit by bit, with gaps, equal values and monsters: how rows are compared depends on how many there are."""
    series = 150
    values = np.random.default_rng(6).standard_normal((series, 400)) * 10.0 ** np.arange(-75, 75)[:, None]
    values[::3, 50:90] = values[::3, :40]
    values[1::4, ::9], values[5, :60], values[7] = np.nan, np.inf, 45.0
    together = Novelty(series, memory=MEMORY, refit=REFIT)
    found = np.concatenate([together.advance(values[:, at : at + rows]) for at in range(0, 400, rows)], axis=1)
    for one in range(0, series, 6):
        alone = Novelty(1, memory=MEMORY, refit=REFIT)
        np.testing.assert_array_equal(alone.advance(values[one : one + 1]), found[one : one + 1])


def test_few_slots_still_cover_the_whole_range() -> None:
    """Five thousand different values in 64 slots: inside the range nothing is far from something remembered."""
    climbing = np.arange(5000.0)
    novelty = Novelty(1, memory=6000, refit=200, slots=64)
    novelty.advance(climbing[None])
    found = novelty.peek(np.array([[2500.5]]))[0, 0]
    beyond = novelty.peek(np.array([[50_000.0]]))[0, 0]
    assert found < 1
    assert beyond > 4


def test_the_distance_is_that_to_the_nearest_value_remembered() -> None:
    """Sorted rows agree with a look at every value, block after block, with nothing thinned and the oldest block gone."""
    random = np.random.default_rng(5)
    values = random.standard_normal((3, 10, 20))
    rows = SortedRows(3, blocks=4, slots=80)
    origins, nothing = np.zeros(3), np.zeros(3)
    for block in range(10):
        rows.seal(rows.coarse(values[:, block], origins), nothing, nothing)
    wanted = random.standard_normal((3, 50)) * 2
    kept = values[:, 6:].reshape(3, -1)
    brute = np.abs(wanted[:, :, None] - kept[:, None, :]).min(axis=2)
    np.testing.assert_allclose(rows.nearest(rows.coarse(wanted, origins)), brute, atol=1e-5)


def test_thinning_keeps_the_newest_and_moves_no_distance_by_more_than_the_grain() -> None:
    """Of many values in a cell one stays, and it stays as long as the newest of them would have."""
    random = np.random.default_rng(6)
    values = random.uniform(-1, 1, (2, 8, 50))
    rows = SortedRows(2, blocks=4, slots=100)
    for block in range(8):
        rows.seal(rows.coarse(values[:, block], np.zeros(2)), np.full(2, 0.05), np.zeros(2))
    wanted = random.uniform(-2, 2, (2, 40))
    brute = np.abs(wanted[:, :, None] - values[:, 4:].reshape(2, 1, -1)).min(axis=2)
    found = rows.nearest(rows.coarse(wanted, np.zeros(2)))
    assert (found >= brute - 1e-5).all()
    assert (found <= brute + 0.05).all()


def test_a_grain_finer_than_single_precision_thins_nothing() -> None:
    """Different values stay, however large, of either sign, and with gaps among them."""
    values = np.array([[1e3, 2e3, np.nan, 3e3, 4e3], [-4e33, -3e33, -2e33, -1e33, np.nan], [1e4, 2e4, 3e4, 4e4, 5e4], [np.nan] * 5])
    rows = SortedRows(4, blocks=4, slots=5)
    steps = rows.seal(rows.coarse(values, np.zeros(4)), np.zeros(4), np.zeros(4))
    np.testing.assert_allclose(steps, [1e3, 1e33, 1e4, np.inf], rtol=1e-5)


def test_of_equal_values_the_newest_stays() -> None:
    """A value that is shown in each block is remembered for as long as the last block that showed it, wherever counting began."""
    for begun in range(9):
        rows = SortedRows(1, blocks=4, slots=100)
        for block in range(begun + 5):
            shown = np.array([[1.0, 2.0 if block <= begun else 9.0]])
            rows.seal(rows.coarse(shown, np.zeros(1)), np.full(1, 1e-3), np.zeros(1))
            distance = rows.nearest(rows.coarse(np.array([[1.0, 2.0]]), np.zeros(1)))
            assert distance[0, 0] == 0.0
            assert (distance[0, 1] == 0.0) == (block < begun + 4)


def test_the_smallest_step_is_found_where_it_is_more_than_noise() -> None:
    """Quarters with rounding on top step by a quarter."""
    values = np.random.default_rng(7).integers(-8, 8, (1, 60)) / 4 + np.random.default_rng(8).uniform(0, 1e-9, (1, 60))
    rows = SortedRows(1, blocks=4, slots=100)
    steps = rows.seal(rows.coarse(values, np.zeros(1)), np.zeros(1), np.full(1, 1e-6))
    np.testing.assert_allclose(steps, 0.25, rtol=1e-5)


def test_a_pareto_tail_is_recognised() -> None:
    """Distances with exponent 2 give a tail near it, drawn a little to the prior of 3; p is right where nothing was seen."""
    distances = np.random.default_rng(9).pareto(2.0, (1, 40_000)) + 1
    largest = np.sort(distances, axis=1)[:, ::-1][:, :200]
    tail = fit(largest, np.array([40_000]), np.zeros(1))
    assert 1.8 < tail.exponent[0] < 2.4
    np.testing.assert_allclose(tail.rarity(np.array([[1000.0]])), 6.0, atol=0.6)


def test_rarity_rises_with_distance_from_certain_to_capped() -> None:
    """Zero distance is certain; the curve has no step where body and tail meet; nothing is rarer than 30 decades."""
    tail = fit(np.sort(np.random.default_rng(2).exponential(1.0, (1, 50)))[:, ::-1], np.array([1000]), np.zeros(1))
    distances = tail.scale * np.concatenate(([0.0], np.geomspace(1e-6, 1e30, 2000)))[None]
    rarity = tail.rarity(distances)[0]
    assert rarity[0] == 0
    assert (np.diff(rarity) >= 0).all()
    assert np.diff(rarity[:500]).max() < 0.2
    assert rarity[-1] == 30


def test_the_largest_distances_are_those_of_the_remembered_blocks() -> None:
    """What a block brought leaves with it, and what is left is the largest of the rest."""
    distances = np.random.default_rng(4).exponential(1.0, (2, 6, 40)).astype(np.float32)
    largest = Largest(2, blocks=3, rows=1000)
    for block in range(6):
        largest.offer(distances[:, block, :25], block)
        largest.offer(distances[:, block, 25:], block)
        largest.drop(block + 1)
    expected = np.sort(distances[:, 4:].reshape(2, -1), axis=1)[:, ::-1]
    np.testing.assert_allclose(largest.falling(np.arange(2))[:, :5], expected[:, :5], rtol=1e-5)


def test_surprise_means_how_many_were_to_be_expected() -> None:
    """Of independent rows about one in a hundred is rarer than one in a hundred."""
    novelty = Novelty(20, memory=2000, refit=200)
    values = np.random.default_rng(11).standard_normal((20, 6000))
    surprise = novelty.advance(values)[:, 2000:]
    rarity = surprise + np.log10(np.arange(2000, 6000))
    assert 0.005 < (rarity > 2).mean() < 0.02


def test_series_come_and_go_without_touching_the_others() -> None:
    """After taking rows in another order with a new one between, each goes on as it was, and the new one begins."""
    values = np.random.default_rng(12).standard_normal((3, 600))
    whole = Novelty(3, memory=400, refit=100)
    whole.advance(values[:, :330])
    moved = whole.take(np.array([2, -1, 0]))
    later = whole.advance(values[:, 330:])
    found = moved.advance(values[[2, 1, 0], 330:])
    np.testing.assert_array_equal(found[[0, 2]], later[[2, 0]])
    assert np.isnan(found[1, :32]).all()
    assert np.isfinite(found[1, 100:]).all()


def test_taken_state_is_its_own() -> None:
    """What a copy learns, the original does not know."""
    novelty = Novelty(2, memory=400, refit=100)
    novelty.advance(noise(500).reshape(2, 250))
    before = novelty.peek(np.array([[9.0], [9.0]]))
    novelty.take(np.array([0, 1])).advance(np.full((2, 200), 9.0))
    np.testing.assert_array_equal(novelty.peek(np.array([[9.0], [9.0]])), before)


def test_no_series_and_no_rows_are_fine() -> None:
    """An empty fleet, and an empty block."""
    assert Novelty(0, memory=400, refit=100).advance(np.zeros((0, 150))).shape == (0, 150)
    assert Novelty(2, memory=400, refit=100).advance(np.zeros((2, 0))).shape == (2, 0)
    assert Novelty(0, memory=400, refit=100).take(np.array([-1])).advance(noise(150)[None]).shape == (1, 150)


def test_a_memory_shorter_than_two_blocks_is_refused() -> None:
    """One block would forget everything whenever it ends."""
    with pytest.raises(ValueError, match="two blocks"):
        Novelty(1, memory=199, refit=100)


def test_eight_thousand_rows_are_remembered_in_under_five_kilobytes_a_series() -> None:
    """The stated size, with all that a series keeps."""
    novelty = Novelty(100, memory=8000, refit=250)
    assert len(pickle.dumps(novelty)) / 100 < 4500


def test_what_was_forgotten_is_news_again_and_still_counts() -> None:
    """Of one series: the other goes on as if nothing had happened, and so does how many values there were."""
    rng = np.random.default_rng(8)
    rows, later = 10.0 * rng.standard_normal((2, 600)), rng.standard_normal((2, 300))
    kept, forgotten = (Novelty(2, memory=1000, refit=50) for _ in range(2))
    for one in (kept, forgotten):
        one.advance(rows)
    forgotten.peek(later[:, :2])
    forgotten.forget(np.array([False, True]))
    before, after = kept.advance(later), forgotten.advance(later)
    np.testing.assert_array_equal(after[0], before[0])
    assert np.isnan(after[1, :20]).all()  # too little to know a tail by
    surprise = (each.peek(np.full((2, 1), 12.0))[1, 0] for each in (kept, forgotten))
    assert next(surprise) < 0.0 < next(surprise)
