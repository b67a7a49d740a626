"""What becomes of the alerts of a webhook."""

from dataclasses import replace

import pytest

from lens_exporter.errors import DatabaseError, IntakeFull
from lens_exporter.investigate.taken import AlertOutcome, GroupOutcome
from lens_exporter.investigate.unit import State, UnitSource
from lens_exporter.model.alert import AlertGroup
from tests.unit.investigate.intake_site import Site, alert


@pytest.fixture
def site():
    return Site()


def test_a_new_group_waits_for_more_of_it(site):
    """A new group is held for the debounce, with its own id as its story."""
    taken = site.accept(alert("A"))
    unit = site.store.unit(taken.investigation)
    assert (taken.outcome, taken.alerts) == (GroupOutcome.HELD, {AlertOutcome.ACCEPTED: 1})
    assert (unit.state, unit.source, unit.due, unit.correlation) == (State.HELD, UnitSource.WEBHOOK, site.now + 30, unit.id)
    assert site.store.due(site.now + 29) == []
    assert [one.id for one in site.store.due(site.now + 30)] == [unit.id]


@pytest.mark.parametrize("severity", ["critical", "page", "CRITICAL"])
def test_critical_alerts_are_never_held(site, severity):
    """What is critical is due at once."""
    taken = site.accept(alert("A", severity=severity))
    assert (taken.outcome, taken.due) == (GroupOutcome.ACCEPTED, site.now)


def test_the_same_webhook_again_is_no_work(site):
    """Alertmanager delivers at least once; the second delivery changes nothing."""
    first = site.accept(alert("A"), alert("B"))
    site.now += 5
    again = site.accept(alert("A"), alert("B"))
    assert (again.outcome, again.alerts) == (GroupOutcome.DUPLICATE, {AlertOutcome.DUPLICATE: 2})
    assert site.store.unit(first.investigation).due == first.due
    assert [event.data for event in site.events.query(kind="investigation.duplicate")] == [
        {"fingerprint": alert("A").fingerprint, "investigation": first.investigation, "alerts": 2}
    ]


def test_a_start_written_in_whole_seconds_is_the_same_alert(site):
    """Senders differ in precision, not in what they mean."""
    site.accept(alert("A", starts_at=1000.734))
    assert site.accept(alert("A", starts_at=1000.0)).outcome is GroupOutcome.DUPLICATE


def test_more_of_a_held_group_joins_without_resetting_the_clock(site):
    """A group that keeps growing is still investigated when it was due."""
    first = site.accept(alert("A"))
    site.now += 20
    more = site.accept(alert("A"), alert("B"))
    assert (more.outcome, more.investigation, more.due) == (GroupOutcome.JOINED, first.investigation, first.due)
    assert more.alerts == {AlertOutcome.ACCEPTED: 1, AlertOutcome.DUPLICATE: 1}
    assert [one.name for one in site.store.unit(first.investigation).group.alerts] == ["A", "B"]


def test_a_critical_alert_makes_its_held_group_due(site):
    """What waited with it does not wait any longer."""
    site.accept(alert("A"))
    site.now += 5
    assert site.accept(alert("B", severity="critical")).due == site.now


def test_other_groups_are_other_work(site):
    """The unit of work is Alertmanager's group."""
    assert site.accept(alert("A"), key="one").investigation != site.accept(alert("B"), key="two").investigation


def test_a_storm_in_one_group_is_a_chain_of_investigations(site):
    """While a group is being investigated what is new of it collects in one waiting unit."""
    first = site.accept(alert("A0"))
    site.begin(first.investigation)
    for second in range(1, 200):
        site.now += 1
        site.accept(alert(f"A{second}"))
    waiting = [one for one in site.store.briefs() if one.state is State.HELD]
    assert [one.alerts for one in waiting] == [199]
    assert site.store.due(site.now) == []
    site.finish(first.investigation)
    assert [one.id for one in site.store.due(site.now)] == [waiting[0].id]


