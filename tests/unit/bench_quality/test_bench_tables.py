"""Tables, targets, the cache of peers' scores, and the way through `detect`."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from bench.quality import lens, lone, servers
from bench.quality.bootstrap import Difference, Resamples
from bench.quality.data import Event, FloatArray, Healthy, LoneSeries, Machine
from bench.quality.healthy import episodes, healthy_table, peer_alarms
from bench.quality.peers import Kept, Peer
from bench.quality.peers.peer import any_above
from bench.quality.report import MachineScores, Target, differences, interval, number, provenance, table, within_factor_two

DAY = 288


def machine() -> Machine:
    random, event = np.random.default_rng(1), Event(300, 320, (2,))
    test = random.normal(10, 1, (2 * DAY, 3))
    test[300:320, 2] += 30
    label = np.zeros(2 * DAY, dtype=np.bool_)
    label[300:320] = True
    return Machine("hand", 300.0, random.normal(10, 1, (2 * DAY, 3)), test, label, (event,))


def distance(train: FloatArray, test: FloatArray, step: float) -> MachineScores:
    """A scorer that needs no history to speak of."""
    assert step == 300.0
    series = np.abs(test - train.mean(axis=0)).T
    alarm = series.max(axis=0) > 20
    return MachineScores(series.max(axis=0), series, {1.4: alarm, 7.0: alarm})


def test_a_target_says_whether_it_is_reached_and_by_how_much_it_is_missed() -> None:
    """At least and at most."""
    assert Target("AP", 0.55).row(0.6)[-1] == "reached"
    assert Target("AP", 0.55).row(0.5) == ["AP", "at least 0.55", "0.50", "missed by 0.05"]
    assert Target("delay", 15, at_most=True).row(20) == ["delay", "at most 15", "20.00", "missed by 5.00"]
    assert Target("delay", 15, at_most=True).row(float("nan"))[-1].startswith("missed")


def test_a_budget_is_kept_within_a_factor_of_two_on_both_sides() -> None:
    """Too few alarms miss it as well as too many."""
    said = [within_factor_two("rate", 0.2, rate)[-1] for rate in (0.05, 0.1, 0.4, 0.5)]
    assert said == ["missed: 0.25 times the budget", "reached", "reached", "missed: 2.5 times the budget"]


def test_an_interval_that_excludes_zero_is_bold() -> None:
    """A reader sees at once which differences count."""
    assert interval(Difference(0.1, 0.02, 0.2)) == "**+0.10 (+0.02 .. +0.20)**"
    assert interval(Difference(0.1, -0.02, 0.2)) == "+0.10 (-0.02 .. +0.20)"


def test_a_reader_is_told_where_a_peer_is_not_beaten() -> None:
    """An interval that reaches 0 is no victory, one below 0 a defeat; both are named."""
    won, even, lost = Difference(0.2, 0.1, 0.3), Difference(0.1, -0.1, 0.3), Difference(-0.2, -0.3, -0.1)
    said = differences("ours", ("AP", "ev 1"), {"good": [won, even], "better": [lost, won], "poor": [won, won]})
    assert said.endswith("\n\nNot beaten: good (ev 1); better (AP).\n")
    assert differences("ours", ("AP",), {"poor": [won]}).endswith("\n\nEvery peer is beaten on every measure.\n")


def test_tables_are_markdown() -> None:
    """Head, rule and rows; a figure that does not exist is a dash."""
    assert table(("a", "b"), [["1", number(float("nan"))]]) == "| a | b |\n| --- | --- |\n| 1 | - |\n"


def test_figures_carry_their_date_command_and_versions() -> None:
    """Without them a table cannot be reproduced."""
    said = provenance("python bench/detection.py", datetime(2026, 11, 20, tzinfo=UTC))
    assert "2026-11-20" in said
    assert "`python bench/detection.py`" in said
    assert "numpy" in said


def test_server_tables_have_a_row_for_each_detector_and_no_broken_cell() -> None:
    """Quality, decisions, differences and targets of two detectors on one machine."""
    machines = [machine()]
    ours, chance = servers.run_scorer("ours", distance, machines), servers.run_chance(machines)
    tables = [
        servers.quality_table([ours, chance], machines),
        servers.field_table([ours, chance], machines),
        servers.difference_table(ours, [chance], machines, Resamples(resamples=20)),
        servers.target_table(ours, machines, servers.ServerTargets(0.5, 0.5, 0.5, 0.5, 15)),
    ]
    assert [text.count("\n") for text in tables] == [4, 4, 5, 11]
    for text in tables:
        assert len({line.count("|") for line in text.splitlines() if "|" in line}) == 1
    assert "| ours | 1.000 | 1.000 | 1.00 |" in tables[0]
    assert "budget of 1.4 false alarms a week | 0.00 | 0.0 | 1.00 | 0 |" in tables[1]
    assert "missed: 0 times the budget" in tables[3]


def test_lone_tables_have_a_row_for_each_detector_and_no_broken_cell() -> None:
    """NAB's figures, differences and targets."""
    files = [LoneSeries("hand", np.arange(400) * 300.0, np.sin(np.arange(400.0)), ((200, 239),)) for _ in range(4)]
    perfect = lone.run_scorer("perfect", lambda times, _values: (np.arange(len(times)) == 200).astype(np.float64), files)
    poor = lone.run_scorer("poor", lambda _times, values: values, files)
    tables = [
        lone.score_table([perfect, poor]),
        lone.difference_table(perfect, [poor], Resamples(resamples=20)),
        lone.target_table(perfect),
    ]
    assert "| perfect | 100.0 | 100.0 | 100.0 | 4 | 0 | 100.0 +- 0.0 | 100.0 | 100.0 +- 0.0 |" in tables[0]
    assert tables[2].count("reached") == 4
    for text in tables:
        assert len({line.count("|") for line in text.splitlines() if "|" in line}) == 1


