"""Which rows nobody looked at, by whether anything was scraped."""

import numpy as np

from lens_exporter.baseline.outages import Outages
from lens_exporter.model.window import Window

BEGINS = 1_700_006_400.0


def scraped(counts, *, first=0, step=60.0):
    """Give the answer of rows that hold so many targets each, None for no sample."""
    times = BEGINS + step * (first + np.arange(len(counts)))
    values = np.array([[np.nan if count is None else count for count in counts]], dtype=np.float64)
    found = np.isfinite(values).any()
    return Window("up", ({},) if found else (), times, values if found else values[:0], step)


def test_an_outage_and_five_minutes_after_it():
    """Two minutes without a sample of anything; what the next four minutes miss may not have been scraped again."""
    marked = Outages().within(scraped([3, 3, None, None, 2, 3, 3, 3, 3, 3]), learn=True)
    assert marked.tolist() == [False, False, True, True, True, True, True, True, False, False]


def test_a_target_that_is_down_is_looked_at():
    """`up` has a sample that says so."""
    assert Outages().within(scraped([0, 0, 0]), learn=True) is None


def test_where_nothing_was_ever_scraped_nobody_can_tell():
    """Pushed metrics have no `up`; where it comes later, what was before it is no outage."""
    outages = Outages()
    assert outages.within(scraped([None, None]), learn=True) is None
    assert outages.within(scraped([None, 1, 1], first=2), learn=True) is None
    assert outages.within(scraped([None], first=5), learn=True).tolist() == [True]


def test_rows_in_any_blocks_are_marked_alike():
    """And looking ahead remembers nothing."""
    counts = [None, 1, 1, None, None, 1, 1, 1, None, 1, 1, 1, 1, 1, 1]
    whole = Outages().within(scraped(counts), learn=True)
    outages, pieces = Outages(), []
    for row, count in enumerate(counts):
        outages.within(scraped([None, None], first=row), learn=False)
        piece = outages.within(scraped([count], first=row), learn=True)
        pieces.append(piece is not None and bool(piece[0]))
    assert pieces == whole.tolist()


def test_no_answer_marks_nothing():
    """Neither a question that was not asked nor one that was refused."""
    outages = Outages()
    outages.within(scraped([1, 1]), learn=True)
    assert outages.within(None, learn=True) is None
    assert outages.within(Window("up", (), np.empty(0), np.empty((0, 0)), 60.0, ("refused",)), learn=True) is None
    assert outages.kept == (True, -np.inf)
