"""How far a model's word reaches."""

from dataclasses import replace

import pytest

from lens_exporter.baseline.reading.bounds import (
    Bounds,
    Hold,
    ReadingOutcome,
    Urgency,
    absorbed,
    may_ask,
    renewed,
    rule,
    stands,
    urgency,
)
from lens_exporter.baseline.reading.contract import SaidAnomaly, SaidContinue, SaidHealthy
from lens_exporter.model.decision import Anomaly, Rule, Severity
from tests.unit.baseline.reading_site import ANOMALY, SERIES

BOUNDS = Bounds()  # three times, a quarter of an hour in all
FRESH = Hold("story", 0.0, 0.0, active=False)
DEFER = SaidContinue(notes="look again", confidence="low")
HEALTHY = SaidHealthy(summary="as yesterday", confidence="high")


def anomaly_said(severity="warning", **more):
    return SaidAnomaly(anomaly_type="latency_high", severity=severity, summary="s", confidence="high", **more)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"severity": Severity.CRITICAL}, Urgency.CRITICAL),
        ({"rule": Rule.CEILING}, Urgency.RULE),
        ({"rule": Rule.EXHAUSTION}, Urgency.RULE),
        ({"rules": (Rule.JUMP, Rule.CEILING)}, Urgency.RULE),
        ({"furthest": 2.99}, None),
        ({"furthest": 3.0}, Urgency.FAR),
        ({"furthest": float("nan")}, Urgency.FAR),
        ({"furthest": float("inf")}, Urgency.FAR),
    ],
)
def test_what_may_not_wait(changes, why):
    """Critical, at a ceiling, on its way to a limit, far outside, or nobody knows how far: no model is asked."""
    assert urgency(replace(ANOMALY, **changes), BOUNDS) is why


def test_an_anomaly_that_nobody_measured_does_not_wait():
    """Whoever makes an anomaly without saying how far it is gets no deferral by accident."""
    bare = Anomaly("latency_high", Severity.WARNING, "s", "d", "q", {}, Rule.JUMP, 0.0, (SERIES,))
    assert urgency(bare, BOUNDS) is Urgency.FAR


@pytest.mark.parametrize("said", [DEFER, HEALTHY])
def test_a_deferral_lasts_a_third_of_the_allowance(said):
    """Three of them are all of it, and a fourth is refused."""
    first = rule(said, ANOMALY, FRESH, BOUNDS, 0.0, 60.0)
    assert (first.outcome, first.hold.until, first.hold.times) == (ReadingOutcome.DEFERRED, 300.0, 1)
    third = rule(said, ANOMALY, replace(FRESH, times=2), BOUNDS, 610.0, 670.0)
    assert (third.outcome, third.hold.until) == (ReadingOutcome.DEFERRED, 900.0)
    assert rule(said, ANOMALY, replace(FRESH, times=3), BOUNDS, 620.0, 680.0).outcome is ReadingOutcome.REFUSED


def test_nothing_is_held_back_that_the_next_look_could_not_let_go_in_time():
    """A watcher that looks every twenty minutes cannot promise a quarter of an hour."""
    assert rule(DEFER, ANOMALY, FRESH, BOUNDS, 0.0, 901.0).outcome is ReadingOutcome.REFUSED
    assert rule(anomaly_said("info"), ANOMALY, FRESH, BOUNDS, 0.0, 901.0).outcome is ReadingOutcome.REFUSED
    assert not may_ask(None, BOUNDS, 0.0, 901.0)
    assert not stands(replace(FRESH, until=900.0), BOUNDS, 850.0, 910.0)


def test_what_was_lowered_once_is_not_asked_about_again():
    """When it comes back within the hour it goes out as the statistics say."""
    assert may_ask(replace(FRESH, times=1), BOUNDS, 400.0, 460.0)
    assert not may_ask(replace(FRESH, lowered=True), BOUNDS, 400.0, 460.0)


@pytest.mark.parametrize(
    ("severity", "outcome"),
    [("critical", ReadingOutcome.CONFIRMED), ("warning", ReadingOutcome.CONFIRMED), ("info", ReadingOutcome.LOWERED)],
)
def test_a_severity_is_lowered_and_never_raised(severity, outcome):
    """What a model thinks worse changes nothing; what it thinks better stands until the allowance ends."""
    ruling = rule(anomaly_said(severity), ANOMALY, replace(FRESH, since=60.0), BOUNDS, 300.0, 360.0)
    assert ruling.outcome is outcome
    assert (ruling.hold.until if ruling.hold else None) == (960.0 if outcome is ReadingOutcome.LOWERED else None)


@pytest.mark.parametrize(("proposed", "given"), [(None, None), (0, None), (2, 2), (15, 15), (100_000, 15)])
def test_a_proposed_cooldown_hides_nothing_for_longer_than_a_deferral(proposed, given):
    """Zero means nothing, and a day becomes a quarter of an hour."""
    assert rule(anomaly_said(cooldown_minutes=proposed), ANOMALY, FRESH, BOUNDS, 0.0, 60.0).cooldown_minutes == given


def test_a_configured_cooldown_that_is_longer_may_be_proposed():
    """What users allow anyway, a model may say."""
    anomaly = replace(ANOMALY, cooldown_minutes=60.0)
    assert rule(anomaly_said(cooldown_minutes=45), anomaly, FRESH, BOUNDS, 0.0, 60.0).cooldown_minutes == 45


def test_an_allowance_is_renewed_after_an_hour_or_when_the_clock_was_set_back():
    """Neither a flapping series nor a wrong clock gets more than its quarter of an hour."""
    hold = replace(FRESH, since=1000.0, until=1300.0)
    assert not renewed(hold, 4599.0)
    assert renewed(hold, 4600.0)
    assert renewed(hold, 999.0)
    assert not stands(hold, BOUNDS, 999.0, 1059.0)


@pytest.mark.parametrize(("value", "still"), [(0.5, True), (0.461, True), (0.45, False), (0.1, False), (None, False)])
def test_what_a_baseline_has_learnt_meanwhile_is_not_over(value, still):
    """It is over when it is back in the band it had left, or beyond the other side; not when the band came after it."""
    now = SERIES._replace(value=value, expected=0.5, lower=0.45, upper=0.55)
    other = SERIES._replace(target={"instance": "b"}, value=9.0)
    assert absorbed(replace(FRESH, first=SERIES), [other, now]) is still
    assert not absorbed(FRESH, [now])


def test_a_fall_is_absorbed_below():
    """The side counts that was flagged."""
    low = SERIES._replace(value=0.3)
    assert absorbed(replace(FRESH, first=low), [low._replace(value=0.37)])
    assert not absorbed(replace(FRESH, first=low), [low._replace(value=0.5)])