def test_a_peak_is_said_once() -> None:
    """A row counts only above the rows before it, and again when those are out of sight."""
    assert lone.only_peaks(np.array([1.0, 1.0, 2.0, 1.5, 1.0, 1.2]), rows=2).tolist() == [1.0, 0.0, 2.0, 0.0, 0.0, 0.0]
    assert lone.only_peaks(np.array([2.0, 1.0, 1.0, 1.5]), rows=2).tolist() == [2.0, 0.0, 0.0, 1.5]


def test_alarms_are_runs_of_rows() -> None:
    """A run that begins with the first row counts, and each series has its own."""
    assert episodes(np.array([[True, True, False, True]])) == 2
    assert episodes(np.array([[True, False, True], [False, False, False]])) == 2


def test_kept_scores_are_those_computed_and_change_with_the_data(tmp_path: Path) -> None:
    """Kept or fresh gives the same figures; other values, times or another peer are never answered from what is kept."""
    asked = []

    def score(values: FloatArray, _times: FloatArray, _step: float) -> FloatArray:
        asked.append(1)
        return values / 3

    peer, kept, times = Peer("third", "", score, any_above(1.0)), Kept(tmp_path), np.arange(3.0)
    first = kept.score(peer, np.ones((1, 3)), times, 1.0)
    assert (Kept(tmp_path).score(peer, np.ones((1, 3)), times, 1.0) == first).all()
    assert len(asked) == 1
    assert kept.score(peer, np.full((1, 3), 6.0), times, 1.0).tolist() == [[2.0, 2.0, 2.0]]
    kept.score(peer, np.ones((1, 3)), times + 1, 1.0)
    kept.score(Peer("other", "", score, any_above(1.0)), np.ones((1, 3)), times, 1.0)
    assert len(asked) == 4
    assert len(list(tmp_path.iterdir())) == 4


def test_false_alarms_are_counted_per_series_day(tmp_path: Path) -> None:
    """The first day is warm-up. Of the second, half of one series is a gap: one and a half series-days with two alarms."""
    values = np.zeros((2, 2 * DAY))
    values[0, 5], values[0, DAY + 10 : DAY + 12], values[0, DAY + 50], values[1, : DAY + DAY // 2] = 2.0, 2.0, 2.0, np.nan
    recording = Healthy("hand", np.arange(2 * DAY) * 300.0, values, ("a", "b"), ("g", "g"))
    peer = Peer("itself", "above 1", lambda given, _times, _step: np.nan_to_num(given), any_above(1.0))
    text = healthy_table([("itself", "above 1", peer_alarms(peer, Kept(tmp_path)))], [recording])
    assert recording.series_days(np.ones(2 * DAY, dtype=np.bool_)) == pytest.approx(2.5)
    assert "| itself | above 1 | 2 | 1333.3 | missed by 1332.33 |" in text


def test_our_side_is_what_detect_writes() -> None:
    """Shapes and the group's row come back from the CSV; the event's metric carries it and no gap breaks the table."""
    one = machine()
    values = np.concatenate([one.train, one.test]).T
    values[1, 100] = np.nan
    said = lens.run(np.arange(4 * DAY) * 300.0, values, grouped=True)
    assert said.score.shape == said.anomaly.shape == (4, 4 * DAY)
    scores = lens.machine_scores(one.train, one.test, one.step)
    assert scores.group.shape == (2 * DAY,)
    assert scores.series.shape == (3, 2 * DAY)
    assert {budget: alarm[300:320].any() for budget, alarm in scores.alarm.items()} == {1.4: True, 7.0: True}
    assert scores.series[:, 300:320].max(axis=1).argmax() == 2
    assert 300 <= scores.group.argmax() < 320
