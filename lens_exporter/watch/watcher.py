"""A watcher's tick: look, then bring alerts, cooldowns, notes, bands and events in line with what was seen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lens_exporter.baseline import prose
from lens_exporter.baseline.notes import WatcherNotes
from lens_exporter.baseline.underway import Underway
from lens_exporter.errors import BreakerOpen, DatabaseError, LensError
from lens_exporter.foundation.stretch import Stretch
from lens_exporter.foundation.tracing import span
from lens_exporter.model.alert import Alert
from lens_exporter.model.decision import Anomaly, Observation, Severity
from lens_exporter.model.labels import fingerprint
from lens_exporter.watch.alerting import alert_of, sent_by, target_of
from lens_exporter.watch.cooldown import Admitted, Suppressed
from lens_exporter.watch.hysteresis import Action, Begin, Escalate, Memory, Over, OverReason, Rest, Update, plan, underway
from lens_exporter.watch.look import Interrupted, Known, Look, Looker
from lens_exporter.watch.ports import Collaborators, OpenAlert, Watched
from lens_exporter.watch.reviewing import reviewed
from lens_exporter.watch.snapshots import Snapshots
from lens_exporter.watch.unseen import Begun, Ended, Unseen
from lens_exporter.watch.untold import Untold
from lens_exporter.watch.withheld import Withhold, about, withheld

_ORIGIN = "watcher"
_ENDINGS = {
    OverReason.NORMAL: "its last readings are inside the band",
    OverReason.MISSING: "its series have no values any more",
    OverReason.SUPERSEDED: "it goes on with a higher severity",
    OverReason.EXPECTED: "somebody has declared it to be expected",
}


@dataclass(frozen=True, slots=True)
class Tick:
    """What one tick came to. A tick with failures is a failed one, even if other metrics were judged."""

    at: float  # Unix seconds it was asked for
    seconds: float
    trigger: str
    seen: Look | None = None
    fates: dict[str, Admitted | Suppressed] = field(default_factory=dict)  # of new anomalies: fingerprint of target, category
    failures: tuple[LensError, ...] = ()

    @property
    def intents(self) -> dict[str, int]:
        """Decisions by intent."""
        return {} if self.seen is None else self.seen.intents


class Watcher:
    """Judges one set of metrics and keeps their alerts. Ticks must not overlap; watch.runner sees to that."""

    def __init__(self, watched: Watched, looker: Looker, collaborators: Collaborators, snapshots: Snapshots | None = None) -> None:
        """snapshots: where what is learnt is kept over a restart; None: nowhere."""
        self.watched = watched
        self._looker = looker
        self._with = collaborators
        self._snapshots = snapshots
        self._memory = Memory()
        self._warnings: tuple[str, ...] = ()  # of the last look
        self._underway: tuple[Underway, ...] = ()  # the alerts that were open when it last acted
        self._untold = Untold(watched.name, collaborators.events, collaborators.telemetry, collaborators.new_id)
        self._unseen = Unseen()
        self._failing = Stretch()
        self.notes: WatcherNotes | None = None  # as of the last look; what was kept before the start is known from then on

    @property
    def name(self) -> str:
        return self.watched.name

    @property
    def caught_up(self) -> int | None:
        """How many steps its tick has made in learning a long past; None: it is not at that. Read while a tick runs."""
        return self._looker.caught_up

    def look(self, at: float) -> Look:
        """Judge without telling anybody or storing anything. Raises RemoteError."""
        held = self._with.reader.held() if self._with.reader is not None else ()
        return self._looker.look(at, (*self._underway, *held))

    def tick(self, at: float, *, trigger: str = "schedule") -> Tick:
        """Look and act on it. Every failure that has a name ends in the Tick, an event and a metric, and costs nothing kept."""
        started = self._with.stopwatch()
        seen: Look | None = None
        fates: dict[str, Admitted | Suppressed] = {}
        failures: list[LensError] = []
        if self._snapshots is not None:
            self._snapshots.restore(self._looker, at)
        with span("watcher.tick", watcher=self.name, trigger=trigger):
            try:
                seen = reviewed(self.look(at), at, self.watched, self._memory, self._with)
                failures += seen.failures
                fates = self._act(seen, failures)
            except LensError as error:
                failures.append(error)
                self._memory = self._memory.without_absences()
                if seen is None and self._with.reader is not None:
                    # What was held back to be looked at again cannot be.
                    fates = self._begin_all(self._with.reader.unseen(at), at, failures)
            except Interrupted:
                return Tick(at, self._with.stopwatch() - started, trigger)
            tick = Tick(at, self._with.stopwatch() - started, trigger, seen, fates, tuple(failures))
            self._tell(tick)
        if self._snapshots is not None and seen is not None:
            self._snapshots.keep_now_and_then(self._looker)
        return tick

    def keep(self) -> None:
        """Write down what was learnt, where anything is to be kept over a restart. It may not be ticking."""
        if self._snapshots is not None:
            self._snapshots.keep(self._looker)

    def crashed(self) -> None:
        """Let no other process go on with what was learnt: a tick crashed, maybe over it. It may not be ticking."""
        if self._snapshots is not None:
            self._snapshots.discard(self._looker)

    def interrupt(self) -> None:
        """Let a tick that learns a long past end soon, and none after it begin to. What it has learnt stays."""
        self._looker.interrupt()

    def let_go(self) -> Known:
        """Give away what was learnt. It may not be ticking."""
        learnt = self._looker.let_go()
        return learnt if self._snapshots is None else replace(learnt, kept_to=self._snapshots.kept_to)

    def go_on(self, learnt: Known) -> None:
        """Go on with what another watcher has learnt of the same metrics, in the same way, on the same server. As above."""
        self._looker.go_on(learnt)
        if self._snapshots is not None:
            self._snapshots.kept_to = learnt.kept_to

    def close(self) -> None:
        """Stop publishing bands and metrics of this watcher: it is gone from the configuration."""
        self._with.bands.forget(self.name)
        for metric in ("lens_watcher_last_run_timestamp_seconds", "lens_watcher_series", "lens_watcher_series_remembered"):
            self._with.telemetry.forget(metric, watcher=self.name)
        if self._snapshots is not None:
            self._snapshots.close()

    def _act(self, seen: Look, failures: list[LensError]) -> dict[str, Admitted | Suppressed]:
        try:
            mine = [one for one in self._with.alerts.firing(_ORIGIN) if one.alert.labels.get("watcher") == self.name]
        except DatabaseError as error:
            # Nobody knows what fires already. Every anomaly is told anew, which Alertmanager takes as the same alert.
            failures.append(error)
            mine = []
        try:
            with self._with.alerts.batch():
                mine = self._renamed(mine, seen.at, failures)
        except DatabaseError as error:
            failures.append(error)
        actions, memory = plan(
            mine, seen.conclusions, self._memory, seen.at, self.watched, unreadable=seen.unreadable, warned=bool(seen.warnings)
        )
        anomalies = [one.decision for one in seen.conclusions if isinstance(one.decision, Anomaly)]
        self._underway = underway(mine, memory)
        self._with.bands.update(self.name, seen.observations, seen.groups, most=self.watched.published)
        fates: dict[str, Admitted | Suppressed] = {}
        try:
            with self._with.alerts.batch():
                for action in withheld(actions, mine, anomalies, seen.declared, self.watched):
                    # An alert that cannot be stored must not keep the others from being told.
                    try:
                        fate = self._do(action, seen.at)
                    except LensError as error:
                        failures.append(error)
                        continue
                    if isinstance(action, Begin) and fate is not None:
                        fates[fate_key(action.anomaly)] = fate
        except DatabaseError as error:
            failures.append(error)  # what was delivered could not be recorded
        self._memory = memory
        self._untold.keep(anomalies)
        self.notes = self._with.notes.looked(self.name, seen.at, seen.notes)
        return fates

    def _renamed(self, mine: Sequence[OpenAlert], at: float, failures: list[LensError]) -> list[OpenAlert]:
        """Bring alerts that began under other external labels under those of today: to Alertmanager each is another alert then."""
        renamed: dict[str, OpenAlert] = {}
        for one in mine:
            alert = sent_by(one.alert, self.watched.external_labels)
            now = one
            if alert.labels != one.alert.labels:
                try:
                    # In this order, so that a crash between the two leaves one standing; the next tick ends the other.
                    now = self._with.alerts.fire(alert, correlation=one.correlation, origin=_ORIGIN)
                    self._end(one, OverReason.SUPERSEDED, at)
                    self._announce(alert, one.correlation)
                except LensError as error:
                    failures.append(error)
            renamed[now.alert.fingerprint] = now
        return list(renamed.values())

    def _begin_all(self, anomalies: Iterable[Anomaly], at: float, failures: list[LensError]) -> dict[str, Admitted | Suppressed]:
        fates: dict[str, Admitted | Suppressed] = {}
        declared = self._looker.declared(at)
        for anomaly in anomalies:
            if (found := about(anomaly, declared, self.watched)) is not None:
                self._untold.note(Withhold(anomaly, found))
                continue
            try:
                fates[fate_key(anomaly)] = self._begin(anomaly, at)
            except LensError as error:
                failures.append(error)
        return fates

    def _do(self, action: Action | Withhold, at: float) -> Admitted | Suppressed | None:
        match action:
            case Begin(anomaly):
                return self._begin(self._untold.resumed(anomaly), at)
            case Withhold():
                self._untold.note(action)
            case Update(one, anomaly):
                alert = alert_of(anomaly, self.watched, correlation=one.correlation, replaces=one.alert)
                # Severity never falls while it fires: that would be another alert, and another page.
                kept = replace(alert, labels=one.alert.labels, external=one.alert.external)
                self._with.alerts.fire(kept, correlation=one.correlation, origin=_ORIGIN)
                # It is known, unless the first announcement failed or a crash came before it: then this one makes up for it.
                self._announce(kept, one.correlation)
            case Escalate(one, anomaly):
                alert = alert_of(anomaly, self.watched, correlation=one.correlation, replaces=one.alert)
                # In this order, so that a crash between the two leaves the severe one standing.
                self._with.alerts.fire(alert, correlation=one.correlation, origin=_ORIGIN)
                self._end(one, OverReason.SUPERSEDED, at)
                self._announce(alert, one.correlation)
            case Rest(one, headline, because):
                # What it says of now is no longer so; the next Update writes all of it anew.
                told = dict(one.alert.annotations)
                told["summary"] = f"{told.get('summary', '')}; {headline}"
                told["description"] = f"{told.get('description', '')}\n{because}"
                self._with.alerts.fire(replace(one.alert, annotations=told), correlation=one.correlation, origin=_ORIGIN)
            case Over(one, reason, because):
                self._end(one, reason, at, because)
        return None

    def _begin(self, anomaly: Anomaly, at: float) -> Admitted | Suppressed:
        try:
            fate = self._with.cooldown.admit(anomaly, at)
        except DatabaseError:
            # One page too many is better than none: a full disk may be the very thing it is about.
            self._fire(anomaly, anomaly.story or self._with.new_id())
            raise
        facts: dict[str, Any] = {
            "anomaly_type": anomaly.anomaly_type,
            "summary": anomaly.summary,
            "target": dict(anomaly.target),
            "cooldown_until": fate.until,
        }
        if isinstance(fate, Suppressed):
            self._with.telemetry.inc("lens_anomalies_suppressed_total", watcher=self.name, category=anomaly.category)
            self._with.events.append("anomaly.suppressed", subject=self.name, **facts)
            return fate
        correlation = anomaly.story or self._with.new_id()
        with span("anomaly", correlation=correlation, watcher=self.name, anomaly_type=anomaly.anomaly_type):
            self._with.events.append(
                "anomaly.detected",
                correlation=correlation,
                subject=self.name,
                **facts,
                severity=anomaly.severity.value,
                rule=anomaly.rule.value,
                since=anomaly.since,
                evidence=[_evidence(one) for one in anomaly.evidence],
            )
            self._fire(anomaly, correlation)
        self._with.cooldown.forget_over(at)
        return fate

    def _fire(self, anomaly: Anomaly, correlation: str) -> None:
        alert = alert_of(anomaly, self.watched, correlation=correlation)
        self._with.alerts.fire(alert, correlation=correlation, origin=_ORIGIN)
        self._announce(alert, correlation)

    def _announce(self, alert: Alert, correlation: str) -> None:
        """Have it investigated, unless it wakes nobody: what comes back every night would cost a model every night."""
        if alert.labels["severity"] != Severity.INFO.value:
            self._with.announce(alert, correlation)

    def _end(self, one: OpenAlert, reason: OverReason, at: float, because: str = "") -> None:
        alert = one.alert
        if reason is not OverReason.SUPERSEDED:
            # A resolved notification shows the newest annotations: they say why it is over.
            told = dict(alert.annotations)
            told["description"] = "\n".join(
                filter(None, (told.get("description", ""), prose.over(because or _ENDINGS[reason], at, alert.starts_at)))
            )
            self._with.alerts.fire(replace(alert, annotations=told), correlation=one.correlation, origin=_ORIGIN)
            self._with.events.append(
                "anomaly.over",
                correlation=one.correlation,
                subject=self.name,
                category=alert.labels.get("category", ""),
                target=target_of(alert),
                seconds=max(0.0, at - alert.starts_at),
                reason=reason.value,
            )
        self._with.alerts.resolve(alert.fingerprint, at)
        self._with.over(replace(alert, ends_at=at))

    def _tell(self, tick: Tick) -> None:
        telemetry, events, name = self._with.telemetry, self._with.events, self.name
        telemetry.inc("lens_ticks_total", watcher=name)
        telemetry.observe("lens_tick_duration_seconds", tick.seconds, watcher=name)
        if tick.seen is not None:
            telemetry.set("lens_watcher_series", tick.seen.series, watcher=name)
            telemetry.set("lens_watcher_series_remembered", tick.seen.remembered, watcher=name)
            for intent, count in tick.intents.items():
                telemetry.inc("lens_decisions_total", count, watcher=name, intent=intent)
            events.append(
                "watcher.decided",
                subject=name,
                seconds=tick.seconds,
                series=tick.seen.series,
                intents=tick.intents,
                notes=tick.seen.notes or "",
                trigger=tick.trigger,
            )
            if tick.seen.said != self._warnings and tick.seen.said:
                events.append("watcher.warned", subject=name, warnings=list(tick.seen.said))
            self._warnings = tick.seen.said
            if not tick.failures:
                self._tell_unseen(tick.seen.series, tick.at)
        if tick.failures:
            telemetry.inc("lens_ticks_failed_total", watcher=name)
            # A breaker that is open says what the failures before it said.
            kinds = {type(one).__name__ for one in tick.failures if not isinstance(one, BreakerOpen)}
            tell = events.append if self._failing.failed(tick.at, kinds) else events.again
            tell("watcher.failed", subject=name, error=_joined(tick.failures), seconds=tick.seconds)
        else:
            if (over := self._failing.over(tick.at)) is not None:
                events.append("watcher.recovered", subject=name, seconds=over.seconds, ticks=over.failures)
            telemetry.set("lens_watcher_last_run_timestamp_seconds", tick.at, watcher=name)

    def _tell_unseen(self, series: int, at: float) -> None:
        match self._unseen.looked(series, at):
            case Begun(seconds, ticks):
                self._with.events.append("watcher.no_series", subject=self.name, seconds=seconds, ticks=ticks)
            case Ended(seconds, ticks):
                self._with.events.append("watcher.series_found", subject=self.name, series=series, seconds=seconds, ticks=ticks)


def fate_key(anomaly: Anomaly) -> str:
    """Identify a new anomaly within a tick."""
    return f"{anomaly.category} {fingerprint(anomaly.target)}"


def _joined(failures: Iterable[LensError]) -> str:
    return "; ".join(dict.fromkeys(map(str, failures)))


def _evidence(one: Observation) -> dict[str, object]:
    return {
        "metric": one.metric,
        "target": dict(one.target),
        "value": one.value,
        "expected": one.expected,
        "lower": one.lower,
        "upper": one.upper,
        "score": one.score,
        "phase": one.phase.value,
        "since": one.since,
        "full_at": one.full_at,
    }
