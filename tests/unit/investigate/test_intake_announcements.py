"""A watcher's own alerts, announced before Alertmanager's webhook brings them back."""

from dataclasses import replace

import pytest

from lens_exporter.investigate.taken import GroupOutcome
from lens_exporter.investigate.unit import State, UnitSource
from tests.unit.investigate.intake_site import Site, alert

STORY = "01JD0000000000000000000000"
OTHER_STORY = "01JD0000000000000000000001"
MEMORY = alert("LensMemory", watcher="python")
FILES = alert("LensFds", watcher="python")


@pytest.fixture
def site():
    site = Site()
    site.stories |= {MEMORY.fingerprint: STORY, FILES.fingerprint: OTHER_STORY}
    return site


def test_an_announced_alert_waits_for_its_webhook(site):
    """It is held for webhook_grace under the watcher's story, and investigated anyway when no webhook comes."""
    taken = site.intake.announce(MEMORY, STORY)
    unit = site.store.unit(taken.investigation)
    assert (taken.outcome, unit.source, unit.correlation) == (GroupOutcome.HELD, UnitSource.WATCHER, STORY)
    assert (unit.group.key.startswith("watcher:python:"), unit.due) == (True, site.now + 60)
    assert [one.id for one in site.store.due(site.now + 60)] == [unit.id]


def test_the_webhook_promotes_it(site):
    """When Alertmanager brings the alert, its unit takes Alertmanager's group and is due at once."""
    announced = site.intake.announce(MEMORY, STORY)
    site.now += 7
    taken = site.accept(MEMORY, key="{}:{alertname='LensMemory'}")
    unit = site.store.unit(announced.investigation)
    assert (taken.outcome, taken.investigation, taken.due) == (GroupOutcome.PROMOTED, unit.id, site.now)
    assert unit.group.key == "{}:{alertname='LensMemory'}"
    assert [event.type for event in site.story(STORY)] == [
        "investigation.accepted",
        "webhook.received",
        "investigation.promoted",
    ]


def test_what_else_the_webhook_brings_comes_along(site):
    """New alerts of the same group join the promoted unit."""
    site.intake.announce(MEMORY, STORY)
    taken = site.accept(MEMORY, alert("HighLatency"))
    assert (taken.outcome, taken.due) == (GroupOutcome.PROMOTED, site.now)
    assert [one.name for one in site.store.unit(taken.investigation).group.alerts] == ["LensMemory", "HighLatency"]


def test_critical_announcements_do_not_wait(site):
    """A critical alert of ours is due at once; the webhook that follows finds it known."""
    critical = alert("LensMemory", watcher="python", severity="critical")
    taken = site.intake.announce(critical, STORY)
    assert (taken.outcome, taken.due) == (GroupOutcome.ACCEPTED, site.now)
    site.begin(taken.investigation)
    assert site.accept(critical).outcome is GroupOutcome.DUPLICATE


def test_a_webhook_that_is_faster_than_the_announcement(site):
    """Both have come, so nothing is waited for; and the alert is one piece of work."""
    taken = site.accept(MEMORY)
    assert taken.due == site.now + 30
    announced = site.intake.announce(MEMORY, STORY)
    assert (announced.outcome, announced.investigation) == (GroupOutcome.PROMOTED, taken.investigation)
    assert site.store.unit(taken.investigation).due == site.now
    assert [one.id for one in site.store.due(site.now)] == [taken.investigation]


def test_announcements_about_one_target_wait_together(site):
    """Two categories of one watcher's target are one investigation, whatever their severity, and both stories lead to it."""
    first = site.intake.announce(MEMORY, STORY)
    second = site.intake.announce(FILES, OTHER_STORY)
    assert (second.outcome, second.investigation, second.due) == (GroupOutcome.JOINED, first.investigation, first.due)
    assert [event.subject for event in site.story(OTHER_STORY)] == [first.investigation]


def test_announcements_about_two_targets_are_two_investigations(site):
    """A full disk here and a leak there have nothing to do with each other, until Alertmanager groups them."""
    disk = alert("LensDisk", watcher="host", category="disk", severity="warning", instance="db-1:9100", mountpoint="/")
    memory = alert("LensMemory", watcher="host", category="memory", severity="warning", instance="web-3:9100")
    first, second = site.intake.announce(disk, STORY), site.intake.announce(memory, OTHER_STORY)
    assert (first.outcome, second.outcome) == (GroupOutcome.HELD, GroupOutcome.HELD)
    assert first.investigation != second.investigation
    assert [one.name for one in site.store.unit(second.investigation).group.alerts] == ["LensMemory"]
    threads = alert("LensThreads", watcher="host", category="threads", severity="info", instance="web-3:9100")
    assert site.intake.announce(threads, OTHER_STORY).investigation == second.investigation


def test_announcements_that_turn_out_to_be_one_group_become_one_investigation(site):
    """Alertmanager's grouping decides; the unit that gives way says into which it went, and no alert is lost."""
    host = alert("LensMemory", watcher="host")
    site.accept(alert("Other"), key="k")
    first = site.intake.announce(MEMORY, STORY)
    second = site.intake.announce(host, OTHER_STORY)
    taken = site.accept(MEMORY, host, key="k")
    assert taken.investigation == first.investigation
    assert {one.name for one in site.store.unit(taken.investigation).group.alerts} == {"LensMemory", "Other"}
    gone = site.store.unit(second.investigation)
    assert (gone.state, gone.reason) == (State.CANCELLED, f"coalesced into {first.investigation}")
    assert site.accept(MEMORY, host, alert("Other"), key="k").outcome is GroupOutcome.DUPLICATE
    assert [one.id for one in site.store.due(site.now)] == [first.investigation]


