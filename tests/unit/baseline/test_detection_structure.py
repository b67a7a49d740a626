"""What of a metric's departure the others of its group do not explain."""

import numpy as np
import pytest

from lens_exporter.baseline.detection.grouping import membership, slots
from lens_exporter.baseline.detection.regroup import picked, regrouped
from lens_exporter.baseline.detection.structure import MOST, Structure
from lens_exporter.model.window import FloatArray


def driven(rows: int = 600, *, size: int = 5, seed: int = 1) -> FloatArray:
    """Metrics [time, size] that one cause drives, each with a tenth of noise of its own."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, 1)) + 0.1 * rng.standard_normal((rows, size))


def learnt(r: FloatArray) -> Structure:
    """One group of all series."""
    (one,) = slots([range(r.shape[1])])
    structure = Structure(one)
    structure.learn(r, np.isfinite(r))
    structure.fit(np.nanstd(r, axis=0))
    return structure


def test_moving_together_is_explained_and_one_against_the_others_is_not() -> None:
    """Three deviations of all is what the cause does; of one alone it is not, and that one stands out."""
    structure = learnt(driven())
    together, alone = np.full((1, 1, 5), 3.0), np.zeros((1, 1, 5))
    alone[0, 0, 2] = 3.0
    assert structure.unexplained(together).max() < 3
    z = structure.unexplained(alone)[0, 0]
    assert z[2] > 10
    assert z.argmax() == 2


def test_independent_metrics_explain_nothing_of_each_other() -> None:
    """Where no cause is shared, what is left of a departure that no component holds is at most the departure."""
    structure = learnt(np.random.default_rng(2).standard_normal((2000, 6)))
    departure = np.zeros((1, 1, 6))
    departure[0, 0, 0] = 4.0
    assert structure.unexplained(departure).max() <= 4.0 / 0.1


def test_gaps_and_kept_out_rows_are_not_learnt() -> None:
    """With a fifth of the rows missing, and an incident left out, the same components."""
    r = driven()
    gappy, struck = r.copy(), r.copy()
    gappy[np.random.default_rng(3).random(len(r)) < 0.2] = np.nan
    struck[100:150, 0] += 30
    known = np.ones_like(r, dtype=np.bool_)
    known[100:150] = False
    (one,) = slots([range(5)])
    kept_out = Structure(one)
    kept_out.learn(struck, known)
    kept_out.fit(r.std(axis=0))
    for other in (learnt(gappy), kept_out):
        np.testing.assert_allclose(other.projector, learnt(r).projector, atol=0.05)


def lossy(r: FloatArray, member: int, share: float, seed: int = 6) -> FloatArray:
    """Without this share of one member's values."""
    found = r.copy()
    found[np.random.default_rng(seed).random(len(r)) < share, member] = np.nan
    return found


def joined(later: FloatArray) -> Structure:
    """A group whose last member joins when the others have done three times already what all do from then on."""
    before = learnt(np.tile(later[:, :4], (3, 1)))
    (after,) = regrouped((before,), slots([range(5)]), np.array([0, 1, 2, 3, -1]), np.array([0]))
    after.learn(later, np.isfinite(later))
    after.fit(later.std(axis=0))
    return after


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_what_one_member_lacks_does_not_change_how_they_belong_together(share: float) -> None:
    """Each pair is compared where both have values: the same components, and the same left unexplained, as with all values."""
    r = driven(6000)
    whole, gappy = learnt(r), learnt(lossy(r, 2, share))
    np.testing.assert_allclose(gappy.projector, whole.projector, atol=0.02)
    np.testing.assert_allclose(gappy.left, whole.left, atol=0.02)


def test_a_member_that_joins_is_compared_where_it_was_there() -> None:
    """What the others did before it came says nothing about the pair."""
    later = driven(600)
    np.testing.assert_allclose(joined(later).projector, learnt(later).projector, rtol=0, atol=1e-12)


def test_of_members_that_are_hardly_ever_there_together_nothing_is_concluded() -> None:
    """One has the even rows and one the odd. Three rows with both, in which they go apart, are as good as none."""
    r = driven(6000)
    r[::2, 0], r[1::2, 1] = np.nan, np.nan
    never, seldom = r.copy(), r.copy()
    seldom[:3, :2] = [[1.5, -1.5], [-1.5, 1.5], [1.5, -1.5]]
    found = learnt(never).projector
    assert np.isfinite(found).all()
    np.testing.assert_allclose(learnt(seldom).projector, found, atol=0.05)


@pytest.mark.parametrize("missing", [[4], [3, 4], [0, 2, 4]])
def test_a_gap_does_not_stand_out_in_the_others(missing: list[int]) -> None:
    """All move together, and some are not there to be seen: of those that are, nothing is left unexplained; a gap itself is nothing."""
    structure = learnt(driven())
    together = np.full((1, 1, 5), 3.0)
    together[..., missing] = np.nan
    z = structure.unexplained(together)[0, 0]
    assert z.max() < 1
    assert (z[missing] == 0).all()
    if len(missing) < 3:  # of two that go apart nobody can say which is off
        alone = together.copy()
        alone[0, 0, 1] = 0.0
        assert structure.unexplained(alone)[0, 0].argmax() == 1


