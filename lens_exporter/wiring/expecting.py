"""What people declare to be expected, from where they say it to the watchers."""

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import structlog

from lens_exporter.baseline import asked, said
from lens_exporter.baseline.expected import Declaration, DeclarationSource
from lens_exporter.baseline.register import Register
from lens_exporter.errors import DatabaseError, DeclarationsFull, RemoteError
from lens_exporter.foundation.clock import NewId, new_ulid
from lens_exporter.foundation.stretch import Stretch
from lens_exporter.model.labels import Labels
from lens_exporter.model.silence import Silence
from lens_exporter.publish.alertmanager import Alertmanager, known_silences
from lens_exporter.wiring.ground import Ground

_RUNNING = "lens_expected_running"
_log = structlog.get_logger("lens_exporter.expected")


class Expecting:
    """Keeps declarations and gives them to whoever asks. Thread-safe; a watcher's tick asks memory, not the database."""

    def __init__(
        self,
        ground: Ground,
        alertmanagers: Sequence[Alertmanager],
        own: Callable[[], Collection[Labels]],
        *,
        kept: float,
        new_id: NewId = new_ulid,
    ) -> None:
        """`own` gives the labels of our own (baseline.said.taken); kept: for how many seconds back anything is remembered."""
        self._register = Register(ground.database)
        self._ground = ground
        self._alertmanagers = alertmanagers
        self._own = own
        self._kept = kept
        self._new_id = new_id
        self._loading = threading.Lock()
        self._known: tuple[Declaration, ...] | None = None
        self._refused: dict[str, str] = {}  # why, by id of the silence: said once
        self._away: dict[str, Stretch] = {}  # by address of an Alertmanager

    def declarations(self) -> Sequence[Declaration]:
        """Give what is declared."""
        known = self._known
        if known is not None:
            return known
        try:
            return self._load()
        except DatabaseError as error:
            # One page too many is better than none; the next tick asks again.
            _log.error("nobody knows what is expected", error=str(error))
            return ()

    def listed(self) -> Sequence[Declaration]:
        """Give what is declared as the database has it, the replicas' included. Raises DatabaseError."""
        return self._load()

    def look(self) -> None:
        """Make one round: read silences, forget what is older than anything remembered, and know what replicas were told.

        An Alertmanager that is away leaves what its silences said as it is. Raises DatabaseError: the next round does it.
        """
        silences, failures = known_silences(self._alertmanagers)
        at = self._ground.clock()
        self._tell_away(failures, at)
        self._register.prune(at - self._kept)
        results = said.taken(silences, self._own(), at=at, kept=self._kept)
        declared = [one for one in results if isinstance(one, Declaration)]
        refused = [one for one in results if isinstance(one, said.Refused)]
        complete = bool(self._alertmanagers) and not failures
        for change in said.changes(self._register.all(), silences, declared, at, complete=complete):
            if isinstance(change, said.Withdraw):
                self._end(change)
                continue
            try:
                self._keep(change.declaration)
            except DeclarationsFull as error:
                refused += [said.Refused(one, str(error)) for one in silences if one.id == change.declaration.id]
        self._refuse(refused)
        self._load()

    def declare(self, watcher: str, labels: Labels, begin: float, end: float, comment: str, by: str) -> Declaration:
        """Declare alerts of one watcher that have these labels to be expected from begin until before end (Unix seconds).

        by: who asks, as far as that is known.

        Raises:
            UnknownWatcher, DeclarationInvalid, DeclarationsFull, DatabaseError.

        """
        matchers = asked.matchers_of(watcher, labels, self._own())
        wanted = Declaration(self._new_id(), DeclarationSource.API, matchers, begin, end, by, comment)
        declaration = said.checked(wanted, at=self._ground.clock(), kept=self._kept)
        self._keep(declaration)
        self._load()
        return declaration

    def withdraw(self, id: str) -> Declaration:  # noqa: A002 - the name of the field
        """Take a declaration back: it is as if it had never been made.

        Raises:
            UnknownDeclaration, DeclaredElsewhere, DatabaseError.

        """
        declaration = self._register.withdraw(id)
        self._withdrawn(declaration, "taken back")
        self._load()
        return declaration

    def close(self) -> None:
        """Stop showing how many run: whoever comes next shows those of its own watchers."""
        for watcher in self._by_watcher():
            for source in DeclarationSource:
                self._ground.telemetry.forget(_RUNNING, watcher=watcher, source=source.value)

    def _tell_away(self, failures: Sequence[RemoteError], at: float) -> None:
        away = {str(failure.fields.get("url", "")): failure for failure in failures}
        for url, failure in away.items():
            news = self._away.setdefault(url, Stretch()).failed(at)
            tell = _log.warning if news else _log.debug
            tell("silences cannot be read; what they said before stands", error=str(failure))
        for url in self._away.keys() - away.keys():
            if (over := self._away.pop(url).over(at)) is not None:
                _log.info("silences can be read again", alertmanager=url, seconds=round(over.seconds, 3), failures=over.failures)

    def _load(self) -> tuple[Declaration, ...]:
        with self._loading:  # two at once could leave the older answer standing
            self._known = self._register.all()
            self._show(self._known)
            return self._known

    def _show(self, known: Collection[Declaration]) -> None:
        at = self._ground.clock()
        running = [one for one in known if one.runs(at)]
        for watcher, own in self._by_watcher().items():
            about = [one.source for one in running if said.concerns(one.matchers, own)]
            for source in DeclarationSource:
                self._ground.telemetry.set(_RUNNING, about.count(source), watcher=watcher, source=source.value)

    def _by_watcher(self) -> dict[str, list[Labels]]:
        own: dict[str, list[Labels]] = defaultdict(list)
        for labels in self._own():
            own[labels["watcher"]].append(labels)
        return own

    def _keep(self, one: Declaration) -> None:
        if self._register.put(one):
            if said.names_nobody(one.matchers):
                matchers = [str(matcher) for matcher in one.matchers]
                _log.warning(
                    "declared to be expected, whatever it is", id=one.id, by=one.by, comment=one.comment, matchers=matchers
                )
            self._ground.events.append(
                "expected.declared",
                subject=one.id,
                source=one.source.value,
                by=one.by,
                comment=one.comment,
                matchers=[str(matcher) for matcher in one.matchers],
                starts_at=one.starts_at,
                ends_at=one.ends_at,
            )

    def _end(self, change: said.Withdraw) -> None:
        if change.ends_at is None:
            self._register.remove(change.declaration.id)
        else:
            self._register.put(replace(change.declaration, ends_at=change.ends_at))
        self._withdrawn(change.declaration, change.reason)

    def _withdrawn(self, one: Declaration, reason: str) -> None:
        self._ground.events.append(
            "expected.withdrawn", subject=one.id, source=one.source.value, by=one.by, comment=one.comment, reason=reason
        )

    def _refuse(self, refused: Collection[said.Refused]) -> None:
        for one in refused:
            if self._refused.get(one.silence.id) != one.reason:
                silence: Silence = one.silence
                self._ground.events.append(
                    "expected.refused", subject=silence.id, by=silence.created_by, comment=silence.comment, error=one.reason
                )
        self._refused = {one.silence.id: one.reason for one in refused}
