"""Money for model calls as a token bucket in the database: a restart does not refill it, and replicas share it."""

import math
from datetime import UTC, datetime

import sqlalchemy as sa
import structlog

from lens_exporter.config.settings import Budget as BudgetSettings
from lens_exporter.errors import BudgetSpent, DatabaseError, ModelUnavailable
from lens_exporter.foundation.clock import Clock, wall
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.telemetry import Telemetry

budget_table = sa.Table(
    "llm_budget",
    metadata,
    sa.Column("scope", sa.String(64), primary_key=True),
    sa.Column("dollars", sa.Float, nullable=False),  # at the moment `at`; below zero when a call cost more than was set aside
    sa.Column("at", sa.Float, nullable=False),  # Unix seconds
)

_DAY = 86_400.0
_SKEW = 300.0  # seconds by which the clocks of replicas may differ
_log = structlog.get_logger("lens_exporter.llm.budget")


class Budget:
    """Refills evenly over the day up to the burst. The reserve is for critical calls only."""

    def __init__(
        self, settings: BudgetSettings, database: Database, telemetry: Telemetry, *, scope: str = "all", clock: Clock = wall
    ) -> None:
        self._settings = settings
        self._database = database
        self._telemetry = telemetry
        self._scope = scope
        self._clock = clock
        self._per_second = settings.dollars_per_day / _DAY
        self._reserve = settings.burst_dollars * settings.critical_reserve

    def admit(self, client: str, dollars: float, *, critical: bool = False) -> None:
        """Set `dollars` aside for a call, in one atomic step. `settle` later corrects them to what the call cost.

        A call that can cost more than fits into the bucket is admitted when the bucket is full, else it never would be.

        Raises:
            BudgetSpent: there is not enough; says until when.
            ModelUnavailable: the database cannot say, so nothing may be spent.

        """
        now = self._clock()
        floor = 0.0 if critical else self._reserve
        needed = floor + min(dollars, self._settings.burst_dollars - floor)
        refilled = self._refilled(now)
        take = (
            sa.update(budget_table)
            .where(budget_table.c.scope == self._scope, refilled >= needed - 1e-9, refilled > 0)
            .values(dollars=refilled - dollars, at=self._later(now))
        )
        try:
            with self._database.transaction() as connection:
                self._open(connection, now)
                admitted = connection.execute(take).rowcount == 1
                left = self._read(connection, now)
        except DatabaseError as error:
            raise ModelUnavailable(client=client, reason=f"the budget cannot be read: {error}") from error
        self._show(left)
        if not admitted:
            raise BudgetSpent(client=client, limit=self._settings.dollars_per_day, until=self._until(now, needed - left))

    def settle(self, set_aside: float, spent: float) -> None:
        """Replace what was set aside for a call by what it cost. Never fails: a paid answer must not be lost over this."""
        now = self._clock()
        back = sa.update(budget_table).where(budget_table.c.scope == self._scope)
        back = back.values(dollars=self._refilled(now) + (set_aside - spent), at=self._later(now))
        try:
            with self._database.transaction() as connection:
                connection.execute(back)
                left = self._read(connection, now)
        except DatabaseError as error:
            # What was set aside stays spent, which errs on the side of the user's money.
            _log.error("budget not settled", set_aside=set_aside, spent=spent, error=str(error))
            return
        self._show(left)

    def remaining(self) -> float:
        """Dollars that may be spent now, the reserve included; also shown as the metric. Changes nothing.

        Raises:
            DatabaseError: the database cannot be read.

        """
        now = self._clock()
        statement = sa.select(self._refilled(now)).where(budget_table.c.scope == self._scope)
        with self._database.reading() as connection:
            left = connection.execute(statement).scalar_one_or_none()
        return self._show(self._settings.burst_dollars if left is None else float(left))

    def _open(self, connection: sa.Connection, now: float) -> None:
        # One statement, so that two replicas may both try.
        full = sa.select(sa.literal(self._scope), sa.literal(self._settings.burst_dollars), sa.literal(now))
        missing = full.where(~sa.exists().where(budget_table.c.scope == self._scope))
        connection.execute(sa.insert(budget_table).from_select(["scope", "dollars", "at"], missing))
        # What was written while the clock was wrong must not stop the refill until then; not a cent of it is given back.
        wrong = sa.update(budget_table).where(budget_table.c.scope == self._scope, budget_table.c.at > now + _SKEW)
        connection.execute(wrong.values(at=now))

    def _refilled(self, now: float) -> sa.ColumnElement[float]:
        elapsed = sa.case((budget_table.c.at < now, now - budget_table.c.at), else_=0.0)
        held = budget_table.c.dollars + elapsed * self._per_second
        return sa.case((held > self._settings.burst_dollars, self._settings.burst_dollars), else_=held)

    def _later(self, now: float) -> sa.ColumnElement[float]:
        # A replica's slow clock must not bring back time that was already refilled.
        return sa.case((budget_table.c.at.between(now, now + _SKEW), budget_table.c.at), else_=now)

    def _read(self, connection: sa.Connection, now: float) -> float:
        statement = sa.select(self._refilled(now)).where(budget_table.c.scope == self._scope)
        return float(connection.execute(statement).scalar_one())

    def _show(self, left: float) -> float:
        self._telemetry.set("lens_llm_budget_remaining_dollars", max(0.0, left))
        return max(0.0, left)

    def _until(self, now: float, missing: float) -> str:
        if self._per_second <= 0.0:
            return "more is configured"
        at = datetime.fromtimestamp(now + math.ceil(max(0.0, missing) / self._per_second), UTC)
        return at.strftime("%Y-%m-%d %H:%M:%S UTC")
