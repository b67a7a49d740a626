"""The newest columns of a watcher."""

from dataclasses import fields

import numpy as np
import pytest

from lens_exporter.baseline.detector import TAIL
from lens_exporter.baseline.recent import Columns, Recent


def block(rows: int, first: int, random: np.random.Generator) -> Columns:
    """Give columns of three series in two groups."""
    own, ours = (lambda: random.random((rows, 3))), (lambda: random.random((rows, 2)))
    yes, alarmed = random.random((rows, 3)) < 0.5, random.random((rows, 2)) < 0.5
    side = random.integers(-1, 2, (rows, 3)).astype(np.int8)
    return Columns(np.arange(first, first + rows) * 60.0, *(own() for _ in range(6)), yes, yes, side, ours(), ours(), alarmed)


def joined(blocks: list[Columns]) -> list[np.ndarray]:
    """Put blocks one after the other, the plain way, and give the last of their columns."""
    return [np.concatenate([getattr(each, one.name) for each in blocks])[-TAIL:] for one in fields(Columns)]


@pytest.mark.parametrize("ahead", [1, 5, 25, TAIL])
def test_the_last_columns_are_those_of_all_blocks_in_a_row(ahead: int) -> None:
    """However many columns a block brings, and however many are only looked at: nothing is lost, and nothing looked at stays."""
    random = np.random.default_rng(ahead)
    recent, learnt, at = Recent(3, 2), list[Columns](), 0
    for rows in (7, *random.integers(1, TAIL + 1, 40), *[1] * 40):
        learnt.append(block(int(rows), at, random))
        recent.add(learnt[-1])
        at += int(rows)
        np.testing.assert_array_equal(recent.newest.values, learnt[-1].values[-1:])
        peeked = block(ahead, at, random)
        seen = recent.followed_by(peeked)
        for mine, plain in zip((getattr(seen, one.name) for one in fields(Columns)), joined([*learnt, peeked]), strict=True):
            np.testing.assert_array_equal(mine, plain)


def test_series_that_leave_and_come_find_their_columns() -> None:
    """The third series stays, the first and the second leave, a new one has had only gaps; the order of groups may change."""
    random = np.random.default_rng(1)
    one, two = block(20, 0, random), block(3, 20, random)
    recent = Recent(3, 2)
    recent.add(one)
    recent.take(np.array([2, -1]), np.array([1, 0]))
    seen = recent.followed_by(two.take(np.array([0, 1]), np.array([0, 1])))
    np.testing.assert_array_equal(seen.values[:20, 0], one.values[:, 2])
    assert np.isnan(seen.values[:20, 1]).all()
    np.testing.assert_array_equal(seen.group_score[:20], one.group_score[:, ::-1])
