"""Rows that somebody declared to be in order are learnt; said late, they are learnt anew, once."""

from dataclasses import replace

import numpy as np
import pytest

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.baseline.expected import Declaration, DeclarationSource
from lens_exporter.baseline.expected_rows import REST, ExpectedRows
from lens_exporter.baseline.roster import Roster
from lens_exporter.foundation import snapshot
from lens_exporter.model.matcher import Matcher
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.watch.look import Looker
from lens_exporter.watch.ports import Watched
from tests.unit.baseline.past import Past

STEP = 300.0
DAY = 288  # rows
BEGINS = 1_700_006_400.0
NAMES = ("memory", "cpu", "latency", "errors", "queue", "threads")
HERE, DISK = {"instance": "api-7:9000", "job": "api"}, {"instance": "api-7:9000", "job": "api", "device": "sda"}
LOAD = 100  # row of the day at which a load test begins, of two hours


def past():
    """Six metrics with a daily season over seven days; from the fifth day on a load test trebles three of them, two hours a day."""
    rng = np.random.default_rng(5)
    rows = 7 * DAY
    season = 1 + 0.3 * np.sin(2 * np.pi * np.arange(rows) / DAY)
    values = {name: (10.0 + place) * season * (1 + 0.03 * rng.standard_normal(rows)) for place, name in enumerate(NAMES)}
    for day in (4, 5, 6):
        for name in ("memory", "latency", "queue"):
            values[name][day * DAY + LOAD : day * DAY + LOAD + 24] *= 3
    labels = {name: (DISK if name == "queue" else HERE,) for name in NAMES}
    return Past(BEGINS, STEP, labels, {name: one[None] for name, one in values.items()})


class Watching:
    """A watcher that is told something now and then."""

    def __init__(self, *declared):
        self.declared = list(declared)
        self.source = past()
        watched = Watched("api", tuple(BaselineMetric(name, name) for name in NAMES), window=8 * 86_400.0, step=STEP)
        learning = Learning(STEP, watched.window, declared=lambda: tuple(self.declared))
        self.looker = Looker(watched, self.source, Baselines(watched.asked, learning), Analyzer())

    def restarted(self, path, row):
        """Give another process's watcher that goes on from the file that this one leaves, if it is of use at that row."""
        snapshot.save(path, self.looker.remembered(), fingerprint="", given=self.looker.given)
        other = Watching(*self.declared)
        state = snapshot.load(path, fingerprint="", given=other.looker.given, package="lens_exporter.baseline")
        other.looker.recall(state, BEGINS + row * STEP)
        return other

    def at(self, row):
        """Look at a row, and say how its group stands: score in parts of the threshold."""
        self.source.asked.clear()
        (group,) = self.look(row).groups
        return group.score / group.threshold

    def look(self, row):
        return self.looker.look(BEGINS + row * STEP)

    @property
    def began_anew(self):
        return max(end for *_, end in self.source.asked) - min(start for _, start, _ in self.source.asked) > DAY * STEP


def span(first, last, *matchers, **labels):
    given = (*matchers, *(Matcher(name, value) for name, value in (labels or HERE).items()))
    return Declaration(f"{first}-{last}", DeclarationSource.API, given, BEGINS + first * STEP, BEGINS + last * STEP)


FIRST = 4 * DAY + LOAD
LOAD_TEST = span(FIRST, FIRST + 24)


def test_a_declared_load_test_is_normal_the_next_day():
    """The same two hours a day later: if nobody declared the first they stand beyond five thresholds, else below a third of that."""
    told, untold = Watching(LOAD_TEST), Watching()
    row = 5 * DAY + LOAD + 12
    stands = untold.at(row)
    assert stands > 5
    assert told.at(row) < stands / 3


def test_what_is_said_late_is_learnt_as_if_it_had_been_said_in_time():
    """Declared a day afterwards: everything is fetched once, and the watcher stands where one stands that always knew."""
    late, early = Watching(), Watching(LOAD_TEST)
    row = 5 * DAY + LOAD + 12
    assert late.at(row - 1) != pytest.approx(early.at(row - 1))
    late.declared = [LOAD_TEST]
    assert late.at(row) == pytest.approx(early.at(row), rel=1e-9)
    assert late.began_anew
    late.at(row + 1)
    assert not late.began_anew


def test_what_is_taken_back_is_unlearnt():
    """Without the declaration the watcher stands where one stands that never heard of it."""
    one, never = Watching(LOAD_TEST), Watching()
    row = 5 * DAY + LOAD + 12
    one.at(row - 1)
    one.declared = []
    assert one.at(row) == pytest.approx(never.at(row), rel=1e-9)


def test_many_that_come_one_after_the_other_cost_one_beginning_in_a_quarter_of_an_hour():
    """Something new at each of nine looks, five minutes apart: everything is fetched at the first and at every third after it."""
    one = Watching()
    row = 5 * DAY
    one.at(row)
    anew = []
    for later in range(1, 10):
        one.declared.append(span(FIRST - 10 * later, FIRST - 10 * later + 5))
        one.at(row + later)
        anew.append(one.began_anew)
    assert REST == 3 * STEP
    assert anew == [True, False, False] * 3
    told = Watching(*one.declared)
    for later in range(10, 13):
        stands = one.at(row + later)
    assert stands == pytest.approx(told.at(row + 12), rel=1e-9)


