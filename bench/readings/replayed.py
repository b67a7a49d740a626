"""One watcher's looks, acted on several times over: without a reading, and with one by each scripted model."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.bands import BandCollector
from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.baseline.notes import Notes
from lens_exporter.baseline.reading import contract
from lens_exporter.baseline.reading.asker import ROLE, Asker
from lens_exporter.baseline.reading.bounds import Bounds
from lens_exporter.baseline.reading.holds import Holds
from lens_exporter.baseline.reading.reader import Reader
from lens_exporter.baseline.reading.teller import Teller
from lens_exporter.config.settings import Llm, LlmClient, LlmOptions
from lens_exporter.foundation.clock import Clock
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.llm.registry import ClientRegistry
from lens_exporter.model.conversation import Instruction
from lens_exporter.model.decision import Anomaly
from lens_exporter.model.tool import ToolStatus
from lens_exporter.prometheus.answers import QueryAnswer, Series
from lens_exporter.publish.lifecycle import AlertLifecycle
from lens_exporter.watch.cooldown import Cooldown
from lens_exporter.watch.look import Look, Looker
from lens_exporter.watch.ports import Collaborators, Watched
from lens_exporter.watch.watcher import Watcher
from readings.models import SCRIPTS, Scripted
from readings.streams import Timeline
from tests.servers.model_server import ModelServer

_CALM = 30  # looks after the last anomaly in which an alert may still end
_NAME = "bench"


@dataclass(frozen=True, slots=True)
class Told:
    """One alert that began. subject is the value of the label that names its target."""

    at: float
    subject: str
    severity: str


@dataclass(slots=True)
class Run:
    """What one way of acting came to. longest: seconds of its longest tick, without the look."""

    name: str
    told: list[Told] = field(default_factory=list)
    calls: int = 0
    sent: int = 0  # bytes of all calls together
    longest: float = 0.0
    outcomes: dict[str, int] = field(default_factory=dict)


class _Recorded(Watcher):
    """Acts on a look that was made once for all."""

    seen: Look

    def look(self, at: float) -> Look:  # noqa: ARG002 - as the watcher calls it
        return self.seen


class _Past:
    """Answers a reading's questions about the past from the timeline; a query is the name of a metric, narrowed to a series."""

    def __init__(self, line: Timeline) -> None:
        self._line = line

    def query_range(self, query: str, start: float, end: float, step: float) -> QueryAnswer:
        name = query.partition("{")[0]
        metric = next(one for one in self._line.metrics if one.query == name)
        window = self._line.rows(metric, start, end, step=self._line.step)
        stride = max(1, round(step / self._line.step))
        rows = [
            Series(labels, window.times[::stride], values[::stride])
            for labels, values in zip(window.labels, window.values, strict=True)
        ]
        return QueryAnswer(ToolStatus.DATA, tuple(rows))


