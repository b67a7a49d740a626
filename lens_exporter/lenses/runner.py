"""Runs lenses at scrape time: times them, contains their failures, and never lets one hold up the scrape."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from lens_exporter.foundation.catalogue import LENS_METRICS
from lens_exporter.lenses.attempt import Attempt
from lens_exporter.lenses.emission import Emission

log = logging.getLogger("lens_exporter.lenses")


class Collects(Protocol):
    """The part of a lens that a scrape needs."""

    @property
    def name(self) -> str: ...

    def collect(self) -> Iterable[Metric]: ...


class LensCollector(Collector):
    """A collector over many lenses, with lens_up, lens_collect_duration_seconds and lens_collect_failed_total for each.

    more gives those that come and go, like the nodes a lens has found: it is asked at each scrape.
    All lenses run at the same time in threads of their own and share one deadline. A lens that is late is reported down;
    while it still runs it is not started again, and the scrape does not wait for it again. Scrapes that overlap share a run.
    """

    def __init__(
        self,
        lenses: Sequence[Collects],
        *,
        more: Callable[[], Iterable[Collects]] = tuple,
        clock: Callable[[], float] = time.monotonic,
        deadline: float = 5.0,
    ) -> None:
        self._lenses = {lens.name: lens for lens in lenses}
        if len(self._lenses) < len(lenses):
            raise ValueError(f"two lenses have one name: {[lens.name for lens in lenses]}")
        self._more = more
        self._clock = clock
        self._deadline = deadline
        self._lock = threading.Lock()
        self._runs: dict[str, Attempt[list[Metric]]] = {}
        self._failed: dict[str, int] = {}
        self._reasons: dict[str, str] = {}

    def describe(self) -> list[Metric]:
        """Give nothing, so that registering does not collect."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give every lens's families, those of one name merged, then the three about the lenses."""
        pages: dict[str, Metric] = {}
        about = Emission(LENS_METRICS)
        for name, run in [(name, self._run(lens)) for name, lens in self._present().items()]:
            run.wait(self._deadline)
            reason = self._failure(run)
            families = [] if reason else run.answer or []
            reason = reason or _clash(families, pages)
            if not reason:
                _merge(families, pages)
            failed = self._judge(name, reason)
            about.add("lens_up", 0.0 if reason else 1.0, lens=name)
            about.add("lens_collect_duration_seconds", run.seconds, lens=name)
            about.add("lens_collect_failed_total", failed, lens=name)
        yield from pages.values()
        yield from about.families()

    def _present(self) -> dict[str, Collects]:
        """Give the lenses of this scrape; what is known of those that have gone is forgotten."""
        present = {**{lens.name: lens for lens in self._more()}, **self._lenses}
        with self._lock:
            for kept in (self._runs, self._failed, self._reasons):
                for name in kept.keys() - present.keys():
                    del kept[name]
        return present

    def _run(self, lens: Collects) -> Attempt[list[Metric]]:
        with self._lock:
            run = self._runs.get(lens.name)
            if run is None or run.finished or run.lost:
                run = Attempt(lambda: _collected(lens), name=f"lens-{lens.name}", clock=self._clock)
                self._runs[lens.name] = run
            return run

    def _failure(self, run: Attempt[list[Metric]]) -> str:
        if not run.finished:
            return f"still collecting after {run.seconds:.1f} s"
        if run.seconds > self._deadline:
            return f"took {run.seconds:.1f} s"  # ended while the next scrape asked: part of it may be as old
        return f"{type(run.error).__name__}: {run.error}" if run.error is not None else ""

    def _judge(self, name: str, reason: str) -> int:
        """Count a failure and give the count. Only a change is logged: a broken lens must not fill the log scrape by scrape."""
        with self._lock:
            before = self._reasons.get(name, "")
            self._reasons[name] = reason
            failed = self._failed[name] = self._failed.get(name, 0) + bool(reason)
        if reason and not before:
            log.warning("lens %s is down: %s", name, reason)
        elif before and not reason:
            log.info("lens %s is up again", name)
        return failed


def _collected(lens: Collects) -> list[Metric]:
    """Collect, and find here, inside the lens's own run, what would otherwise fail the whole page while it is written."""
    families = list(lens.collect())
    for family in families:
        for sample in family.samples:
            float(sample.value)
            for value in sample.labels.values():
                value.encode()
    return families


def _clash(families: Iterable[Metric], pages: dict[str, Metric]) -> str:
    for family in families:
        known = pages.get(family.name)
        if known is not None and known.type != family.type:
            return f"{family.name} is a {family.type} here and a {known.type} in another lens"
    return ""


def _merge(families: Iterable[Metric], pages: dict[str, Metric]) -> None:
    """Join families of one name, since a page may hold each name only once. The lens's own objects are left as they are."""
    for family in families:
        page = pages.setdefault(family.name, Metric(family.name, family.documentation, family.type))
        page.samples = page.samples + family.samples
