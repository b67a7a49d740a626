"""Reading families back."""

from collections.abc import Iterable

from prometheus_client.metrics_core import Metric


def values(families: Iterable[Metric]) -> dict[str, float]:
    """Give name{label="value",...} -> value; empty labels are left out, as Prometheus does."""
    found = {}
    for family in families:
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()) if value)
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = float(sample.value)
    return found
