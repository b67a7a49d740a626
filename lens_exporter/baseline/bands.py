"""What is normal, published as metrics, so that people can draw it and alert on it."""

import re
import threading
from collections.abc import Iterable, Sequence

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lens_exporter.foundation.catalogue import BAND_METRICS
from lens_exporter.model.decision import Observation, Phase, Standing
from lens_exporter.model.labels import Labels

_OWN_LABELS = ("watcher", "metric")
_NOT_CLASSIC = re.compile(r"^(?=[^a-zA-Z_]|$)|[^a-zA-Z0-9_]")  # what makes a name one that only Prometheus 3 takes
_FIRST = (Phase.ANOMALY, Phase.DEVIATING, Phase.NORMAL, Phase.COLLECTING, Phase.MISSING)


class Bands(Collector):
    """Publishes band and score of each series as of its watcher's last tick, at most `limit` series, anomalies first.

    The score and threshold of at most as many groups come with them, those in alarm first.

    Labels are watcher, metric and those of the series. A series' own labels named watcher or metric are published as
    target_watcher and target_metric, and a name that only Prometheus 3 takes with underscores for its other characters.
    Its instance and job are published as they are: Prometheus, which adds these labels to everything it scrapes, stores
    ours as exported_instance and exported_job (unless honor_labels is set).
    """

    def __init__(self, limit: int = 500) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._observations: dict[str, tuple[Observation, ...]] = {}
        self._groups: dict[str, tuple[Standing, ...]] = {}

    def update(self, watcher: str, observations: Sequence[Observation], groups: Sequence[Standing] = ()) -> None:
        """Replace what one watcher's last tick saw."""
        with self._lock:
            self._observations[watcher] = tuple(observations)
            self._groups[watcher] = tuple(groups)

    def forget(self, watcher: str) -> None:
        """Stop publishing a watcher that is gone."""
        with self._lock:
            self._observations.pop(watcher, None)
            self._groups.pop(watcher, None)

    def describe(self) -> Iterable[Metric]:
        """Name the families without collecting, for the registry's check of duplicates."""
        return [GaugeMetricFamily(spec.name, spec.help) for spec in BAND_METRICS]

    def collect(self) -> Iterable[Metric]:
        families = {spec.name: GaugeMetricFamily(spec.name, spec.help) for spec in BAND_METRICS}
        for labels, observation in self._chosen():
            values = {
                "lens_baseline_expected": observation.expected,
                "lens_baseline_lower": observation.lower,
                "lens_baseline_upper": observation.upper,
                "lens_anomaly_score": observation.score,
                "lens_anomaly_active": float(observation.phase is Phase.ANOMALY),
            }
            for name, value in values.items():
                if value is not None:
                    families[name].add_sample(name, labels, value)
        for labels, standing in self._standing():
            families["lens_group_score"].add_sample("lens_group_score", labels, standing.score)
            families["lens_group_threshold"].add_sample("lens_group_threshold", labels, standing.threshold)
        return families.values()

    def _standing(self) -> list[tuple[dict[str, str], Standing]]:
        with self._lock:
            everything = [(watcher, one) for watcher, seen in self._groups.items() for one in seen]
        everything.sort(key=lambda pair: pair[1].readings == 0)  # those in alarm first
        labelled = (({**_renamed(one.labels), "watcher": watcher}, one) for watcher, one in everything[: self._limit])
        return list({tuple(sorted(labels.items())): (labels, one) for labels, one in labelled}.values())

    def _chosen(self) -> list[tuple[dict[str, str], Observation]]:
        with self._lock:
            everything = [(watcher, one) for watcher, seen in self._observations.items() for one in seen]
        everything.sort(key=lambda pair: _FIRST.index(pair[1].phase))  # stable: the order of watchers and series otherwise stays
        labelled = ((_labels(watcher, one), one) for watcher, one in everything[: self._limit])
        # Two samples of one label set would cost the whole scrape.
        unique = {tuple(sorted(labels.items())): (labels, one) for labels, one in labelled}
        return list(unique.values())


def _labels(watcher: str, observation: Observation) -> dict[str, str]:
    return {**_renamed(observation.target), "watcher": watcher, "metric": observation.metric}


def _renamed(target: Labels) -> dict[str, str]:
    named: dict[str, str] = {}
    # Names that are fit as they are come first and stay; what has to be renamed gives way to them.
    for name in sorted(target, key=lambda name: (_fit(name) != name, name)):
        label = _fit(name)
        while label in named:
            label += "_"
        named[label] = target[name]
    return named


def _fit(name: str) -> str:
    classic = _NOT_CLASSIC.sub("_", name)
    return f"target_{classic}" if classic in _OWN_LABELS else classic
