"""One look: fetch the rows that are new, bring the baselines up to them, decide. It tells nobody and stores nothing."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lens_exporter.baseline.analyzer import Analyzer, Conclusion
from lens_exporter.baseline.baselines import Baselines, Due, cut, empty
from lens_exporter.baseline.detector import TAIL
from lens_exporter.baseline.expected import NOTHING_DECLARED, Declared
from lens_exporter.baseline.naming import category
from lens_exporter.baseline.outages import SCRAPED
from lens_exporter.baseline.readings import standings
from lens_exporter.baseline.underway import Underway
from lens_exporter.errors import BadAnswer, LensError, QueryError, RemoteRefused
from lens_exporter.foundation.threads import one_ahead
from lens_exporter.model.decision import GroupStanding, Observation
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.model.window import Window
from lens_exporter.watch.ports import RowSource, Watched

_FEW_ROWS = 60  # that are new: they are fetched together with those that are only judged
_BLOCK = 86400.0  # seconds of the past learnt at once: in it are all that came and went, however few there are now
_ANEW = 6 * 3600.0  # seconds; a past that cannot be read is not asked for more often


@dataclass(frozen=True, slots=True)
class Look:
    """What a watcher saw. at is the judged moment: the last column of the windows, Unix seconds."""

    at: float
    observations: tuple[Observation, ...]
    conclusions: tuple[Conclusion, ...]
    notes: str | None
    failures: tuple[LensError, ...] = ()  # metrics whose query failed while the others were read
    unreadable: frozenset[str] = frozenset()  # the categories of those
    warnings: tuple[str, ...] = ()  # of the server about its answers, and of what a limit has left out; by metric
    unscraped: tuple[str, ...] = ()  # why nobody knows when Prometheus looked; no value is less sure for it
    groups: tuple[GroupStanding, ...] = ()  # what is judged together
    quiet: int = 0  # series of large metrics that are as they always are: nothing is concluded about each
    collecting: int = 0  # of those, how many are not known for long enough to be called healthy
    unlisted: int = 0  # of those, how many are not among the observations
    remembered: int = 0  # series that are known, those among them that are gone
    declared: Declared = NOTHING_DECLARED

    @property
    def said(self) -> tuple[str, ...]:
        """All that the server said beside its answers."""
        return self.warnings + self.unscraped

    @property
    def series(self) -> int:
        """How many series were judged."""
        return len(self.observations) + self.unlisted

    @property
    def intents(self) -> dict[str, int]:
        """Decisions by intent; a series that rests in a large metric counts as what would be concluded about it."""
        counted: Counter[str] = Counter(c.decision.intent for c in self.conclusions)
        counted.update(healthy=self.quiet - self.collecting, continue_observing=self.collecting)
        return {intent: count for intent, count in counted.items() if count}


class Interrupted(Exception):
    """It was told to end while it learnt a long past. What was learnt stays."""


@dataclass(frozen=True, slots=True, eq=False)
class _Fetched:
    """Rows of every metric, and when anything was scraped, where that matters; unread: the metrics that have failed by now."""

    windows: list[Window]
    scraped: Window | None
    unread: frozenset[int]


@dataclass(slots=True, eq=False)
class _Past:
    """A long past that is being learnt: steps made of it. One that is over has nobody who waits for more of it."""

    steps: int = 0
    over: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What looking at one watcher's metrics has left behind."""

    baselines: Baselines
    missed: set[int]  # metrics whose rows were left out of what was learnt
    anew: float  # when everything was begun anew for one of them, Unix seconds
    kept_to: float | None = None  # the newest row that is written down, Unix seconds


