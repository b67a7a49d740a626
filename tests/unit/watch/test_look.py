"""Queries as they are sent, and what is asked again when one fails."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.baseline.outages import SCRAPED
from lens_exporter.errors import BadAnswer, QueryError, RemoteRefused, Unreachable
from lens_exporter.foundation import snapshot
from lens_exporter.model.metric import BaselineMetric, substituted
from lens_exporter.model.window import Window
from lens_exporter.watch.look import Looker
from lens_exporter.watch.ports import Watched

NOW = 1_795_132_800.0
STEP = 300.0
FILES, LOAD = BaselineMetric("files", "files"), BaselineMetric("load", "load")


@pytest.mark.parametrize(
    ("query", "selector", "sent"),
    [
        ("m{$selector}", 'job="api"', 'm{job="api"}'),
        ("m{$selector}", "", "m{}"),
        ('m{mode="x",$selector}', 'job="api"', 'm{mode="x",job="api"}'),
        ('m{mode="x",$selector}', "", 'm{mode="x"}'),
        ('m{$selector,mode="x"}', "", 'm{mode="x"}'),
        ("a{$selector} / b{$selector}", 'job="api"', 'a{job="api"} / b{job="api"}'),
        ('label_replace(m, "a", "$1", "b", "(.*)")', 'job="api"', 'label_replace(m, "a", "$1", "b", "(.*)")'),
    ],
)
def test_the_selector_is_put_where_the_query_says(query: str, selector: str, sent: str) -> None:
    """And without one the query stays valid PromQL."""
    assert substituted(query, selector) == sent


class Past:
    """Two metrics; `files` cannot be evaluated over one moment."""

    def __init__(self, bad: float) -> None:
        self.bad = bad
        self.asked: list[tuple[str, float]] = []  # metric, first moment

    def points_per_block(self, metric, at, *, step):
        return 500

    def rows(self, metric, start, end, *, step):
        self.asked.append((metric.name, start))
        if metric.name == "files" and start <= self.bad <= end:
            raise QueryError(kind="execution", reason="found duplicate series", query="files")
        times = np.arange(start, end + step / 2, step)
        return Window(metric.name, ({"instance": "a"},), times, np.sin(times / 5000.0)[None], step)


def test_a_past_that_cannot_be_read_is_not_asked_for_at_every_look() -> None:
    """The metric is tried with all of its past once, then learnt from when it answered; six hours later all is tried again."""
    past = Past(bad=NOW - 3 * 86_400.0)
    watched = Watched("api", (FILES, LOAD), step=STEP)
    looker = Looker(watched, past, Baselines(watched.asked, Learning(STEP, watched.window)), Analyzer())

    def whole(at: float) -> int:
        """How often the oldest past was asked for."""
        past.asked.clear()
        looker.look(at)
        return sum(name == "load" and start < NOW - 6 * 86_400.0 for name, start in past.asked)

    assert whole(NOW) >= 1
    again = whole(NOW + STEP)
    assert again >= 1
    assert [whole(NOW + each * STEP) for each in range(2, 12)] == [0] * 10
    assert whole(NOW + 6 * 3600.0 + STEP) >= 1
    assert {one.metric for one in looker.look(NOW + 6 * 3600.0 + 2 * STEP).observations} == {"files", "load"}


class Torn(Past):
    """The server goes away just after `files` could not be evaluated."""

    def rows(self, metric, start, end, *, step):
        window = super().rows(metric, start, end, step=step)
        if start <= self.bad <= end:
            raise Unreachable(service="prometheus", url="http://p", reason="refused")
        return window


def test_what_was_learnt_before_a_query_failed_is_learnt_with_it() -> None:
    """The block it failed in was never learnt, for then the server went away: it is asked for again, and none before it."""
    past = Torn(bad=NOW - 3 * 86_400.0)
    watched = Watched("api", (FILES, LOAD), step=STEP)
    looker = Looker(watched, past, Baselines(watched.asked, Learning(STEP, watched.window)), Analyzer())
    with pytest.raises(Unreachable):
        looker.look(NOW)
    oldest = past.asked[0][1]
    torn, past.bad = past.asked[-1][1], NOW + 86_400.0
    assert oldest < torn
    past.asked.clear()
    assert {one.metric for one in looker.look(NOW + STEP).observations} == {"files", "load"}
    assert min(start for _, start in past.asked) == torn


def test_who_takes_over_does_not_ask_for_a_bad_past_sooner() -> None:
    """It was tried a moment ago, by the one before."""
    past = Past(bad=NOW - 3 * 86_400.0)
    watched = Watched("api", (FILES, LOAD), step=STEP)

    def looker() -> Looker:
        return Looker(watched, past, Baselines(watched.asked, Learning(STEP, watched.window)), Analyzer())

    first, other = looker(), looker()
    for row in range(2):
        first.look(NOW + row * STEP)
    other.go_on(first.let_go())
    past.asked.clear()
    other.look(NOW + 2 * STEP)
    other.look(NOW + 3 * STEP)
    assert min(start for _, start in past.asked) > NOW - 6 * 86_400.0


def test_a_metric_that_failed_for_a_moment_begins_anew_with_all() -> None:
    """Its past is readable again, so nothing of it is lost."""
    past = Past(bad=-1.0)
    watched = Watched("api", (FILES, LOAD), step=STEP)
    looker = Looker(watched, past, Baselines(watched.asked, Learning(STEP, watched.window)), Analyzer())
    looker.look(NOW)
    past.bad = NOW + 3 * STEP
    looker.look(NOW + 8 * STEP)
    past.bad = -1.0
    past.asked.clear()
    looker.look(NOW + 9 * STEP)
    assert min(start for name, start in past.asked if name == "files") < NOW - 6 * 86_400.0


def test_who_takes_over_knows_what_was_missed() -> None:
    """A metric whose rows were left out is learnt from the start when it answers again, whoever looks by then."""
    past = Past(bad=NOW - 300.0)
    watched = Watched("api", (FILES, LOAD), step=STEP)

    def looker() -> Looker:
        return Looker(watched, past, Baselines(watched.asked, Learning(STEP, watched.window)), Analyzer())

    first, other = looker(), looker()
    assert {one.metric for one in first.look(NOW).observations} == {"load"}
    past.bad = -1.0
    other.go_on(first.let_go())
    past.asked.clear()
    assert {one.metric for one in other.look(NOW + STEP).observations} == {"files", "load"}
    assert min(start for metric, start in past.asked if metric == "files") < NOW - 6 * 86_400.0


def test_who_takes_over_asks_its_own_who_declares() -> None:
    """What is declared is asked of who was there from the beginning of the one that goes on."""
    watched = Watched("api", (FILES, LOAD), step=STEP)
    heard = []

    def looker(name: str) -> Looker:
        def declarations() -> tuple[()]:
            heard.append(name)
            return ()

        learning = Learning(STEP, watched.window, declared=declarations)
        return Looker(watched, Past(bad=-1.0), Baselines(watched.asked, learning), Analyzer())

    first, other = looker("first"), looker("other")
    first.look(NOW)
    other.go_on(first.let_go())
    heard.clear()
    other.look(NOW)
    other.look(NOW + STEP)
    assert heard == ["other", "other"]


def test_a_restart_does_not_try_such_a_past_any_sooner(tmp_path) -> None:
    """Which metric was left out of what was learnt, and when all was last tried, is kept too."""
    past = Past(bad=NOW - 3 * 86_400.0)
    watched = Watched("api", (FILES, LOAD), step=STEP)

    def process() -> Looker:
        return Looker(watched, past, Baselines(watched.asked, Learning(STEP, watched.window)), Analyzer())

    def restarted(looker: Looker, at: float) -> Looker:
        snapshot.save(tmp_path / "api", looker.remembered(), fingerprint="", given=looker.given)
        other = process()
        state = snapshot.load(tmp_path / "api", fingerprint="", given=other.given, package="lens_exporter.baseline")
        assert other.recall(state, at)
        return other

    def whole(looker: Looker, at: float) -> bool:
        past.asked.clear()
        looker.look(at)
        return any(name == "load" and start < NOW - 6 * 86_400.0 for name, start in past.asked)

    looker = process()
    assert whole(looker, NOW)
    assert whole(restarted(looker, NOW + STEP), NOW + STEP)  # it answers now, so all of it is tried once
    looker.look(NOW + STEP)
    later = restarted(looker, NOW + 2 * STEP)
    assert not whole(later, NOW + 2 * STEP)
    assert whole(later, NOW + 6 * 3600.0 + STEP)


def test_the_greediest_metric_sets_the_length_of_blocks() -> None:
    """One block holds the rows of all metrics, so that groups are learnt together."""

    class Greedy(Past):
        def points_per_block(self, metric, at, *, step):
            return {"files": 40, "load": 7}[metric.name]

        def rows(self, metric, start, end, *, step):
            blocks.append((metric.name, round((end - start) / step) + 1))
            return super().rows(metric, start, end, step=step)

    blocks: list[tuple[str, int]] = []
    watched = Watched("api", (FILES, LOAD), step=STEP)
    Looker(watched, Greedy(bad=0.0), Baselines(watched.asked, Learning(STEP, watched.window)), Analyzer()).look(NOW)
    assert {name for name, _ in blocks} == {"files", "load"}
    assert {points for _, points in blocks[:-4]} == {7}


class Closed(Past):
    """It answers what is watched, and refuses to say when anything was scraped."""

    def __init__(self, refusal: Exception) -> None:
        super().__init__(bad=0.0)
        self.refusal = refusal

    def rows(self, metric, start, end, *, step):
        if metric == SCRAPED:
            raise self.refusal
        return super().rows(metric, start, end, step=step)


@pytest.mark.parametrize(
    "refusal",
    [
        QueryError(kind="bad_data", reason="no tenant", query="up"),
        RemoteRefused(service="prometheus", url="http://p", status=403, reason="no tenant"),
        BadAnswer(service="prometheus", url="http://p", reason="no tenant"),
    ],
    ids=lambda refusal: type(refusal).__name__,
)
def test_who_may_not_know_when_prometheus_looked_looks_on(refusal: Exception) -> None:
    """It is told, and is no warning about the values, which would keep alerts open; that nobody is there is a failure as ever."""
    watched = Watched("api", (FILES, LOAD), step=STEP)
    looker = Looker(watched, Closed(refusal), Baselines(watched.asked, Learning(STEP, watched.window, missing=True)), Analyzer())
    for tick in range(3):
        seen = looker.look(NOW + tick * STEP)
        assert (seen.series, seen.warnings, seen.failures) == (2, (), ())
        assert [text.startswith("up: ") and "no tenant" in text for text in seen.said] == [True]
    gone = Closed(Unreachable(service="prometheus", url="http://p", reason="refused"))
    with pytest.raises(Unreachable):
        Looker(watched, gone, Baselines(watched.asked, Learning(STEP, watched.window, missing=True)), Analyzer()).look(NOW)


def test_nothing_is_asked_for_a_past_that_nobody_learns_any_more() -> None:
    """Learning fails over rows that are none; the block that was asked for meanwhile is not gone on with."""
    left, asked = threading.Event(), []

    class Broken(Past):
        def rows(self, metric, start, end, *, step):
            asked.append(metric.name)
            if len(asked) > 2:  # of the second block
                left.wait(5)
            found = super().rows(metric, start, end, step=step)
            return replace(found, values=found.values[:, :0])

    watched = Watched("api", (FILES, LOAD), step=STEP)
    looker = Looker(watched, Broken(bad=0.0), Baselines(watched.asked, Learning(STEP, watched.window)), Analyzer())
    with pytest.raises(ValueError):  # numpy's
        looker.look(NOW)
    assert looker.caught_up is None
    left.set()
    for thread in threading.enumerate():
        if thread.name == "ask-api":
            thread.join(5)
    assert len(asked) <= 3  # the query that was under way is the last
