"""A wrong configuration: at the start it stops the start, later it changes nothing but what is said about it."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from lens_exporter.errors import ServerNotReady
from tests.servers.leaky_prometheus import LeakyPrometheus, watcher
from tests.servers.lens_process import LensProcess
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance

WRONG = """\
prometheus: {url: "http://127.0.0.1:9090"}
watchers:
  - host: "*/5 * * * *"
  - jvm: {schedule: "every day", window: soon}
alertmanager:
  urls: 9093
cooldowns: {}
"""
PROBLEMS = (
    ':4: watchers[1].jvm: there is no lens "jvm" in this version',
    ":4: watchers[1].jvm.schedule: ",
    ":4: watchers[1].jvm.window: ",
    ":6: alertmanager.urls: ",
    ":7: cooldowns: ",
)


@pytest.fixture
def prometheus() -> Iterator[LeakyPrometheus]:
    with LeakyPrometheus() as server:
        yield server


NO_YAML = "prometheus:\n  url: [\n"


@pytest.mark.parametrize(("text", "problems"), [(WRONG, PROBLEMS), (NO_YAML, (":3: ",))])
def test_a_wrong_file_stops_the_start_and_names_every_problem(tmp_path, text, problems):
    """Exit code 2 and one line for each problem, with file, line and key; no database was made."""
    lens = LensProcess(tmp_path, {})
    lens.config_file.write_text(text)
    with pytest.raises(ServerNotReady, match="it ended"):
        lens.start()
    assert lens.exit_code() == 2
    lines = lens.tail().splitlines()
    assert len(lines) == len(problems)
    for line, problem in zip(lines, problems, strict=True):
        assert line.startswith(f"{lens.config_file}{problem}"), line
    assert not lens.database.exists()


class Site:
    """lens-exporter over a Prometheus that leaks, so that every watcher has an alert."""

    def __init__(self, folder) -> None:
        self.prometheus = LeakyPrometheus()
        self.lens = LensProcess(folder, self.config("stays", "goes"))

    def close(self) -> None:
        self.lens.kill()
        self.prometheus.close()

    def config(self, *names: str, **more: Any) -> dict[str, Any]:
        source = {"prometheus": {"url": self.prometheus.url}, "investigate": {"enabled": False}}
        return {**source, "watchers": [watcher(name) for name in names], **more}

    def watchers(self) -> set[str]:
        return {one["name"] for one in self.lens.get("/api/v1/watchers").json()["watchers"]}

    def firing(self) -> dict[str, str]:
        """The start of each watcher's alert."""
        return {one["labels"]["watcher"]: one["starts_at"] for one in self.lens.get("/api/v1/alerts").json()["alerts"]}

    def ticks_on(self) -> None:
        """Wait until every watcher has ticked once more."""

        def ticks() -> dict[str, float]:
            page = self.lens.metrics()
            return {name: page.value("lens_ticks_total", watcher=name) for name in self.watchers()}

        before = ticks()
        until(lambda: all(count > before[name] for name, count in ticks().items()), 20, what="every watcher ticks")

    def accepted(self) -> float:
        return self.lens.metrics().value("lens_config_last_reload_successful")


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    running = Site(tmp_path)
    yield running
    running.close()


def test_a_reload_of_a_wrong_file_keeps_the_last_good_one(site):
    """By signal and by HTTP: refused with the reason, the old watchers tick on; a good file is taken, and watchers, their metrics
    and their alerts follow."""
    lens = site.lens.start()
    site.prometheus.leak()
    alerts = until(lambda: len(found := site.firing()) == 2 and found, 20)
    with lens.answering():
        lens.config_file.write_text(WRONG)
        answer = lens.post("/-/reload")
        assert answer.status_code == 500
        said = answer.json()["error"]["message"]
        assert f"{lens.config_file}{PROBLEMS[0]}" in said
        assert site.accepted() == 0
        lens.send(signal.SIGHUP)
        rejected = until(lambda: len(found := lens.events("config.rejected")) == 2 and found, 10)
        assert [event["data"]["error"] for event in rejected] == [said, said]
        assert site.watchers() == {"stays", "goes"}
        site.ticks_on()
        assert site.firing() == alerts
        lens.configure(site.config("stays", "comes"))
        lens.send(signal.SIGHUP)
        until(lambda: site.accepted() == 1, 20, what="the good file is taken")
        assert site.watchers() == {"stays", "comes"}
        assert lens.events("config.loaded")[-1]["data"]["watchers"] == ["stays", "comes"]
        site.ticks_on()
        until(lambda: set(site.firing()) == {"stays", "comes"}, 20, what="the alert ends with its watcher, the new one has its own")
        assert site.firing()["stays"] == alerts["stays"]
        page = lens.metrics()
        assert page.all("lens_baseline_expected", watcher="stays")
        assert page.all("lens_baseline_expected", watcher="goes") == page.all("lens_child_up", child="watcher goes") == []


def test_what_cannot_change_while_running_is_said(site):
    """A reload with another database is refused, and nothing of that file takes effect."""
    lens = site.lens.start()
    lens.configure(site.config("stays", database_url="sqlite:///elsewhere.db"))
    answer = lens.post("/-/reload")
    assert answer.status_code == 500
    assert "database_url cannot change while running: restart lens-exporter" in answer.json()["error"]["message"]
    assert site.watchers() == {"stays", "goes"}
    assert site.accepted() == 0
