"""A watcher with a reader: the history is functions of time, and the model says what it was told to say."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lens_exporter.baseline.reading.asker import Asker
from lens_exporter.baseline.reading.bounds import Bounds
from lens_exporter.baseline.reading.holds import Holds
from lens_exporter.baseline.reading.reader import Reader
from lens_exporter.baseline.reading.teller import Teller
from lens_exporter.llm.client import ModelClient
from lens_exporter.model.analysis import Cost
from lens_exporter.model.conversation import Instruction, Reply, ToolCall, ToolSpec, Trail
from lens_exporter.model.decision import Anomaly, Observation, Phase, Rule, Severity
from lens_exporter.model.metric import BaselineMetric, Direction
from lens_exporter.model.tool import ToolStatus
from lens_exporter.prometheus.answers import QueryAnswer, Series
from tests.unit.publish.timeline import NOON
from tests.unit.watch.site import MINUTE, Site, quiet, site

# No ceiling and no limit, so that only its distance says whether it may wait.
LATENCY = BaselineMetric("latency_p99", "latency{$selector}", "seconds", direction=Direction.UP, min_change=0.05)

# One series twice as far from expected as its band is wide, and the anomaly it makes.
SERIES = Observation("latency_p99", "seconds", {"instance": "a"}, 0.0, 0.5, 0.42, 0.38, 0.46, 2.0, Phase.ANOMALY, since=0.0)
ANOMALY = Anomaly(
    "latency_high", Severity.WARNING, "s", "d", "q", {"instance": "a"}, Rule.CONSECUTIVE, 0.0, (SERIES,), furthest=2.0
)

Says = Reply | Exception | Callable[[Trail], Reply]


def answers(tool: str, **arguments: Any) -> Reply:
    return Reply((ToolCall(f"call-{tool}", tool, arguments),), model="scripted-1", cost=Cost(100, 10, 0.001, 1))


def defers(notes: str = "one burst, look again", confidence: str = "low") -> Reply:
    return answers("continue_observing", notes=notes, confidence=confidence)


def confirms(severity: str = "warning", summary: str = "latency left its band and stays there", **more: Any) -> Reply:
    fields = {"anomaly_type": "latency_high", "severity": severity, "summary": summary, "confidence": "high"}
    return answers("anomaly", **fields | more)


def healthy(summary: str = "the day before looks alike") -> Reply:
    return answers("healthy", summary=summary, confidence="high")


def slightly(begin: float, end: float = 1e9, level: float = 0.5) -> Callable[[float], float]:
    """Quiet, but a little outside the band from one minute to another."""
    return lambda minute: level if begin <= minute < end else quiet(minute)


@dataclass
class Model:
    """A ModelClient. It gives its replies in turn, the last one for ever; those that are errors are raised."""

    replies: Sequence[Says]
    name: str = "claude"
    asked: list[tuple[str, Trail, tuple[str, ...]]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # that each caller wanted to wait at most
    hangs: threading.Event | None = None  # a call returns when it is set

    def within(self, seconds: float) -> "Model":
        self.seconds.append(seconds)
        return self

    def ask(self, system: str, trail: Trail, tools: Sequence[ToolSpec], *, role: str, critical: bool = False) -> Reply:
        assert (role, critical) == ("reader", False)
        self.asked.append((system, trail, tuple(tool.name for tool in tools)))
        if self.hangs is not None:
            self.hangs.wait(30)
        reply = self.replies[min(len(self.asked), len(self.replies)) - 1]
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, Reply) else reply(trail)

    def text(self, number: int = -1) -> str:
        """What it was asked, the n-th time."""
        return "\n".join(one.text for one in self.asked[number][1] if isinstance(one, Instruction))


@dataclass
class StoryPast:
    """Answers range queries from a site's story, whatever the query: every series of the first metric."""

    here: Site

    def query_range(self, query: str, start: float, end: float, step: float) -> QueryAnswer:
        times = np.arange(start, end + step / 2, step)
        found = []
        for labels, course in self.here.story.series.get(LATENCY.name, []):
            values = np.array([course((t - NOON) / MINUTE) for t in times])
            found.append(Series({"__name__": "latency", **labels}, times, values))
        return QueryAnswer(ToolStatus.DATA, tuple(found))


@contextmanager
def reading(
    *replies: Says,
    metrics: tuple[BaselineMetric, ...] = (LATENCY,),
    every: float = MINUTE,
    rhythm: float | None = None,
    seconds: float = 10.0,
    bounds: Bounds | None = None,
    client: Callable[[float], ModelClient] | None = None,
    **options: Any,
) -> Iterator[tuple[Site, Model]]:
    """Give a site whose watcher is read for; its next look comes `every` seconds, and quiet ones are read every `rhythm`.

    `client` reads instead of the scripted model.
    """
    limits, model = bounds or Bounds(), Model(replies)

    def reader(here: Site) -> Reader:
        events, telemetry = here.line.events, here.line.telemetry
        return Reader(
            Asker(model.name, client or model.within, StoryPast(here), limits, step=MINUTE, seconds=seconds, stopwatch=lambda: 0.0),
            Holds(here.watched.name, events),
            Teller(here.watched.name, model.name, events, telemetry),
            limits,
            next_look=lambda at: at + every,
            rhythm=None if rhythm is None else lambda at: at + rhythm,
            new_id=here.new_id,
            stopwatch=lambda: 0.0,
        )

    with site(*metrics, **options) as here:
        here.reader = reader
        here.story.tell(LATENCY.name, quiet)
        here.restart()
        yield here, model
