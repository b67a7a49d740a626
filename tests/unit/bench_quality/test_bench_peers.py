"""Re-implemented peers: windows against plain loops, no look into the future, and their published rules on small examples."""

import numpy as np
import pytest

from bench.quality.data import FloatArray
from bench.quality.peers import Peer, all_peers, group_score
from bench.quality.peers.grafana import adaptive, robust
from bench.quality.peers.netdata import kmeans_consensus
from bench.quality.peers.peer import any_above
from bench.quality.peers.plain import median_mad, rolling_z, time_of_day
from bench.quality.peers.rolling import count, mean, median, spread, trailing

STEP = 300.0
DAY = 288


def times(rows: int, step: float = STEP) -> FloatArray:
    return np.arange(rows) * step


def walk(series: int, rows: int, seed: int = 1) -> FloatArray:
    random = np.random.default_rng(seed)
    return 10 + np.sin(np.arange(rows) * 2 * np.pi / DAY) + random.normal(0, 0.2, (series, rows))


def peer_id(peer: Peer) -> str:
    return peer.name


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("offset", [0.0, 2000.0])
def test_windows_equal_a_plain_loop_over_timestamps(own: bool, offset: float) -> None:
    """Irregular times with gaps in the values: count, mean, deviation and median of each window as a loop finds them."""
    random = np.random.default_rng(2)
    at = np.cumsum(random.integers(60, 900, 120)).astype(np.float64)
    values = random.normal(0, 1, (2, 120))
    values[random.random(values.shape) < 0.2] = np.nan
    window = trailing(at, 3600.0, offset=offset, own=own)
    middle, sd = spread(values, window)
    for row in range(120):
        age = at[row] - at[: row + 1] - offset
        inside = (age >= 0) & ((age < 3600) if own else (age <= 3600))
        inside[row] &= own
        for series in range(2):
            known = values[series, : row + 1][inside]
            known = known[np.isfinite(known)]
            assert count(values, window)[series, row] == len(known)
            if len(known):
                assert mean(values, window)[series, row] == pytest.approx(known.mean())
                assert (middle[series, row], sd[series, row]) == pytest.approx((known.mean(), known.std()), abs=1e-6)
                assert median(values, window)[series, row] == pytest.approx(np.median(known))
            else:
                assert np.isnan(median(values, window)[series, row])


@pytest.mark.parametrize("peer", all_peers(), ids=peer_id)
def test_a_score_knows_no_later_row(peer: Peer) -> None:
    """Whatever comes after a row, also nothing at all, its score stays."""
    values = walk(3, 9 * DAY)
    whole = peer.score(values, times(9 * DAY), STEP)
    for rows in (2 * DAY + 7, 8 * DAY + 100):
        changed = values.copy()
        changed[:, rows:] = 1e6
        assert peer.score(changed, times(9 * DAY), STEP)[:, :rows] == pytest.approx(whole[:, :rows])
        assert peer.score(values[:, :rows], times(rows), STEP) == pytest.approx(whole[:, :rows])


@pytest.mark.parametrize("peer", all_peers(), ids=peer_id)
def test_gaps_and_constants_give_finite_scores(peer: Peer) -> None:
    """No NaN, no infinity: a series of gaps, one with some, a constant and one at zero."""
    values = walk(4, 3 * DAY)
    values[0], values[1, 100:140], values[2], values[3] = np.nan, np.nan, 5.0, 0.0
    scores = peer.score(values, times(3 * DAY), STEP)
    assert scores.shape == values.shape
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()


@pytest.mark.parametrize(
    "peer", [adaptive(), rolling_z(1), rolling_z(7), median_mad(1), kmeans_consensus(), time_of_day()], ids=peer_id
)
def test_a_large_jump_stands_out(peer: Peer) -> None:
    """A jump far out of all that was is scored above everything before it, and alarms by the published rule."""
    values = walk(3, 9 * DAY)
    values[1, 8 * DAY + 50 : 8 * DAY + 60] *= 5
    scores = peer.score(values, times(9 * DAY), STEP)
    assert scores[1, 8 * DAY + 50 : 8 * DAY + 60].max() > scores[:, 2 * DAY : 8 * DAY + 50].max()
    assert peer.decide(scores, STEP)[8 * DAY + 50 : 8 * DAY + 60].any()


def test_rolling_z_is_the_distance_in_standard_deviations() -> None:
    """Alternating 0 and 2: mean 1, deviation 1; the value 6 lies five of them away."""
    values = np.tile([0.0, 2.0], DAY)[None]
    values[0, -1] = 6.0
    assert rolling_z(1).score(values, times(2 * DAY), STEP)[0, -1] == pytest.approx(5.0, rel=0.01)