def test_announcing_again_changes_nothing(site):
    """A watcher that starts again may say what it said before."""
    first = site.intake.announce(MEMORY, STORY)
    assert site.intake.announce(MEMORY, STORY).outcome is GroupOutcome.DUPLICATE
    assert site.store.unit(first.investigation).due == first.due


def test_announcing_what_is_known_tells_nobody(site):
    """A watcher says at every tick what fires: no event, no count and no waking for one that waits, runs or is done."""
    held = site.intake.announce(MEMORY, STORY)

    def told() -> tuple[int, float | None, int]:
        counted = site.telemetry.value("lens_intake_alerts_total", outcome="duplicate")
        return len(site.events.query()), counted, site.woken

    def nothing_is_told() -> None:
        before = told()
        taken = site.intake.announce(MEMORY, STORY)
        assert (taken.outcome, taken.investigation) == (GroupOutcome.DUPLICATE, held.investigation)
        assert told() == before

    nothing_is_told()
    site.accept(MEMORY)
    nothing_is_told()
    site.store.hand_over(held.investigation)
    nothing_is_told()
    site.begin(held.investigation)
    nothing_is_told()
    site.finish(held.investigation)
    nothing_is_told()


def test_an_announced_alert_that_resolves_is_cancelled(site):
    """An anomaly that is over before anybody looked needs nobody to look."""
    taken = site.intake.announce(MEMORY, STORY)
    over = alert("LensMemory", watcher="python", ends_at=site.now)
    assert site.accept(over).outcome is GroupOutcome.CANCELLED
    assert site.store.unit(taken.investigation).state is State.CANCELLED
    assert site.intake.announce(MEMORY, STORY).outcome is GroupOutcome.HELD


def test_a_full_queue_takes_announcements(site):
    """Refusing our own alerts would lose them. So that they stay few, new targets of one watcher now wait together."""
    for name in "ABC":
        site.accept(alert(name), key=name)
    first = site.intake.announce(MEMORY, STORY)
    assert first.outcome is GroupOutcome.HELD
    others = [alert("LensMemory", watcher="python", instance=one) for one in "bcd"]
    assert len({site.intake.announce(one, OTHER_STORY).investigation for one in others}) == 1
    assert site.intake.announce(FILES, OTHER_STORY).investigation == first.investigation


def test_an_own_alert_that_ends_before_its_investigation_cancels_it(site):
    """Where Alertmanager sends no webhook, the watcher's word is enough."""
    taken = site.intake.announce(MEMORY, STORY)
    ended = site.intake.ended(replace(MEMORY, ends_at=site.now + 30))
    assert ended.outcome is GroupOutcome.CANCELLED
    assert site.store.unit(taken.investigation).state is State.CANCELLED


def test_the_end_of_an_own_alert_is_kept_for_the_publisher(site):
    """Its investigation runs; once that is published, the dispatcher finds an end to tell."""
    taken = site.intake.announce(MEMORY, STORY)
    assert site.store.begin(taken.investigation, site.now)
    site.intake.ended(replace(MEMORY, ends_at=site.now + 30))
    assert site.store.untold() == []
    site.store.finish(taken.investigation, site.now, {"verdict": "inconclusive", "status": "warning", "summary": "."})
    assert [(one.fingerprint, one.ends_at) for one in site.store.untold()] == [(MEMORY.fingerprint, site.now + 30)]


def test_one_that_is_announced_again_after_it_was_given_up_fires_on(site):
    """Alertmanager gives up what it has not heard of for a while; its investigation must not end with the other alert of its unit."""
    critical = alert("LensFds", watcher="python", severity="critical")
    taken = site.intake.announce(MEMORY, STORY)
    site.intake.announce(critical, STORY)
    site.accept(replace(MEMORY, ends_at=site.now + 1))
    assert site.intake.announce(MEMORY, STORY).outcome is GroupOutcome.DUPLICATE
    site.accept(replace(critical, ends_at=site.now + 1))
    unit = site.store.unit(taken.investigation)
    assert unit.state in (State.HELD, State.QUEUED)
    assert [(one.name, one.ends_at is None) for one in unit.group.alerts] == [("LensMemory", True), ("LensFds", False)]
    assert unit.due == site.now  # of the critical one: announcing the other again hurries nobody


def test_one_whose_finding_is_published_is_not_told_of_again_and_again(site):
    """Alertmanager may not hold what its watcher keeps announcing; its end is heard once, whoever of the two is right."""
    taken = site.intake.announce(MEMORY, STORY)
    site.begin(taken.investigation)
    site.finish(taken.investigation)
    heard = []
    for minute in range(5):
        site.store.end([((MEMORY.fingerprint, 1_000_000), site.now + 60.0 * minute)])
        site.intake.announce(MEMORY, STORY)
        heard += site.tell()
    assert heard == [(MEMORY.fingerprint, site.now)]
