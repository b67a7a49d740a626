"""Whatever Alertmanager, watchers, workflows and crashes do in whatever order: no alert is lost and none is worked on twice."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lens_exporter.investigate.unit import WAITING, State
from tests.unit.investigate.intake_site import Site, alert

names = st.sampled_from(["A", "B", "LensMemory"])
groups = st.sampled_from(["one", "two"])
severities = st.sampled_from(["warning", "critical"])
STORY = "01JD0000000000000000000000"


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.site = Site()
        self.starts: dict[tuple[str, str], float] = {}  # what fires, by name and severity
        self.accepted: set[tuple[str, float]] = set()  # every firing alert that was ever taken in

    def fire(self, name: str, severity: str):
        labels = {"severity": severity, **({"watcher": "python"} if name.startswith("Lens") else {})}
        started = alert(name, starts_at=self.starts.setdefault((name, severity), self.site.now), **labels)
        self.accepted.add((started.fingerprint, started.starts_at))
        return started

    @rule(picked=st.lists(st.tuples(names, severities), min_size=1, max_size=4), group=groups)
    def webhook(self, picked, group):
        self.site.accept(*(self.fire(*one) for one in picked), key=group)

    @rule(severity=severities)
    def announce(self, severity):
        self.site.intake.announce(self.fire("LensMemory", severity), STORY)

    @rule(name=names, severity=severities, group=groups)
    def resolve(self, name, severity, group):
        if (name, severity) not in self.starts:
            return
        began = self.starts.pop((name, severity))
        labels = {"severity": severity, **({"watcher": "python"} if name.startswith("Lens") else {})}
        self.site.accept(alert(name, starts_at=began, ends_at=self.site.now + 1, **labels), key=group)

    @rule(seconds=st.sampled_from([2.0, 40.0, 100.0]))
    def wait(self, seconds):
        self.site.now += seconds

    @rule()
    def dispatch(self):
        self.site.dispatcher.dispatch_due(self.site.now)

    @rule(crashes=st.booleans())
    def work(self, crashes):
        for unit in self.site.store.briefs(state=State.QUEUED.value)[:1]:
            if self.site.store.begin(unit.id, self.site.now) and not crashes:
                self.site.finish(unit.id)

    @rule()
    def go_on(self):
        for unit in self.site.store.briefs(state=State.RUNNING.value)[:1]:
            self.site.finish(unit.id)

    @rule()
    def tell(self):
        self.site.tell()

    @invariant()
    def one_unit_of_a_group_waits(self):
        waiting = Counter(unit.group_key for unit in self.site.store.briefs(1000) if unit.state in WAITING)
        assert all(count == 1 for count in waiting.values())

    @invariant()
    def every_alert_is_in_exactly_one_investigation_unless_it_was_over_before(self):
        holding: Counter[tuple[str, float]] = Counter()
        for brief in self.site.store.briefs(1000):
            if brief.state is not State.CANCELLED:
                group = self.site.store.unit(brief.id).group
                holding.update({(one.fingerprint, one.starts_at) for one in group.alerts})
        assert all(count == 1 for count in holding.values())
        fires = {(self.fire(name, severity).fingerprint, began) for (name, severity), began in self.starts.items()}
        assert fires <= set(holding)
        assert set(holding) <= self.accepted

    def teardown(self):
        """In the end everything that waits becomes a result, and every end of a published alert is heard."""
        for _ in range(20):
            self.site.now += 100
            self.site.dispatcher.dispatch_due(self.site.now)
            for state in (State.QUEUED, State.RUNNING):
                for unit in self.site.store.briefs(1000, state.value):
                    if self.site.store.begin(unit.id, self.site.now):
                        self.site.finish(unit.id)
        assert {unit.state for unit in self.site.store.briefs(1000)} <= {State.DONE, State.CANCELLED}
        for name, severity in list(self.starts):
            self.resolve(name, severity, "one")
        self.site.tell()
        assert self.site.store.untold() == []
        self.site.database.close()


Histories.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestHistories = Histories.TestCase
