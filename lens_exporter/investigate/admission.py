"""What becomes of alerts that come in: new work, more of a waiting unit, known, over, or never work.

The unit of work is Alertmanager's group. Alerts are known by fingerprint and start, so a webhook delivered ten times is one
investigation. For each group at most one unit waits, and new alerts join it without resetting its clock; while a group is being
investigated its next unit keeps collecting. A storm of alerts in one group is therefore a chain of investigations, never a storm.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lens_exporter.config.settings import Investigate
from lens_exporter.errors import IntakeFull
from lens_exporter.investigate.book import SAME_START_MS, Book, Known
from lens_exporter.investigate.taken import AlertKey, AlertOutcome, GroupOutcome, Sorted, Taken, quiet
from lens_exporter.investigate.unit import ANNOUNCED, WAITING, State, Unit, UnitSource, milliseconds, severity_of
from lens_exporter.investigate.webhook import bounded_key
from lens_exporter.model import labels as label_sets
from lens_exporter.model.alert import Alert, AlertGroup
from lens_exporter.model.decision import Severity

MAX_ALERTS = 10_000  # one unit carries; more are known and counted, but not shown to the investigator
_MAX_DUPLICATE_EVENTS = 10


@dataclass(frozen=True, slots=True)
class Happening:
    """An event to append once the transaction is stored."""

    kind: str
    correlation: str
    subject: str
    data: dict[str, Any]


class Admission:
    """Decides on one group, or one announced alert, within one transaction."""

    def __init__(self, book: Book, settings: Investigate, *, now: float, new_id: Callable[[], str]) -> None:
        self._book = book
        self._settings = settings
        self._now = now
        self._new_id = new_id
        self.happened: list[Happening] = []

    def webhook(self, group: AlertGroup, alerts: Sorted, correlation: str | None) -> Taken:
        """Take in what Alertmanager sent.

        Raises:
            IntakeFull: it would be new work, and too much waits already.

        """
        known = self._book.known([*alerts.firing, *alerts.resolved])
        ends = _ends(alerts.resolved, known)
        fresh, promoted, duplicates = self._compare(alerts.firing, known, ends)
        self._end(ends)
        unit = self._promote(promoted, group) if promoted else None
        touched = {one.investigation for one, at in ends if at is not None and one.state in WAITING}
        joinable = unit or self._book.waiting(group.key)
        # Other units are settled first, so that a full queue takes new work for what is over; this group's own after it grew.
        last = {joinable.id} if joinable else set()
        cancelled = self._settle(touched - last, alerts.resolved)
        outcome = GroupOutcome.PROMOTED
        if fresh:
            new = replace(group, alerts=tuple(fresh.values()))
            outcome, unit = self._work(unit, new, correlation, source=UnitSource.WEBHOOK, hold=self._settings.debounce)
            self._book.attach(fresh, unit.id)
        cancelled = self._settle(touched & last, alerts.resolved) or cancelled
        counts = alerts.counts + Counter(
            {
                AlertOutcome.ACCEPTED: len(fresh),
                AlertOutcome.PROMOTED: len(promoted),
                AlertOutcome.DUPLICATE: len(duplicates),
            }
        )
        self._tell_duplicates(duplicates)
        if unit is not None:
            return Taken(outcome, dict(+counts), unit.id, unit.due, unit.correlation)
        story = duplicates[0].correlation if duplicates else correlation or ""
        return Taken(quiet(counts, cancelled=cancelled), dict(+counts), correlation=story)

    def announced(self, alert: Alert, correlation: str) -> Taken:
        """Take in a watcher's own alert. It is never refused, since nobody would send it again.

        Several categories of one target share a unit, as they are likely to have one cause. Two targets do not, unless too
        much waits already: then a watcher's targets wait together.
        """
        known = self._book.known_as(alert)
        if known is not None and known.state is not State.CANCELLED:
            if gave_up_too_soon(known):
                self._end([(known, None)])
            unit = self._book.unit(known.investigation)
            # One with a reason waits for its data source.
            if known.group_key.startswith(ANNOUNCED) or is_settled(known) or unit.due <= self._now or unit.reason:
                return duplicate(known)
            unit = self._expedite(unit)  # the webhook was faster
            return Taken(GroupOutcome.PROMOTED, {AlertOutcome.PROMOTED: 1}, unit.id, unit.due, unit.correlation)
        group = AlertGroup(self._announced_key(alert), (alert,))
        outcome, unit = self._work(None, group, correlation, source=UnitSource.WATCHER, hold=self._settings.webhook_grace)
        starts_ms = milliseconds(alert.starts_at) if known is None else known.starts_ms
        self._book.attach([(alert.fingerprint, starts_ms)], unit.id)
        return Taken(outcome, {AlertOutcome.ACCEPTED: 1}, unit.id, unit.due, unit.correlation)

    def _announced_key(self, alert: Alert) -> str:
        watcher = f"{ANNOUNCED}{alert.labels.get('watcher', '')}"
        target = label_sets.fingerprint(label_sets.without(alert.labels, ("alertname", "severity", "category")))
        key = bounded_key(f"{watcher}:{target}")
        is_full = self._book.depth() >= self._settings.max_queue and self._book.waiting(key) is None
        return bounded_key(watcher) if is_full else key

    def _compare(
        self, firing: dict[AlertKey, Alert], known: dict[str, list[Known]], ends: list[tuple[Known, float | None]]
    ) -> tuple[dict[AlertKey, Alert], dict[AlertKey, str], list[Known]]:
        """Split firing alerts into new, announced (with their unit) and known ones; `ends` learns what this tells of ends."""
        fresh: dict[AlertKey, Alert] = {}
        promoted: dict[AlertKey, str] = {}
        duplicates: list[Known] = []
        for (fingerprint, starts_ms), alert in firing.items():
            rows = known.get(fingerprint, [])
            row = _match(rows, starts_ms)
            if row is None:
                # It fires anew, so what fired before is over, also where nobody sends resolved notifications.
                ends += [(old, alert.starts_at) for old in rows if old.ends_at is None and old.starts_ms < starts_ms]
                fresh[fingerprint, starts_ms] = alert
            elif row.state is State.CANCELLED:
                fresh[fingerprint, row.starts_ms] = alert
            else:
                if row.ends_at is not None:
                    ends.append((row, None))  # Alertmanager had given it up (resolve_timeout) and it fires on
                if row.state in WAITING and row.group_key.startswith(ANNOUNCED):
                    promoted[fingerprint, starts_ms] = row.investigation
                else:
                    duplicates.append(row)
        return fresh, promoted, duplicates

    def _end(self, ends: list[tuple[Known, float | None]]) -> None:
        """Note ends; None: it fires on, which the unit that waits with it hears too."""
        self._book.end(ends)
        on = [row for row, at in ends if at is None and row.state in WAITING]
        for investigation in sorted({row.investigation for row in on}):
            unit = self._book.unit(investigation)
            alerts = tuple(replace(one, ends_at=None) if _is_among(one, on) else one for one in unit.group.alerts)
            self._book.change(replace(unit, group=replace(unit.group, alerts=alerts)))

    def _promote(self, promoted: dict[AlertKey, str], group: AlertGroup) -> Unit:
        """Give announced units the webhook's key and make them due. Several that turn out to be one group become one unit."""
        units = [self._book.unit(investigation) for investigation in sorted(set(promoted.values()))]
        waiting = self._book.waiting(group.key)
        kept, *absorbed = [*units, waiting] if waiting is not None else units
        for unit in absorbed:
            self._book.move(unit.id, kept.id)
            self._cancel(unit, f"coalesced into {kept.id}")
        alerts = tuple(alert for unit in (kept, *absorbed) for alert in unit.group.alerts)
        whole = replace(kept, group=_merged(replace(group, alerts=()), alerts), due=min(kept.due, self._now))
        self._book.change(replace(whole, severity=severity_of(whole.group.alerts)))
        self._happen("investigation.promoted", whole, group_key=group.key)
        return whole

    def _work(
        self,
        unit: Unit | None,
        group: AlertGroup,
        correlation: str | None,
        *,
        source: UnitSource,
        hold: float,
    ) -> tuple[GroupOutcome, Unit]:
        """Add alerts to the unit of their group that waits, or open a new one."""
        critical = severity_of(group.alerts) is Severity.CRITICAL
        waiting = unit or self._book.waiting(group.key)
        if waiting is not None:
            whole = _merged(replace(waiting.group, truncated=max(waiting.group.truncated, group.truncated)), group.alerts)
            due = min(waiting.due, self._now) if critical else waiting.due
            joined = replace(waiting, group=whole, due=due, severity=severity_of(whole.alerts))
            self._book.change(joined)
            if correlation not in (None, waiting.correlation):
                self._accepted(replace(joined, correlation=correlation or ""), len(group.alerts))
            return GroupOutcome.PROMOTED if unit else GroupOutcome.JOINED, joined
        depth = self._book.depth()
        if depth >= self._settings.max_queue and source is not UnitSource.WATCHER:
            raise IntakeFull(depth=depth, limit=self._settings.max_queue)
        held = 0.0 if critical else hold
        new = self._open(_merged(replace(group, alerts=()), group.alerts), correlation, source, self._now + held)
        return GroupOutcome.HELD if held else GroupOutcome.ACCEPTED, new

    def _open(self, group: AlertGroup, correlation: str | None, source: UnitSource, due: float) -> Unit:
        identity = self._new_id()
        severity = severity_of(group.alerts)
        unit = Unit(identity, correlation or identity, State.HELD, source, group, due, self._now, severity)
        self._book.add(unit)
        self._accepted(unit, len(group.alerts))
        return unit

    def _expedite(self, unit: Unit) -> Unit:
        if unit.due <= self._now:
            return unit
        unit = replace(unit, due=self._now)
        self._book.change(unit)
        self._happen("investigation.promoted", unit, group_key=unit.group.key)
        return unit

    def _settle(self, touched: set[str], resolved: dict[AlertKey, Alert]) -> bool:
        """Cancel waiting units of which nothing fires any more; the others remember which of their alerts are over."""
        cancelled = False
        for investigation in sorted(touched):
            unit = self._book.unit(investigation)
            if unit.state not in WAITING:
                continue  # it was just coalesced into another
            if not self._book.firing(investigation):
                self._cancel(unit, "every alert resolved before it began")
                cancelled = True
                continue
            self._book.change(replace(unit, group=_with_ends(unit.group, resolved)))
        return cancelled

    def _cancel(self, unit: Unit, reason: str) -> None:
        self._book.change(replace(unit, state=State.CANCELLED, finished_at=self._now, reason=reason))
        self._happen("investigation.cancelled", unit, group_key=unit.group.key, reason=reason)

    def _tell_duplicates(self, duplicates: list[Known]) -> None:
        # One event for each investigation: a group of ten thousand known alerts is one thing that happened.
        counts = Counter(row.investigation for row in duplicates)
        first = {row.investigation: row for row in reversed(duplicates)}
        for investigation, count in counts.most_common(_MAX_DUPLICATE_EVENTS):
            row = first[investigation]
            data = {"fingerprint": row.fingerprint, "investigation": investigation, "alerts": count}
            self.happened.append(Happening("investigation.duplicate", row.correlation, row.fingerprint, data))

    def _accepted(self, unit: Unit, alerts: int) -> None:
        key = unit.group.key
        self._happen("investigation.accepted", unit, group_key=key, alerts=alerts, due=unit.due, source=unit.source.value)

    def _happen(self, kind: str, unit: Unit, **data: Any) -> None:
        self.happened.append(Happening(kind, unit.correlation, unit.id, data))