class Looker:
    """Looks at one watcher's metrics. What it has learnt is a cache: a metric that fails and answers again begins anew with all.

    Where the failure lies in the past (a clash of labels last week) that would be at every look, so it is at most every six hours;
    in between the metric is learnt from when it answered, like one that is new.
    """

    def __init__(self, watched: Watched, history: RowSource, baselines: Baselines, analyzer: Analyzer) -> None:
        self._watched = watched
        self._metrics = watched.asked
        self._history = history
        self._baselines = baselines
        self._analyzer = analyzer
        self._missed: set[int] = set()  # as in Known
        self._anew = -math.inf
        self._past: _Past | None = None
        self._interrupted = False
        self.long_pasts = 0  # learnt so far

    @property
    def caught_up(self) -> int | None:
        """How many steps were made of learning a long past; None: it is not at that. For other threads, too."""
        past = self._past
        return None if past is None else past.steps

    def interrupt(self) -> None:
        """Give up learning a long past at the next step, now and from now on."""
        self._interrupted = True

    def let_go(self) -> Known:
        """Give away what was learnt, and know nothing any more. It may not be looking."""
        learnt = Known(self._baselines, self._missed, self._anew)
        self._baselines, self._missed, self._anew = self._baselines.anew(), set(), -math.inf
        return learnt

    def go_on(self, learnt: Known) -> None:
        """Go on with what another has learnt of the same metrics, in the same way, on the same server. It may not be looking."""
        learnt.baselines.ask(self._baselines.declarations)
        self._baselines, self._missed, self._anew = learnt.baselines, learnt.missed, learnt.anew

    @property
    def knows(self) -> bool:
        """Whether anything is learnt."""
        return self._baselines.knows

    @property
    def learnt_to(self) -> float | None:
        """The newest row that was learnt, Unix seconds."""
        return self._baselines.learnt_to

    @property
    def given(self) -> dict[str, object]:
        """What the objects in `remembered` hold that is no part of it."""
        return self._baselines.given

    def remembered(self) -> dict[str, Any]:
        """Give what was learnt, to be written down: it goes on changing with the next look."""
        return {"learnt": self._baselines.learnt, "missed": sorted(self._missed), "anew": self._anew}

    def recall(self, remembered: Mapping[str, Any], at: float) -> bool:
        """Go on with what was written down, unless it is of no use for a look at this moment. Gives whether it was.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: it is not what `remembered` gives. Nothing is known then.

        """
        try:
            self._missed, self._anew = set(remembered["missed"]), remembered["anew"]
            self._baselines.resume(remembered["learnt"])
            due = self._baselines.due(at)
        except Exception:
            self.let_go()
            raise
        if due.fresh:
            self._baselines.begin(due)  # which also notes why
            self._missed, self._anew = set(), -math.inf
        return not due.fresh

    def declared(self, at: float) -> Declared:
        """Give what is declared about a moment (Unix seconds), as heard when its look began."""
        return self._baselines.declared(at)

    def look(self, at: float, about: Sequence[Underway] = ()) -> Look:
        """Judge every metric at a moment (Unix seconds). about: what is underway.

        A query that fails by itself (bad PromQL, too expensive) costs its own metric only.

        Raises:
            RemoteError: the server cannot be asked; nothing was judged.
            Interrupted: it was told to end.

        """
        due = self._baselines.due(at)
        failures: dict[int, QueryError] = {}
        if due.fresh:
            self._baselines.begin(due)
            self._missed.clear()
        if due.settled - due.first > _FEW_ROWS * due.step:
            self._catch_up(due, failures)
            due = self._baselines.due(at)
        fetched = self._fetch(due.first, due.last, due, failures)
        windows, scraped = fetched.windows, fetched.scraped
        if self._missed - failures.keys() and at >= self._anew + _ANEW:
            # Its past is not in what was learnt.
            self._anew = at
            self._baselines.forget()
            self._missed.clear()
            return self.look(at, about)
        settled = max(0, round((due.settled - due.first) / due.step) + 1)
        if settled:
            known = None if scraped is None else cut(scraped, 0, settled)
            self._baselines.learn([cut(window, 0, settled) for window in windows], recently=0.0, scraped=known, unread=failures)
            self._missed |= failures.keys()
        newest = None if scraped is None else cut(scraped, settled, None)
        readings = self._baselines.read([cut(window, settled, None) for window in windows], newest, unread=failures)
        judgement = self._analyzer.decide(readings, about)
        return Look(
            at=due.last,
            observations=judgement.observations,
            conclusions=judgement.conclusions,
            notes=judgement.notes,
            failures=tuple(failures.values()),
            unreadable=frozenset(category(self._metrics[metric]) for metric in failures),
            warnings=tuple(f"{window.metric}: {text}" for window in windows for text in window.warnings),
            unscraped=() if scraped is None else tuple(f"{scraped.metric}: {text}" for text in scraped.warnings),
            groups=standings(readings),
            quiet=judgement.quiet,
            collecting=judgement.collecting,
            unlisted=judgement.unlisted,
            remembered=self._baselines.remembered,
            declared=self._baselines.declared(due.last),
        )

    def _catch_up(self, due: Due, failures: dict[int, QueryError]) -> None:
        """Learn a long past in blocks that the server and our memory can bear. What was learnt stays if the server goes away.

        While one block is learnt the next one is asked for: the server needs as long for it as we do.
        """
        self._past = past = _Past()
        try:
            for fetched in one_ahead(f"ask-{self._watched.name}", self._blocks(due, failures, past)):
                self._baselines.learn(
                    fetched.windows,
                    recently=due.last - self._baselines.warm_up_seconds,
                    told_from=due.settled - TAIL * due.step,  # as many as are ever shown
                    scraped=fetched.scraped,
                    unread=fetched.unread,
                )
                self._missed |= fetched.unread
            self.long_pasts += 1
        finally:
            self._past, past.over = None, True

    def _blocks(self, due: Due, failures: dict[int, QueryError], past: _Past) -> Iterator[Callable[[], _Fetched]]:
        """Cut what is due into blocks; each call fetches one."""
        points = min((self._points(metric, due, past) for metric in self._metrics), default=1)
        points = min(points, max(1, round(_BLOCK / due.step)))
        first = due.first
        while first <= due.settled:
            end = min(first + (points - 1) * due.step, due.settled)
            yield partial(self._fetch, first, end, due, failures, past)
            first = end + due.step

    def _points(self, metric: BaselineMetric, due: Due, past: _Past) -> int:
        self._get_on(past)
        return self._history.points_per_block(metric, due.last, step=due.step)

    def _get_on(self, past: _Past) -> None:
        """Note that a step of learning a long past is made. Raises Interrupted."""
        if self._interrupted or past.over:
            raise Interrupted
        past.steps += 1

    def _fetch(self, first: float, last: float, due: Due, failures: dict[int, QueryError], past: _Past | None = None) -> _Fetched:
        """Fetch all metrics, and where it matters, whether anything was scraped. Raises Interrupted where it is of a long past."""
        windows = []
        for index, metric in enumerate(self._metrics):
            if past is not None:
                self._get_on(past)
            if index in failures:
                windows.append(empty(metric, first, last, due.step))
                continue
            try:
                windows.append(self._history.rows(metric, first, last, step=due.step))
            except QueryError as error:
                failures[index] = error
                windows.append(empty(metric, first, last, due.step))
        return _Fetched(windows, self._scraped(first, last, due), frozenset(failures))

    def _scraped(self, first: float, last: float, due: Due) -> Window | None:
        """Ask when anything was scraped, where that matters. Where this query is refused, gaps count as missing."""
        if not self._baselines.asks_who_looked:
            return None
        try:
            return self._history.rows(SCRAPED, first, last, step=due.step)
        except (QueryError, RemoteRefused, BadAnswer) as error:  # of a proxy that wants a tenant's labels, for one
            return Window(SCRAPED.name, (), np.empty(0), np.empty((0, 0)), due.step, (str(error),))
