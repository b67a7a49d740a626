"""Which rows nobody looked at, by when anything was scraped last."""

import numpy as np

from lens_exporter.baseline.outages import Outages
from lens_exporter.model.window import Window

BEGINS = 1_700_006_400.0


def scraped(ages, *, first=0, step=60.0):
    """Give the answer of rows whose newest sample is so many seconds old, None where there is none."""
    times = BEGINS + step * (first + np.arange(len(ages)))
    values = np.array([[np.nan if age is None else time - age for time, age in zip(times, ages, strict=True)]])
    found = np.isfinite(values).any()
    return Window("up", ({},) if found else (), times, values if found else values[:0], step)


def test_an_outage_and_five_minutes_after_it():
    """Four minutes and more without a sample of anything; what the next four minutes miss may not have been scraped again."""
    marked = Outages().within(scraped([7, 67, 127, 187, 247, 7, 7, 7, 7, 7, 7]), learn=True)
    assert marked.tolist() == [*[False] * 2, *[True] * 7, False, False]


def test_an_outage_that_outlasts_what_a_sample_is_answered_with():
    """From the sixth minute on there is none."""
    marked = Outages().within(scraped([0, 300, None, None, 0]), learn=True)
    assert marked.tolist() == [False, True, True, True, True]


def test_who_scrapes_seldom_is_no_outage():
    """Every minute and a half."""
    assert Outages().within(scraped([10, 70, 40, 99, 10]), learn=True) is None


def test_where_nothing_was_ever_scraped_nobody_can_tell():
    """Pushed metrics have no `up`; where it comes later, what was before it is no outage."""
    outages = Outages()
    assert outages.within(scraped([None, None]), learn=True) is None
    assert outages.within(scraped([None, 1, 1], first=2), learn=True) is None  # and then a second old
    assert outages.within(scraped([None], first=5), learn=True).tolist() == [True]


def test_rows_in_any_blocks_are_marked_alike():
    """And looking ahead remembers nothing."""
    ages = [None, 1, 1, 200, None, 1, 1, 1, None, 1, 1, 1, 1, 1, 1]
    whole = Outages().within(scraped(ages), learn=True)
    outages, pieces = Outages(), []
    for row, age in enumerate(ages):
        outages.within(scraped([None, None], first=row), learn=False)
        piece = outages.within(scraped([age], first=row), learn=True)
        pieces.append(piece is not None and bool(piece[0]))
    assert pieces == whole.tolist()


def test_no_answer_marks_nothing():
    """Neither a question that was not asked nor one that was refused."""
    outages = Outages()
    outages.within(scraped([1, 1]), learn=True)
    assert outages.within(None, learn=True) is None
    assert outages.within(Window("up", (), np.empty(0), np.empty((0, 0)), 60.0, ("refused",)), learn=True) is None
    assert outages.kept == (True, -np.inf)
