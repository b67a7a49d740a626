"""What of a replay is kept for a picture, which series it shows, and the picture."""

import builtins
import math
import struct
import zlib

import numpy as np
import pytest

from lens_exporter.errors import ExtraMissing, TableUnwritable
from lens_exporter.model.decision import GroupStanding, Observation, Phase
from lens_exporter.replay.backtest.panels import panels
from lens_exporter.replay.backtest.plot import draw, expect_drawable
from lens_exporter.replay.backtest.recording import COLUMNS, Recording
from lens_exporter.replay.backtest.theirs import Theirs
from lens_exporter.watch.look import Look
from lens_exporter.watch.watcher import Tick
from tests.unit.replay.backtests import API, DB, HOUR, NOON, WEEK, at, fired, incident, reported, rule_alert

WIDTH = 168 * HOUR / COLUMNS  # seconds of a column


def observation(value, metric="latency", target=API, score=0.5, **options):
    known = {"expected": 1.0, "lower": 0.5, "upper": 1.5, **options}
    return Observation(metric, "seconds", target, 0.0, value, score=score, phase=Phase.NORMAL, **known)


def tick(moment, *observations, groups=()):
    return Tick(moment, 0.0, "schedule", Look(moment, observations, (), None, groups=groups))


def test_of_a_columns_ticks_the_extremes_are_kept():
    """Seven ticks fall into one column of a week: none of their spikes is lost, and the newest band is drawn."""
    recording = Recording(WEEK)
    for place, value in enumerate((2.0, 9.0, -4.0, 3.0)):
        recording.take(tick(NOON + 60 * place, observation(value, score=-value, expected=float(place))))
    (track,) = recording.tracks.values()
    assert (track.lowest[0], track.highest[0], track.score[0], track.expected[0]) == (-4.0, 9.0, 9.0, 3.0)
    assert np.isnan(track.lowest[1:]).all()


def test_a_column_without_a_value_is_a_gap_and_one_without_a_tick_is_nothing():
    """A picture joins what lies between two ticks, and breaks where a tick saw no value or nothing at all."""
    recording = Recording(WEEK)
    recording.take(tick(NOON, observation(1.0)))
    recording.take(tick(NOON + 2.5 * WIDTH, observation(None, score=None)))
    recording.take(Tick(NOON + 4.5 * WIDTH, 0.0, "schedule"))
    (track,) = recording.tracks.values()
    assert np.flatnonzero(recording.ticked).tolist() == [0, 2, 4]
    assert np.isfinite(track.lowest[recording.ticked]).tolist() == [True, False, False]


def test_the_last_moment_falls_into_the_last_column():
    """Both ends of the span belong to it."""
    recording = Recording(WEEK)
    recording.take(tick(WEEK.end, observation(1.0)))
    assert recording.ticked[-1]
    assert recording.times[-1] == pytest.approx(WEEK.end - WIDTH / 2)


def test_groups_are_kept_with_score_and_threshold():
    """Of a column the highest score counts: an alarm of one tick is seen."""
    recording = Recording(WEEK)
    for place, score in enumerate((2.0, 8.0, 1.0)):
        recording.take(tick(NOON + 60 * place, groups=(GroupStanding(API, score, 5.0 + place),)))
    (track,) = recording.groups.values()
    assert (track.labels, track.score[0], track.threshold[0]) == (API, 8.0, 7.0)


def test_memory_ends_somewhere():
    """Of more than a thousand series the later ones are left out."""
    recording = Recording(WEEK)
    recording.take(tick(NOON, *(observation(1.0, target={"pod": str(place)}) for place in range(1200))))
    assert len(recording.tracks) == 1000


def a_week(alerts):
    """Ticks of four series over a week; latency of api-7 departs for two hours."""
    recording = Recording(WEEK)
    for hour in np.arange(0, 168, 0.25):
        wave = 1.0 + 0.3 * math.sin(hour / 3.8)
        far = 2.0 if 100 <= hour < 102 else 0.0
        seen = (
            observation(wave + far, score=4 * far, expected=wave, lower=wave - 0.4, upper=wave + 0.4),
            observation(0.2, "errors", score=0.3),
            observation(0.4, "errors", DB, score=0.9),
            observation(0.5, "latency", DB, score=0.8),
        )
        recording.take(tick(at(hour), *seen, groups=(GroupStanding(API, 1.0 + far * 3, 4.0),)))
    return recording, alerts


