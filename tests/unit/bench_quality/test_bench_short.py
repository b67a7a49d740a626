"""Short tables: how they are cut, and what is said of them."""

import numpy as np
import pytest

from bench.quality.data import Event, Machine
from bench.quality.short import pieces, short_row, short_table


@pytest.fixture(scope="module")
def machine():
    """Ten hours at ten minutes, an event in the third hour and one in the last."""
    label = np.zeros(60, dtype=np.bool_)
    label[14:16] = label[58:60] = True
    values = np.arange(120.0).reshape(60, 2)
    return Machine("hand", 600.0, np.zeros((6, 2)), values, label, (Event(14, 16, ()), Event(58, 60, ())))


def test_pieces_are_cut_one_after_the_other(machine):
    """Of four hours there are two, and only the first has an event; what is left at the end is none."""
    found = pieces(machine, 4.0)
    assert len(found) == 1
    assert found[0].values.tolist() == machine.test[:24].T.tolist()
    assert found[0].times.tolist() == machine.test_times[:24].tolist()
    assert np.flatnonzero(found[0].label).tolist() == [14, 15]
    assert len(pieces(machine, 5.0)) == 2


def test_a_row_says_what_chance_gives(machine):
    """A score that ranks the label first in one table and last in the other."""
    found = pieces(machine, 5.0)
    scores = [found[0].label.astype(np.float64), -found[1].label.astype(np.float64)]
    row = short_row(5.0, found, scores)
    assert row[:2] == ["5 h", "2"]
    assert float(row[2]) == pytest.approx((1.0 + 2 / 30) / 2, abs=5e-4)
    assert float(row[3]) == float(row[5]) == pytest.approx(2 / 30, abs=5e-4)
    assert "| 5 h | 2 |" in short_table([row])
