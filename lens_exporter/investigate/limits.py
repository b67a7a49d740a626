"""What a series may grow to, by the names under which exporters publish a limit beside what is used of it. Pure."""

import re
from collections.abc import Mapping

from lens_exporter.investigate.samples import Samples, last, name_of
from lens_exporter.model.labels import fingerprint, without

# Used and limit as pairs of names: lens-exporter's own, the client libraries', the Erlang VM's, cAdvisor's.
_PAIRS = (
    (re.compile(r"(.+)_used(_bytes)?"), r"\1_limit\2"),
    (re.compile(r"process_open_fds"), "process_max_fds"),
    (re.compile(r"(erlang_vm_\w+)_count"), r"\1_limit"),
    (re.compile(r"container_memory_(?:working_set|usage)_bytes"), "container_spec_memory_limit_bytes"),
)
_SHARE = re.compile(r"_utilization_ratio$")
_LIMIT = re.compile(r"_limits?(_|$)|(^|_)max_|_quota(_|$)|_capacity(_|$)|MemTotal")
_FREE = re.compile(r"(^|[_:])(avail|available|free)(_bytes)?$|(?<=[a-z_])(Free|Available)(_bytes)?$")
_RESOURCE = re.compile(r"_(used|used_bytes|utilization_ratio)$")


def is_limit(metric: str) -> bool:
    """Say whether a name is that of a limit. One that stays where it is explains nothing."""
    return _LIMIT.search(metric) is not None


def is_free(metric: str) -> bool:
    """Say whether a name is that of what is left: it ends at nothing."""
    return _FREE.search(metric) is not None


def resource_of(metric: str) -> str:
    """Give what the series of one resource have in common: lens_python_memory for its used bytes and for its utilization."""
    return _RESOURCE.sub("", metric)


def is_share(metric: str) -> bool:
    """Say whether a name is that of the used part of a limit."""
    return _SHARE.search(metric) is not None


class SeriesLimits:
    """Finds the limit of a series among the samples of its target."""

    def __init__(self, samples: list[Samples]) -> None:
        self._by_series = {(name_of(one), _labels(one.labels)): one for one in samples if is_limit(name_of(one))}

    def of(self, one: Samples) -> float | None:
        """Give the last value of its limit, 1 for a used part, None where nothing says."""
        name = name_of(one)
        if is_share(name):
            return 1.0
        for pattern, limit in _PAIRS:
            match = pattern.fullmatch(name)
            found = self._by_series.get((match.expand(limit), _labels(one.labels))) if match else None
            value = last(found) if found else None
            if value is not None and value > 0:  # a container without a limit says 0
                return value
        return None


def _labels(labels: Mapping[str, str]) -> str:
    return fingerprint(without(labels, ("__name__",)))
