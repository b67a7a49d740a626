"""`lens-exporter backtest`: from a configuration to a report, with everything that can be wrong found before the replay begins."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lens_exporter.baseline import said
from lens_exporter.baseline.expected import Declaration
from lens_exporter.config.secrets import Secrets
from lens_exporter.config.settings import Config, Watcher
from lens_exporter.errors import LensError
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.prometheus.history import History
from lens_exporter.replay.backtest.beginning import begun, nothing
from lens_exporter.replay.backtest.document import document
from lens_exporter.replay.backtest.incidents import read_incidents
from lens_exporter.replay.backtest.plot import draw, expect_drawable
from lens_exporter.replay.backtest.recording import Recording
from lens_exporter.replay.backtest.report import Asked, Expected, Report, report
from lens_exporter.replay.backtest.text import day_and_time, lasted, many, text
from lens_exporter.replay.backtest.theirs import Heard, ask, hear
from lens_exporter.replay.replay import Replayed, replay
from lens_exporter.replay.span import Span
from lens_exporter.watch.cooldown import Admitted
from lens_exporter.watch.watcher import Tick
from lens_exporter.wiring.configuration import load, watcher_named
from lens_exporter.wiring.declared import heard, stored
from lens_exporter.wiring.ground import lay
from lens_exporter.wiring.remotes import Remotes
from lens_exporter.wiring.watching import own_labels


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked for. incidents and plot are files, read and written."""

    watcher: str
    span: Span
    incidents: Path | None = None
    plot: Path | None = None
    as_json: bool = False
    ignore_expected: bool = False


def backtest(path: Path | None, request: Request) -> None:
    """Replay one watcher and write what would have happened on standard output.

    Raises:
        UnknownWord: there is no such watcher. ExtraMissing: nothing can be drawn. TableUnreadable, TableInvalid: of the incidents.
        NothingToJudge, ConfigError, RemoteError, TableUnwritable: as the names say.

    """
    config = load(path)
    settings = watcher_named(config, request.watcher)
    incidents = None if request.incidents is None else read_incidents(request.incidents)
    if request.plot is not None:
        expect_drawable(request.plot)
    with _database() as database:
        remotes = Remotes(lay(database, Telemetry(), Secrets()))
        source = config.datasources[settings.datasource] if settings.datasource else config.prometheus
        key = f"datasources.{settings.datasource}" if settings.datasource else "prometheus"
        history = History(remotes.prometheus(key, source))
        _say(f"backtest of {settings.name}: looking for the oldest value")
        span, words = begun(settings, history, request.span, source.url)
        _say(f"backtest of {settings.name}: {words}")
        recording = None if request.plot is None else Recording(span)
        silences = hear(tuple(remotes.alertmanagers(config.alertmanager)))
        expected = Expected(ignored=True) if request.ignore_expected else _expected(settings, config, silences, span)
        started = time.monotonic()
        replayed = _replay(settings, config, database, history, span, source.max_series, expected, recording)
        seconds = time.monotonic() - started
        _say(f"backtest of {settings.name}: {many(replayed.ticks, 'tick')} in {lasted(seconds)}")
        asked = Asked(
            watcher=settings.name,
            source=source.url,
            schedule=settings.schedule,
            span=span,
            budget=settings.false_alarms_per_week,
            group_labels=settings.group_labels,
            reading=settings.reading is not None,
            expected=expected,
        )
        _expect_something(asked, replayed)
        theirs = ask(history, silences, span.begin, span.end)
    found = report(asked, replayed, theirs, incidents, seconds=seconds)
    _write(found, as_json=request.as_json)
    if request.plot is not None and recording is not None:
        draw(found, recording, request.plot)


def _say(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


@contextmanager
def _database() -> Iterator[Database]:
    database = Database("sqlite://")
    database.migrate()
    try:
        yield database
    finally:
        database.close()


def _replay(
    settings: Watcher,
    config: Config,
    database: Database,
    history: History,
    span: Span,
    max_series: int,
    expected: Expected,
    recording: Recording | None,
) -> Replayed:
    with _progress(span) as shown:

        def seen(tick: Tick) -> None:
            if recording is not None:
                recording.take(tick)
            shown(tick)

        return replay(
            settings,
            config,
            database,
            history,
            span,
            max_series=max_series,
            declared=lambda: expected.declarations,
            seen=seen,
        )


def _expected(settings: Watcher, config: Config, silences: Heard, span: Span) -> Expected:
    """Find what is declared by now about the watcher and the time of its replay, what it learns from before that included."""
    own, now = own_labels(settings), time.time()
    begin = span.begin - settings.window
    known: tuple[Declaration, ...] = ()
    unread = ""
    try:
        known = stored(config)
    except LensError as error:
        unread = str(error)
    declared = heard(known, silences.silences, own, at=now, kept=now - begin, complete=silences.complete)
    inside = (one for one in declared if one.starts_at <= span.end and one.ends_at > begin)
    return Expected(tuple(one for one in inside if said.concerns(one.matchers, own)), unread)


@contextmanager
def _progress(span: Span) -> Iterator[Callable[[Tick], None]]:
    """Give what is told each tick, and shows on a terminal how far the replay is."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _tick: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("learning what was normal before", total=max(span.end - span.begin, 1.0))
        ticks = alerts = 0

        def seen(tick: Tick) -> None:
            nonlocal ticks, alerts
            ticks += 1
            alerts += sum(isinstance(fate, Admitted) for fate in tick.fates.values())
            description = f"{day_and_time(tick.at)}  {ticks:,} ticks, {alerts:,} alert{'' if alerts == 1 else 's'}"
            progress.update(task, description=description, completed=tick.at - span.begin)

        yield seen


def _expect_something(asked: Asked, replayed: Replayed) -> None:
    if replayed.series:
        return
    reason = next(iter(replayed.errors), "none of its queries has a value there")
    if not replayed.ticks:
        reason = f"its schedule {asked.schedule} has no moment there"
    raise nothing(asked.watcher, asked.span, asked.source, reason)


def _write(found: Report, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(orjson.dumps(document(found), option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    for line, style in text(found):
        console.print(line, style=style or None, markup=False, emoji=False)
