from collections.abc import Iterator

import pytest

from lens_exporter.config.settings import Budget as BudgetSettings
from lens_exporter.errors import BudgetSpent, ModelUnavailable
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.llm.budget import Budget

DAY = 86_400.0


class Bank:
    """A budget on a database of its own, on a clock of its own."""

    def __init__(self, database: Database, **settings: float) -> None:
        self.now = 0.0
        self.telemetry = Telemetry()
        self.database = database
        self.settings = BudgetSettings(**{"dollars_per_day": 86.4, "burst_dollars": 1.0, "critical_reserve": 0.3, **settings})
        self.budget = self.again()

    def again(self) -> Budget:
        """The same budget after a restart, or in another replica."""
        return Budget(self.settings, self.database, self.telemetry, clock=lambda: self.now)


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    yield database
    database.close()


def test_begins_full(database):
    """A new budget holds the burst and shows it."""
    bank = Bank(database)
    assert bank.budget.remaining() == pytest.approx(1.0)
    assert bank.telemetry.value("lens_llm_budget_remaining_dollars") == pytest.approx(1.0)


def test_reserve_is_for_critical_calls(database):
    """A plain call may not touch the reserve, a critical one may."""
    bank = Bank(database)
    bank.budget.admit("claude", 0.7)
    with pytest.raises(BudgetSpent):
        bank.budget.admit("claude", 0.01)
    bank.budget.admit("claude", 0.29, critical=True)
    with pytest.raises(BudgetSpent):
        bank.budget.admit("claude", 0.02, critical=True)


def test_says_until_when(database):
    """A refused call says when there will be enough: 0.35 dollars missing at 0.001 a second."""
    bank = Bank(database)
    bank.budget.admit("claude", 0.7)
    bank.now = 50.0
    with pytest.raises(BudgetSpent, match=r"86\.4 dollars a day is spent until 1970-01-01 00:06:40 UTC"):
        bank.budget.admit("claude", 0.4)
    bank.now = 399.0
    with pytest.raises(BudgetSpent):
        bank.budget.admit("claude", 0.4)
    bank.now = 400.0
    bank.budget.admit("claude", 0.4)


def test_restart_does_not_refill(database):
    """What was spent stays spent for a new process, and the time between is counted once."""
    bank = Bank(database)
    bank.budget.admit("claude", 0.7)
    bank.now = 100.0
    assert bank.again().remaining() == pytest.approx(0.4)
    assert bank.again().remaining() == pytest.approx(0.4)


def test_never_more_than_the_burst(database):
    """A quiet week does not save up a bad night."""
    bank = Bank(database)
    bank.budget.admit("claude", 0.5)
    bank.now = 7 * DAY
    assert bank.budget.remaining() == pytest.approx(1.0)


def test_settling_gives_back(database):
    """What was set aside beyond the cost comes back; a cost beyond it is owed."""
    bank = Bank(database)
    bank.budget.admit("claude", 0.5)
    bank.budget.settle(0.5, 0.1)
    assert bank.budget.remaining() == pytest.approx(0.9)
    bank.budget.admit("claude", 0.5)
    bank.budget.settle(0.5, 2.0)
    assert bank.budget.remaining() == 0.0
    bank.now = 1000.0
    assert bank.budget.remaining() == pytest.approx(0.0, abs=1e-9)


def test_a_call_larger_than_the_bucket_needs_it_full(database):
    """A worst case that never fits is admitted when the bucket is full, and only then."""
    bank = Bank(database)
    bank.budget.admit("claude", 5.0)
    bank.budget.settle(5.0, 0.01)
    with pytest.raises(BudgetSpent):
        bank.budget.admit("claude", 5.0)


def test_no_money_at_all(database):
    """A budget of nothing admits nothing, and says what would help."""
    bank = Bank(database, dollars_per_day=0, burst_dollars=0)
    for critical in (False, True):
        with pytest.raises(BudgetSpent, match="until more is configured"):
            bank.budget.admit("claude", 0.01, critical=critical)


def test_clock_that_goes_back(database):
    """Time that was refilled once is not refilled again by a replica whose clock is behind."""
    bank = Bank(database)
    bank.budget.admit("claude", 0.7)
    bank.now = 100.0
    bank.budget.settle(0.0, 0.0)
    bank.now = 50.0
    bank.budget.settle(0.0, 0.0)
    bank.now = 100.0
    assert bank.budget.remaining() == pytest.approx(0.4)


def test_database_away(database):
    """Without its table nothing is admitted, and an answer that was paid for is not lost over it."""
    bank = Bank(database)
    metadata.tables["llm_budget"].drop(database.engine)
    with pytest.raises(ModelUnavailable, match="budget cannot be read"):
        bank.budget.admit("claude", 0.1)
    bank.budget.settle(0.1, 0.05)


def test_clock_that_was_ahead(database):
    """What was spent in a year that was none is refilled from today on, and not given back at once."""
    bank = Bank(database)
    bank.now = 365 * DAY
    bank.budget.admit("claude", 0.7)
    bank.now = 0.0
    with pytest.raises(BudgetSpent):
        bank.budget.admit("claude", 0.4)
    bank.now = 399.0
    with pytest.raises(BudgetSpent):
        bank.budget.admit("claude", 0.4)
    bank.now = 400.0
    bank.budget.admit("claude", 0.4)


def test_clock_that_was_ahead_when_a_call_is_settled(database):
    """The settling of a call that began before the clock was set right does it too."""
    bank = Bank(database)
    bank.now = 365 * DAY
    bank.budget.admit("claude", 0.7)
    bank.now = 0.0
    bank.budget.settle(0.7, 0.7)
    bank.now = 100.0
    assert bank.budget.remaining() == pytest.approx(0.4)