class _Acting:
    def __init__(self, line: Timeline, name: str, stack: ExitStack, script: Scripted | None) -> None:
        self.run = Run(name)
        self.now = line.begins
        self._calm = _CALM
        self._server: ModelServer | None = None
        self._database = Database("sqlite://")
        stack.callback(self._database.close)
        metadata.create_all(self._database.engine)
        telemetry = Telemetry()
        self.events = Events(self._database, telemetry, clock=lambda: self.now)
        self.telemetry = telemetry
        reader = None if script is None else self._reader(line, stack, script)
        watched = Watched(_NAME, tuple(dict.fromkeys(line.metrics)), step=line.step)
        self._watcher = _Recorded(
            watched,
            Collaborators(
                history=line,
                baselines=Baselines(watched.metrics, Learning(line.step, 86_400.0)),
                analyzer=Analyzer(),
                cooldown=Cooldown(self._database, _NAME),
                notes=Notes(self._database),
                alerts=AlertLifecycle(self._database, (), events=self.events, telemetry=telemetry, clock=lambda: self.now),
                announce=lambda _alert, _story: None,
                over=lambda _alert: None,
                events=self.events,
                telemetry=telemetry,
                bands=BandCollector(),
                reader=reader,
            ),
        )

    def _reader(self, line: Timeline, stack: ExitStack, script: Scripted) -> Reader:
        self._server = stack.enter_context(ModelServer(script.answer))
        clients = _clients(self._server.url, self._database, self.telemetry, self.events, lambda: self.now)
        stack.callback(clients.close)
        bounds = Bounds()
        return Reader(
            Asker("claude", partial(clients.within, "claude"), _Past(line), bounds, step=line.step, seconds=script.seconds),
            Holds(_NAME, self.events),
            Teller(_NAME, "claude", self.events, self.telemetry),
            bounds,
            next_look=lambda at: at + line.step,
        )

    def act(self, at: float, seen: Look) -> None:
        """Tick on a look; where nothing is flagged and nothing can be open any more there is nothing to act on."""
        self._calm = 0 if any(isinstance(one.decision, Anomaly) for one in seen.conclusions) else self._calm + 1
        if self._calm > _CALM:
            return
        self.now, self._watcher.seen = at, seen
        began = time.monotonic()
        tick = self._watcher.tick(at)
        self.run.longest = max(self.run.longest, time.monotonic() - began)
        if tick.failures:
            raise tick.failures[0]

    def done(self) -> Run:
        for event in self.events.query(kind="alert.fired", limit=1_000_000):
            labels = event.data["labels"]
            self.run.told.append(Told(event.at, labels.get("instance") or labels["queue"], labels["severity"]))
        for event in self.events.query(kind="reading.answered", limit=1_000_000):
            self.run.outcomes[event.data["outcome"]] = self.run.outcomes.get(event.data["outcome"], 0) + 1
        for kind in ("reading.failed", "reading.passed_over"):
            for event in self.events.query(kind=kind, limit=1_000_000):
                self.run.outcomes[event.data["outcome"]] = self.run.outcomes.get(event.data["outcome"], 0) + 1
        if self._server is not None:
            self.run.calls = len(self._server.requests)
            self.run.sent = sum(len(asked.raw) for asked in self._server.requests)
        return self.run


def _clients(url: str, database: Database, telemetry: Telemetry, events: Events, clock: Clock) -> ClientRegistry:
    """Give the program's own client, its server aside; calls are free, so that no budget ends a long replay."""
    options = LlmOptions(model="claude-haiku-4-5", base_url=url, input_price=0.0, output_price=0.0)
    return ClientRegistry(
        Llm(primary="claude", clients=(LlmClient(name="claude", provider="anthropic", options=options),)),
        read_secret=lambda _options: "no-key",
        database=database,
        telemetry=telemetry,
        events=events,
        clock=clock,
        sleep=lambda _seconds: None,
    )


def warm_up() -> None:
    """Make one call: the first one of a process imports the SDK, which is no model's slowness."""
    database, telemetry = Database("sqlite://"), Telemetry()
    metadata.create_all(database.engine)
    with ModelServer(SCRIPTS["always defers"].answer) as server:
        clients = _clients(server.url, database, telemetry, Events(database, telemetry), time.time)
        try:
            clients.primary.ask("", (Instruction("Are you there?"),), contract.specs(""), role=ROLE)
        finally:
            clients.close()
            database.close()


def replay(line: Timeline, scripts: dict[str, Scripted]) -> list[Run]:
    """Look once at every moment of a timeline, and act on each look without a reading and with each script."""
    with _acting(line, scripts) as every:
        for at, seen in _looks(line):
            for one in every:
                one.act(at, seen)
        return [one.done() for one in every]


@contextmanager
def _acting(line: Timeline, scripts: dict[str, Scripted]) -> Iterator[list[_Acting]]:
    with ExitStack() as stack:
        yield [_Acting(line, "none", stack, None), *(_Acting(line, name, stack, script) for name, script in scripts.items())]


def _looks(line: Timeline) -> Iterator[tuple[float, Look]]:
    metrics = tuple(dict.fromkeys(line.metrics))
    learning = Learning(line.step, 14 * 86_400.0)
    looker = Looker(Watched(_NAME, metrics, step=line.step), line, Baselines(metrics, learning), Analyzer())
    for at in line.times[line.times >= line.begins]:
        yield float(at), looker.look(float(at))
