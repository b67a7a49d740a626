"""Alerts whose end nobody tells us."""

import pytest

from lens_exporter.investigate.vanished import Vanished
from tests.unit.investigate.intake_site import DOCUMENT, Site, alert

THEIRS = alert("HighLatency", instance="api-7:9000")


class Watched(Site):
    """A site with one published investigation, and an Alertmanager that holds what the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.held: set[str] | None = {THEIRS.fingerprint}
        self.vanished = Vanished(self.store, lambda: self.held, patience=300.0, clock=lambda: self.now)
        taken = self.accept(THEIRS)
        self.store.begin(taken.investigation, self.now)
        self.store.finish(taken.investigation, self.now, DOCUMENT)

    def after(self, seconds: float) -> int:
        self.now += seconds
        return self.vanished.end_vanished()

    @property
    def ended(self) -> list[tuple[str, float]]:
        return [(one.fingerprint, one.ends_at) for one in self.store.untold()]


@pytest.fixture
def site() -> Watched:
    return Watched()


def test_an_alert_that_alertmanager_holds_goes_on(site):
    """However long it fires."""
    assert [site.after(3600) for _ in range(3)] == [0, 0, 0]
    assert site.ended == []


def test_an_alert_that_is_gone_for_five_minutes_is_over_since_it_was_first_missed(site):
    """Missed at 60 s, still missed at 360 s: it ended at 60 s, once."""
    start, site.held = site.now, set()
    assert [site.after(60) for _ in range(7)] == [0, 0, 0, 0, 0, 1, 0]
    assert site.ended == [(THEIRS.fingerprint, start + 60)]


def test_an_alert_that_comes_back_in_between_counts_anew(site):
    """An Alertmanager that restarted holds nothing until Prometheus has sent again."""
    site.held = set()
    assert [site.after(100) for _ in range(3)] == [0, 0, 0]
    site.held = {THEIRS.fingerprint}
    assert site.after(60) == 0
    site.held = set()
    assert [site.after(100) for _ in range(3)] == [0, 0, 0]
    assert site.ended == []


def test_nothing_is_over_because_an_alertmanager_cannot_be_asked(site):
    """Not knowing is not absence, and what was absent before counts anew."""
    site.held = set()
    assert [site.after(100) for _ in range(3)] == [0, 0, 0]
    site.held = None
    assert site.after(1000) == 0
    site.held = set()
    assert site.after(100) == 0
    assert site.ended == []


def test_what_is_not_published_yet_is_left_alone(site):
    """Its end comes by webhook, or is found here once there is a companion to resolve."""
    site.held = set()
    site.accept(alert("Other"), key="other")
    assert [site.after(300) for _ in range(3)] == [0, 1, 0]
    assert [fingerprint for fingerprint, _ in site.ended] == [THEIRS.fingerprint]
