"""Which rows of a group are kept out of its memory."""

import numpy as np

from lens_exporter.baseline.detection.mask import Mask
from lens_exporter.baseline.detection.tuning import Tuning
from lens_exporter.model.window import FloatArray

STEP = 300.0
DAY = 288  # rows


def lived(scores: FloatArray) -> tuple[FloatArray, Mask]:
    """Live through scores [time, groups], fitting every three hours; gives which were masked [time, groups]."""
    mask = Mask(scores.shape[1], Tuning(step=STEP))
    tail, hot_for = mask.fit(), np.zeros(scores.shape[1])
    masked = np.zeros(scores.shape, dtype=np.bool_)
    for row in range(len(scores)):
        now = scores[row : row + 1]
        out, hot_for = mask.apply(now, tail, hot_for)
        mask.learn(np.array([row * STEP]), now, out)
        masked[row] = out[0]
        if row % 36 == 35:
            tail = mask.fit()
    return masked, mask


def calm(days: float, *, groups: int = 1, seed: int = 1) -> FloatArray:
    """Scores of groups that nothing happens to."""
    return np.random.default_rng(seed).gamma(9.0, 0.4, (round(days * DAY), groups))


def test_an_incident_is_kept_out_and_ordinary_rows_are_not() -> None:
    """Every row of six hours at ten times the usual score; of the others fewer than one in a hundred."""
    scores = calm(6)
    scores[5 * DAY : 5 * DAY + 72] = 36.0
    masked, _ = lived(scores)
    assert masked[5 * DAY : 5 * DAY + 72].all()
    assert np.delete(masked, slice(5 * DAY, 5 * DAY + 72)).mean() < 0.01


def test_what_lasts_longer_than_a_day_is_learnt() -> None:
    """The first day of a new level is kept out, what follows is not: it is how things are."""
    scores = calm(9)
    scores[5 * DAY :] = 36.0
    masked, _ = lived(scores)
    assert masked[5 * DAY : 6 * DAY].all()
    assert not masked[6 * DAY + 1 :].any()


def test_two_incidents_with_a_quiet_time_between_are_two() -> None:
    """Quiet rows take back hot time four times as fast: after eighteen hours and five quiet ones there is a day again."""
    scores = calm(8)
    scores[5 * DAY : 5 * DAY + 216] = 36.0
    scores[5 * DAY + 276 : 5 * DAY + 276 + 216] = 36.0
    masked, _ = lived(scores)
    assert masked[5 * DAY : 5 * DAY + 216].all()
    assert masked[5 * DAY + 276 : 5 * DAY + 276 + 216].all()


def test_nothing_is_kept_out_in_the_first_two_days() -> None:
    """What is usual is not known before."""
    scores = calm(1.9)
    scores[DAY : DAY + 20] = 100.0
    masked, _ = lived(scores)
    assert not masked.any()


def test_never_more_than_half_of_the_memory() -> None:
    """A group that is wild for eighteen hours of each day, and calm long enough to begin anew, is learnt from some of it."""
    scores = calm(12)
    wild = (np.arange(len(scores)) % DAY < 216) & (np.arange(len(scores)) > 4 * DAY)
    scores[wild] = 36.0 + np.arange(wild.sum())[:, None]  # ever higher, so that the tail never catches up
    masked, _ = lived(scores)
    assert masked[-7 * DAY :].mean() < 0.55


def test_groups_do_not_know_of_each_other_and_may_be_reordered() -> None:
    """The mask of one is the same alone and beside others; after taking, each goes on with its own tail, a new one with none."""
    scores = calm(5, groups=2)
    scores[4 * DAY : 4 * DAY + 50, 1] = 36.0
    masked, mask = lived(scores)
    alone, _ = lived(scores[:, 1:])
    np.testing.assert_array_equal(masked[:, 1:], alone)
    before = mask.fit()
    mask.take(np.array([1, -1, 0]))
    after = mask.fit()
    assert after.begins[[0, 2]].tolist() == before.begins[[1, 0]].tolist()
    assert after.known.tolist() == [True, False, True]
