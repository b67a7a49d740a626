"""One exposition out of several registries and collectors."""

import gzip
from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as RegistryCollector
from prometheus_client.samples import Sample

from lens_exporter.exposition.ports import Collector

_LEVEL: Final = 1  # a scrape goes over a fast network: level 9 costs four times the time for a tenth of the bytes


class Exposition(RegistryCollector):
    """All collectors as one. A family that two of them carry is written once, as the format demands; an empty one is left out."""

    def __init__(self, collectors: Sequence[Collector]) -> None:
        self._collectors = collectors

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for collector in self._collectors:
            for family in collector.collect():
                samples = [sample for sample in family.samples if not _is_creation_time(family, sample)]
                if not samples:
                    continue
                # Never into the family itself: it may belong to the collector.
                whole = families.setdefault(family.name, Metric(family.name, family.documentation, family.type, family.unit))
                whole.samples.extend(samples)
        return families.values()

    def encode(self, accept: str, accept_encoding: str) -> tuple[bytes, dict[str, str]]:
        """Write the exposition in the format and encoding the scraper prefers; give the body and its headers."""
        encoder, content_type = choose_encoder(accept)
        body = encoder(self)
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if gzip_accepted(accept_encoding):
            body = gzip.compress(body, _LEVEL, mtime=0)
            headers["Content-Encoding"] = "gzip"
        return body, headers


def _is_creation_time(family: Metric, sample: Sample) -> bool:
    # The client library gives each counter and histogram series a second one; Prometheus keeps it as noise.
    return family.type in {"counter", "histogram", "summary"} and sample.name.endswith("_created")
