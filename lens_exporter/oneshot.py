"""Commands that do one thing and end: one look, one investigation, one story. They store nothing and tell nobody."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import orjson
import structlog

from lens_exporter.baseline.expected import Declaration
from lens_exporter.config.secrets import Secrets
from lens_exporter.config.settings import Config, Watcher
from lens_exporter.config.words import expect_known
from lens_exporter.errors import DatabaseError, LookFailed, NotConfigured, UnknownAlert, UnknownStory
from lens_exporter.foundation.clock import new_ulid
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.events import EVENT_TYPES
from lens_exporter.foundation.events import document as event_document
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.investigate import document, webhook
from lens_exporter.investigate.store import Store
from lens_exporter.lenses import catalog
from lens_exporter.model.alert import AlertGroup
from lens_exporter.model.analysis import Investigated
from lens_exporter.model.decision import Anomaly
from lens_exporter.publish.alertmanager import Alertmanager, held_alerts, known_silences
from lens_exporter.publish.companion import Sender, companion
from lens_exporter.watch.look import Look
from lens_exporter.watch.ports import Watched
from lens_exporter.watch.schedule import next_due
from lens_exporter.watch.table import table
from lens_exporter.watch.withheld import about, words
from lens_exporter.wiring.configuration import load, watcher_named
from lens_exporter.wiring.declared import heard, stored
from lens_exporter.wiring.generation import Generation
from lens_exporter.wiring.ground import lay, open_database
from lens_exporter.wiring.watching import cooldown_of, own_labels

_log = structlog.get_logger("lens_exporter.expected")

Write = Callable[[str], object]


def watch(path: Path | None, name: str, *, once: bool, write: Write) -> None:
    """Write what a watcher sees and what it would decide, once or at each time of its schedule.

    Raises:
        UnknownWord: there is no such watcher. LookFailed: the one look could not read all that it is to judge.
        ConfigError, RemoteError: as the names say.

    """
    config = load(path)
    settings = watcher_named(config, name)
    with _apart(config, settings) as generation, _fate(settings, config) as judged:
        watcher = generation.runners[name].watcher
        fate = partial(judged, watcher.watched)
        while True:
            seen = watcher.look(time.time())
            write(table(name, seen, fate=partial(fate, seen), written=tuple(settings.metrics)))
            if once and seen.failures:
                raise LookFailed(watcher=name, failed=len(seen.failures), metrics=len(catalog.tracked(settings)))
            if once:
                return
            time.sleep(max(0.0, next_due(settings.schedule, time.time()) - time.time()))


def investigate(path: Path | None, *, fingerprint: str | None, payload: Path | None, as_json: bool, write: Write) -> None:
    """Investigate an alert an Alertmanager holds, or the alerts of a saved webhook body, and write the finding.

    Raises:
        UnknownAlert, NotConfigured, BadWebhook, ConfigError, RemoteError: as the names say.

    """
    config = load(path)
    with _apart(config) as generation:
        group = webhook.parse(payload.read_bytes()) if payload else _held(config, generation, fingerprint or "", path)
        if not group.alerts:
            raise UnknownAlert(fingerprint="any", where=payload)
        story = new_ulid()
        investigated = generation.investigation.investigator.run(story, story, group, lambda _name, work: work())
    if as_json:
        write(orjson.dumps(document.result(investigated, ()), option=orjson.OPT_INDENT_2).decode())
    else:
        write(_finding(investigated, group, config))


def events(path: Path | None, *, correlation: str | None, kind: str | None, limit: int, as_json: bool, write: Write) -> None:
    """Write stored events in order of time: the newest `limit` ones, or those of one story.

    Raises:
        DatabaseError: there is no database, or it cannot be read; UnknownWord, UnknownStory: as the names say.

    """
    if kind is not None:
        expect_known("event type", kind, EVENT_TYPES)
    config = load(path)
    database = open_database(config, Secrets())
    if database.path is not None and not database.path.exists():
        raise DatabaseError(url=database.url, reason="there is no such file; has lens-exporter run here?")
    try:
        ground = lay(database, Telemetry(), Secrets())
        found = ground.events.query(correlation=correlation, kind=kind, newest_first=correlation is None, limit=limit)
        if correlation is not None and not found and not ground.events.query(correlation=correlation, limit=1):
            raise UnknownStory(correlation=correlation)
    finally:
        database.close()
    for event in found if correlation is not None else reversed(found):
        shape = event_document(event)
        if as_json:
            write(orjson.dumps(shape).decode())
        else:
            data = orjson.dumps(event.data).decode()
            write(f"{shape['at']:<24}  {event.type:<26} {event.correlation or '-':<26}  {event.subject}  {data}")


@contextmanager
def _apart(config: Config, looking: Watcher | None = None) -> Iterator[Generation]:
    """Build the parts over a database in memory; they ask everybody, tell nobody, and nothing of them runs by itself.

    The watcher that is looked through goes by what the running lens-exporter knows to be expected, as it is at each look.
    """
    database = Database("sqlite://")
    database.migrate()
    ground = lay(database, Telemetry(), Secrets())

    def declared() -> Sequence[Declaration]:
        return () if looking is None else _declared(looking, config, generation.alertmanagers)

    generation = Generation(config, ground, Store(database), tells=False, declared=declared)
    try:
        yield generation
    finally:
        generation.close()
        generation.close_clients()
        database.close()


def _declared(settings: Watcher, config: Config, alertmanagers: Sequence[Alertmanager]) -> Sequence[Declaration]:
    """Give what is declared. A database or an Alertmanager that is away costs what it knows, and that is said."""
    known: Sequence[Declaration] = ()
    try:
        known = stored(config)
    except DatabaseError as error:
        _log.warning("what was declared to be expected cannot be read", error=str(error))
    silences, failures = known_silences(alertmanagers)
    for failure in failures:
        _log.warning("silences cannot be read; what is stored of them stands", error=str(failure))
    complete = bool(alertmanagers) and not failures
    return heard(known, silences, own_labels(settings), at=time.time(), kept=settings.window, complete=complete)


@contextmanager
def _fate(settings: Watcher, config: Config) -> Iterator[Callable[[Watched, Look, Anomaly], str]]:
    """Give what would become of an anomaly by what is declared, and by the stored cooldowns of the running lens-exporter."""
    database = open_database(config, Secrets())
    cooldown = cooldown_of(settings, config, database)

    def fate(watched: Watched, seen: Look, anomaly: Anomaly) -> str:
        if (found := about(anomaly, seen.declared, watched)) is not None:
            return f"would not be told: {words(found)}"
        kept = database.path.exists() if database.path else not database.is_sqlite
        try:
            until = cooldown.cooling_until(anomaly, time.time()) if kept else None
        except DatabaseError as error:
            return f"would be admitted unless it cools down, which cannot be read: {error}"
        if until is None:
            return "would be admitted"
        return f"would be suppressed, cooldown until {datetime.fromtimestamp(until, UTC).strftime('%H:%M UTC')}"

    try:
        yield fate
    finally:
        database.close()


def _held(config: Config, generation: Generation, fingerprint: str, path: Path | None) -> AlertGroup:
    if not config.alertmanager.urls:
        where = f"{path}: alertmanager.urls" if path else "alertmanager.urls"
        raise NotConfigured(where=where, problem="no Alertmanager is configured, so no alert can be looked up")
    holdings = held_alerts(generation.alertmanagers)
    found = tuple(held.alert for held in holdings.alerts if held.alert.fingerprint == fingerprint)
    if found:
        return AlertGroup(f"command:{fingerprint}", found)
    if holdings.failures:
        raise holdings.failures[-1]  # the one that does not answer may be the one that holds it
    raise UnknownAlert(fingerprint=fingerprint, where=", ".join(config.alertmanager.urls))


def _finding(investigated: Investigated, group: AlertGroup, config: Config) -> str:
    alert = companion(investigated, group, Sender(config.origin), at=time.time())
    shown = ("summary", "evidence", "ruled_out", "next", "confidence", "cost")
    lines = [f"verdict      {investigated.analysis.outcome.value}"]
    for name in shown:
        text = alert.annotations.get(name, "")
        lines += [f"{name if index == 0 else '':<12} {line}" for index, line in enumerate(text.splitlines())]
    return "\n".join(lines)
