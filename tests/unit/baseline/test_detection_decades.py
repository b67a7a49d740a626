"""Logarithms of counts."""

import numpy as np
import pytest

from lens_exporter.baseline.detection.decades import decades


@pytest.mark.parametrize("counts", [[[0, 1, 2], [1, 2, 3]], [[4000] * 50], [[1, 10, 10_000_000]], [[0]], [[], []]])
def test_it_is_the_logarithm_whether_the_counts_are_alike_or_not(counts: list[list[int]]) -> None:
    """To the last bit; of nothing it is that of one."""
    given = np.array(counts, dtype=np.int64)
    np.testing.assert_array_equal(decades(given), np.log10(np.maximum(given, 1)))
