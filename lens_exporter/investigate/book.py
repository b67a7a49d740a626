"""What the intake reads and writes while it decides, in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from lens_exporter.investigate.tables import chunks, intake_alerts, investigations, is_waiting, row_of, unit_of
from lens_exporter.investigate.unit import State, Unit, milliseconds
from lens_exporter.model.alert import Alert

SAME_START_MS = 1_000  # a sender may write whole seconds where another wrote milliseconds


@dataclass(frozen=True, slots=True)
class Known:
    """An alert that was taken in before, with where its investigation stands."""

    fingerprint: str
    starts_ms: int
    ends_at: float | None
    investigation: str
    state: State
    group_key: str
    correlation: str


class Book:
    """The intake's reads and writes within one transaction, of which there is one at a time."""

    def __init__(self, connection: sa.Connection, *, is_sqlite: bool) -> None:
        self._connection = connection
        self._insert: Any = sqlite.insert if is_sqlite else postgresql.insert

    def known(self, alerts: Sequence[tuple[str, int]]) -> dict[str, list[Known]]:
        """Find earlier rows of these alerts (fingerprint, start in ms): those of the same start, and any that never ended."""
        since = min((starts for _, starts in alerts), default=0) - SAME_START_MS
        a, i = intake_alerts.c, investigations.c
        found: dict[str, list[Known]] = {}
        for fingerprints in chunks(sorted({fingerprint for fingerprint, _ in alerts})):
            rows = self._connection.execute(
                sa.select(a.fingerprint, a.starts_ms, a.ends_at, a.investigation, i.state, i.group_key, i.correlation)
                .join(investigations, a.investigation == i.id)
                .where(a.fingerprint.in_(fingerprints), (a.starts_ms >= since) | a.ends_at.is_(None))
            )
            for row in rows:
                state = State(row.state)
                known = Known(row.fingerprint, row.starts_ms, row.ends_at, row.investigation, state, row.group_key, row.correlation)
                found.setdefault(known.fingerprint, []).append(known)
        return found

    def known_as(self, alert: Alert) -> Known | None:
        """Find the row of one alert: of the same start, as nearly as senders write it."""
        starts_ms = milliseconds(alert.starts_at)
        rows = self.known([(alert.fingerprint, starts_ms)]).get(alert.fingerprint, [])
        return next((row for row in rows if abs(row.starts_ms - starts_ms) < SAME_START_MS), None)

    def attach(self, alerts: Iterable[tuple[str, int]], investigation: str) -> None:
        """Remember that an investigation works on these alerts; rows that exist already change hands and fire again."""
        rows = [
            {"fingerprint": f, "starts_ms": s, "investigation": investigation, "ends_at": None, "told": False} for f, s in alerts
        ]
        if not rows:
            return
        statement = self._insert(intake_alerts)
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["fingerprint", "starts_ms"],
                set_={"investigation": statement.excluded.investigation, "ends_at": None, "told": False},
            ),
            rows,
        )

    def end(self, ends: Sequence[tuple[Known, float | None]]) -> None:
        """Set when alerts ended; None makes one fire again."""
        rows = [{"f": known.fingerprint, "s": known.starts_ms, "ends_at": at, "told": False} for known, at in ends]
        if rows:
            a = intake_alerts.c
            statement = intake_alerts.update().where(a.fingerprint == sa.bindparam("f"), a.starts_ms == sa.bindparam("s"))
            self._connection.execute(statement.values(ends_at=sa.bindparam("ends_at"), told=sa.bindparam("told")), rows)

    def move(self, one: str, other: str) -> None:
        """Give the alerts of one investigation to another."""
        statement = intake_alerts.update().where(intake_alerts.c.investigation == one)
        self._connection.execute(statement.values(investigation=other))

    def firing(self, investigation: str) -> bool:
        """Whether any alert of an investigation has not ended."""
        a = intake_alerts.c
        found = self._connection.execute(
            sa.select(a.fingerprint).where(a.investigation == investigation, a.ends_at.is_(None)).limit(1)
        )
        return found.first() is not None

    def waiting(self, group_key: str) -> Unit | None:
        """Read the unit of this group that has not begun, if there is one."""
        row = self._connection.execute(sa.select(investigations).where(investigations.c.group_key == group_key, is_waiting))
        found = row.mappings().first()
        return None if found is None else unit_of(found)

    def unit(self, investigation: str) -> Unit:
        rows = self._connection.execute(sa.select(investigations).where(investigations.c.id == investigation))
        return unit_of(rows.mappings().one())

    def state(self, investigation: str) -> State | None:
        found = self._connection.execute(sa.select(investigations.c.state).where(investigations.c.id == investigation)).first()
        return None if found is None else State(found.state)

    def depth(self) -> int:
        """Count the units that wait."""
        return int(self._connection.execute(sa.select(sa.func.count()).where(is_waiting)).scalar_one())

    def advance(self, investigation: str, sources: Sequence[State], to: State, **values: Any) -> bool:
        """Move a unit to another state if it is in one of these; say whether it was."""
        i = investigations.c
        here = investigations.update().where(i.id == investigation, i.state.in_([state.value for state in sources]))
        return self._connection.execute(here.values(state=to.value, **values)).rowcount == 1

    def add(self, unit: Unit) -> None:
        self._connection.execute(investigations.insert().values(row_of(unit)))

    def change(self, unit: Unit) -> None:
        """Write a unit back as it is now."""
        self._connection.execute(investigations.update().where(investigations.c.id == unit.id).values(row_of(unit)))
