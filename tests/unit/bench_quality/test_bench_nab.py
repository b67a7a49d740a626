"""NAB's official score on examples that can be counted by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from bench.quality.data import FloatArray, LoneSeries
from bench.quality.nab import LOW_FN, LOW_FP, PROFILES, STANDARD, Profile, corpus, probation, sweep


def series(rows: int, *windows: tuple[int, int]) -> LoneSeries:
    return LoneSeries("hand", np.arange(rows) * 300.0, np.zeros(rows), windows)


def marks(rows: int, *at: int) -> FloatArray:
    scores = np.zeros(rows)
    scores[list(at)] = 1.0
    return scores


def curve(position: float) -> float:
    """The scaled sigmoid as the rules state it: 1/(1 + e^-x) stretched to -1 .. 1."""
    return 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def plain(files: Sequence[LoneSeries], scores: Sequence[FloatArray], threshold: float, profile: Profile) -> float:
    """The rules row by row, as a reader would do them on paper."""
    total = windows = 0.0
    for each, score in zip(files, scores, strict=True):
        best: dict[int, float] = {}
        previous: tuple[int, int] | None = None
        for row in range(len(score)):
            inside = [(index, first, last) for index, (first, last) in enumerate(each.windows) if first <= row <= last]
            done = [(last, last - first + 1) for first, last in each.windows if last < row]
            previous = max(done) if done else None
            if row < probation(len(score)):
                continue
            if inside:
                index, first, last = inside[0]
                best.setdefault(index, -profile.missed)
                if score[row] >= threshold:
                    best[index] = max(best[index], curve(-(last - row + 1) / (last - first + 1)) / curve(-1.0))
            elif score[row] >= threshold:
                past = 3.0 if previous is None else (row - previous[0]) / (previous[1] - 1)
                total += profile.false_row * (curve(past) if past < 3.0 else -1.0)
        total, windows = total + sum(best.values()), windows + len(best)
    null = -profile.missed * windows
    return 100 * (total - null) / (windows - null)


def test_a_detection_at_the_left_edge_of_every_window_and_nothing_else_is_perfect() -> None:
    """Perfect is 100 in every profile, with all windows hit and no false row."""
    files = [series(1000, (300, 399), (700, 799)), series(400, (100, 139))]
    swept = sweep(corpus(files), [marks(1000, 300, 700), marks(400, 100)])
    for profile in PROFILES:
        best = swept.best(profile)
        assert best.score == pytest.approx(100.0)
        assert (best.windows_hit, best.false_rows, best.threshold) == (3, 0, 1.0)


def test_no_detection_scores_nothing() -> None:
    """A threshold above every score is the null detector: 0."""
    swept = sweep(corpus([series(1000, (300, 399))]), [marks(1000, 300)])
    for profile in PROFILES:
        assert swept.at(2.0, profile).score == 0.0


def test_a_detector_that_can_only_lose_is_best_off_with_no_detection() -> None:
    """The threshold may be above everything; the official score is then that of the null detector."""
    best = sweep(corpus([series(1000, (300, 399))]), [marks(1000, 900)]).best(STANDARD)
    assert best.score == 0.0
    assert best.threshold == math.inf


def test_a_later_hit_in_a_window_is_worth_less() -> None:
    """Of 100 rows the 51st has 50 rows to the end: position -0.5, which is worth sigmoid(-0.5)/sigmoid(-1) of the window."""
    swept = sweep(corpus([series(1000, (300, 399))]), [marks(1000, 350, 380)])
    assert swept.at(1.0, STANDARD).score == pytest.approx(100 * (curve(-0.5) / curve(-1.0) + 1) / 2)


def test_only_the_earliest_hit_of_a_window_counts() -> None:
    """Further rows over the threshold in the same window add nothing and cost nothing."""
    labels = corpus([series(1000, (300, 399))])
    once, often = sweep(labels, [marks(1000, 320)]), sweep(labels, [marks(1000, *range(320, 400))])
    assert often.at(1.0, STANDARD).score == pytest.approx(once.at(1.0, STANDARD).score)


def test_a_false_row_costs_its_full_price_before_the_first_window() -> None:
    """One false row takes 0.11 of a window worth of 2 (hit against missed): 5.5 points with one window."""
    swept = sweep(corpus([series(1000, (300, 399))]), [marks(1000, 200, 300)])
    assert swept.at(1.0, STANDARD).score == pytest.approx(100 * (1 - 0.11 + 1) / 2)


def test_a_false_row_right_after_a_window_costs_little() -> None:
    """The row after a window of 100 rows stands at position 1/99; far behind it costs all of 0.11."""
    labels = corpus([series(2000, (400, 499))])
    near = sweep(labels, [marks(2000, 400, 500)]).at(1.0, STANDARD).score
    far = sweep(labels, [marks(2000, 400, 1900)]).at(1.0, STANDARD).score
    assert near == pytest.approx(100 * (2 + 0.11 * curve(1 / 99)) / 2)
    assert far == pytest.approx(100 * (2 - 0.11) / 2)


def test_the_low_false_positive_profile_doubles_the_price_of_a_false_row() -> None:
    """0.22 instead of 0.11 a row."""
    swept = sweep(corpus([series(1000, (300, 399))]), [marks(1000, 200, 300)])
    lost = [100 - swept.at(1.0, profile).score for profile in (STANDARD, LOW_FP)]
    assert lost[1] == pytest.approx(2 * lost[0])


def test_the_low_false_negative_profile_charges_a_missed_window_twice() -> None:
    """One of two windows missed: null is -4, perfect 2, so (1 - 2 + 4) / 6."""
    swept = sweep(corpus([series(1000, (300, 399), (700, 799))]), [marks(1000, 300)])
    assert swept.at(1.0, LOW_FN).score == pytest.approx(100 * (1 - 2 + 4) / 6)


def test_the_first_rows_of_a_file_are_not_scored() -> None:
    """15 % of a file, 750 rows at most: a detection there costs nothing, and a window reaching out of it can still be hit."""
    assert (probation(1000), probation(20_000), probation(1243)) == (150, 750, 186)
    swept = sweep(corpus([series(1000, (100, 199))]), [marks(1000, 10, 149)])
    assert swept.at(1.0, STANDARD).score == 0.0
    late = sweep(corpus([series(1000, (100, 199))]), [marks(1000, 10, 150)])
    assert late.at(1.0, STANDARD).score == pytest.approx(100 * (curve(-0.5) / curve(-1.0) + 1) / 2)


def test_all_thresholds_agree_with_the_rules_done_row_by_row() -> None:
    """Random scores with ties over several files: the sweep equals the plain reading of the rules at every threshold."""
    random = np.random.default_rng(3)
    files = [series(500, (100, 149), (160, 219)), series(300), series(900, (10, 139), (500, 520), (890, 899))]
    scores = [np.round(random.random(len(each.values)) ** 8, 2) for each in files]
    swept = sweep(corpus(files), scores)
    for profile in PROFILES:
        by_hand = {each: plain(files, scores, each, profile) for each in np.unique(np.concatenate(scores)).tolist()}
        for threshold, score in by_hand.items():
            assert swept.at(threshold, profile).score == pytest.approx(score)
        assert swept.best(profile).score == pytest.approx(max(0.0, *by_hand.values()))


def test_transfer_uses_a_threshold_the_scored_files_had_no_part_in() -> None:
    """With the same units everywhere nothing is lost; with each file in its own units thresholds do not carry over."""
    files = [series(1000, (300, 399)) for _ in range(8)]
    alike = [marks(1000, 300) for _ in files]
    assert sweep(corpus(files), alike).transfer(STANDARD).mean == pytest.approx(100.0)
    own_units = [(1 + marks(1000, 300)) * 10.0**power for power, _ in enumerate(files)]
    assert sweep(corpus(files), own_units).transfer(STANDARD).mean < 0


def test_a_resample_of_the_corpus_scores_as_a_corpus_of_those_files() -> None:
    """Weights 2, 0, 1 are two copies of the first file and one of the third."""
    random = np.random.default_rng(5)
    files = [series(600, (200, 259)), series(600, (300, 399)), series(600, (150, 199), (400, 450))]
    scores = [random.random(600) for _ in files]
    [weighed] = sweep(corpus(files), scores).resampled(STANDARD, np.array([[2.0, 0.0, 1.0]]))
    copies = [0, 0, 2]
    direct = sweep(corpus([files[index] for index in copies]), [scores[index] for index in copies]).best(STANDARD).score
    assert weighed == pytest.approx(direct)


@pytest.mark.parametrize("scores", [np.zeros(5), np.full(1000, np.nan)])
def test_scores_that_do_not_fit_are_refused(scores: FloatArray) -> None:
    """A wrong length or NaN is an error, never a silently bad score."""
    with pytest.raises(ValueError, match="score"):
        sweep(corpus([series(1000, (300, 399))]), [scores])
