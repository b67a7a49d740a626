"""Bands and scores as metrics."""

from prometheus_client import CollectorRegistry, generate_latest

from lens_exporter.baseline.bands import BandCollector
from lens_exporter.foundation.catalogue import BAND_METRICS
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.decision import GroupStanding, Observation, Phase
from lens_exporter.model.labels import Labels


def seen(
    target: Labels, phase: Phase = Phase.NORMAL, *, metric: str = "memory", value: float | None = 0.42, score: float = 0.2
) -> Observation:
    return Observation(metric, "ratio", target, 0.0, value, 0.4, 0.3, 0.5, None if value is None else score, phase)


def active(bands: BandCollector) -> list[str]:
    """Name the instances that are published, in their order."""
    samples = next(family for family in bands.collect() if family.name == "lens_anomaly_active").samples
    return [sample.labels["instance"] for sample in samples]


def exposed(bands: BandCollector) -> str:
    registry = CollectorRegistry()
    registry.register(bands)
    return generate_latest(registry).decode()


def test_every_family_carries_watcher_metric_and_the_labels_of_the_series() -> None:
    """Expected, edges, score and whether it is an anomaly, for each series."""
    bands = BandCollector()
    bands.update("host", [seen({"instance": "a:1"}), seen({"pod": "p"}, Phase.ANOMALY)])
    text = exposed(bands)
    labels = '{instance="a:1",metric="memory",watcher="host"}'
    for line in (
        f"lens_baseline_expected{labels} 0.4",
        f"lens_baseline_lower{labels} 0.3",
        f"lens_baseline_upper{labels} 0.5",
        f"lens_anomaly_score{labels} 0.2",
        f"lens_anomaly_active{labels} 0.0",
        'lens_anomaly_active{metric="memory",pod="p",watcher="host"} 1.0',
    ):
        assert line in text.splitlines(), line


def test_exactly_the_documented_families_are_published() -> None:
    """The catalogue's table is what the collector gives, and none of them clashes with lens-exporter's own metrics."""
    bands = BandCollector()
    bands.update("host", [seen({"instance": "a:1"})])
    assert [family.name for family in bands.collect()] == [spec.name for spec in BAND_METRICS]
    telemetry = Telemetry()
    telemetry.registry.register(bands)


def test_labels_that_are_ours_are_renamed() -> None:
    """A series with a label named watcher or metric keeps it under another name, and ours stay ours."""
    bands = BandCollector()
    bands.update("host", [seen({"watcher": "x", "metric": "y"})])
    assert 'target_metric="y"' in exposed(bands)
    assert 'watcher="host"' in exposed(bands)


def test_there_are_never_more_series_than_the_limit_and_anomalies_come_first() -> None:
    """A fleet of a thousand does not flood the scrape, and what fires is not what is left out."""
    bands = BandCollector(limit=3)
    bands.update("quiet", [seen({"instance": f"a{n}"}) for n in range(10)])
    bands.update("loud", [seen({"instance": "d"}, Phase.DEVIATING), seen({"instance": "x"}, Phase.ANOMALY)])
    assert active(bands) == ["x", "d", "a0"]


def test_what_fires_is_published_whatever_the_limit() -> None:
    """More anomalies than a watcher, or all of them, may publish series: each has its band, and nothing else has."""
    bands = BandCollector(limit=2)
    firing = [seen({"instance": f"x{n}"}, Phase.ANOMALY) for n in range(3)]
    groups = [GroupStanding({"instance": f"g{n}"}, 31.0, 9.5, readings=3) for n in range(3)]
    bands.update("loud", [seen({"instance": "n"}), *firing], [GroupStanding({"instance": "n"}, 4.0, 9.5), *groups], most=0)
    bands.update("quiet", [seen({"instance": "q"})])
    assert active(bands) == ["x0", "x1", "x2"]
    scores = next(family for family in bands.collect() if family.name == "lens_group_score").samples
    assert [sample.labels["instance"] for sample in scores] == ["g0", "g1", "g2"]


def test_what_is_furthest_outside_its_band_comes_first_and_the_rest_keeps_its_order() -> None:
    """A watcher that may publish four: both that deviate, by their scores, and the first two of the others whatever theirs."""
    bands = BandCollector()
    quiet = [seen({"instance": f"a{n}"}, score=score) for n, score in enumerate((0.1, 0.3, 0.9))]
    off = [seen({"instance": "near"}, Phase.DEVIATING, score=1.2), seen({"instance": "far"}, Phase.DEVIATING, score=-4.0)]
    bands.update("host", [*quiet, *off], most=4)
    assert active(bands) == ["far", "near", "a0", "a1"]


def test_two_series_with_the_same_labels_cost_nobody_the_scrape() -> None:
    """Duplicates would make Prometheus refuse the whole page."""
    bands = BandCollector()
    bands.update("host", [seen({"instance": "a"}), seen({"instance": "a"})])
    samples = next(family for family in bands.collect() if family.name == "lens_baseline_expected").samples
    assert len(samples) == 1


def test_what_has_no_value_has_no_sample() -> None:
    """A missing series has a band but no score; a collecting one has neither."""
    bands = BandCollector()
    bands.update("host", [seen({"instance": "a"}, Phase.MISSING, value=None)])
    text = exposed(bands)
    assert "lens_anomaly_score{" not in text
    assert "lens_baseline_expected{" in text


def test_a_watcher_that_is_gone_disappears() -> None:
    """Its next look replaces what it saw; being forgotten leaves nothing."""
    bands = BandCollector()
    bands.update("host", [seen({"instance": "a"})])
    bands.update("host", [seen({"instance": "b"})])
    assert 'instance="a"' not in exposed(bands)
    bands.forget("host")
    bands.forget("never was")
    assert 'instance="b"' not in exposed(bands)


def test_names_that_only_prometheus_3_takes_are_made_fit_and_never_meet() -> None:
    """service.name becomes service_name; where that is taken it gives way, so no sample has a label twice."""
    bands = BandCollector()
    bands.update(
        "host",
        [
            seen({"service.name": "api", "service_name": "z", "service-name": "y"}),
            seen({"0day": "x", "": "empty", 'a="1"} b{c': "q"}),
            seen({"metric": "m", "target_metric": "t"}),
        ],
    )
    lines = [line for line in exposed(bands).splitlines() if line.startswith("lens_anomaly_active")]
    own = 'metric="memory"'
    assert lines == [
        f'lens_anomaly_active{{{own},service_name="z",service_name_="y",service_name__="api",watcher="host"}} 0.0',
        f'lens_anomaly_active{{_="empty",_0day="x",a__1___b_c="q",{own},watcher="host"}} 0.0',
        f'lens_anomaly_active{{{own},target_metric="t",target_metric_="m",watcher="host"}} 0.0',
    ]


def test_groups_are_published_with_their_threshold_and_those_in_alarm_first() -> None:
    """Score and threshold of each group, at most as many as series, and gone with their watcher."""
    bands = BandCollector(limit=1)
    calm, alarmed = GroupStanding({"instance": "a:1"}, 4.0, 9.5), GroupStanding({"instance": "b:1"}, 31.0, 9.5, readings=3)
    bands.update("host", [], [calm, alarmed])
    text = exposed(bands)
    assert 'lens_group_score{instance="b:1",watcher="host"} 31.0' in text
    assert 'lens_group_threshold{instance="b:1",watcher="host"} 9.5' in text
    assert "a:1" not in text
    bands.forget("host")
    assert "b:1" not in exposed(bands)
