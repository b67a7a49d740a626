"""Alertmanagers down, one or both, and hanging: each gets every alert once it is back, and nobody waits for them."""

from collections.abc import Iterator

import pytest

from tests.servers.fake_alertmanager import seconds
from tests.servers.faulty import Reply
from tests.servers.gate import GatedAlertmanager
from tests.servers.leaky_prometheus import LeakyPrometheus, watcher
from tests.servers.lens_process import LensProcess
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance

ONE = ("api-7:9000",)
MANY = tuple(f"api-{number}:9000" for number in range(8))


class Site:
    """One lens-exporter between a Prometheus that can leak and two Alertmanagers."""

    def __init__(self, folder, instances) -> None:
        self.prometheus = LeakyPrometheus(*instances)
        self.alertmanagers = (GatedAlertmanager(), GatedAlertmanager())
        self.lens = LensProcess(
            folder,
            {
                "prometheus": {"url": self.prometheus.url},
                # Failed posts are tried again every 4 s, so a test can mend what it broke before the breaker opens for 30 s.
                "alertmanager": {"urls": [one.url for one in self.alertmanagers], "resend_interval": "4s", "timeout": "4s"},
                "watchers": [watcher("files")],
                "investigate": {"enabled": False},
            },
        )

    def close(self) -> None:
        self.lens.kill()
        for server in (self.prometheus, *self.alertmanagers):
            server.close()

    def alerts(self) -> dict[str, float]:
        """The start of the alert of each instance that has one."""
        return {one["labels"]["instance"]: seconds(one["starts_at"]) for one in self.lens.get("/api/v1/alerts").json()["alerts"]}

    def told(self, alertmanager) -> list[str]:
        """States of alerts that this Alertmanager was told about, once for each change."""
        delivered = self.lens.events("alert.delivered")
        return [event["data"]["state"] for event in delivered if event["data"]["alertmanager"] == alertmanager.url]

    def failed(self, alertmanager) -> list[str]:
        failed = self.lens.events("alert.delivery_failed")
        return [event["data"]["error"] for event in failed if event["data"]["alertmanager"] == alertmanager.url]

    def attempts(self, alertmanager) -> float:
        return self.lens.metrics().value("lens_alerts_failed_total", alertmanager=alertmanager.url)


@pytest.fixture
def site(tmp_path, request) -> Iterator[Site]:
    running = Site(tmp_path, request.param)
    yield running
    running.close()


def starts(alertmanager) -> dict[str, float]:
    """The start of each alert as this Alertmanager was told last."""
    return {alert["labels"]["instance"]: seconds(alert["startsAt"]) for alert in alertmanager.posted}


def ends(alertmanager) -> dict[str, float]:
    return {alert["labels"]["instance"]: seconds(alert["endsAt"]) for alert in alertmanager.posted}


@pytest.mark.parametrize("site", [ONE], indirect=True)
def test_an_alertmanager_that_was_away_gets_what_it_missed(site):
    """Both down, then one, then none, then one again for the end: each is told everything as soon as it answers, and one event
    tells of each change that did not get through, however often it is tried."""
    first, second = site.alertmanagers
    first.go_down()
    second.go_down()
    site.lens.start()
    with site.lens.answering():
        site.prometheus.leak()
        begun = until(site.alerts, 20)
        until(lambda: all(site.attempts(one) >= 2 for one in site.alertmanagers), 20, what="both are tried again")
        second.come_back()
        until(lambda: starts(second) == begun, 45, what="the one that is back has the alert")
        for one in site.alertmanagers:
            assert site.failed(one) == [f"alertmanager at {one.url} cannot be reached: Connection refused"]
        first.come_back()
        until(lambda: starts(first) == begun, 45, what="the other one has it too")
        first.go_down()
        site.prometheus.recover()
        until(lambda: site.told(second) == ["firing", "resolved"], 45, what="the one that is there hears of the end")
        until(lambda: len(site.failed(first)) == 2, 20, what="the other one does not")
        assert site.told(first) == ["firing"]
        first.come_back()
        until(lambda: site.told(first) == ["firing", "resolved"], 45, what="until it is back")
    assert ends(first) == ends(second)
    assert starts(first) == starts(second) == begun


@pytest.mark.parametrize("site", [MANY], indirect=True)
def test_alertmanagers_that_hang_hold_up_no_tick_and_no_scrape(site):
    """Eight alerts in one tick, and nobody takes them: ticks stay short, scrapes quick, and all arrive when the hanging is over."""
    for one in site.alertmanagers:
        one.failing = Reply(hang=True)
    site.lens.start()
    with site.lens.answering():
        site.prometheus.leak()
        begun = until(lambda: len(site.alerts()) == len(MANY) and site.alerts(), 30)
        until(lambda: all(site.failed(one) for one in site.alertmanagers), 20)
        for one in site.alertmanagers:
            assert set(site.failed(one)) == {f"alertmanager at {one.url} did not answer within 4.0 s"}
            one.failing = None
        until(lambda: all(starts(one) == begun for one in site.alertmanagers), 45, what="both have every alert")
    ticks = [event["data"]["seconds"] for event in site.lens.events("watcher.decided")]
    assert max(ticks) < 12, "waiting for a timeout with each alert would take 20 s, until the breaker opens"
    assert site.lens.metrics().value("lens_ticks_failed_total") == 0
