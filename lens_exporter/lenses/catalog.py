"""The lenses there are, by the name a configuration uses."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pydantic import BaseModel

from lens_exporter.config.beam import Beam, BeamWatcher
from lens_exporter.config.file import NoOptions
from lens_exporter.config.secrets import Secrets
from lens_exporter.config.settings import Config, Lenses, Watcher
from lens_exporter.errors import UnknownLens
from lens_exporter.lenses.beam.baseline import tracked as tracked_of_nodes
from lens_exporter.lenses.beam.discovery import Discovery
from lens_exporter.lenses.beam.epmd_names import registered
from lens_exporter.lenses.beam.lens import BeamLens
from lens_exporter.lenses.beam.timed import TOOL_TIMEOUT
from lens_exporter.lenses.host.baseline import BASELINE as HOST
from lens_exporter.lenses.host.collect import HostLens
from lens_exporter.lenses.lens import Lens
from lens_exporter.lenses.python.baseline import BASELINE as PYTHON
from lens_exporter.lenses.python.lens import PythonLens
from lens_exporter.lenses.python.outside import ProcessLens
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.tool import Tool


@dataclass(frozen=True, slots=True)
class LensKind:
    """What a watcher of this lens tracks by default, the model of the lens's own options, and what they change about it."""

    name: str
    baseline_metrics: tuple[BaselineMetric, ...] = ()
    options: type[BaseModel] = NoOptions
    tracks: Callable[[Mapping[str, object]], tuple[BaselineMetric, ...]] | None = None


def kinds() -> dict[str, LensKind]:
    """Give every lens of this version. A watcher needs no running lens: what it watches may be published elsewhere.

    promql publishes nothing and tracks nothing by itself: its watchers bring the metrics, of whatever Prometheus holds.
    """
    return dict(_kinds())


@cache
def _kinds() -> Mapping[str, LensKind]:
    beam = LensKind("beam", tracked_of_nodes(), BeamWatcher, tracked_of_nodes)
    return {kind.name: kind for kind in (LensKind("host", HOST), LensKind("python", PYTHON), beam, LensKind("promql"))}


def kind(name: str) -> LensKind:
    """Find a lens by name.

    Raises:
        UnknownLens: there is none; says which there are.

    """
    known = _kinds()
    if name not in known:
        raise UnknownLens(name=name, known=", ".join(sorted(known)))
    return known[name]


def tracked(watcher: Watcher) -> tuple[BaselineMetric, ...]:
    """Give what a watcher tracks: its own metrics, or those of its lens.

    Raises:
        UnknownLens: there is no such lens.

    """
    named = tuple(metric.named(name) for name, metric in watcher.metrics.items())
    known = kind(watcher.lens)
    return named or (known.tracks(watcher.options) if known.tracks else known.baseline_metrics)


def nodes(config: Config) -> tuple[Beam, ...]:
    """Give every section that names Erlang nodes: those to publish, and those of watchers, which are published too."""
    watched = [BeamWatcher.model_validate(each.options) for each in config.watchers if each.lens == "beam"]
    return (*config.lenses.beam, *(each for each in watched if each.named))


def lens_options() -> Mapping[str, type[BaseModel]]:
    """Give the model of each lens's options, for checking a configuration."""
    return {name: known.options for name, known in kinds().items()}


def build(
    settings: Lenses,
    *,
    beam: Sequence[Beam] = (),
    secrets: Secrets | None = None,
    process: str = "lens-exporter",
    loopback_is_here: bool = True,
    tool_timeout: float = TOOL_TIMEOUT,
) -> list[Lens]:
    """Make the lenses to publish, started.

    beam are the sections that name Erlang nodes; secrets has their cookies. process is the name under which the python lens
    publishes this process. loopback_is_here says that Prometheus runs on this machine, so that an instance 127.0.0.1:9000 in its
    labels is a process here; else live tools refuse such a target. tool_timeout is for how many seconds a live tool is waited for.

    Raises:
        ConfigError: a certificate for nodes cannot be used.

    """
    outside = [
        ProcessLens(each.name, pid=each.pid, match=each.match, loopback_is_here=loopback_is_here)
        for each in settings.python_processes
    ]
    lenses: list[Lens] = []
    if beam:
        # A command that only reads the configuration needs no client of nodes.
        from lens_exporter.lenses.beam.connect import connector  # noqa: PLC0415

        lenses.append(BeamLens(beam, connector(secrets or Secrets()), Discovery(registered), tool_timeout=tool_timeout))
    if settings.host:
        lenses.append(HostLens(loopback_is_here=loopback_is_here))
    if settings.python:
        named = {lens.process: lens.pids for lens in outside}
        own = PythonLens(process, named=named, loopback_is_here=loopback_is_here)
        own.start()
        lenses.append(own)
    return [*lenses, *outside]


def members(lenses: Iterable[Lens]) -> list[Lens]:
    """Give the lenses that others have found: those of Erlang nodes. They change while the lenses run."""
    return [member for lens in lenses if isinstance(lens, BeamLens) for member in lens.members()]


def retire(lenses: Iterable[Lens]) -> None:
    """Leave nothing of them behind in this process, when a reload replaces them. Nodes can be asked until close()."""
    for lens in lenses:
        if isinstance(lens, PythonLens):
            lens.close()


def close(lenses: Iterable[Lens]) -> None:
    """Leave nothing of them behind, here and at nodes. Idempotent."""
    for lens in lenses:
        if isinstance(lens, PythonLens | BeamLens):
            lens.close()


def toolbox(lenses: Sequence[Lens], *, watched: Iterable[str] = ()) -> tuple[Tool, ...]:
    """Give the live tools of all lenses, each name once: lenses of one domain share theirs, and the first knows them all.

    watched are the lenses that watchers have. Where Erlang nodes are watched by what their exporters publish and none can be asked,
    the tools are there all the same, to say so by name.
    """
    found: dict[str, Tool] = {}
    if "beam" in watched and not any(isinstance(lens, BeamLens) for lens in lenses):
        from lens_exporter.lenses.beam.tools import BeamTools  # noqa: PLC0415 - most configurations have no nodes

        found |= {tool.name: tool for tool in BeamTools(tuple).all()}
    for lens in lenses:
        for tool in lens.tools():
            found.setdefault(tool.name, tool)
    return tuple(found.values())
