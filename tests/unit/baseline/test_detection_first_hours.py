"""What is scored before half a day is known, and what is not learnt of it."""

import numpy as np
import pytest

from lens_exporter.baseline.detection.engine import Engine
from lens_exporter.baseline.detection.tuning import Tuning

STEP, HOUR = 60.0, 60
BEGINS = 1_795_132_800.0  # midnight
AT, END = 4 * HOUR, 4 * HOUR + 20


def rows(count, series=8, seed=3):
    return 10.0 + np.random.default_rng(seed).standard_normal((series, count))


def advanced(values, groups=(range(8),), step=STEP):
    engine = Engine(len(values), groups, Tuning(step=step))
    return engine, engine.advance(BEGINS + step * np.arange(values.shape[1]), values)


def test_a_table_of_six_hours_is_scored_after_the_first():
    """Four of eight metrics move for twenty minutes: the group's rows rank above all others, and so do theirs."""
    values = rows(6 * HOUR)
    values[:4, AT:END] += 8.0
    _, scored = advanced(values)
    group = scored.groups.score[0]
    assert np.isnan(group[:HOUR]).all()
    assert np.isfinite(group[HOUR:]).all()
    assert group[AT + 1 : END].min() > np.delete(group[HOUR:], np.arange(AT - HOUR, END + 30 - HOUR)).max()
    assert scored.score[:4, AT:END].min() > scored.score[4:, AT:END].max()
    assert not scored.groups.anomaly.any()


def test_thirty_rows_are_needed_where_rows_are_rare():
    """At five minutes that is after three hours, the first whole ones."""
    _, scored = advanced(rows(6 * 12), step=300.0)
    assert np.isnan(scored.groups.score[0, : 3 * 12]).all()
    assert np.isfinite(scored.groups.score[0, 3 * 12 :]).all()


def test_what_is_scored_early_is_no_measure_of_what_is_usual():
    """A group has its threshold a day after half a day is known, as if there had been no score before."""
    _, scored = advanced(rows(40 * HOUR))
    known = np.isfinite(scored.groups.threshold[0])
    assert np.flatnonzero(known)[0] == 36 * HOUR


def test_no_row_is_kept_out_before_two_days_of_settled_scores_are_known():
    """An incident on the third night is learnt, since what an unusual row is was not known half a day longer than scores were."""
    values = rows(62 * HOUR)
    values[:, 54 * HOUR : 57 * HOUR] += 30.0
    _, scored = advanced(values)
    width = (scored.upper - scored.lower)[0]
    assert width[61 * HOUR] > 2.0 * width[49 * HOUR]


def test_hours_before_a_group_came_are_no_quiet_hours():
    """Its rows are gaps until it comes, or it is taken in then: scores, bands and thresholds are the same from there on."""
    come = (3 * 24 + 5) * HOUR
    values = rows(5 * 24 * HOUR, series=16)
    values[8:, :come] = np.nan
    times = BEGINS + STEP * np.arange(values.shape[1])
    _, whole = advanced(values, groups=(range(8), range(8, 16)))
    engine, _ = advanced(values[:8, :come])
    engine.take(np.array([*range(8), *[-1] * 8]), [range(8), range(8, 16)], np.array([0, -1]))
    later = engine.advance(times[come:], values[:, come:])
    np.testing.assert_allclose(later.groups.threshold, whole.groups.threshold[:, come:])
    np.testing.assert_allclose(later.upper, whole.upper[:, come:])
    np.testing.assert_allclose(later.groups.score, whole.groups.score[:, come:])
    assert np.flatnonzero(np.isfinite(later.groups.threshold[1]))[0] == 24 * HOUR


def test_a_metric_that_joins_a_known_group_waits_until_it_is_known():
    """Its first hours are not felt by the others: it would be noise to them."""
    engine, _ = advanced(rows(48 * HOUR, series=7), groups=(range(7),))
    engine.take(np.array([*range(7), -1]), [range(8)], np.array([0]))
    times = BEGINS + STEP * np.arange(48 * HOUR, 54 * HOUR)
    later = rows(6 * HOUR, seed=4)
    later[7, 3 * HOUR :] += 30.0
    scored = engine.advance(times, later)
    assert not scored.score[7].any()
    assert scored.score[:7].all()


def test_a_group_that_joins_is_scored_after_an_hour():
    """Beside one that is known for two days."""
    engine, _ = advanced(rows(48 * HOUR))
    engine.take(np.array([*range(8), *[-1] * 8]), [range(8), range(8, 16)], np.array([0, -1]))
    later = rows(6 * HOUR, series=16, seed=4)
    later[8:12, AT:END] += 8.0
    joined = engine.advance(BEGINS + STEP * np.arange(48 * HOUR, 54 * HOUR), later).groups.score[1]
    assert joined[AT + 1 : END].min() > joined[2 * HOUR : AT].max() > 0.0
    assert joined[:HOUR] == pytest.approx(0.0)


def test_members_with_gaps_do_not_wait_for_one_without():
    """One metric is known after half a day, seven have a value in every third reading only: what they do still counts."""
    values = rows(26 * HOUR)
    values[1:, np.arange(values.shape[1]) % 3 > 0] = np.nan
    values[1:, 24 * HOUR : 25 * HOUR] += 15.0
    _, scored = advanced(values)
    group = scored.groups.score[0]
    assert np.median(group[24 * HOUR : 25 * HOUR]) > 1.5 * np.median(group[20 * HOUR : 24 * HOUR])
