"""The loop of `detect`: what of a request reaches the engine, and what is said on the way."""

import csv
import io

import numpy as np
import pytest

from lens_exporter.replay.detect import Request, detect, ended, told
from tests.unit.replay.sources import table

QUARTER = 900
DAY = 96  # rows


def heavy_tailed(days: int = 10) -> list[list[str]]:
    """Six series with outliers now and then, every quarter of an hour."""
    values = 50 + np.random.default_rng(3).standard_t(3, size=(DAY * days, 6))
    return [[f"{QUARTER * at}", *map("{:.2f}".format, row)] for at, row in enumerate(values.tolist())]


def scores(rows: list[list[str]], request: Request) -> tuple[list[dict[str, str]], list[str]]:
    said: list[str] = []
    text = "timestamp,a,b,c,d,e,f\n" + "".join(",".join(row) + "\n" for row in rows)
    written = b"".join(detect(table(text), request, said.append)).decode()
    return list(csv.DictReader(io.StringIO(written))), said


def test_the_budget_sets_what_is_an_anomaly_and_nothing_else():
    """Fewer allowed alarms, fewer alarms; the same scores."""
    rare, often = (scores(heavy_tailed(), Request(budget, "all"))[0] for budget in (0.1, 10))
    assert [row["score"] for row in rare] == [row["score"] for row in often]
    alarms = [{(row["timestamp"], row["series"]) for row in found if row["anomaly"] == "1"} for found in (rare, often)]
    assert alarms[0] < alarms[1]


def test_what_is_said():
    """The step before the first score, how it ended after the last, with the numbers that stand in the file."""
    found, said = scores(heavy_tailed(), Request(10, "all"))
    series = sum(row["anomaly"] == "1" for row in found if row["series"] != "all")
    group = sum(row["anomaly"] == "1" for row in found if row["series"] == "all")
    assert said == ["t.csv: 6 series, a row every 900 s", f"t.csv: 960 rows, {series} values are anomalies; all: {group} rows are"]


def test_one_is_no_plural():
    """Of rows, of values and of what is an anomaly."""
    assert [told(count, "row") for count in (0, 1, 2)] == ["0 rows are", "1 row is", "2 rows are"]
    assert scores(heavy_tailed()[:1], Request())[1][-1].startswith("t.csv: 1 row, 0 values are anomalies, ")
    assert ended(1, 1) == "1 row, 1 value is an anomaly"


@pytest.mark.parametrize("group", [None, "all"])
@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "t.csv: 0 rows, 0 values are anomalies; there is nothing below the header"),
        (
            [[f"{QUARTER * at}", *[""] * 6] for at in range(5 * DAY)],
            "t.csv: 480 rows, 0 values are anomalies; all cells are empty, so there is nothing to judge",
        ),
    ],
)
def test_a_table_with_nothing_in_it_is_not_called_short(rows, said, group):
    """However long it is, or would be."""
    assert scores(rows, Request(group=group))[1][-1] == said


@pytest.mark.parametrize("group", [None, "all"])
def test_a_missing_value_counts_only_when_asked_for(group):
    """A series that always had values has none for an hour: silence by default, an anomaly with `missing`."""
    rows = heavy_tailed()
    lost = range(DAY * 9, DAY * 9 + 4)
    for at in lost:
        rows[at][1] = ""
    for missing in (False, True):
        found, _ = scores(rows, Request(group=group, missing=missing))
        gaps = [row for row in found if row["series"] == "a" and int(row["timestamp"]) // QUARTER in lost]
        assert [row["value"] for row in gaps] == [""] * 4
        assert any(float(row["score"]) > 0 and row["anomaly"] == "1" for row in gaps) is missing
        assert all(float(row["score"]) == 0 for row in gaps) is not missing


def test_only_a_group_judges_series_together():
    """By itself a series has the same scores whatever stands beside it; in a group it has not."""
    rows = heavy_tailed()
    others = [[stamp, first, *[first] * 5] for stamp, first, *_ in rows]

    def of_a(given: list[list[str]], group: str | None) -> list[str]:
        return [row["score"] for row in scores(given, Request(group=group))[0] if row["series"] == "a"]

    assert of_a(rows, None) == of_a(others, None)
    assert of_a(rows, "all") != of_a(others, "all")


def test_an_hour_that_comes_twice_is_scored():
    """Every row has its lines, and it is said once that some are not later than the one before."""
    rows = heavy_tailed()
    for at in range(DAY * 5, len(rows)):
        rows[at][0] = f"{QUARTER * (at - 4)}"
    found, said = scores(rows, Request())
    assert [row["timestamp"] for row in found[::6]] == [row[0] for row in rows]
    assert sum("not after the row before it" in text for text in said) == 1


def test_a_table_of_one_row_has_scores_of_nothing():
    """Too little to tell even the step is no error."""
    found, said = scores(heavy_tailed()[:1], Request())
    assert [(row["expected"], float(row["score"]), row["anomaly"]) for row in found] == [("", 0.0, "0")] * 6
    assert said[0] == "t.csv: 6 series, step unknown"


def test_expected_lower_and_upper_are_empty_until_known():
    """No band in the first hour; later a band with what is expected inside it."""
    found, _ = scores(heavy_tailed(), Request())
    assert {(row["expected"], row["lower"], row["upper"]) for row in found[:6]} == {("", "", "")}
    band = [[float(row[name]) for name in ("lower", "expected", "upper")] for row in found[-6 * DAY :]]
    assert all(lower <= expected <= upper for lower, expected, upper in band)
