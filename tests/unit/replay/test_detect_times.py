"""Times: how they are read, what the step is, and what becomes of rows that do not ascend."""

import numpy as np
import pytest

from lens_exporter.errors import TableInvalid
from lens_exporter.replay.cells import moment
from lens_exporter.replay.timeline import Timeline, expect_ascending, is_index, opening
from tests.unit.replay.sources import rows, table


def csv(*stamps: object) -> str:
    return "timestamp,a\n" + "".join(f"{stamp},1\n" for stamp in stamps)


def place(stamps: list[object], step: float, points: int = 65_536) -> tuple[list[float], list[str]]:
    said: list[str] = []
    read = table(csv(*stamps), points=points)
    timeline = Timeline(read, step, said.append)
    return [float(at) for block in read.blocks() for at in timeline.place(block)], said


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1795183200", 1795183200.0),
        ("1795183200.25", 1795183200.25),
        ("1.7951832e9", 1795183200.0),
        ("1.5e-3", 0.0015),
        ("-60", -60.0),
        ("2026-11-20T14:00:00Z", 1795183200.0),
        ("2026-11-20T14:00:00", 1795183200.0),
        ("2026-11-20 14:00:00", 1795183200.0),
        ("2026-11-20 14:00", 1795183200.0),
        ("2026-11-20T14:00:00.5+00:00", 1795183200.5),
        ("2026-11-20T15:30:00+01:30", 1795183200.0),
        (" 2026-11-20T14:00:00.000000001Z ", 1795183200.0),
        ("2026-11-20", 1795132800.0),
        ("20261120T140000Z", 1795183200.0),
        ("2026-11-20 14:00:00 UTC", 1795183200.0),
    ],
)
def test_ways_to_write_a_time(text, seconds):
    """ISO 8601 with or without zone, which is UTC then, or Unix seconds with fractions."""
    assert moment(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "now", "nan", "inf", "1_000", "2026-13-01", "20/11/2026 14:00", "1795183200000", "2026-11-20 14:00+02:00 UTC"]
)
def test_what_is_no_time(text):
    """Rather an error than a guess; milliseconds would make a minute a step of 16 hours."""
    with pytest.raises(ValueError, match=r"ISO 8601|in seconds"):
        moment(text)


@pytest.mark.parametrize("points", [1, 7, 65_536])
def test_the_step_is_the_median_of_the_first_rows(points):
    """A few odd differences do not matter, and neither do later rows, nor how they arrive."""
    early = [0, 60, 120, 300, 360, 420, 480, 540, 600]
    later = range(86_400 * 2, 86_400 * 4, 7)
    blocks = iter(rows(csv(*early, *later), points=points))
    _, step = opening(blocks)
    assert step == 60.0


def test_the_step_is_told_by_a_thousand_rows():
    """A table of seconds is answered after a thousand of them, not after a day."""
    taken, step = opening(iter(rows(csv(*range(5000)), points=1)))
    assert (len(taken), step) == (1000, 1.0)


def test_the_step_is_told_by_ten_rows_at_least():
    """A gap of days after the first row is not what the rows are apart."""
    assert opening(iter(rows(csv(0, *range(172_800, 300_000, 3600)))))[1] == 3600.0


def test_the_step_of_a_wide_table_is_told_by_fewer_rows():
    """What is held until the step is known is bounded also in values."""
    names = ",".join(f"s{number}" for number in range(5_000))
    text = f"timestamp,{names}\n" + "".join(f"{t}{',1' * 5_000}\n" for t in range(230))
    taken, step = opening(iter(rows(text, points=1)))
    assert (len(taken), step) == (200, 1.0)


@pytest.mark.parametrize(("stamps", "expected"), [([], None), ([5], None), ([5, 5], None), ([5, 5, 35], 30.0)])
def test_the_step_of_very_few_rows(stamps, expected):
    """Rows that do not ascend tell no step."""
    assert opening(iter(rows(csv(*stamps))))[1] == expected