def test_series_that_carry_alerts_come_first():
    """Then those that came closest to one, four in all; a series' own alerts are told from those of its group."""
    recording, alerts = a_week([fired(100.25, 102.5), fired(150, 151, metric="errors"), fired(120, 121)])
    found = panels(reported(*alerts), recording)
    assert [(one.track.metric, one.track.labels) for one in found] == [
        ("latency", API),
        ("errors", API),
        ("errors", DB),
        ("latency", DB),
    ]
    assert [(len(one.own), len(one.others)) for one in found] == [(2, 1), (1, 2), (0, 0), (0, 0)]
    assert (found[0].group.labels, found[2].group) == (API, None)


def test_no_more_than_six_series_are_drawn():
    """However many alert."""
    recording = Recording(WEEK)
    targets = [{"instance": f"api-{place}"} for place in range(9)]
    recording.take(tick(NOON, *(observation(1.0, target=target) for target in targets)))
    alerts = [fired(place, place + 1, target) for place, target in enumerate(targets)]
    assert len(panels(reported(*alerts), recording)) == 6


def pixels(path):
    """Read a PNG: its size, and how many bytes its unpacked lines have."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    body, place = b"", 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        if data[place + 4 : place + 8] == b"IDAT":
            body += data[place + 8 : place + 8 + length]
        place += 12 + length
    return width, height, len(zlib.decompress(body))


def test_a_picture_is_written(tmp_path):
    """A PNG of the size that its panels need, with more than blank paper in it."""
    recording, alerts = a_week([fired(100.25, 102.5), fired(150, 151, metric="errors", severity="critical")])
    found = reported(*alerts, theirs=Theirs(alerts=(rule_alert(100, 101),)), incidents=(incident(100, 102),))
    draw(found, recording, tmp_path / "week.png")
    draw(reported(), Recording(WEEK), tmp_path / "nothing.png")
    width, height, raw = pixels(tmp_path / "week.png")
    assert (width, raw) == (1680, height * (4 * width + 1))
    assert height > 1200
    assert (tmp_path / "week.png").stat().st_size > 3 * (tmp_path / "nothing.png").stat().st_size


def test_a_picture_is_drawn_of_what_was_recorded(tmp_path):
    """As SVG its words can be read: title, panels, units, lanes, and the time axis in UTC."""
    recording, alerts = a_week([fired(100.25, 102.5)])
    found = reported(*alerts, theirs=Theirs(alerts=(rule_alert(100, 101),)), incidents=(incident(100, 102),))
    draw(found, recording, tmp_path / "week.svg")
    svg = (tmp_path / "week.svg").read_text("utf-8")
    for words in ("api: 1 alert would have fired", "latency of api-7", "errors of db-1", "your rules", "incidents", "time (UTC)"):
        assert f"<!-- {words}" in svg
    assert "<!-- 21 Nov -->" in svg
    assert "<!-- 3 s -->" in svg
    assert "<!-- silences -->" not in svg


def test_a_picture_that_cannot_be_written_is_told_before_the_replay(tmp_path):
    """The kind of file, and the folder."""
    with pytest.raises(TableUnwritable, match=r"out\.gif: expected a file whose name ends in \.png, \.svg, \.pdf"):
        expect_drawable(tmp_path / "out.gif")
    with pytest.raises(TableUnwritable, match="there is no such folder"):
        expect_drawable(tmp_path / "none" / "out.png")
    expect_drawable(tmp_path / "out.PNG")
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(TableUnwritable, match="Is a directory"):
        draw(reported(), Recording(WEEK), tmp_path / "taken.png")


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    """What to install, in one line."""
    there = builtins.__import__

    def missing(name, *arguments, **options):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return there(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ExtraMissing, match=r"--plot needs more packages: pip install 'lens-exporter\[plot\]'"):
        expect_drawable(tmp_path / "out.png")
