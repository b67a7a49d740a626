"""The lenses there are, by the name a configuration uses."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from lens_exporter.config.file import NoOptions
from lens_exporter.config.settings import Lenses
from lens_exporter.errors import UnknownLens
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
    """What a watcher of this lens tracks by default, and the model of the lens's own options."""

    name: str
    baseline_metrics: tuple[BaselineMetric, ...] = ()
    options: type[BaseModel] = NoOptions


def kinds() -> dict[str, LensKind]:
    """Give every lens of this version. A watcher needs no running lens: what it watches may be published elsewhere.

    promql publishes nothing and tracks nothing by itself: its watchers bring the metrics, of whatever Prometheus holds.
    """
    return {kind.name: kind for kind in (LensKind("host", HOST), LensKind("python", PYTHON), LensKind("promql"))}


def kind(name: str) -> LensKind:
    """Find a lens by name.

    Raises:
        UnknownLens: there is none; says which there are.

    """
    known = kinds()
    if name not in known:
        raise UnknownLens(name=name, known=", ".join(sorted(known)))
    return known[name]


def lens_options() -> Mapping[str, type[BaseModel]]:
    """Give the model of each lens's options, for checking a configuration."""
    return {name: known.options for name, known in kinds().items()}


def build(settings: Lenses, *, process: str = "lens-exporter", loopback_is_here: bool = True) -> list[Lens]:
    """Make the lenses to publish, started.

    process is the name under which the python lens publishes this process. loopback_is_here says that Prometheus runs on this
    machine, so that an instance 127.0.0.1:9000 in its labels is a process here; else live tools refuse such a target.
    """
    outside = [
        ProcessLens(each.name, pid=each.pid, match=each.match, loopback_is_here=loopback_is_here)
        for each in settings.python_processes
    ]
    lenses: list[Lens] = []
    if settings.host:
        lenses.append(HostLens(loopback_is_here=loopback_is_here))
    if settings.python:
        named = {lens.process: lens.pids for lens in outside}
        own = PythonLens(process, named=named, loopback_is_here=loopback_is_here)
        own.start()
        lenses.append(own)
    return [*lenses, *outside]


def close(lenses: Iterable[Lens]) -> None:
    """Leave nothing of them behind in this process, when a reload or the end replaces them."""
    for lens in lenses:
        if isinstance(lens, PythonLens):
            lens.close()


def toolbox(lenses: Sequence[Lens]) -> tuple[Tool, ...]:
    """Give the live tools of all lenses, each name once: lenses of one domain share theirs, and the first knows them all."""
    found: dict[str, Tool] = {}
    for lens in lenses:
        for tool in lens.tools():
            found.setdefault(tool.name, tool)
    return tuple(found.values())
