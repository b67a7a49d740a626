"""Metric families built from a lens's documented table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

from lens_exporter.foundation.catalogue import Kind, MetricSpec


@dataclass(frozen=True, slots=True)
class Usage:
    """What is used of a limit, in one unit. None where it is not known or there is no limit."""

    used: float | None
    limit: float | None

    @property
    def ratio(self) -> float | None:
        return None if self.used is None or not self.limit else self.used / self.limit


def usage_specs(name: str, what: str, labels: tuple[str, ...], unit: str = "") -> tuple[MetricSpec, MetricSpec, MetricSpec]:
    """Document the three families of a usage, which `Emission.usage` fills."""
    return (
        MetricSpec(f"{name}_utilization_ratio", Kind.GAUGE, f"{what}: used by limit, 0 to 1.", labels),
        MetricSpec(f"{name}_used{unit}", Kind.GAUGE, f"{what}: used.", labels),
        MetricSpec(f"{name}_limit{unit}", Kind.GAUGE, f"{what}: limit.", labels),
    )


class Emission:
    """Collects samples under documented names.

    A value that is not known gives no sample, and a family without samples is left out: absent, never zero.
    """

    def __init__(self, specs: Iterable[MetricSpec]) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._samples: dict[str, list[Sample]] = {name: [] for name in self._specs}

    def add(self, name: str, value: float | None, **labels: str) -> None:
        """Add one sample of a gauge or counter.

        Raises:
            KeyError: the name or a label's value is missing from the table or the call.

        """
        if value is not None:
            self._samples[name].append(Sample(name, _labels(self._specs[name], labels), value))

    def usage(self, name: str, usage: Usage, unit: str = "", **labels: str) -> None:
        """Add NAME_utilization_ratio and the two numbers it comes from, NAME_used and NAME_limit."""
        self.add(f"{name}_utilization_ratio", usage.ratio, **labels)
        self.add(f"{name}_used{unit}", usage.used, **labels)
        self.add(f"{name}_limit{unit}", usage.limit, **labels)

    def histogram(self, name: str, counts: Sequence[int], total: float, **labels: str) -> None:
        """Add a histogram. counts has one number per bucket of the table and one for +Inf, not cumulated; total is the sum."""
        spec = self._specs[name]
        own = _labels(spec, labels)
        seen = 0
        for bound, count in zip([*spec.buckets, inf], counts, strict=True):
            seen += count
            self._samples[name].append(Sample(f"{name}_bucket", {**own, "le": "+Inf" if bound == inf else str(bound)}, seen))
        self._samples[name].append(Sample(f"{name}_count", own, seen))
        self._samples[name].append(Sample(f"{name}_sum", own, total))

    def families(self) -> list[Metric]:
        """Give the families that have samples, in the table's order."""
        found = []
        for name, samples in self._samples.items():
            if samples:
                spec = self._specs[name]
                family = Metric(name.removesuffix("_total") if spec.kind is Kind.COUNTER else name, spec.help, spec.kind.value)
                family.samples = samples
                found.append(family)
        return found


def _labels(spec: MetricSpec, given: Mapping[str, str]) -> dict[str, str]:
    if len(given) != len(spec.labels):
        raise KeyError(f"{spec.name} has the labels {spec.labels}, not {tuple(given)}")
    # A mount point or command may hold bytes that are no UTF-8; one of them must not fail the whole page.
    return {name: given[name].encode("utf-8", "replace").decode() for name in spec.labels}
