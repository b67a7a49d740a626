"""Excursions of very short series: nothing is known of them, and nothing fails."""

import numpy as np
import pytest

from lens_exporter.investigate.excursion import latest, more_than_chance, stepped


@pytest.mark.parametrize("values", [[1.0], [1.0, 2.0], [2.0, 1.0, 1.0]])
@pytest.mark.parametrize("end", [0, 1])
def test_a_step_without_a_past_keeps_its_onset(values, end):
    known = np.array(values)
    assert stepped(known, known > 1.5, 0, min(end, known.size - 1), 1.5) == 0


def test_events_without_a_past_are_taken_as_they_are():
    """Where nothing was seen before, nobody knows what chance does."""
    assert more_than_chance(np.ones(30), 0, 29, 1.0)
    assert more_than_chance(np.full(100, np.nan), 80, 99, 1.0)


def test_one_value_is_where_it_is():
    assert latest(np.array([3.0])) == 3.0
