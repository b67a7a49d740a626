"""What must hold of `detect` for any table, however it is written and however it arrives."""

import csv
import io
import math
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_exporter.replay.detect import Request, detect
from lens_exporter.replay.table import Table
from tests.unit.replay.sources import Pipe

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8).map(str.strip)
SERIES = st.lists(NAMES.filter(lambda name: name not in ("", "timestamp")), min_size=1, max_size=4, unique=True)
VALUES = st.floats(allow_infinity=False)
HOUR = 3600


def pieces(data: bytes, cuts: list[int]) -> Pipe:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return Pipe(data[a:b] for a, b in pairwise(edges))


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[float]]]:
    series = draw(SERIES)
    return series, draw(st.lists(st.lists(VALUES, min_size=len(series), max_size=len(series)), max_size=12))


def days(seed: int, series: int = 3, rows: int = 24 * 5) -> list[str]:
    """Hourly rows with a daily season, some gaps and a few jumps, as lines of CSV behind their header."""
    random = np.random.default_rng(seed)
    values = 50 + 10 * np.sin(np.arange(rows) * 2 * np.pi / 24)[:, None] + random.normal(size=(rows, series))
    values[random.random(values.shape) < 0.02] += 40
    values[random.random(values.shape) < 0.05] = math.nan
    lines = [",".join(["timestamp", *(f"m{number}" for number in range(series))])]
    lines += [
        ",".join([str(HOUR * at), *(("" if math.isnan(v) else f"{v:.3f}") for v in row)]) for at, row in enumerate(values.tolist())
    ]
    return lines


def scores(data: bytes, cuts: list[int], request: Request) -> bytes:
    return b"".join(detect(Table("t", pieces(data, cuts)), request, lambda _text: None))


def assert_same(one: bytes, other: bytes) -> None:
    """Texts and flags exactly; numbers up to rounding, since sums over other blocks end in other digits."""
    (header, *rows), (other_header, *other_rows) = (list(csv.reader(io.StringIO(each.decode()))) for each in (one, other))
    assert header == other_header
    assert [row[:3] + row[7:] for row in rows] == [row[:3] + row[7:] for row in other_rows]
    numbers, others = (np.array([[float(cell or "nan") for cell in row[3:7]] for row in each]) for each in (rows, other_rows))
    np.testing.assert_allclose(numbers, others, rtol=1e-7, atol=1e-9)


@given(
    tables(), st.sampled_from(["\n", "\r\n"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.lists(st.integers(0, 999))
)
@settings(max_examples=150)
def test_a_table_is_read_as_it_was_written(written, end, quoting, cuts):
    """Any names, any floats, any quoting and line ends, in pieces cut anywhere: names and values come back exactly."""
    series, values = written
    text = io.StringIO()
    out = csv.writer(text, quoting=quoting, lineterminator=end)
    out.writerow(["timestamp", *series])
    out.writerows([at, *("" if math.isnan(value) else value for value in row)] for at, row in enumerate(values))
    table = Table("t", pieces(text.getvalue().encode(), cuts))
    blocks = list(table.blocks())
    assert list(table.series) == series
    assert [stamp for block in blocks for stamp in block.stamps] == [str(at) for at in range(len(values))]
    read = np.hstack([block.values for block in blocks]).T if blocks else np.empty((0, len(series)))
    np.testing.assert_array_equal(read, np.array(values).reshape(-1, len(series)))


@given(st.integers(0, 5), st.lists(st.integers(0, 5000), max_size=20), st.sampled_from([None, "all"]), st.booleans())
@settings(max_examples=25)
def test_how_rows_arrive_does_not_matter(seed, cuts, group, missing):
    """Cut anywhere into pieces, the scores are the same."""
    data = ("\n".join(days(seed)) + "\n").encode()
    request = Request(group=group, missing=missing)
    assert_same(scores(data, cuts, request), scores(data, [], request))


@given(st.integers(0, 5), st.integers(25, 119), st.sampled_from([None, "all"]))
@settings(max_examples=25)
def test_no_later_row_changes_a_score(seed, keep, group):
    """The scores of a table's beginning are the beginning of its scores."""
    lines = days(seed)
    request = Request(group=group)
    begun = scores(("\n".join(lines[: keep + 1]) + "\n").encode(), [], request)
    whole = scores(("\n".join(lines) + "\n").encode(), [], request)
    assert_same(b"".join(whole.splitlines(keepends=True)[: begun.count(b"\n")]), begun)


@given(st.integers(0, 5), st.sampled_from([None, "all"]))
@settings(max_examples=12)
def test_every_row_and_series_has_one_line_in_order(seed, group):
    """Timestamps and values as given, series in the order of the table, then the group; a gap has no value and score 0."""
    lines = days(seed)
    header, *written = csv.reader(io.StringIO(scores(("\n".join(lines) + "\n").encode(), [], Request(group=group)).decode()))
    assert header == ["timestamp", "series", "value", "expected", "lower", "upper", "score", "anomaly"] + ["contributors"] * bool(
        group
    )
    expected = []
    for line in lines[1:]:
        stamp, *values = line.split(",")
        expected += [(stamp, f"m{number}", value) for number, value in enumerate(values)]
        expected += [(stamp, group, "")] * bool(group)
    assert [tuple(row[:3]) for row in written] == expected
    assert all(float(row[6]) >= 0 and row[7] in "01" for row in written)
    assert all((float(row[6]), row[7]) == (0, "0") for row in written if row[2] == "" and row[1] != group)
