"""What is normal, published as metrics, so that people can draw it and alert on it."""

import re
import threading
from collections.abc import Iterable, Sequence
from typing import TypeVar

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lens_exporter.foundation.catalogue import BAND_METRICS
from lens_exporter.model.decision import GroupStanding, Observation, Phase
from lens_exporter.model.labels import Labels

_OWN_LABELS = ("watcher", "metric")
_NOT_CLASSIC = re.compile(r"^(?=[^a-zA-Z_]|$)|[^a-zA-Z0-9_]")  # what makes a name one that only Prometheus 3 takes
Kind = TypeVar("Kind")
_FIRST = (Phase.ANOMALY, Phase.DEVIATING, Phase.NORMAL, Phase.COLLECTING, Phase.MISSING)


class BandCollector(Collector):
    """Publishes band and score of series as of their watcher's last tick: of every anomaly, and of others until there are `limit`.

    Of the others come first those outside their band, furthest first, and then always the same ones, so that what is stored of them
    has no gaps and they do not change places with one another. The score and threshold of groups come with them in the same way.

    Labels are watcher, metric and those of the series. A series' own labels named watcher or metric are published as
    target_watcher and target_metric, and a name that only Prometheus 3 takes with underscores for its other characters.
    Its instance and job are published as they are: Prometheus, which adds these labels to everything it scrapes, stores
    ours as exported_instance and exported_job (unless honor_labels is set).
    """

    def __init__(self, limit: int = 500) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._observations: dict[str, tuple[Observation, ...]] = {}
        self._groups: dict[str, tuple[GroupStanding, ...]] = {}

    def update(
        self, watcher: str, observations: Sequence[Observation], groups: Sequence[GroupStanding] = (), *, most: int | None = None
    ) -> None:
        """Replace what one watcher's last tick saw; most: its own limit, below that of all."""
        told = sorted(observations, key=_worth)  # stable: what is equally worth telling stays in its order
        standing = sorted(groups, key=lambda one: one.readings == 0)
        if most is not None:
            told = _limited(told, most, sum(one.phase is Phase.ANOMALY for one in told))
            standing = _limited(standing, most, sum(one.readings > 0 for one in standing))
        with self._lock:
            self._observations[watcher] = tuple(told)
            self._groups[watcher] = tuple(standing)

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

    def _standing(self) -> list[tuple[dict[str, str], GroupStanding]]:
        with self._lock:
            everything = [(watcher, one) for watcher, seen in self._groups.items() for one in seen]
        everything.sort(key=lambda pair: pair[1].readings == 0)
        chosen = _limited(everything, self._limit, sum(one.readings > 0 for _, one in everything))
        labelled = (({**_renamed(one.labels), "watcher": watcher}, one) for watcher, one in chosen)
        return list({tuple(sorted(labels.items())): (labels, one) for labels, one in labelled}.values())

    def _chosen(self) -> list[tuple[dict[str, str], Observation]]:
        with self._lock:
            everything = [(watcher, one) for watcher, seen in self._observations.items() for one in seen]
        everything.sort(key=lambda pair: _worth(pair[1]))
        chosen = _limited(everything, self._limit, sum(one.phase is Phase.ANOMALY for _, one in everything))
        labelled = ((_labels(watcher, one), one) for watcher, one in chosen)
        # Two samples of one label set would cost the whole scrape.
        unique = {tuple(sorted(labels.items())): (labels, one) for labels, one in labelled}
        return list(unique.values())


def _worth(one: Observation) -> tuple[int, float]:
    """Order observations by how much they are worth telling, the most first."""
    return _FIRST.index(one.phase), -abs(one.score or 0.0) if one.phase is Phase.DEVIATING else 0.0


def _limited(ordered: list[Kind], most: int, alarms: int) -> list[Kind]:
    """Give the first ones: as many as there may be, and the alarms, which come first, in any case."""
    return ordered[: max(most, alarms)]


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
