"""Tables of seconds: they end before a detector for hours and days has begun."""

import io

import numpy as np
import pytest

from lens_exporter.replay.detect import Request, detect
from lens_exporter.replay.table import Table

ROWS, AT, END = 600, 400, 420
BEGINS = 1_795_132_800


def group_scores(step, said, begins=BEGINS, jitter=0.0, **asked):
    values = 10.0 + np.random.default_rng(3).standard_normal((ROWS, 8))
    values[AT:END, :4] += 8.0
    names = [f"s{index}" for index in range(8)]
    lines = [",".join(["timestamp", *names])]
    times = begins + step * np.arange(ROWS) + jitter * np.random.default_rng(5).standard_normal(ROWS)
    lines += [f"{time!r},{','.join(map(repr, cells))}" for time, cells in zip(times.tolist(), values.tolist(), strict=True)]
    table = Table("t.csv", io.BytesIO("\n".join(lines).encode()).read1)
    text = b"".join(detect(table, Request(group="all", **asked), say=said.append)).decode().splitlines()
    score = text[0].split(",").index("score")
    return np.array([float(line.split(",", score + 1)[score]) for line in text[1:] if line.split(",")[1] == "all"])


@pytest.mark.parametrize("step", [0.1, 1, 4])
def test_ten_minutes_of_seconds_are_ranked(step):
    """Rows rank as they do a minute apart, and standard error says that they are taken so."""
    said = []
    scores = group_scores(step, said)
    assert scores.size == ROWS
    assert scores[AT + 1 : END].min() > np.delete(scores, np.arange(AT, END + 30)).max()
    assert any("as if a minute lay between them" in words for words in said)
    assert scores == pytest.approx(group_scores(60, []), rel=1e-6)


def test_seconds_are_counted_from_the_first_row():
    """The same minutes begun at another time of day score alike."""
    assert group_scores(1, [], begins=BEGINS + 2400) == pytest.approx(group_scores(1, []), rel=1e-6)


def test_jitter_does_not_move_a_scrape_of_five_seconds_to_minutes():
    said = []
    assert not group_scores(5, said, jitter=0.05).any()
    assert not any("as if" in words for words in said)


def test_rows_of_usual_steps_are_taken_as_they_are():
    said = []
    assert not group_scores(5, said).any()
    assert not any("as if" in words for words in said)


def test_an_index_is_told_as_such():
    """Who numbers rows hears how they are taken, and what to give instead; who gives seconds does not."""
    said = []
    group_scores(1, said, begins=0)
    (notice,) = (words for words in said if "index" in words)
    assert notice == (
        "t.csv: the column timestamp looks like an index of rows (0, 1, 2, ...): they are judged as if a minute lay between them;"
        " give times where it is not a minute"
    )
    assert not any("apart" in words for words in said)
    group_scores(1, said := [])
    assert not any("index" in words for words in said)


def test_a_budget_for_weeks_leaves_hours_no_anomaly():
    """Said together with how seconds are taken, and not to whoever gives a budget for hours."""
    for begins in (0, BEGINS):
        said, enough = [], []
        group_scores(1, said, begins=begins)
        group_scores(1, enough, begins=begins, false_alarms_per_week=84.0)
        assert any("1.4 false alarms a week leave hours room for hardly any anomaly" in words for words in said)
        assert not any("hardly any" in words for words in enough)