def test_critical_work_does_not_wait_for_its_groups_investigation(site):
    """A group that is being investigated and turns critical is looked at again at once."""
    site.begin(site.accept(alert("A")).investigation)
    taken = site.accept(alert("B", severity="critical"))
    assert [one.id for one in site.store.due(site.now)] == [taken.investigation]


def test_alerts_join_a_unit_that_is_queued_but_has_not_begun(site):
    """A long queue collects, too."""
    first = site.accept(alert("A"))
    site.store.hand_over(first.investigation)
    joined = site.accept(alert("B"))
    assert (joined.outcome, joined.investigation) == (GroupOutcome.JOINED, first.investigation)
    assert site.store.unit(first.investigation).state is State.QUEUED


def test_a_waiting_unit_is_cancelled_when_all_of_it_resolved(site):
    """Nobody needs to look into what is over, and its workflow finds nothing to begin."""
    taken = site.accept(alert("A"), alert("B"))
    site.store.hand_over(taken.investigation)
    assert site.accept(alert("A", ends_at=site.now)).outcome is GroupOutcome.RESOLVED
    unit = site.store.unit(taken.investigation)
    assert (unit.state, [one.ends_at for one in unit.group.alerts]) == (State.QUEUED, [site.now, None])
    assert site.accept(alert("B", ends_at=site.now)).outcome is GroupOutcome.CANCELLED
    assert site.store.unit(taken.investigation).reason == "every alert resolved before it began"
    assert not site.store.begin(taken.investigation, site.now)
    assert [event.type for event in site.story(taken.investigation)][-1] == "investigation.cancelled"


def test_an_alert_that_fires_on_after_its_investigation_was_cancelled_is_work_again(site):
    """Alertmanager may give an alert up and find it firing with the same start; it must not fall between two chairs."""
    first = site.accept(alert("A"))
    site.accept(alert("A", ends_at=site.now))
    again = site.accept(alert("A"))
    assert again.outcome is GroupOutcome.HELD
    assert again.investigation != first.investigation


def test_an_investigation_that_began_goes_on_when_its_alerts_resolve(site):
    """The answer to what happened is still wanted."""
    taken = site.accept(alert("A"))
    site.begin(taken.investigation)
    assert site.accept(alert("A", ends_at=site.now)).outcome is GroupOutcome.RESOLVED
    assert site.store.unit(taken.investigation).state is State.RUNNING


def test_resolving_what_nobody_knows_is_no_work(site):
    """A resolved alert of before our time is counted and that is all."""
    assert site.accept(alert("A", ends_at=site.now)).alerts == {AlertOutcome.RESOLVED: 1}
    assert site.store.briefs() == []


def test_an_alert_that_fires_anew_is_new_work_and_ends_the_old(site):
    """Where nobody sends resolved notifications, the next start tells that the last firing is over."""
    first = site.done(alert("A", starts_at=1000.0))
    second = site.accept(alert("A", starts_at=2000.0))
    assert second.outcome is GroupOutcome.HELD
    assert second.investigation != first
    assert site.tell() == [(alert("A").fingerprint, 2000.0)]


def test_companions_are_never_work(site):
    """Findings that come back through the webhook, ours or another's, are counted only."""
    taken = site.accept(alert("LensInvestigation"), alert("X", lens_origin="lens-2"), alert("LensInvestigation", ends_at=5.0))
    assert (taken.outcome, taken.alerts) == (GroupOutcome.COMPANION, {AlertOutcome.COMPANION: 3})
    assert site.store.briefs() == []
    assert site.telemetry.value("lens_intake_alerts_total", outcome="companion") == 3


def test_alerts_without_labels_are_accepted_and_never_work(site):
    """Nothing can be done with them and nothing is gained by sending them again."""
    nameless = replace(alert("A"), labels={}, given="00000000000000aa")
    assert site.accept(nameless).outcome is GroupOutcome.POISON
    assert site.accept(nameless, alert("B")).alerts == {AlertOutcome.ACCEPTED: 1, AlertOutcome.POISON: 1}


