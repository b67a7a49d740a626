"""No lens can fail, hold up or spoil a scrape."""

import threading
from collections.abc import Iterable

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from lens_exporter.errors import LensUnavailable
from lens_exporter.lenses.runner import LensCollector
from tests.servers.waiting import until
from tests.unit.lenses.samples import values


class Good:
    def __init__(self, name: str = "good", family: str = "good_things") -> None:
        self.name = name
        self.family = family

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(self.family, "Things.", labels=["by"], value=None)
        family = GaugeMetricFamily(self.family, "Things.", labels=["by"])
        family.add_metric([self.name], 1.0)
        yield family


class Failing:
    name = "failing"

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("half", "Emitted before the failure.", value=1)
        raise self.error


class Hanging:
    name = "hanging"

    def __init__(self) -> None:
        self.release = threading.Event()
        self.begun = 0

    def collect(self) -> Iterable[Metric]:
        self.begun += 1
        self.release.wait(30)
        return [GaugeMetricFamily("late", "Late.", value=1)]


class Emitting:
    name = "emitting"

    def __init__(self, *families: Metric) -> None:
        self.families = families

    def collect(self) -> Iterable[Metric]:
        return self.families


@pytest.mark.parametrize(
    "error", [LensUnavailable(lens="failing", reason="gone"), ZeroDivisionError(), SystemExit(1), KeyError("x")]
)
def test_failure_costs_the_lens_its_own_families(error):
    """A lens that raises anything, even half-way, is down with none of its families; the others are complete."""
    collector = LensCollector([Failing(error), Good()])
    for scrape in (1, 2):
        seen = values(collector.collect())
        assert seen['lens_up{lens="failing"}'] == 0
        assert seen['lens_collect_failed_total{lens="failing"}'] == scrape
        assert "half" not in seen
        assert seen['lens_up{lens="good"}'] == 1
        assert seen['lens_collect_failed_total{lens="good"}'] == 0
        assert seen['good_things{by="good"}'] == 1
        assert seen['lens_collect_duration_seconds{lens="good"}'] >= 0


def test_hanging_lens():
    """A lens that hangs is down after the deadline, is not started a second time, and comes back when it has finished."""
    hanging = Hanging()
    collector = LensCollector([hanging, Good()], deadline=0.5)
    for scrape in (1, 2, 3):
        seen = values(collector.collect())
        assert seen['lens_up{lens="hanging"}'] == 0
        assert seen['lens_collect_failed_total{lens="hanging"}'] == scrape
        assert seen['lens_up{lens="good"}'] == 1
        assert "late" not in seen
    assert hanging.begun == 1
    hanging.release.set()
    seen = until(lambda: (page := values(collector.collect()))['lens_up{lens="hanging"}'] and page)
    assert seen["late"] == 1
    assert hanging.begun >= 2


def test_overlapping_scrapes_share_a_run():
    """A second scrape during a slow collection waits for it instead of calling the lens down or starting it again."""
    hanging = Hanging()
    collector = LensCollector([hanging], deadline=30)
    pages: list[dict[str, float]] = []
    threads = [threading.Thread(target=lambda: pages.append(values(collector.collect()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: hanging.begun)
    hanging.release.set()
    for thread in threads:
        thread.join(30)
    assert [page['lens_up{lens="hanging"}'] for page in pages] == [1, 1]
    assert hanging.begun <= 2  # two only when the second scrape came after the first had ended


def test_values_that_cannot_be_written():
    """A sample that would fail the whole page takes down its lens instead."""
    text = GaugeMetricFamily("odd", "Odd.", labels=["name"])
    text.add_metric(["\udcff"], 1)
    number = GaugeMetricFamily("none", "None.")
    number.add_metric([], None)  # type: ignore[arg-type]
    for family in (text, number):
        registry = CollectorRegistry()
        registry.register(LensCollector([Emitting(family), Good()]))
        page = generate_latest(registry).decode()
        assert 'lens_up{lens="emitting"} 0.0' in page
        assert 'lens_up{lens="good"} 1.0' in page


def test_lenses_that_share_a_family():
    """A family that two lenses publish stands once on the page, with the samples of both, at every scrape."""
    collector = LensCollector([Good("one"), Good("two")])
    for _ in range(2):
        families = list(collector.collect())
        assert [family.name for family in families].count("good_things") == 1
        assert {'good_things{by="one"}', 'good_things{by="two"}'} <= values(families).keys()


def test_lenses_that_disagree_about_a_family():
    """Of two lenses that publish one name as different types the second is down: the page stays valid."""
    counter = Emitting(CounterMetricFamily("good_things", "Things.", value=1))
    seen = values(LensCollector([Good(), counter]).collect())
    assert seen['lens_up{lens="good"}'] == 1
    assert seen['lens_up{lens="emitting"}'] == 0


def test_registering_does_not_collect():
    """A registry that asks for a description gets none, so that nothing is read before the first scrape."""
    hanging = Hanging()
    CollectorRegistry(auto_describe=True).register(LensCollector([hanging]))
    assert hanging.begun == 0


def test_two_lenses_of_one_name():
    """Two lenses of one name cannot be told apart in lens_up, and are refused."""
    with pytest.raises(ValueError, match="one name"):
        LensCollector([Good(), Good()])


def test_only_changes_are_logged(caplog):
    """A lens that stays broken is logged once, and once more when it is back."""
    failing = Failing(OSError("no such thing"))
    collector = LensCollector([failing])
    with caplog.at_level("INFO"):
        for _ in range(3):
            list(collector.collect())
        failing.collect = Good().collect  # type: ignore[method-assign]
        list(collector.collect())
    assert [record.getMessage() for record in caplog.records] == [
        "lens failing is down: OSError: no such thing",
        "lens failing is up again",
    ]


def test_a_run_that_a_fork_lost(monkeypatch):
    """In a forked process a collection begun before the fork will never end; a new one is started."""
    hanging = Hanging()
    collector = LensCollector([hanging], deadline=0.05)
    assert values(collector.collect())['lens_up{lens="hanging"}'] == 0
    monkeypatch.setattr("os.getpid", lambda: -1)
    release, hanging.release = hanging.release, threading.Event()
    hanging.release.set()
    assert until(lambda: values(collector.collect())['lens_up{lens="hanging"}'], 5)
    release.set()


def test_lenses_that_come_and_go():
    """What is there at a scrape is on its page, beside the fixed lenses; what has gone leaves nothing, and comes back as new."""
    present: list[object] = []
    collector = LensCollector([Good()], more=lambda: present)
    assert 'lens_up{lens="good"}' in values(collector.collect())
    present.append(Failing(LensUnavailable(lens="failing", reason="away")))
    for failed in (1, 2):
        page = values(collector.collect())
        assert page['lens_up{lens="failing"}'] == 0
        assert page['lens_collect_failed_total{lens="failing"}'] == failed
        assert page['lens_up{lens="good"}'] == 1
    gone = present.pop()
    assert not any("failing" in name for name in values(collector.collect()))
    present.append(gone)
    assert values(collector.collect())['lens_collect_failed_total{lens="failing"}'] == 1
