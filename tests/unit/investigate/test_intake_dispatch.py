"""The dispatcher: due work to the queue, ends of alerts to the publisher, repair after a crash."""

import pytest

from lens_exporter.errors import DatabaseError, Unreachable
from lens_exporter.investigate.unit import State
from lens_exporter.investigate.workflow import WorkflowStanding
from tests.unit.investigate.intake_site import Site, alert


@pytest.fixture
def site():
    return Site()


def test_due_units_are_enqueued_once(site):
    """At their moment, and never twice."""
    held = site.accept(alert("A"))
    site.dispatcher.dispatch_due(site.now + 29)
    assert site.queue.enqueued == []
    assert site.dispatcher.dispatch_due(site.now + 30) == 1
    assert site.dispatcher.dispatch_due(site.now + 31) == 0
    assert site.queue.enqueued == [held.investigation]
    assert site.store.unit(held.investigation).state is State.QUEUED


@pytest.mark.parametrize(
    ("standing", "handed"),
    [
        (WorkflowStanding.UNKNOWN, True),
        (WorkflowStanding.OVER, True),
        (WorkflowStanding.SUSPENDED, True),
        (WorkflowStanding.LOST, True),
        (WorkflowStanding.WAITING, False),
        (WorkflowStanding.RUNNING, False),
    ],
)
def test_what_was_put_off_is_forgotten_before_it_is_handed_over_again(site, standing, handed):
    """The durable queue does nothing twice; what still runs there is left alone."""
    held = site.accept(alert("A"))
    assert site.store.put_off(held.investigation, site.now + 30, "prometheus cannot be reached")
    site.queue.standings[held.investigation] = (standing, "")
    assert site.dispatcher.dispatch_due(site.now + 31) == handed
    assert site.queue.forgotten == site.queue.enqueued == [held.investigation] * handed


def test_a_turn_waits_for_a_time_until_it_reconciles(site):
    """The first turn repairs what a crash left; later ones do so now and then."""
    held = site.accept(alert("A"))
    site.store.hand_over(held.investigation)
    for site.now in (5000.0, 5005.0, 5014.9):
        site.dispatcher.turn()
    assert site.queue.enqueued == [held.investigation]
    site.now = 5015.0
    site.dispatcher.turn()
    assert site.queue.enqueued == [held.investigation] * 2


@pytest.mark.parametrize(
    ("standing", "enqueued", "resumed", "abandoned"),
    [
        (WorkflowStanding.UNKNOWN, 1, 0, 0),
        (WorkflowStanding.WAITING, 0, 0, 0),
        (WorkflowStanding.RUNNING, 0, 0, 0),
        (WorkflowStanding.SUSPENDED, 0, 1, 0),
        (WorkflowStanding.LOST, 0, 0, 1),
        (WorkflowStanding.OVER, 1, 0, 0),
    ],
)
def test_what_stands_differently_in_the_two_databases_is_repaired(site, standing, enqueued, resumed, abandoned):
    """Every state a crash can leave leads to a result."""
    held = site.accept(alert("A"))
    site.begin(held.investigation)
    site.queue.standings[held.investigation] = (standing, "why")
    site.dispatcher.reconcile()
    assert (len(site.queue.enqueued), len(site.queue.resumed), len(site.abandoned)) == (enqueued, resumed, abandoned)


def test_what_is_over_without_a_result_begins_anew_once(site):
    """A backup is older than the durable queue: its records are forgotten first. What then still has no result is given up."""
    held = site.accept(alert("A"))
    site.begin(held.investigation)
    site.queue.standings[held.investigation] = (WorkflowStanding.OVER, "")
    site.dispatcher.reconcile()
    assert site.queue.forgotten == site.queue.enqueued == [held.investigation]
    site.dispatcher.reconcile()
    assert site.queue.forgotten == site.queue.enqueued == [held.investigation]
    assert site.abandoned == [(held.investigation, "its workflow ended without a result")]


def test_what_ends_while_it_is_looked_at_is_not_done_again(site):
    """It ran when it was listed, and was done before the durable queue said that it is over."""
    held = site.accept(alert("A"))
    site.begin(held.investigation)

    def ended(investigations):
        site.finish(held.investigation)
        return dict.fromkeys(investigations, (WorkflowStanding.OVER, ""))

    site.queue.standing = ended
    site.dispatcher.reconcile()
    assert site.queue.enqueued == site.abandoned == []


