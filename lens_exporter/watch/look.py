"""One look: fetch every metric's window, score it, decide. It changes nothing anywhere."""

from dataclasses import dataclass, replace

from lens_exporter.baseline.analyzer import Analyzer, Conclusion
from lens_exporter.baseline.detector import Detector
from lens_exporter.baseline.naming import category
from lens_exporter.baseline.rules import Reading
from lens_exporter.errors import LensError, QueryError
from lens_exporter.model.decision import Observation
from lens_exporter.watch.ports import Watched, WindowSource


@dataclass(frozen=True, slots=True)
class Look:
    """What a watcher saw. at is the judged moment: the last column of the windows, Unix seconds."""

    at: float
    observations: tuple[Observation, ...]
    conclusions: tuple[Conclusion, ...]
    notes: str | None
    failures: tuple[LensError, ...] = ()  # metrics whose query failed while the others were read
    unreadable: frozenset[str] = frozenset()  # the categories of those
    warned: bool = False  # the server warned about an answer


def look(watched: Watched, history: WindowSource, detector: Detector, analyzer: Analyzer, at: float) -> Look:
    """Judge every metric of a watcher at a moment.

    A query that fails by itself (bad PromQL, too expensive) costs its own metric only.

    Raises:
        RemoteError: the server cannot be asked; nothing was judged.

    """
    readings, failures, unreadable = [], [], set()
    for metric in watched.metrics:
        asked = replace(metric, query=substituted(metric.query, watched.selector))
        try:
            window = history.window(asked, at, length=watched.window, step=watched.step)
        except QueryError as error:
            failures.append(error)
            unreadable.add(category(metric))
            continue
        readings.append(Reading(asked, window, detector.score(window)))
    judgement = analyzer.decide(readings)
    moments = [float(reading.window.times[-1]) for reading in readings if reading.window.times.size]
    return Look(
        at=max(moments, default=at),
        observations=judgement.observations,
        conclusions=judgement.conclusions,
        notes=judgement.notes,
        failures=tuple(failures),
        unreadable=frozenset(unreadable),
        warned=any(reading.window.warnings for reading in readings),
    )


def substituted(query: str, selector: str) -> str:
    """Put a watcher's matchers where a query says $selector; with none, the comma beside it goes too."""
    if selector:
        return query.replace("$selector", selector)
    for found in ("$selector,", ",$selector", "$selector"):
        query = query.replace(found, "")
    return query
