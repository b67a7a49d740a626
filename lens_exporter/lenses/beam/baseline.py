"""What a watcher of BEAM nodes tracks unless configured otherwise.

The first six are those of every BEAM watcher; the others see what these cannot: a leak on a node whose memory limit nobody knows,
a mailbox that grows, a process that spins. Each query selects what this lens publishes, what the node's own exporter does, or both.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from lens_exporter.config.beam import BeamWatcher, MetricsSource
from lens_exporter.lenses.beam import exporters
from lens_exporter.model.metric import BaselineMetric, Direction

_MIB = 1024.0 * 1024.0
_UP = Direction.UP
_NUMBER = "{n}"


def _utilization(name: str, words: str, *, min_change: float) -> BaselineMetric:
    query = f"lens_beam_{name}_utilization_ratio{{$selector}}"
    category = {"process": "processes", "port": "ports", "atom": "atoms"}.get(name, name)
    return BaselineMetric(f"{name}_utilization", query, "ratio", category, _UP, min_change, 0.9, 1.0, words)


def _memory(name: str, query: str, words: str) -> BaselineMetric:
    return BaselineMetric(name, query, "bytes", "memory", _UP, 32 * _MIB, words=words)


# Of this lens; the second part says how exporters tell the same.
_TRACKED: tuple[tuple[BaselineMetric, Callable[[], list[str]]], ...] = (
    (_utilization("memory", "memory", min_change=0.02), partial(exporters.share, "memory", "memory_limit")),
    (
        _utilization("process", "processes by their limit", min_change=0.01),
        partial(exporters.share, "process_used", "process_limit"),
    ),
    (_utilization("port", "ports by their limit", min_change=0.01), partial(exporters.share, "port_used", "port_limit")),
    (_utilization("atom", "atoms by their limit", min_change=0.01), partial(exporters.share, "atom_used", "atom_limit")),
    (
        BaselineMetric(
            "run_queue",
            'max without (kind) (lens_beam_run_queue_length{kind="normal",$selector})',
            category="load",
            direction=_UP,
            min_change=5.0,
            words="processes ready to run",
        ),
        partial(exporters.quantity, "run_queue"),
    ),
    (
        BaselineMetric(
            "schedulers_online",
            'max without (kind) (lens_beam_schedulers_online{kind="normal",$selector})',
            category="schedulers",
            direction=Direction.DOWN,
            min_change=1.0,
            words="schedulers online",
        ),
        partial(exporters.quantity, "schedulers_online"),
    ),
    (
        _memory("memory_used", "lens_beam_memory_used_bytes{$selector}", "memory held"),
        partial(exporters.quantity, "memory"),
    ),
    (
        _memory("binary_memory", 'max without (kind) (lens_beam_memory_bytes{kind="binary",$selector})', "memory of binaries"),
        partial(exporters.quantity, "binary_memory"),
    ),
    (
        _memory("ets_memory", 'max without (kind) (lens_beam_memory_bytes{kind="ets",$selector})', "memory of ETS tables"),
        partial(exporters.quantity, "ets_memory"),
    ),
    (
        BaselineMetric(
            "message_queue_longest",
            "lens_beam_message_queue_longest{$selector}",
            category="queues",
            direction=_UP,
            min_change=1000.0,
            words="messages in the longest mailbox",
        ),
        list,  # no exporter looks into mailboxes
    ),
    (
        BaselineMetric(
            "reductions_per_second",
            "rate(lens_beam_reductions_total{$selector}[5m])",
            unit="per_second",
            category="cpu",
            direction=_UP,
            min_change=1e6,
            min_change_ratio=0.2,
            words="work done, in reductions",
        ),
        partial(exporters.quantity, "reductions", "5m"),
    ),
)


def tracked(options: Mapping[str, Any] | None = None) -> tuple[BaselineMetric, ...]:
    """Give what a watcher with these options of the lens tracks. Nodes that are named are told by this lens alone."""
    given = BeamWatcher.model_validate(options or {})
    source = given.source or (MetricsSource.LENS if given.named else MetricsSource.ANY)
    matcher = f'node=~"{_names(given)}",$selector' if given.named else "$selector"
    found = []
    for metric, elsewhere in _TRACKED:
        own = [metric.query.replace("$selector", matcher)] if source is not MetricsSource.EXPORTER else []
        others = [] if source is MetricsSource.LENS else _limited(metric, elsewhere(), given)
        if own or others:
            found.append(replace(metric, query="\nor ".join((*own, *others))))
    return tuple(found)


def _limited(metric: BaselineMetric, queries: list[str], given: BeamWatcher) -> list[str]:
    if metric.name != "memory_utilization" or given.memory_limit is None:
        return queries
    return [f"{query} / {given.memory_limit:.15g}" for query in exporters.quantity("memory")]


def _names(given: BeamWatcher) -> str:
    """Give a regular expression for the names of the nodes. Of what a name may hold, only the dot means something else there."""
    patterns = [*map(_plain, given.nodes), *(f".+@{_plain(host)}" for host in given.epmd)]
    for pattern in given.dns:
        name, _, host = map(_plain, pattern.partition("@"))
        patterns.append(f"{name}@" + (host.replace(_NUMBER, "[0-9]+") if _NUMBER in host else ".+"))
    return "|".join(patterns)


def _plain(text: str) -> str:
    return text.replace(".", "[.]")