def is_settled(known: Known) -> bool:
    """Whether an announcement of this alert changes nothing: its unit waits for the webhook, runs, or is done."""
    if gave_up_too_soon(known):
        return False
    return known.state in (State.RUNNING, State.DONE) or (known.state in WAITING and known.group_key.startswith(ANNOUNCED))


def gave_up_too_soon(known: Known) -> bool:
    """Whether an alert that fires on, by its watcher's word, counts as over in a unit that waits.

    The publisher of one that is done has heard of the end, and hears of no other word.
    """
    return known.ends_at is not None and known.state in WAITING


def duplicate(known: Known) -> Taken:
    return Taken(GroupOutcome.DUPLICATE, {AlertOutcome.DUPLICATE: 1}, known.investigation, correlation=known.correlation)


def _is_among(alert: Alert, rows: Sequence[Known]) -> bool:
    return _match([row for row in rows if row.fingerprint == alert.fingerprint], milliseconds(alert.starts_at)) is not None


def _match(rows: Sequence[Known], starts_ms: int) -> Known | None:
    return next((row for row in rows if abs(row.starts_ms - starts_ms) < SAME_START_MS), None)


def _ends(resolved: dict[AlertKey, Alert], known: dict[str, list[Known]]) -> list[tuple[Known, float | None]]:
    """Pair every known alert that fires with the end this body gives it."""
    return [
        (row, alert.ends_at)
        for (fingerprint, starts_ms), alert in resolved.items()
        for row in known.get(fingerprint, [])
        if row.ends_at is None and row.starts_ms < starts_ms + SAME_START_MS
    ]


def _with_ends(group: AlertGroup, resolved: dict[AlertKey, Alert]) -> AlertGroup:
    last = {fingerprint: (starts_ms, alert.ends_at) for (fingerprint, starts_ms), alert in sorted(resolved.items())}

    def now(alert: Alert) -> Alert:
        starts_ms, ends_at = last.get(alert.fingerprint, (-SAME_START_MS, None))
        return replace(alert, ends_at=ends_at) if milliseconds(alert.starts_at) < starts_ms + SAME_START_MS else alert

    return replace(group, alerts=tuple(now(alert) for alert in group.alerts))


def _merged(group: AlertGroup, more: Sequence[Alert]) -> AlertGroup:
    """Add alerts to a group, each once, the first ones kept when they are too many."""
    alerts = {(alert.fingerprint, milliseconds(alert.starts_at)): alert for alert in (*group.alerts, *more)}
    kept = tuple(alerts.values())[:MAX_ALERTS]
    return replace(group, alerts=kept, truncated=group.truncated + len(alerts) - len(kept))
