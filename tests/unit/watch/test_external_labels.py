"""Labels that say who sends an alert: on every alert, and no part of what it is about. Minutes after noon."""

from dataclasses import replace

import pytest

from lens_exporter.errors import DatabaseError
from lens_exporter.model.labels import fingerprint
from lens_exporter.watch.hysteresis import OverReason
from tests.unit.publish.timeline import NOON
from tests.unit.watch.declaring import declared
from tests.unit.watch.site import API, MEMORY, MINUTE, quiet, site

EU, US = {"cluster": "eu-1"}, {"cluster": "us-1"}
OWN = {"alertname": "LensMemory", "severity": "warning", "watcher": "python", "category": "memory"}


def step(begin, level=0.8, end=1e9):
    """Quiet, but at `level` from one minute to another."""
    return lambda minute: level if begin <= minute < end else quiet(minute)


def relabelled(here, external):
    """A restart, or a reload, with other external labels."""
    here.watched = replace(here.watched, external_labels=external)
    here.restart()


def last_posted(here, labels):
    return next(one for one in reversed(here.line.servers[0].posted) if one["labels"] == labels)


def test_they_are_on_the_alert_and_it_has_one_identity():
    """Stored, posted and announced with them: the webhook brings back an alert that the intake knows."""
    with site(external_labels=EU) as here:
        here.story.tell(MEMORY.name, step(5, end=12))
        here.every_minute(0, 9)
        (alert,) = here.firing
        assert alert.labels == {**OWN, **API, **EU}
        assert here.line.servers[0].posted[0]["labels"] == alert.labels
        assert [one.fingerprint for one, _ in here.announced] == [fingerprint(alert.labels)]
        here.every_minute(10, 16)  # and what its series does is still known to be about it
        assert here.firing == []
        assert len(here.events("alert.fired")) == len(here.events("anomaly.detected")) == 1
        (over,) = here.events("anomaly.over")
        assert (over["reason"], over["target"]) == ("normal", API)


def test_a_label_of_the_series_is_not_overwritten():
    """As in Prometheus; and it is a label of the target, not of the sender."""
    with site(external_labels={"job": "lens", **EU}) as here:
        here.story.tell(MEMORY.name, step(5, end=12))
        here.every_minute(0, 9)
        (alert,) = here.firing
        assert (alert.labels["job"], alert.labels["cluster"], alert.external) == ("api", "eu-1", ("cluster",))
        here.every_minute(10, 16)
        assert [one["target"] for one in here.events("anomaly.over")] == [API]


@pytest.mark.parametrize(("before", "after"), [({}, EU), (EU, US), (EU, {}), (EU, {"env": "prod", **EU})])
def test_an_open_alert_goes_on_under_other_labels(before, after):
    """The old one is resolved at the next tick and another fires with the same start and story, whatever the cooldown."""
    with site(external_labels=before) as here:
        here.story.tell(MEMORY.name, step(5, end=20))
        here.every_minute(0, 8)
        (old,) = here.firing
        relabelled(here, after)
        here.at(9)
        (new,) = here.firing
        assert (old.labels, new.labels) == ({**OWN, **API, **before}, {**OWN, **API, **after})
        assert new.starts_at == old.starts_at
        assert last_posted(here, old.labels)["endsAt"] == "2026-11-20T12:09:00Z"
        assert [one.fingerprint for one in here.ended] == [old.fingerprint]
        (first, story), (second, same) = here.announced
        assert (first.fingerprint, second.fingerprint, story) == (old.fingerprint, new.fingerprint, same)
        assert here.events("anomaly.over") == []
        here.every_minute(10, 24)
        assert here.firing == []
        assert len(here.events("anomaly.detected")) == 1


def test_an_alert_nobody_speaks_of_any_more_is_not_left_under_old_labels():
    """Its series went away with the restart: renamed at the first tick, then over as any other."""
    with site(external_labels=EU) as here:
        here.story.tell(MEMORY.name, step(5))
        here.every_minute(0, 8)
        relabelled(here, US)
        here.story.series.clear()
        here.at(9)
        assert [one.labels["cluster"] for one in here.firing] == ["us-1"]
        here.every_minute(10, 16)
        assert here.firing == []
        assert [one["reason"] for one in here.events("anomaly.over")] == [OverReason.MISSING.value]


def test_a_crash_between_the_two_leaves_one_alert():
    """The new one was stored, the old one was not ended: the next tick ends it and fires nothing twice."""
    with site(external_labels=EU) as here:
        here.story.tell(MEMORY.name, step(5))
        here.every_minute(0, 8)
        relabelled(here, US)
        resolve, here.line.lifecycle.resolve = here.line.lifecycle.resolve, fails
        failed = here.at(9)
        assert len(failed.failures) == 1
        assert sorted(one.labels["cluster"] for one in here.firing) == ["eu-1", "us-1"]
        here.line.lifecycle.resolve = resolve
        here.at(10)
        assert [one.labels["cluster"] for one in here.firing] == ["us-1"]
        assert len(here.events("alert.fired")) == 2


def fails(*_args):
    raise DatabaseError(url="sqlite://", reason="disk full")


@pytest.mark.parametrize(("cluster", "told"), [("eu-1", 0), ("us-1", 1)])
def test_a_silence_made_of_an_alert_is_about_that_cluster(cluster, told):
    """Alertmanager's page makes a matcher of every label; that of the other cluster's alert declares nothing here."""
    with site(external_labels=EU) as here:
        here.declared = [declared(**API, alertname="LensMemory", watcher="python", cluster=cluster)]
        here.story.tell(MEMORY.name, step(5))
        here.every_minute(0, 9)
        assert len(here.firing) == told
        assert len(here.events("anomaly.expected")) == 1 - told


def test_an_open_alert_ends_when_it_is_declared_with_them():
    """The silence of 12:10 names the cluster too."""
    with site(external_labels=EU) as here:
        here.story.tell(MEMORY.name, step(5))
        here.every_minute(0, 9)
        here.declared = [declared(**here.firing[0].labels, begin=10)]
        here.at(10)
        assert here.firing == []
        assert [one["reason"] for one in here.events("anomaly.over")] == ["expected"]
        assert here.ended[0].ends_at == NOON + 10 * MINUTE
