"""Order statistics without gaps are numpy's, for any shape and any gaps."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lens_exporter.baseline.detection import ranks
from lens_exporter.model.window import FloatArray

VALUES = st.integers(-1000, 1000).map(lambda n: n / 8) | st.just(float("nan"))


def some(rows: int, columns: int) -> st.SearchStrategy[FloatArray]:
    shapes = st.tuples(st.integers(1, rows), st.integers(1, columns))
    return shapes.flatmap(lambda shape: arrays.arrays(np.float64, shape, elements=VALUES))


def with_numpy(name: str, values: FloatArray, axis: int, *args: float) -> FloatArray:
    """Ask numpy's nan-function, column by column, which warns where there are only gaps."""
    kept = [each[~np.isnan(each)] for each in np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])]
    return np.array([getattr(np, name)(each, *args) if each.size else np.nan for each in kept])


@given(some(29, 6))
@settings(max_examples=80, deadline=None)
def test_the_median_is_numpys(values: FloatArray) -> None:
    """Along the first axis, for one to twenty-nine rows, in both precisions."""
    np.testing.assert_array_equal(ranks.median(values), with_numpy("median", values, 0))
    np.testing.assert_array_equal(ranks.median(values.astype(np.float32)), with_numpy("median", values, 0))


@given(some(6, 24), st.floats(0.0, 1.0))
@settings(max_examples=80, deadline=None)
def test_quantiles_are_numpys(values: FloatArray, share: float) -> None:
    """Along the last axis, linear between ranks."""
    (found,) = ranks.quantiles(values, (share,))
    np.testing.assert_allclose(found, with_numpy("quantile", values, 1, share), rtol=1e-12, atol=1e-12)


def test_nothing_has_no_middle() -> None:
    """No columns give none, and rows of gaps give gaps."""
    assert ranks.median(np.zeros((7, 0))).shape == (0,)
    assert np.isnan(ranks.median(np.full((7, 2), np.nan))).all()
    assert np.isnan(ranks.quantiles(np.full((2, 7), np.nan), (0.5,))[0]).all()