def test_a_queue_that_cannot_be_written_leaves_the_work_to_the_next_reconcile(site):
    """Nothing is lost between the two databases."""
    held = site.accept(alert("A"))
    site.queue.failure = DatabaseError(url="x", reason="away")
    with pytest.raises(DatabaseError):
        site.dispatcher.dispatch_due(site.now + 30)
    site.queue.failure = None
    site.dispatcher.reconcile()
    assert site.queue.enqueued == [held.investigation]


def test_an_end_is_passed_on_once_and_after_publication(site):
    """The publisher has nothing to resolve before the findings are out; then it hears of the end exactly once."""
    taken = site.accept(alert("A"))
    site.begin(taken.investigation)
    site.accept(alert("A", ends_at=1500.0))
    assert site.tell() == []
    site.finish(taken.investigation)
    assert site.tell() == [(alert("A").fingerprint, 1500.0)]
    assert site.tell() == []


def test_an_end_that_could_not_be_passed_on_is_passed_on_later(site):
    """A publisher that fails, or a crash before it heard, costs nothing."""
    site.done(alert("A"))
    site.accept(alert("A", ends_at=1500.0))
    site.deaf = Unreachable(service="alertmanager", url="x", reason="refused")
    assert site.tell() == []
    site.deaf = None
    assert site.tell() == [(alert("A").fingerprint, 1500.0)]


def test_an_alert_that_fires_on_is_told_of_when_it_really_ends(site):
    """Given up by Alertmanager, then firing again with the same start: the second end counts too."""
    site.done(alert("A"))
    site.accept(alert("A", ends_at=1500.0))
    assert site.tell() == [(alert("A").fingerprint, 1500.0)]
    site.accept(alert("A"))
    assert site.tell() == []
    site.accept(alert("A", ends_at=1900.0))
    assert site.tell() == [(alert("A").fingerprint, 1900.0)]


def test_the_end_of_an_old_firing_does_not_resolve_the_new_ones_findings(site):
    """When the alert fires again and that is published, the old end comes too late to be passed on."""
    first = site.accept(alert("A", starts_at=1000.0), key="one")
    site.begin(first.investigation)
    site.done(alert("A", starts_at=2000.0), key="two")
    site.finish(first.investigation)
    assert site.tell() == []
    site.accept(alert("A", starts_at=2000.0, ends_at=2500.0), key="two")
    assert site.tell() == [(alert("A").fingerprint, 2500.0)]


def test_ten_thousand_ends_are_passed_on_in_turns(site):
    """A large group does not hold up the dispatcher."""
    names = [str(number) for number in range(1200)]
    site.done(*(alert("A", pod=name) for name in names))
    site.accept(*(alert("A", pod=name, ends_at=1500.0) for name in names))
    assert [len(site.tell()) for _ in range(4)] == [500, 500, 200, 0]


def test_old_investigations_are_pruned_with_their_alerts(site):
    """Retention: what ended before the cut goes, what still fires is remembered, so that it does not become news again."""
    site.done(alert("Over"), key="a")
    site.accept(alert("Over", ends_at=1500.0), key="a")
    site.done(alert("Fires"), key="b")
    site.accept(alert("Waits"), key="c")
    assert site.store.prune(site.now) == 0
    assert site.store.prune(site.now + 1) == 1
    assert {one.alertname for one in site.store.briefs()} == {"Fires", "Waits"}
    assert site.accept(alert("Over"), key="a").investigation
    assert not site.accept(alert("Fires"), key="b").investigation


def test_work_stored_while_the_clock_was_ahead_does_not_wait_for_that_date(site):
    """A year ahead, then set right: the unit is due now; one whose replica is half a minute ahead keeps its hold."""
    site.now += 365 * 86_400.0
    held = site.accept(alert("A"))
    site.now = 5000.0
    site.dispatcher.turn()
    assert site.queue.enqueued == [held.investigation]
    site.now += 30.0
    site.accept(alert("B"), key="B")
    site.now -= 30.0
    site.dispatcher.turn()
    assert site.queue.enqueued == [held.investigation]


def test_a_clock_set_back_does_not_put_off_the_repair(site):
    """The next turn reconciles, and from then on every so often."""
    held = site.accept(alert("A"))
    site.store.hand_over(held.investigation)
    for site.now in (365 * 86_400.0, 5000.0, 5014.0, 5015.0):
        site.dispatcher.turn()
    assert site.queue.enqueued == [held.investigation] * 3
