"""How a target and a quantity are called in prose, and the query that shows one series. Label values come from strangers."""

import ipaddress
import re
import unicodedata
from collections.abc import Mapping, Sequence

from lens_exporter.model.labels import Labels, matchers
from lens_exporter.model.metric import BaselineMetric, substituted
from lens_exporter.prometheus.promql import rewritten, selections

_LONGEST = 60  # characters of a label value in prose
_MOST_EXTRAS = 2
# The first of these that a series has names it; the others of them say where it is, not what it is.
NAMES = ("instance", "pod", "node", "nodename", "host", "hostname", "container", "name", "service")
_PLACES = {"job", "process", "namespace", "cluster", "env", "environment", "region", "zone", "prometheus", "endpoint", *NAMES}
_SUFFIX = re.compile(r"_(utilization|ratio|bytes|seconds|total)\b|_(utilization|ratio|bytes|seconds|total)$")
_EQUALS = re.compile(r"""([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*("(?:[^"\\]|\\.)*")""")
# These make labels that the selected series do not have, so a matcher for them would select nothing.
_MAKES_LABELS = re.compile(r"\b(label_replace|label_join|count_values|group_left|group_right|info|vector)\b")
_PORT = re.compile(r"(?P<host>[^:\[\]]+|\[[0-9a-fA-F:.]+\]):\d+")


def cleaned(text: str) -> str:
    """Make a label value fit for a sentence: no control or invisible characters, one line, at most 60 characters."""
    visible = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text[: 4 * _LONGEST])
    line = " ".join(visible.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def target_name(target: Labels) -> str:
    """Name a target as its people do: "api-7", "worker on db-1", "api on 10.0.0.3:9000", "rabbit@mq1"."""
    address = cleaned(target.get("instance", ""))
    host = _without_port(address)
    named = "" if _is_address(host) else host
    beam = beam_node(target)
    place = cleaned(beam) or named or next((name for label in NAMES[1:] if (name := cleaned(target.get(label, "")))), "")
    what = cleaned(target.get("process", ""))
    if named and not what:
        what = cleaned(target.get("pod", ""))  # many share a node that tells of them, or a service's name with ports of their own
    if not place and host:
        # An address means nothing to a person, so the job speaks for it; the port tells it from its neighbours there.
        what = what or cleaned(target.get("job", ""))
        place = address
    name = f"{what} on {place}" if what and place and what != place else place or what
    extras = [f"{label}={cleaned(value)}" for label, value in sorted(target.items()) if label not in _PLACES and value]
    if not name:
        return ", ".join(extras[:_MOST_EXTRAS]) or cleaned(target.get("job", "")) or "the only series"
    return f"{name} ({', '.join(extras[:_MOST_EXTRAS])})" if extras else name


def target_names(targets: Sequence[Labels]) -> list[str]:
    """Name targets that stand in one list, in their order: those that would read the same by what tells them apart as well.

    Two exporters of a machine are both "db1": here they are "db1 (job=node)" and "db1 (job=postgres)".
    """
    alike: dict[str, list[Labels]] = {}
    for target in targets:
        known = alike.setdefault(target_name(target), [])
        if target not in known:
            known.append(target)
    return [_apart(target_name(target), target, alike[target_name(target)]) for target in targets]


def _apart(name: str, target: Labels, alike: Sequence[Labels]) -> str:
    telling = [label for label in sorted({label for one in alike for label in one}) if len({one.get(label) for one in alike}) > 1]
    # One label that is another for each is enough, a job's name rather than a port.
    enough = [label for label in ("job", *telling) if len({one.get(label) for one in alike}) == len(alike) > 1]
    shown = enough[:1] or telling
    extras = ", ".join(f"{label}={cleaned(target[label])}" for label in shown if target.get(label))
    return f"{name} ({extras})" if extras else name


def beam_node(series: Labels) -> str:
    """Give the Erlang node a series is about, "" for any other: its name (rabbit@mq1) says more than who has published it."""
    node = series.get("node", "")
    return node if "@" in node else ""


def quantity(metric: BaselineMetric) -> str:
    """Name what a metric measures: its words, or its name without the unit."""
    return cleaned(metric.words) or cleaned(_SUFFIX.sub("", metric.name).replace("_", " ")) or metric.name


def category(metric: BaselineMetric) -> str:
    """Give the category of a metric. It becomes the part of an anomaly type before the first underscore, so it has none itself."""
    return re.sub(r"[^a-zA-Z0-9]+", "-", metric.kind).strip("-").lower() or "metric"


def narrowed(query: str, series: Labels, template: str = "") -> str:
    """Narrow a query to one of its series where that is safe: it has one selector and makes no labels.

    template is the same query with $selector where matchers may go; one that has more selectors than one needs it.
    """
    if not series or makes_labels(query):
        return query
    if len(selections(query)) != 1:
        return substituted(template, ",".join(matchers(series))) if template else query
    return rewritten(query, lambda one: _with(one.matchers, series))


def _with(inside: str, series: Labels) -> str:
    """Add what a selector does not say yet."""
    inside = inside.strip().rstrip(",")
    there = {f"{name}={value}" for name, value in _EQUALS.findall(inside)}
    return ",".join(filter(None, (inside, *(one for one in matchers(series) if one not in there))))


def makes_labels(query: str) -> bool:
    """Whether a query may give labels that the series it selects do not have."""
    return _MAKES_LABELS.search(query) is not None


def projected(series: Labels, target_labels: tuple[str, ...] | None) -> Mapping[str, str]:
    """Keep the labels that identify a target; None keeps all. Empty values count as absent, as everywhere in Prometheus."""
    kept = series if target_labels is None else {name: series[name] for name in target_labels if name in series}
    return {name: value for name, value in kept.items() if value}


def related(one: Labels, other: Labels) -> bool:
    """Whether two series are of the same thing: they share at least one label, and agree in every label both have."""
    shared = one.keys() & other.keys()
    return bool(shared) and all(one[label] == other[label] for label in shared)


def _without_port(address: str) -> str:
    match = _PORT.fullmatch(address)
    return match["host"].strip("[]") if match else address


def _is_address(host: str) -> bool:
    if not (host[:1].isdigit() or ":" in host):
        return host == "localhost"  # a name, and no exception is needed to know it
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