@pytest.mark.parametrize(
    "said",
    [
        span(5 * DAY + 1, 5 * DAY + 50),
        span(FIRST, FIRST + 24, instance="api-8:9000"),
        span(FIRST, FIRST + 24, Matcher("job", "web", equal=False), device="sdb"),
        span(-3000, -2000),
    ],
    ids=["ahead", "another instance", "another device", "before all that is remembered"],
)
def test_what_changes_no_learnt_row_fetches_nothing(said):
    """A declaration about the future, about others, or about what is forgotten costs nothing."""
    one = Watching()
    one.at(5 * DAY)
    one.declared = [said]
    one.at(5 * DAY + 1)
    assert not one.began_anew


def test_a_span_that_ends_sooner_or_in_two_parts_fetches_nothing():
    """Expired early, or split into a silence that was expired and its successor: the learnt rows were declared all the same."""
    running = span(5 * DAY - 20, 5 * DAY + 100)
    one = Watching(running)
    one.at(5 * DAY)
    one.declared = [replace(running, ends_at=BEGINS + (5 * DAY - 5) * STEP), span(5 * DAY - 5, 5 * DAY + 30)]
    one.at(5 * DAY + 1)
    assert not one.began_anew


def test_a_series_of_a_group_stands_for_all_of_it():
    """Declared about one disk: the group it belongs to is declared, and no other labels are."""
    one = Watching(span(FIRST, FIRST + 24, device="sda"))
    declared = one.look(FIRST + 3).declared
    assert declared.about({}, HERE) is one.declared[0]
    assert declared.about({}, {"instance": "api-8:9000", "job": "api"}) is None
    assert declared.about(DISK) is one.declared[0]
    assert declared.about(HERE) is None
    assert one.look(FIRST + 24).declared.about({}, HERE) is None


def test_a_group_counts_as_declared_from_its_matching_series_first_value_on():
    """A member that is to come declares nothing about the time before it: when it was seated depends on what was fetched."""
    metrics = tuple(BaselineMetric(name, name) for name in NAMES)
    roster = Roster(len(NAMES))
    for metric, name in enumerate(NAMES):
        roster.seat(metric, (DISK if name == "queue" else HERE,))
    said = (span(0, 8, device="sda"),)
    rows = ExpectedRows(metrics, lambda: said, lambda _metric, labels: labels, STEP)
    rows.hear(BEGINS)
    present = np.ones((6, 10), dtype=np.bool_)
    disk = roster.labels.index(DISK)
    present[disk] = False
    present[disk, 3] = True
    times = BEGINS + STEP * np.arange(10)
    marked = rows.learn(times, present, np.zeros(6, dtype=np.bool_), roster, roster.grouped())
    assert marked.tolist() == [[False] * 3 + [True] * 5 + [False] * 2]
    known = np.zeros(6, dtype=np.bool_)
    known[disk] = True
    assert rows.learn(times, present, known, roster, roster.grouped()).tolist() == [[True] * 8 + [False] * 2]
    assert rows.learn(times + 8 * STEP, present, known, roster, roster.grouped()) is None


def test_a_restart_knows_what_was_learnt_as_declared(tmp_path):
    """The same declarations afterwards fetch nothing; others do, also if they came while it was down."""
    one = Watching(LOAD_TEST)
    row = 5 * DAY + LOAD + 12
    one.at(row)
    again = one.restarted(tmp_path / "a", row + 1)
    assert again.at(row + 1) == pytest.approx(one.at(row + 1), rel=1e-9)
    assert not again.began_anew
    one.declared = []
    other = one.restarted(tmp_path / "b", row + 2)
    assert other.at(row + 2) == pytest.approx(Watching().at(row + 2), rel=1e-9)
    assert other.began_anew


def test_a_restart_does_not_shorten_the_rest_between_two_beginnings(tmp_path):
    """Whether the first one was before it or is because of it: the next declaration waits a quarter of an hour."""
    row = 5 * DAY
    one = Watching()
    one.at(row)
    one.declared.append(span(FIRST - 10, FIRST - 5))
    one.at(row + 1)
    assert one.began_anew
    two = one.restarted(tmp_path / "a", row + 2)
    two.declared.append(span(FIRST - 20, FIRST - 15))
    two.at(row + 3)
    assert not two.began_anew
    two.at(row + 4)
    assert two.began_anew
    three = one
    three.declared.append(span(FIRST - 30, FIRST - 25))
    three = three.restarted(tmp_path / "b", row + 20)
    three.at(row + 20)
    assert three.began_anew
    three.declared.append(span(FIRST - 40, FIRST - 35))
    three.at(row + 21)
    assert not three.began_anew
