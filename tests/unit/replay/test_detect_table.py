"""Reading a table: what is accepted, what each cell means, and how an error is named."""

import math

import numpy as np
import pytest

from lens_exporter.errors import TableInvalid, TableUnreadable
from lens_exporter.replay.table import Table
from tests.unit.replay.sources import Pipe, rows, table

GOOD = "timestamp,cpu,memory\n2026-11-20T14:00:00Z,0.5,12\n2026-11-20T14:01:00Z,,1e3\n"


def problem(text: str | bytes) -> str:
    with pytest.raises(TableInvalid) as caught:
        rows(text)
    return str(caught.value)


def test_values_come_series_by_series():
    """values is [series, time], a gap is NaN, and texts stay as they were given."""
    (block,) = rows(GOOD)
    assert table(GOOD).series == ("cpu", "memory")
    np.testing.assert_array_equal(block.values, [[0.5, math.nan], [12.0, 1000.0]])
    assert block.stamps == ["2026-11-20T14:00:00Z", "2026-11-20T14:01:00Z"]
    assert block.cells == [["0.5", "12"], ["", "1e3"]]
    assert np.diff(block.times).tolist() == [60.0]
    assert block.lines == [2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.rstrip("\n"),
        "\n" + GOOD + "\n\n",
        GOOD.replace("timestamp,cpu", '"timestamp", cpu ')
        .replace("0.5", '"0.5"')
        .replace("2026-11-20T14:00:00Z", '"2026-11-20T14:00:00Z"'),
        GOOD.replace("1e3", " 1e3 ").replace(",,", ",nan,"),
        GOOD.replace(",,", ',"",'),
        GOOD.replace(",,", ",-Inf,"),
    ],
    ids=["bom", "crlf", "no newline at the end", "blank lines", "quoted", "spaces and NaN", "quoted gap", "infinite"],
)
def test_the_same_table_written_otherwise(text):
    """A byte order mark, Windows line ends, quotes, blanks and other words for a gap change nothing."""
    read = table(text)
    blocks = list(read.blocks())
    assert read.series == ("cpu", "memory")
    np.testing.assert_array_equal(np.hstack([block.values for block in blocks]), rows(GOOD)[0].values)
    assert [cells for block in blocks for cells in block.cells] == [["0.5", "12"], ["", "1e3"]]
    assert [stamp for block in blocks for stamp in block.stamps] == ["2026-11-20T14:00:00Z", "2026-11-20T14:01:00Z"]


def test_a_quoted_name_may_hold_anything():
    """Commas, quotes and line breaks in a name are part of it, and lines are still counted as an editor counts them."""
    text = 'timestamp,"a,""b""\nc"\n0,1\n1,x\n'
    assert table(text).series == ('a,"b"\nc',)
    assert problem(text).startswith("t.csv:4: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "t.csv:1: empty; expected a header such as timestamp,cpu,memory"),
        ("\n\n", "t.csv:1: empty; expected a header such as timestamp,cpu,memory"),
        ("time,cpu\n", 't.csv:1: column 1: expected timestamp, got "time"'),
        ("cpu,timestamp\n", 't.csv:1: column 1: expected timestamp, got "cpu"'),
        ("timestamp;cpu\n", "t.csv:1: cells are separated by semicolons: expected commas, and a point in numbers"),
        ("Time\tcpu\tload\n", "t.csv:1: cells are separated by tabs: expected commas, and a point in numbers"),
        ("timestamp,a\r0,1\r", "t.csv:1: not CSV: lines end in a carriage return alone, expected a line feed"),
        ("timestamp\n0\n", "t.csv:1: no series: timestamp is the only column"),
        ("timestamp,cpu,\n", "t.csv:1: column 3 has no name"),
        ("timestamp,cpu,memory,cpu\n", "t.csv:1: column 4 (cpu): column 2 has the same name"),
        ("timestamp,timestamp\n", "t.csv:1: column 2 (timestamp): column 1 has the same name"),
        (
            "timestamp,cpu\nyesterday,1\n",
            't.csv:2: column 1 (timestamp): expected an ISO 8601 time or Unix seconds, got "yesterday"',
        ),
        ("timestamp,cpu\n,1\n", 't.csv:2: column 1 (timestamp): expected an ISO 8601 time or Unix seconds, got ""'),
        ("timestamp,cpu\nnan,1\n", 't.csv:2: column 1 (timestamp): expected an ISO 8601 time or Unix seconds, got "nan"'),
        (
            "timestamp,cpu\n1700000000000,1\n",
            't.csv:2: column 1 (timestamp): expected Unix time in seconds, not in parts of them, got "1700000000000"',
        ),
        ("timestamp,a,b\n0,1,2\n1,1,2 %\n", 't.csv:3: column 3 (b): expected a number, or nothing for a gap, got "2 %"'),
        ("timestamp,a\n0,1_000\n", 't.csv:2: column 2 (a): expected a number, or nothing for a gap, got "1_000"'),
        ("timestamp,a\n0,\u0663\n", 't.csv:2: column 2 (a): expected a number, or nothing for a gap, got "\u0663"'),
        (
            "timestamp,a\n0," + "x" * 99 + "\n",
            f't.csv:2: column 2 (a): expected a number, or nothing for a gap, got "{"x" * 40}..."',
        ),
        ("timestamp,a,b\n0,1\n", "t.csv:2: expected 3 cells as in the header, got 2"),
        ("timestamp,a,b\n0,1,2,3\n", "t.csv:2: expected 3 cells as in the header, got 4"),
        (b"timestamp,a\n0,1\n1,\xff\n", "t.csv:3: not UTF-8 text"),
        ("timestamp,a\n0,1\n".encode("utf-16"), "t.csv:1: not UTF-8 text"),
    ],
)
def test_an_error_says_where_and_what(text, expected):
    """File, line, column and what was found there, in one line."""
    assert problem(text) == expected


