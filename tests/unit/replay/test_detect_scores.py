"""Writing scores: the columns, their order, and what stands where nothing is known."""

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from lens_exporter.baseline.detection.scored import GroupScored, Scored
from lens_exporter.errors import TableInvalid
from lens_exporter.replay.detect import Request, detect
from lens_exporter.replay.scores import ScoresCsv
from tests.unit.replay.sources import rows, table

NAN = math.nan
HEADER = b"timestamp,series,value,expected,lower,upper,score,anomaly"


def array(*lines: list[float]) -> np.ndarray:
    return np.array(lines, dtype=float)


def scored(values: np.ndarray, *, score: np.ndarray | None = None) -> Scored:
    """What an engine might say: all about a value that is there, nothing about a gap; a value above 10 is an anomaly."""
    return Scored(
        expected=values / 3,
        lower=values - 1,
        upper=values + 1,
        score=values / 8 if score is None else score,
        anomaly=values > 10,
        novel=values > 10,
        unusual=values > 10,
        sustained=np.zeros(values.shape, dtype=np.int8),
        groups=GroupScored(score=values[:1] / 4, threshold=np.ones_like(values[:1]), anomaly=values[:1] > 10),
    )


def test_one_line_per_row_and_series():
    """Rows in order, within a row the series in the order of the table; timestamps and values as given."""
    (block,) = rows("timestamp,a,b\n2026-11-20 14:00,1.50,2e1\n2026-11-20 14:05,3,-4\n")
    written = ScoresCsv(("a", "b"), None)
    assert written.header() == HEADER + b"\n"
    assert written.lines(block, scored(block.values)).decode().splitlines() == [
        "2026-11-20 14:00,a,1.50,0.5,0.5,2.5,0.1875,0",
        "2026-11-20 14:00,b,2e1,6.666666667,19.0,21.0,2.5,1",
        "2026-11-20 14:05,a,3,1.0,2.0,4.0,0.375,0",
        "2026-11-20 14:05,b,-4,-1.333333333,-5.0,-3.0,-0.5,0",
    ]


def test_a_gap_has_no_value_and_no_score():
    """Nothing is known of it: empty cells, score 0."""
    (block,) = rows("timestamp,a,b\n0,,7\n")
    first, second = ScoresCsv(("a", "b"), None).lines(block, scored(block.values)).decode().splitlines()
    assert first == "0,a,,,,,0.0,0"
    assert second.startswith("0,b,7,")


def lower(value: float) -> str:
    (block,) = rows("timestamp,a\n0,1\n")
    said = replace(scored(block.values), lower=array([value]))
    return ScoresCsv(("a",), None).lines(block, said).decode().split(",")[4]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.00001, "-0.00001"),
        (0.1 + 0.2, "0.3"),
        (1 / 3, "0.3333333333"),
        (-2e-17 / 3, "-6.666666667e-18"),
        (123456.7890123, "123456.789"),
        (1e15 / 3, "333333333300000.0"),
        (775295128912345.6, "775295128900000.0"),
        (9.99999999999e22, "1e+23"),
        (6.716308679456903e-300, "6.716308679e-300"),
    ],
)
def test_numbers_are_as_long_as_they_mean_something(value, text):
    """Ten significant digits, whatever the size, and no trace of binary fractions."""
    assert lower(value) == text


@pytest.mark.parametrize("value", [5e-324, 2.3e-308, 1.7976931348623157e308])
def test_the_ends_of_the_range_survive(value):
    """Rounding makes of no number another, nor nothing."""
    assert float(lower(value)) == pytest.approx(value, rel=1e-9)


def test_a_group_has_a_line_after_each_row():
    """Its score, its flag, and who carries it, strongest first; the series' lines have an empty last cell."""
    (block,) = rows("timestamp,a,b,c\n0,1,2,3\n1,12,2,0\n")
    score = array([1, 9], [2, 0.5], [3, 0])
    written = ScoresCsv(("a", "b", "c"), "node")
    lines = written.lines(block, scored(block.values, score=score)).decode().splitlines()
    assert written.header() == HEADER + b",contributors\n"
    assert [line.split(",")[1] for line in lines] == ["a", "b", "c", "node"] * 2
    assert all(line.endswith((",0,", ",1,")) for line in lines if ",node," not in line)
    assert lines[3] == '0,node,,,,,0.25,0,"[""c"",""b"",""a""]"'
    assert lines[7] == '1,node,,,,,3.0,1,"[""a"",""b""]"'


def test_at_most_ten_carry_a_group():
    """A page of names helps nobody; series without a share, and gaps, are never among them."""
    names = tuple(f"s{number}" for number in range(15))
    (block,) = rows(f"timestamp,{','.join(names)}\n0{',1' * 15}\n1{',1' * 15}\n")
    score = np.tile(np.arange(15.0)[:, None], 2)
    score[3:, 1] = NAN
    lines = ScoresCsv(names, "g").lines(block, scored(block.values, score=score)).decode()
    groups = [json.loads(row[8]) for row in csv.reader(io.StringIO(lines)) if row[1] == "g"]
    assert groups == [[f"s{number}" for number in range(14, 4, -1)], ["s2", "s1"]]


def test_names_and_times_that_need_quotes():
    """Whatever a name holds, a CSV reader gets it back, also from the list of contributors."""
    names = ('a,"b"', "c\nd", "ä")
    (block,) = rows('timestamp,"a,""b""","c\nd",ä\n"2026-11-20T14:00:00,5",1,2,3\n')
    lines = ScoresCsv(names, 'g,"').lines(block, scored(block.values)).decode()
    read = list(csv.reader(io.StringIO(lines)))
    assert [row[1] for row in read] == [*names, 'g,"']
    assert {row[0] for row in read} == {"2026-11-20T14:00:00,5"}
    assert json.loads(read[-1][8]) == ["ä", "c\nd", 'a,"b"']


def test_a_group_needs_a_name_of_its_own():
    """Two kinds of lines under one name could not be told apart; refused before anything is written."""
    with pytest.raises(TableInvalid, match=r"^t.csv:2: column 3 \(b\): the group needs a name that no series has$"):
        next(detect(table("\ntimestamp,a,b\n0,1,2\n"), Request(group="b"), print))