@pytest.mark.parametrize(
    ("stamps", "problem"),
    [
        ([300, 200, 100], "times are in descending order, newest first: turn the table round"),
        ([300, 300, 200], "times are in descending order, newest first: turn the table round"),
        ([5, 5, 5], "times never ascend"),
    ],
)
@pytest.mark.parametrize("points", [1, 65_536])
def test_a_table_that_never_ascends_is_refused(stamps, problem, points):
    """Also where it is shorter than the hour that clocks are set by: its rows would be scored from what came after them."""
    read = table(csv(*stamps), points=points)
    with pytest.raises(TableInvalid, match=rf"t.csv:3: column 1 \(timestamp\): {problem}"):
        expect_ascending(read, list(read.blocks()))


@pytest.mark.parametrize("stamps", [[], [5], [5, 4], [5, 4, 6], [1, 2, 3]])
def test_a_table_that_ascends_once_is_taken(stamps):
    """Two rows may be a clock that was set; what becomes of the rows is for the timeline to say."""
    read = table(csv(*stamps))
    expect_ascending(read, list(read.blocks()))


@pytest.mark.parametrize(
    ("stamps", "newest_first"), [([*range(9000, 6000, -300), 9300, *range(6000, 0, -300)], True), ([0, 9000, 60], False)]
)
def test_a_table_that_mostly_descends_is_asked_about(stamps, newest_first):
    """One row that goes up makes it no table in order; one that goes back makes it none that is upside down."""
    with pytest.raises(TableInvalid, match="times must ascend") as caught:
        place(stamps, 300.0)
    assert str(caught.value).endswith("; is the table newest first?") == newest_first


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [(range(20), True), (range(1, 9), True), (["0.0", "1.0"], True), ([0], False), (range(2, 9), False), ([0, 1, 3], False)],
)
def test_rows_that_are_numbered(stamps, expected):
    """From 0 or 1 in steps of one: no clock has shown that since 1970."""
    assert is_index(rows(csv(*stamps))) == expected


def test_times_that_ascend_are_kept():
    """Irregular or not: nothing is moved."""
    stamps = [0, 60, 61, 1000, 86_400, 86_401.5]
    assert place(stamps, 60.0) == (stamps, [])


@pytest.mark.parametrize("points", [1, 5, 65_536])
def test_the_hour_that_comes_twice(points):
    """Local times in autumn: rows of the second hour follow the first closely, then times are what the clock says."""
    minutes = [*range(60, 180, 5), *range(120, 300, 5)]
    stamps = [f"2014-11-02T{m // 60:02}:{m % 60:02}:00" for m in minutes]
    placed, said = place(stamps, 300.0, points)
    assert (np.diff(placed) > 0).all()
    passed = minutes.index(180)
    assert placed[passed:] == [moment(stamp) for stamp in stamps[passed:]]
    (sentence,) = said
    assert sentence.startswith("t.csv:26: 2014-11-02T02:00:00 is not after the row before it; ")


def test_the_hour_that_is_left_out():
    """Local times in spring, as some tools write them: an hour of rows with one time."""
    stamps = [*range(0, 3600, 300), *[7200] * 12, *range(7500, 9000, 300)]
    placed, said = place(stamps, 300.0)
    assert (np.diff(placed) > 0).all()
    assert placed[24:] == list(range(7500, 9000, 300))
    assert len(said) == 1


def test_clocks_are_set_every_year():
    """The hour of one autumn does not count against the next."""
    autumn = [*range(0, 7200, 300), *range(3600, 10_800, 300)]
    placed, said = place([*autumn, *(86_400 * 365 + at for at in autumn)], 300.0)
    assert (np.diff(placed) > 0).all()
    assert len(said) == 1


@pytest.mark.parametrize(
    ("stamps", "line"),
    [
        ([0, 300, 600, 7200, 3599], 6),
        ([0, 300, *[600] * 30], 18),
        (list(range(20_000, 0, -300)), 15),
    ],
    ids=["more than an hour back", "a clock that stands still", "newest first"],
)
def test_times_that_do_not_ascend(stamps, line):
    """More than a clock change explains is an error at its line."""
    with pytest.raises(
        TableInvalid, match=rf'^t.csv:{line}: column 1 \(timestamp\): times must ascend, and "{stamps[line - 2]}" is not'
    ):
        place(stamps, 300.0)