@pytest.mark.parametrize("text", ['timestamp,a\n0,"1\n', 'timestamp,a\n0,"1"2\n', "timestamp,a\r0,1\r"])
def test_what_is_no_csv_is_refused(text):
    """A quote that is not closed, text behind one, and line ends of another age."""
    assert ": not CSV: " in problem(text)


def test_a_header_alone_is_a_table_without_rows():
    """Nothing to judge is not an error."""
    assert rows("timestamp,a\n") == rows("timestamp,a\n\n") == []


def test_blocks_are_bounded():
    """No more values than asked for are held at a time, but at least a row."""
    text = "timestamp,a,b\n" + "".join(f"{t},1,2\n" for t in range(7))
    assert [len(block.lines) for block in rows(text, points=6)] == [3, 3, 1]
    assert [len(block.lines) for block in rows(text, points=1)] == [1] * 7


def test_a_block_ends_where_a_reader_would_wait():
    """Whatever has arrived whole is given before more is asked for; a part of a line waits for its rest."""
    pipe = Pipe([b"timestamp,a\n", b"0,1\n1,2\n2,", b"3\n", b'3,"4', b'"\n', b"4,5"])
    blocks = Table("pipe", pipe).blocks()
    seen = []
    for block in blocks:
        seen.append((block.stamps, pipe.reads))
    assert seen == [(["0", "1"], 2), (["2"], 3), (["3"], 5), (["4"], 7)]


def test_a_blank_line_holds_nothing_back():
    """The rows before it are given before more is asked for."""
    pipe = Pipe([b"timestamp,a\n", b"0,1\n\n", b"1,2\n"])
    assert [(block.stamps, pipe.reads) for block in Table("pipe", pipe).blocks()] == [(["0"], 2), (["1"], 3)]


def test_pieces_may_end_anywhere():
    """Also within a character or a line end."""
    data = 'timestamp,"ä\U0001f600"\r\n0,1\r\n1,2\r\n'.encode()
    read = Table("pipe", Pipe(data[i : i + 1] for i in range(len(data))))
    assert read.series == ("ä\U0001f600",)
    assert [stamp for block in read.blocks() for stamp in block.stamps] == ["0", "1"]


def test_lines_are_counted_over_pieces():
    """The place of a wrong byte is that in the table, not that in what was read last."""
    with pytest.raises(TableInvalid, match=r"^pipe:4: not UTF-8 text$"):
        list(Table("pipe", Pipe([b"timestamp,a\n0,1\n", b"1,2\n2,\xff\n"])).blocks())


def test_a_line_that_does_not_end_is_given_up():
    """A file that is no table must not fill the memory."""

    with pytest.raises(TableInvalid, match=r"^pipe:1: a line of more than \d+ characters$"):
        Table("pipe", lambda size: b"0" * size)


def test_a_read_that_fails_is_named():
    """The reason of the operating system, and which table."""

    def broken(_size: int) -> bytes:
        raise OSError(5, "Input/output error")

    with pytest.raises(TableUnreadable, match=r"^cannot read pipe: Input/output error$"):
        Table("pipe", broken)
