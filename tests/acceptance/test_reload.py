"""What goes on over a reload: a model call that is paid for, and what watchers have learnt."""

import time
from typing import Any

import pytest

from tests.acceptance.test_kill import Site, expect_one_result
from tests.servers.leaky_prometheus import METRIC, LeakyPrometheus, watcher
from tests.servers.lens_process import LensProcess
from tests.servers.model_server import Answer, Asked
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance


def test_a_reload_does_not_cut_off_a_model_call(tmp_path):
    """The second model call takes three seconds, the reload comes meanwhile: one whole result, no call made twice."""
    site = Site(tmp_path)
    answer = site.model._answer

    def slowly(asked: Asked) -> Answer:
        given = answer(asked)
        return (
            Answer(tools=given.tools, hang=3.0) if len(asked.tool_results) == 1 and "submit_review" not in asked.offered else given
        )

    site.model._answer = slowly
    try:
        site.lens.start()
        site.alert("FilesLeak")
        until(lambda: len(site.model.requests) == 2, 60.0, what="the second model call")
        assert site.lens.post("/-/reload").status_code == 200
        assert site.model.statuses.get(2) is None, "the call was still under way"
        expect_one_result(site)
        assert site.model.abandoned == []
    finally:
        site.close()


class Pasts:
    """Two watchers over a Prometheus that notes what it is asked."""

    def __init__(self, folder, prometheus: LeakyPrometheus) -> None:
        self.prometheus = prometheus
        self.lens = LensProcess(folder, self.config())

    def config(self, **settings: Any) -> dict[str, Any]:
        """Both get the settings; `changes` has a threshold of its own beside them."""
        source = {"prometheus": {"url": self.prometheus.url}, "investigate": {"enabled": False}}
        named = {name: {"files": {"query": f'{METRIC}{{name="{name}"}}'}} for name in ("stays", "changes")}
        budgets = {"changes": {"false_alarms_per_week": 3.0}} if settings else {}
        watchers = [watcher(name, **{**settings, "metrics": metrics, **budgets.get(name, {})}) for name, metrics in named.items()]
        return {**source, "watchers": watchers}

    def asked_about(self, name: str, after: int = 0) -> list[float]:
        """How far back, from now on, the range queries of a watcher's metric reached that came after so many requests."""
        forms = [request.form for request in self.prometheus.requests[after:]]
        return [time.time() - float(form["start"][0]) for form in forms if "start" in form and f'"{name}"' in form["query"][0]]


def test_a_reload_does_not_learn_again_what_is_known(tmp_path):
    """Another schedule is no reason to ask for the past; another budget is one. Both go on, and it is said who had to begin anew."""
    # Every half of their window, at full five minutes, both begin anew: not in the middle of this.
    until(lambda: time.time() % 300.0 < 260.0, 60, what="a while before they do")
    with LeakyPrometheus() as prometheus:
        here = Pasts(tmp_path, prometheus)
        with here.lens.start():
            until(lambda: all(len(here.asked_about(name)) > 3 for name in ("stays", "changes")), 30, what="both look")
            here.lens.configure(here.config(schedule="* * * * * */2"))
            before = len(prometheus.requests)
            answer = here.lens.post("/-/reload")
            assert answer.status_code == 200
            assert "the new configuration is in force; watchers: 2, still knowing what they had learnt: 1" in answer.text
            until(lambda: all(len(here.asked_about(name, before)) > 2 for name in ("stays", "changes")), 30, what="both go on")
            assert max(here.asked_about("stays", before)) < 360.0  # rows of five minutes may still change
            assert max(here.asked_about("changes", before)) >= 600.0
            loaded = here.lens.events("config.loaded")[-1]
            assert loaded["data"]["still_known"] == ["stays"]
            assert not here.lens.events("watcher.failed")