def test_an_empty_group_is_nothing(site):
    """A body without alerts is valid."""
    assert site.accept().outcome is GroupOutcome.EMPTY


def test_a_full_queue_refuses_new_work_only(site):
    """Beyond max_queue new groups are refused and nothing of them is stored; what waits already may still grow or resolve."""
    for name in "ABC":
        site.accept(alert(name), key=name)
    with pytest.raises(IntakeFull, match="3 investigations are waiting, the limit is 3"):
        site.accept(alert("D"), key="D")
    assert site.accept(alert("A2"), key="A").outcome is GroupOutcome.JOINED
    site.accept(alert("B", ends_at=site.now), key="B")
    assert site.accept(alert("D"), key="D").outcome is GroupOutcome.HELD
    assert site.telemetry.value("lens_intake_alerts_total", outcome="refused") == 1
    assert site.telemetry.value("lens_queue_depth") == 3


def test_a_resolved_alert_and_a_new_one_in_one_body(site):
    """One alert's end makes room for another's beginning, within the same transaction."""
    for name in "ABC":
        site.accept(alert(name), key=name)
    taken = site.accept(alert("A", ends_at=site.now), alert("D"), key="D")
    assert taken.outcome is GroupOutcome.HELD
    assert taken.alerts == {AlertOutcome.RESOLVED: 1, AlertOutcome.ACCEPTED: 1}


def test_the_story_of_an_own_alert_is_found_again(site):
    """An own alert brings its correlation id along; anybody else's gets the investigation's id."""
    own = alert("LensMemory", watcher="python")
    site.stories[own.fingerprint] = "01JD0000000000000000000000"
    taken = site.accept(own)
    assert site.store.unit(taken.investigation).correlation == "01JD0000000000000000000000"
    types = [event.type for event in site.story("01JD0000000000000000000000")]
    assert types == ["webhook.received", "investigation.accepted"]


def test_an_investigation_shows_at_most_ten_thousand_alerts(site):
    """A unit that grew without end would be stored again and again; what it cannot carry is counted, and known."""
    body = [alert("A", pod=str(number)) for number in range(10_005)]
    taken = site.accept(*body)
    group = site.store.unit(taken.investigation).group
    assert (len(group.alerts), group.truncated) == (10_000, 5)
    assert site.accept(*body).alerts == {AlertOutcome.DUPLICATE: 10_005}


def test_truncated_alerts_are_fetched_after_storing(site):
    """What max_alerts left out is asked for once per webhook, joins the same unit, and its absence harms nobody."""
    site.rest = [alert("A"), alert("B")]
    taken = site.intake.accept(AlertGroup("k", (alert("A"),), truncated=1))
    site.intake.fetch_truncated()
    site.intake.fetch_truncated()
    assert site.asked == ["k"]
    assert [one.name for one in site.store.unit(taken.investigation).group.alerts] == ["A", "B"]
    site.rest = DatabaseError(url="x", reason="away")
    site.intake.accept(AlertGroup("k", (alert("A"),), truncated=1))
    site.intake.fetch_truncated()
    assert site.asked == ["k", "k"]


def test_the_dispatcher_is_woken(site):
    """Critical work does not wait for the next look around."""
    site.accept(alert("A"))
    assert site.woken == 1


def test_a_unit_that_waits_hears_that_an_alert_fires_on(site):
    """What it shows the investigator as over was over for a moment only."""
    taken = site.accept(alert("A"), alert("B"))
    site.accept(alert("A", ends_at=site.now))
    assert [one.ends_at for one in site.store.unit(taken.investigation).group.alerts] == [site.now, None]
    site.accept(alert("A", starts_at=1000.4))  # the same start, to the second
    assert [one.ends_at for one in site.store.unit(taken.investigation).group.alerts] == [None, None]
