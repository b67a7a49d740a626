"""What a backtest comes to: would-be alerts next to budget, rules, silences and incidents. Values and pure functions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from lens_exporter.baseline.expected import Declaration
from lens_exporter.baseline.roster import GroupKey, group_of
from lens_exporter.model.decision import Rule
from lens_exporter.model.labels import Labels
from lens_exporter.replay.backtest import overlap
from lens_exporter.replay.backtest.incidents import Incident
from lens_exporter.replay.backtest.overlap import Detection
from lens_exporter.replay.backtest.theirs import RuleAlert, Theirs
from lens_exporter.replay.journal import Fired
from lens_exporter.replay.replay import Replayed
from lens_exporter.replay.span import Span

WEEK = 604_800.0
_SHORTEST = 2 * 86_400.0  # seconds that say anything of a week: one alert in an hour would be 168
# A ceiling and a trend to the limit are no guesses about what is normal: no budget of false alarms limits them.
_BUDGETED = {Rule.GROUP, Rule.CONSECUTIVE, Rule.SUSTAINED, Rule.PEERS, Rule.JUMP}


@dataclass(frozen=True, slots=True)
class Expected:
    """What the replay took to be expected. declarations are those that concern its watcher and its time, its past included."""

    declarations: tuple[Declaration, ...] = ()
    unread: str = ""  # why what is stored could not be read
    ignored: bool = False  # nothing was looked for: that was asked for


@dataclass(frozen=True, slots=True)
class Asked:
    """What was replayed. budget: false alarms a week for each group."""

    watcher: str
    source: str  # address of the server
    schedule: str
    span: Span
    budget: float
    group_labels: tuple[str, ...] | None = None
    reading: bool = False  # a model reads its anomalies when it is live; in a replay none is asked
    expected: Expected = Expected()


@dataclass(frozen=True, slots=True)
class WouldBe:
    """An alert that would have fired. The numbers are places in the report's lists of rule alerts, silences and incidents."""

    alert: Fired
    rule_alerts: tuple[int, ...] = ()
    silences: tuple[int, ...] = ()
    incidents: tuple[int, ...] = ()

    @property
    def budgeted(self) -> bool:
        """Whether the budget of false alarms is for such alerts."""
        return self.alert.rule in _BUDGETED


@dataclass(frozen=True, slots=True)
class GroupRate:
    """How often one group of series would have alerted: all its alerts, and those that count against its budget."""

    labels: Labels
    metric: str  # of a series that is a group by itself, else ""
    alerts: int
    budgeted: int


@dataclass(frozen=True, slots=True)
class Report:
    """alerts are in the order in which they began. groups are all that there are, the loudest first."""

    asked: Asked
    replayed: Replayed
    seconds: float  # the replay took
    alerts: tuple[WouldBe, ...]
    groups: tuple[GroupRate, ...]
    theirs: Theirs
    detections: tuple[Detection, ...] | None = None  # None: nobody named incidents
    elsewhere: tuple[Incident, ...] = ()  # incidents outside of the span

    @property
    def weeks(self) -> float:
        return (self.asked.span.end - self.asked.span.begin) / WEEK

    @property
    def budgeted(self) -> int:
        return sum(one.budgeted for one in self.alerts)

    @property
    def allowed(self) -> float:
        """How many false alarms a week all groups together may have."""
        return self.asked.budget * len(self.groups)

    @property
    def silenced(self) -> tuple[WouldBe, ...]:
        return tuple(one for one in self.alerts if one.silences)

    @property
    def alone(self) -> tuple[RuleAlert, ...]:
        """Alerts of the user's rules that none of ours coincides with."""
        met = {place for one in self.alerts for place in one.rule_alerts}
        return tuple(one for place, one in enumerate(self.theirs.alerts) if place not in met)

    @property
    def false_alarms(self) -> tuple[WouldBe, ...]:
        """Alerts outside of all incidents; none where nobody named incidents."""
        return tuple(one for one in self.alerts if not one.incidents) if self.detections is not None else ()

    @property
    def median_delay(self) -> float | None:
        """Seconds from the start of an incident to the first alert about it, of those that were caught."""
        delays = [one.delay for one in self.detections or () if one.by is not None]
        return median(delays) if delays else None

    @property
    def tells_of_a_week(self) -> bool:
        """Whether the span is long enough for rates a week."""
        return self.asked.span.end - self.asked.span.begin >= _SHORTEST

    def per_week(self, count: int) -> float:
        return count / self.weeks


def report(
    asked: Asked, replayed: Replayed, theirs: Theirs, incidents: Sequence[Incident] | None = None, *, seconds: float
) -> Report:
    """Put everything side by side. incidents is None where nobody named any."""
    begin, end = asked.span.begin, asked.span.end
    inside = [one for one in incidents or () if one.end >= begin and one.start <= end]
    alerts = tuple(
        WouldBe(
            alert,
            overlap.coinciding(alert, theirs.alerts, end),
            overlap.silencing(alert, theirs.silences, end),
            overlap.touched(alert, inside, end),
        )
        for alert in replayed.alerts
    )
    return Report(
        asked=asked,
        replayed=replayed,
        seconds=seconds,
        alerts=alerts,
        groups=_rates(alerts, replayed.series, asked.group_labels),
        theirs=theirs,
        detections=None if incidents is None else tuple(overlap.detection(one, replayed.alerts, end) for one in inside),
        elsewhere=tuple(one for one in incidents or () if one not in inside),
    )


def _rates(
    alerts: Sequence[WouldBe], series: Sequence[tuple[str, Labels]], group_labels: tuple[str, ...] | None
) -> tuple[GroupRate, ...]:
    """Count each group's alerts. A series that no label assigns to a group has a budget by itself."""

    def key_of(metric: str, labels: Labels) -> tuple[str, GroupKey]:
        group = group_of(labels, group_labels)
        return (metric, tuple(sorted(labels.items()))) if group is None else ("", group)

    told = [(key_of(one.alert.metric, one.alert.series), one.budgeted) for one in alerts]
    every, counted = Counter(key for key, _ in told), Counter(key for key, budgeted in told if budgeted)
    known = dict.fromkeys([*(key_of(metric, labels) for metric, labels in series), *every])
    rates = [GroupRate(dict(key[1]), key[0], every[key], counted[key]) for key in known]
    return tuple(sorted(rates, key=lambda one: (-one.alerts, sorted(one.labels.items()), one.metric)))
