"""The paired bootstrap on cases whose answer is known."""

from itertools import pairwise

import numpy as np
import pytest

from bench.quality.bootstrap import Difference, Resamples, difference
from bench.quality.data import BoolArray, Event, FloatArray, LoneSeries, Machine
from bench.quality.machines import average_precision
from bench.quality.nab import STANDARD, corpus, sweep

DAY = 288


def machine(days: int, *events: Event) -> Machine:
    label = np.zeros(days * DAY, dtype=np.bool_)
    for event in events:
        label[event.start : event.end] = True
    return Machine("hand", 300.0, np.zeros((10, 2)), np.zeros((days * DAY, 2)), label, events)


def busy(days: int = 10) -> Machine:
    return machine(days, *(Event(day * DAY + 100, day * DAY + 120, (0,)) for day in range(days)))


def noise(label: BoolArray, seed: int, strength: float) -> FloatArray:
    return np.random.default_rng(seed).normal(0, 1, len(label)) + strength * label


def test_a_detector_differs_from_itself_by_nothing() -> None:
    """Paired: the same scores give 0 on every resample, so the interval is a point."""
    one = busy()
    reached = Resamples(resamples=50).ap_by_days([one], [noise(one.label, 1, 1.0)])
    again = Resamples(resamples=50).ap_by_days([one], [noise(one.label, 1, 1.0)])
    assert difference(reached, again) == Difference(0.0, 0.0, 0.0)
    assert not difference(reached, again).decided


def test_a_clear_difference_is_decided_and_noise_is_not() -> None:
    """Strong against weak excludes 0 on the right side; two equally good detectors do not exclude it."""
    one, resamples = busy(), Resamples(resamples=300)
    strong, weak, other = (resamples.ap_by_days([one], [noise(one.label, seed, by)]) for seed, by in ((1, 3.0), (2, 1.0), (3, 1.0)))
    assert difference(strong, weak).better
    assert difference(weak, strong).decided
    assert not difference(weak, strong).better
    assert not difference(weak, other).decided


def test_the_first_figure_is_the_one_on_the_data_itself() -> None:
    """AP by days and by machines begin with the mean over machines, shares with the share of all events."""
    machines = [busy(), busy(5)]
    scores = [noise(each.label, 4, 1.5) for each in machines]
    mean = np.mean([average_precision(score, each.label) for score, each in zip(scores, machines, strict=True)])
    resamples = Resamples(resamples=20)
    assert resamples.ap_by_days(machines, scores)[0] == pytest.approx(mean)
    assert resamples.ap_by_machines(machines, scores)[0] == pytest.approx(mean)
    assert resamples.mean_by_machines([np.array([0.0, 1.0, 1.0]), np.array([0.0])])[0] == pytest.approx(0.5)
    assert resamples.share([np.array([True, False]), np.array([True, True])])[0] == pytest.approx(0.75)


def test_a_resample_of_days_is_the_ap_of_those_days() -> None:
    """Two days, of which one detector is right on the first only: AP of a resample is that of the drawn days' rows."""
    one = machine(2, Event(10, 20, (0,)), Event(DAY + 10, DAY + 20, (0,)))
    score = np.random.default_rng(6).random(2 * DAY)
    score[10:20] += 1
    reached = Resamples(resamples=40).ap_by_days([one], [score])[1:]
    possible = []
    for days in ((0, 0), (0, 1), (1, 1)):
        rows = np.concatenate([np.arange(day * DAY, (day + 1) * DAY) for day in days])
        possible.append(average_precision(score[rows], one.label[rows]))
    assert all(any(value == pytest.approx(each) for each in possible) for value in reached)
    assert len(set(np.round(reached, 9))) == 3


def test_a_machine_without_a_labelled_row_drawn_is_left_out() -> None:
    """One event on one of ten days: resamples without that day have no figure from this machine, and the other one decides."""
    rare, common = machine(10, Event(10, 20, (0,))), busy()
    scores = [noise(rare.label, 1, 3.0), noise(common.label, 2, 1.0)]
    alone = Resamples(resamples=100).ap_by_days([rare], [scores[0]])
    both = Resamples(resamples=100).ap_by_days([rare, common], scores)
    assert np.isnan(alone).any()
    assert np.isfinite(both).all()


def test_machines_do_not_all_draw_the_same_days() -> None:
    """Days of one server say nothing about another's: two equal machines vary less together than one alone."""
    one = busy()
    score = noise(one.label, 1, 1.0)
    alone, both = (Resamples(resamples=200).ap_by_days([one] * count, [score] * count)[1:] for count in (1, 2))
    assert both.std() < 0.9 * alone.std()


def test_draws_are_the_same_for_every_detector_and_other_with_another_seed() -> None:
    """Pairing needs equal draws; each holds as many things as there are."""
    draws = Resamples(7).of(6)
    assert (draws == Resamples(7).of(6)).all()
    assert (draws != Resamples(8).of(6)).any()
    assert (draws.sum(axis=1) == 6).all()
    assert any((one != other).any() for one, other in pairwise(draws[:10]))


def test_nab_begins_with_the_official_score() -> None:
    """The first figure is the score on the files, the others are scores of resampled files."""
    files = [LoneSeries("hand", np.arange(400) * 300.0, np.zeros(400), ((200, 239),)) for _ in range(4)]
    swept = sweep(corpus(files), [np.random.default_rng(seed).random(400) for seed in range(4)])
    reached = Resamples(resamples=30).nab(swept, STANDARD)
    assert reached.shape == (31,)
    assert reached[0] == pytest.approx(swept.best(STANDARD).score)
