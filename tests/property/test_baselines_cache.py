"""What a watcher has learnt is a cache: throwing it away changes nothing but time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.watch.look import Looker
from lens_exporter.watch.ports import Watched
from tests.unit.baseline.looks import same
from tests.unit.baseline.past import Past

STEP = 900.0
DAY = 86_400.0
WINDOW = 4 * DAY
BEGINS = 1_700_006_400.0
METRICS = tuple(BaselineMetric(name, name) for name in ("memory", "cpu", "latency", "errors", "queue"))


def past(seed: int) -> Past:
    """Five metrics of four instances over nine days: a daily season, noise, an incident, gaps, one that comes and one that goes."""
    rng = np.random.default_rng(seed)
    rows = round(9 * DAY / STEP)
    hours = np.arange(rows) * STEP / 3600.0
    labels, values = {}, {}
    for metric in METRICS:
        level = rng.uniform(1, 100)
        x = level * (1 + 0.3 * np.sin(2 * np.pi * hours / 24) + 0.05 * rng.standard_normal((4, rows)))
        x[0, 620:640] *= 3  # an incident of five hours, seen by every metric
        x[rng.random(x.shape) < 0.02] = np.nan
        x[1, :300] = np.nan
        x[2, 500:] = np.nan
        labels[metric.name] = tuple({"instance": f"api-{i}:9000", "job": "api"} for i in range(4))
        values[metric.name] = x
    return Past(BEGINS, STEP, labels, values, block=int(rng.integers(7, 400)))


def looker(source: Past, phase: float = 0.0) -> Looker:
    watched = Watched("api", METRICS, window=WINDOW, step=STEP)
    return Looker(watched, source, Baselines(watched.asked, Learning(STEP, WINDOW, phase=phase)), Analyzer())


@given(st.integers(0, 3), st.lists(st.integers(1, 60), min_size=3, max_size=10), st.integers(470, 560), st.integers(0, 47))
@settings(max_examples=12, deadline=None)
def test_a_long_life_and_a_fresh_start_see_the_same(seed, gaps, first, hours):
    """However often, and at whatever distances, a watcher looked before: one that has just started says exactly the same."""
    phase = 3600.0 * hours
    old_hand = looker(past(seed), phase)
    at = BEGINS + first * STEP
    old_hand.look(at)
    for gap in gaps:
        at += gap * STEP
        seen = old_hand.look(at)
        same(looker(past(seed), phase).look(at), seen)


def test_a_warm_look_asks_only_for_what_is_new():
    """The first look fetches the past, the next one a few rows: those that are new and those that may still change."""
    source = past(0)
    one = looker(source)
    at = BEGINS + 500 * STEP
    one.look(at)
    cold = sum(end - start for _, start, end in source.asked)
    source.asked.clear()
    one.look(at + STEP)
    assert len(source.asked) == len(METRICS)
    assert all(end - start <= 2 * STEP for _, start, end in source.asked)
    assert cold >= len(METRICS) * WINDOW / 2 * 0.9


def test_an_incident_is_found_in_its_group_and_nowhere_else():
    """Five metrics of one instance treble at once: that group's alarm has one carrier, and the other instances none."""
    one = looker(past(1))
    flagged = set()
    for row in range(560, 660):
        for conclusion in one.look(BEGINS + row * STEP).conclusions:
            if conclusion.decision.intent == "anomaly":
                flagged.add((row, conclusion.target["instance"]))
    assert {instance for _, instance in flagged} == {"api-0:9000"}
    assert 620 <= min(row for row, _ in flagged) <= 625


def test_one_that_takes_over_sees_the_same_and_asks_only_for_what_is_new():
    """What a watcher has learnt may be given to another: that one goes on as if nothing had happened, and the first knows nothing."""
    at = BEGINS + 500 * STEP
    first = looker(past(0))
    first.look(at)
    source = past(0)
    other = looker(source)
    other.go_on(first.let_go())
    same(other.look(at + STEP), looker(past(0)).look(at + STEP))
    assert all(end - start <= 2 * STEP for _, start, end in source.asked)
    same(first.look(at + STEP), other.look(at + STEP))
