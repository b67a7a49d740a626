"""A watcher ticked through the past: the parts of a live one, on a clock that jumps from tick to tick."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lens_exporter.baseline.bands import BandCollector
from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.baseline.expected import Declarations, none_declared
from lens_exporter.config.secrets import Secrets
from lens_exporter.config.settings import Config, Watcher
from lens_exporter.errors import QueryError
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.decision import Phase
from lens_exporter.model.labels import Labels
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.publish.lifecycle import AlertLifecycle
from lens_exporter.replay import journal
from lens_exporter.replay.journal import Fired, Journal, Suppression, Withheld
from lens_exporter.replay.recorded import RecordedRows
from lens_exporter.replay.span import Span, moments
from lens_exporter.watch.ports import RowSource
from lens_exporter.watch.watcher import Tick
from lens_exporter.wiring.ground import Ground
from lens_exporter.wiring.watching import watcher

Learner = Callable[[Sequence[BaselineMetric], Learning], Baselines]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to."""

    alerts: tuple[Fired, ...]
    suppressed: tuple[Suppression, ...]
    expected: tuple[Withheld, ...]
    ticks: int
    failed: int  # ticks in which a metric could not be read
    judged: int  # ticks in which at least one series was held against its past
    errors: dict[str, int]  # why they failed, and how often
    series: tuple[tuple[str, Labels], ...]  # metric and labels of what was there to be judged
    learnt_from: float  # Unix seconds of the oldest value; infinity: there was none


@dataclass(slots=True)
class _Clock:
    now: float

    def __call__(self) -> float:
        return self.now


def replay(
    settings: Watcher,
    config: Config,
    database: Database,
    source: RowSource,
    span: Span,
    *,
    max_series: int,
    declared: Declarations = none_declared,
    baselines: Learner = Baselines,
    seen: Callable[[Tick], object] = lambda _tick: None,
) -> Replayed:
    """Tick a watcher through a span of its history. Nobody is told anything; alerts and cooldowns go into `database`.

    declared gives what is expected, which holds from its own beginning on. baselines makes what it learns with;
    seen is given each tick as soon as it is done.

    Raises:
        RemoteError, DatabaseError: the replay cannot go on.

    """
    clock, telemetry = _Clock(span.begin), Telemetry()
    told = Journal(database, telemetry, clock)
    rows = RecordedRows(source, since=span.begin, until=span.end, max_series=max_series)
    replayed = watcher(
        settings,
        config,
        Ground(database, told, telemetry, Secrets(), clock),
        histories={settings.datasource or "": rows},
        lifecycle=AlertLifecycle(database, (), events=told, telemetry=telemetry, clock=clock),
        announce=lambda _alert, _correlation: None,
        over=lambda _alert: None,
        bands=BandCollector(),
        declared=declared,
        baselines=baselines,
    )
    ticks: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for at in moments(settings.schedule, span):
        clock.now = at
        tick = replayed.tick(at)
        _expect_answers(tick)
        ticks["all"] += 1
        ticks["failed"] += bool(tick.failures)
        ticks["judged"] += _judged(tick)
        errors.update(map(str, tick.failures))
        seen(tick)
    return Replayed(
        alerts=journal.alerts(told.kept, settings.group_labels),
        suppressed=journal.suppressions(told.kept),
        expected=journal.withheld(told.kept),
        ticks=ticks["all"],
        failed=ticks["failed"],
        judged=ticks["judged"],
        errors=dict(errors),
        series=tuple((metric, labels) for (metric, _), labels in rows.series.items()),
        learnt_from=rows.oldest,
    )


def _judged(tick: Tick) -> bool:
    if tick.seen is None:
        return False
    unjudged = (Phase.COLLECTING, Phase.MISSING)
    return tick.seen.quiet > 0 or any(one.phase not in unjudged for one in tick.seen.observations)


def _expect_answers(tick: Tick) -> None:
    """Raise what a tick failed with, but for queries: a server that is away now says nothing about the past."""
    for error in tick.failures:
        if not isinstance(error, QueryError):
            raise error