def test_where_there_is_no_gap_nothing_depends_on_those_of_other_rows() -> None:
    """Rows with gaps beside rows without: the latter's scores are bit by bit what they are alone, and all gaps are nothing."""
    structure = learnt(driven())
    rows = np.random.default_rng(10).standard_normal((4, 1, 5))
    gappy = rows.copy()
    gappy[1, 0, 3], gappy[2] = np.nan, np.nan
    found, whole = structure.unexplained(gappy), structure.unexplained(rows)
    np.testing.assert_array_equal(found[[0, 3]], whole[[0, 3]])
    assert (found[2] == 0).all()


def test_without_gaps_it_is_the_covariance_of_all_rows() -> None:
    """Also beside a group that has gaps: E(r_i r_j) - E r_i E r_j over the standard deviations, and its leading components."""
    r, beside = driven(seed=11), lossy(driven(seed=12), 1, 0.3)
    both = np.concatenate([r, beside], axis=1)
    (one,) = slots([range(5), range(5, 10)])
    structure = Structure(one)
    structure.learn(both, np.isfinite(both))
    structure.fit(np.nanstd(both, axis=0))
    (alone,) = slots([range(5)])
    other = Structure(alone)
    other.learn(r, np.isfinite(r))
    other.fit(r.std(axis=0))
    weights, vectors = np.linalg.eigh(np.corrcoef(r.T))
    kept = vectors[:, -1:]  # holds more than 90 %
    assert weights[-1] > 0.9 * weights.sum()
    for found in (structure, other):
        np.testing.assert_allclose(found.projector[0], kept @ kept.T, rtol=0, atol=1e-12)


def test_how_rows_come_in_does_not_matter() -> None:
    """At once or one by one: the same sums to rounding."""
    r = driven(100)
    (one,) = slots([range(5)])
    by_row = Structure(one)
    for row in r:
        by_row.learn(row[None], np.ones((1, 5), dtype=np.bool_))
    by_row.fit(r.std(axis=0))
    np.testing.assert_allclose(by_row.projector, learnt(r).projector, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_old_rows_fade(share: float) -> None:
    """A cause that ended four weeks ago explains nothing any more, with gaps or without."""
    (one,) = slots([range(5)])
    structure = Structure(one)
    before, now = lossy(driven(), 1, share), lossy(np.random.default_rng(4).standard_normal((600, 5)), 3, share)
    structure.learn(before, np.isfinite(before))
    structure.forget(4 * 168)
    structure.learn(now, np.isfinite(now))
    structure.fit(np.nanstd(now, axis=0))
    np.testing.assert_allclose(structure.projector, learnt(now).projector, atol=0.05)


@pytest.mark.parametrize("size", [1, 2, MOST + 1])
def test_two_explain_each_other_and_too_many_cost_too_much(size: int) -> None:
    """Such groups are judged without this stream, and nothing is kept for it."""
    structure = learnt(driven(size=size))
    assert not structure.active
    assert not structure.fitted
    assert structure.second.size == 0


def test_groups_of_about_one_size_share_an_array_with_at_most_half_of_it_empty() -> None:
    """Every member is in its place, and -1 elsewhere."""
    rng = np.random.default_rng(5)
    sizes = rng.integers(1, 40, 30)
    ends = np.cumsum(sizes)
    groups = [list(range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]
    found = {}
    for one in slots(groups):
        assert one.filled.mean() > 0.5
        for group, members in zip(one.groups, one.members, strict=True):
            found[int(group)] = members[members >= 0].tolist()
    assert [found[group] for group in range(30)] == groups
    assert membership(int(ends[-1]) + 2, groups).tolist() == [g for g, size in enumerate(sizes) for _ in range(size)] + [-1, -1]


def test_a_group_that_grows_or_shrinks_keeps_what_its_members_knew_of_each_other() -> None:
    """Series 0 leaves and a new one joins: the sums of the other four are where they were, in their new order."""
    old = learnt(driven())
    kept = np.array([4, 3, 2, 1, -1])
    (new,) = regrouped((old,), slots([range(5)]), kept, np.array([0]))
    np.testing.assert_array_equal(new.second[0, :4, :4], old.second[0][np.ix_([4, 3, 2, 1], [4, 3, 2, 1])])
    assert (new.second[0, 4] == 0).all()
    assert new.count[0].tolist() == [600] * 4 + [0]


def test_a_group_that_is_new_knows_nothing() -> None:
    """It gets no other group's sums."""
    (new,) = regrouped((learnt(driven()),), slots([range(5)]), np.arange(5), np.array([-1]))
    assert not new.count.any()


def test_columns_are_picked_and_new_ones_filled() -> None:
    """-1 is a new column; of nothing there are only new ones."""
    array = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert picked(array, np.array([1, -1, 0]), new=9.0).tolist() == [[2.0, 9.0, 1.0], [4.0, 9.0, 3.0]]
    assert picked(np.zeros((2, 0)), np.array([-1, -1]), new=7.0).tolist() == [[7.0, 7.0]] * 2
    assert array.tolist() == [[1.0, 2.0], [3.0, 4.0]]
