"""From settings of watchers to watchers."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from zlib import crc32
from zoneinfo import ZoneInfo

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.bands import BandCollector
from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.baseline.expected import BELOW_CRITICAL, Declaration, Declarations, none_declared
from lens_exporter.baseline.notes import Notes
from lens_exporter.baseline.reading.reader import Reader
from lens_exporter.baseline.robust import RobustDetector
from lens_exporter.baseline.rules import Thresholds
from lens_exporter.config.settings import Config
from lens_exporter.config.settings import Watcher as WatcherSettings
from lens_exporter.foundation.database import Database
from lens_exporter.lenses import catalog
from lens_exporter.model.alert import Alert
from lens_exporter.model.labels import Labels
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.publish.lifecycle import AlertLifecycle
from lens_exporter.watch.alerting import labels_of_alerts
from lens_exporter.watch.cooldown import Cooldown, CooldownLimits
from lens_exporter.watch.look import Looker
from lens_exporter.watch.ports import Announce, Collaborators, RowSource, Watched
from lens_exporter.watch.snapshots import Snapshots
from lens_exporter.watch.watcher import Tick, Watcher
from lens_exporter.wiring.ground import Ground
from lens_exporter.wiring.snapshots import Learns, fingerprint

_HOUR, _DAY = 3600.0, 86_400.0

# Settings of a watcher that what it learns does not depend on. Any other that changes makes it learn anew.
_NO_SAY = frozenset(
    {
        *("schedule", "timeout", "min_observations", "exhaustion_horizon", "lower_recurring", "cooldown", "reading"),
        *("published_series", "runbook_url"),
    }
)


def watcher(
    settings: WatcherSettings,
    config: Config,
    ground: Ground,
    *,
    histories: Mapping[str, RowSource],
    lifecycle: AlertLifecycle,
    announce: Announce,
    over: Callable[[Alert], object],
    bands: BandCollector,
    reader: Reader | None = None,
    declared: Declarations = none_declared,
    baselines: Callable[[Sequence[BaselineMetric], Learning], Baselines] = Baselines,
) -> Watcher:
    """Build one watcher."""
    watched = Watched(
        name=settings.name,
        metrics=catalog.tracked(settings),
        selector=settings.selector,
        window=settings.window,
        step=settings.step,
        external_url=config.web.external_url or "",
        external_labels=config.external_labels,
        runbook_url=settings.runbook_url or "",
        published=settings.published_series,
        traced=config.otlp_endpoint is not None,
    )
    published = config.published_series if settings.published_series is None else settings.published_series
    cooldown = settings.cooldown or config.cooldown
    analyzer = Analyzer(
        thresholds(settings), target_labels=settings.target_labels, cooldown_minutes=cooldown.default / 60.0, observed=published
    )
    history = histories[settings.datasource or ""]
    return Watcher(
        watched,
        Looker(watched, history, baselines(watched.asked, learning(settings, declared, config.external_labels)), analyzer),
        Collaborators(
            cooldown=cooldown_of(settings, config, ground.database),
            notes=Notes(ground.database),
            alerts=lifecycle,
            announce=announce,
            over=over,
            events=ground.events,
            telemetry=ground.telemetry,
            bands=bands,
            reader=reader,
        ),
        _snapshots(settings.name, config, ground),
    )


def _snapshots(name: str, config: Config, ground: Ground) -> Snapshots | None:
    if ground.snapshots is None:
        return None
    return Snapshots(
        ground.snapshots,
        name,
        fingerprint(_learns(name, config)),
        events=ground.events,
        telemetry=ground.telemetry,
    )


def own_labels(settings: WatcherSettings) -> list[Labels]:
    """Give the labels that are ours on every alert that a watcher may raise: alertname, watcher, category."""
    return [labels_of_alerts(settings.name, ())(metric, {}) for metric in catalog.tracked(settings)]


def covered(declaration: Declaration, settings: WatcherSettings, external_labels: Labels, last: Tick | None) -> int | None:
    """Count a watcher's series whose alerts a declaration keeps back, as of its last look; None where it does not list them all."""
    if last is None or last.seen is None or last.seen.unlisted:
        return None
    metrics = {metric.name: metric for metric in catalog.tracked(settings)}
    alert_labels = labels_of_alerts(settings.name, settings.target_labels, external_labels)
    labels = (alert_labels(metrics[one.metric], one.target) for one in last.seen.observations)
    return sum(declaration.covers(each, BELOW_CRITICAL) for each in labels)


def learns_alike(name: str, before: Config, after: Config) -> bool:
    """Tell whether the watcher of this name learns the same by both configurations: the same of the same server, the same way."""
    return _learns(name, before) == _learns(name, after)


def _learns(name: str, config: Config) -> Learns:
    settings = next(one for one in config.watchers if one.name == name)
    server = config.prometheus if settings.datasource is None else config.datasources[settings.datasource]
    # What is learnt knows a metric by its place, and mappings are equal in any order. Rows that were declared to be in order
    # are learnt otherwise, and declarations may speak of external labels.
    said = settings.model_dump(exclude=set(_NO_SAY)) | {"external_labels": config.external_labels}
    return server, catalog.tracked(settings), said


def ahead_of_utc(zone: str) -> Callable[[float], float]:
    """Give how many seconds a zone's clock is ahead of UTC at a moment (Unix seconds)."""
    place = ZoneInfo(zone)

    def ahead(at: float) -> float:
        offset = datetime.fromtimestamp(at, place).utcoffset()
        return offset.total_seconds() if offset is not None else 0.0

    return ahead


def thresholds(settings: WatcherSettings) -> Thresholds:
    """Give the numbers of the rules that a watcher judges by."""
    return Thresholds(
        min_observations=settings.min_observations,
        exhaustion_horizon=settings.exhaustion_horizon,
        recurs_on=Thresholds().recurs_on if settings.lower_recurring else None,
    )


def learning(settings: WatcherSettings, declared: Declarations = none_declared, external_labels: Labels | None = None) -> Learning:
    """Give how a watcher learns, and what people have declared to be in order meanwhile: of alerts with these external labels."""
    return Learning(
        step=settings.step,
        window=settings.window,
        false_alarms_per_week=settings.false_alarms_per_week,
        group_labels=settings.group_labels,
        missing=settings.missing_is_anomaly,
        phase=_phase(settings),
        offset=ahead_of_utc(settings.timezone),
        declared=declared,
        alert_labels=labels_of_alerts(settings.name, settings.target_labels, external_labels),
        warm_up=RobustDetector(settings.sensitivity),
    )


def _phase(settings: WatcherSettings) -> float:
    """Give when a watcher begins anew (seconds after a multiple of half its window), so that not all of them do at the same time.

    In whole hours, by its name: every process that runs it knows the same. Short windows are soon read.
    """
    half = settings.window / 2.0
    return crc32(settings.name.encode()) / 2**32 * half // _HOUR * _HOUR if half >= _DAY else 0.0


def cooldown_of(settings: WatcherSettings, config: Config, database: Database) -> Cooldown:
    """Give a watcher's cooldowns, with its own limits or everybody's."""
    own = settings.cooldown or config.cooldown
    return Cooldown(database, settings.name, CooldownLimits(own.default, own.minimum, own.maximum))