def test_median_mad_is_the_distance_in_robust_standard_deviations() -> None:
    """1, 2, 3, 4 and gaps in turn: median 2.5, deviations 1.5, .5, .5, 1.5 with median 1; the value 10 lies 7.5 / 1.4826 away."""
    values = np.resize([1.0, 2.0, np.nan, 3.0, 4.0, np.nan], 2 * DAY)[None].copy()
    values[0, -1] = 10.0
    assert median_mad(1).score(values, times(2 * DAY), STEP)[0, -1] == pytest.approx(7.5 / 1.4826)


def test_the_adaptive_band_is_half_the_level_wide_on_a_calm_metric() -> None:
    """At 10 the band reaches from 5 to 15, so 20 for an hour's newest row moves the mean to 10.83 and lies outside, 14 inside."""
    for value, outside in ((20.0, True), (14.0, False), (3.0, True), (6.0, False), (0.0, False)):
        values = np.full((1, 2 * DAY), 10.0)
        values[0, -1] = value
        assert (adaptive().score(values, times(2 * DAY), STEP)[0, -1] > 1) == outside, value


def test_yesterdays_peak_at_this_time_widens_the_adaptive_band() -> None:
    """The seasonal band is yesterday's hour around now; without it the same peak is outside."""
    values = np.full((1, 3 * DAY), 10.0)
    values[0, 2 * DAY + 100 : 2 * DAY + 112] = 18.0
    assert adaptive().score(values, times(3 * DAY), STEP)[0, 2 * DAY + 100] > 1
    values[0, DAY + 100 : DAY + 112] = 18.0
    assert adaptive().score(values, times(3 * DAY), STEP)[0, 2 * DAY + 100] < 1


def test_only_hours_that_vary_much_widen_the_adaptive_band() -> None:
    """A deviation below half of the level is left out of the 26 hours' mean, one above is not."""
    for swing, outside in ((4.9, True), (8.0, False)):
        values = np.full((1, 2 * DAY), 10.0)
        values[0, DAY + 36 : -24] += swing * np.resize([1, -1], DAY - 60)
        values[0, -1] = 17.0
        assert (adaptive().score(values, times(2 * DAY), STEP)[0, -1] > 1) == outside, swing


def test_the_robust_band_judges_the_median_of_an_hour() -> None:
    """Five rows of an hour do not move its median out of the band, seven do."""
    for rows, outside in ((5, False), (7, True)):
        values = np.full((1, 2 * DAY), 10.0)
        values[0, -rows:] = 30.0
        assert (robust().score(values, times(2 * DAY), STEP)[0, -1] > 1) == outside


def test_netdata_is_silent_on_what_never_varied() -> None:
    """A model that saw no variation gives 0, and all models must agree: a constant metric's first move is no anomaly."""
    values = np.full((1, 4 * DAY), 5.0)
    values[0, -20:] = 50.0
    assert not kmeans_consensus().score(values, times(4 * DAY), STEP)[0, -20:].any()


def test_netdata_asks_all_models() -> None:
    """A jump such as each night's is known to one of the models of two days, so it is not anomalous; a larger one is."""
    values = walk(1, 6 * DAY)
    values[0, ::DAY] += 40
    calm = kmeans_consensus().score(values, times(6 * DAY), STEP)[0, 5 * DAY : 5 * DAY + 3]
    assert calm.max() < 99
    values[0, 5 * DAY] += 400
    assert kmeans_consensus().score(values, times(6 * DAY), STEP)[0, 5 * DAY : 5 * DAY + 3].min() > 99


def test_same_time_of_day_does_not_mind_a_nightly_job() -> None:
    """What comes each day at the same time has no residual; the same rise at another time has one."""
    values = np.full((1, 9 * DAY), 10.0) + np.random.default_rng(3).normal(0, 0.1, (1, 9 * DAY))
    nights = np.arange(9) * DAY + 30
    for shift in range(12):
        values[0, nights + shift] += 20
    values[0, 8 * DAY + 200] += 20
    scores = time_of_day().score(values, times(9 * DAY), STEP)[0]
    assert scores[8 * DAY + 200] > 5 * scores[8 * DAY + 36]


def test_an_alert_waits_for_its_five_minutes() -> None:
    """`for: 5m`: at one row a minute the sixth row in a row alarms, at one row in five minutes the second."""
    above = np.zeros((2, 20))
    above[0, 5:12] = 2.0
    assert np.flatnonzero(any_above(1.0, 300.0)(above, 60.0)).tolist() == [10, 11]
    assert np.flatnonzero(any_above(1.0, 300.0)(above, 300.0)).tolist() == [6, 7, 8, 9, 10, 11]
    assert np.flatnonzero(any_above(1.0)(above, 60.0)).tolist() == list(range(5, 12))


def test_a_group_is_as_anomalous_as_its_five_strongest_metrics() -> None:
    """The mean of the five highest, of all where there are fewer."""
    assert group_score(np.arange(7.0)[:, None]).tolist() == [4.0]
    assert group_score(np.array([[1.0], [3.0]])).tolist() == [2.0]
