from hypothesis import given
from hypothesis import strategies as st

from lens_exporter.config.settings import Budget as BudgetSettings
from lens_exporter.errors import BudgetSpent
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.llm.budget import Budget

_CALLS = st.lists(
    st.tuples(
        st.floats(0, 20_000),  # seconds since the call before
        st.floats(0.001, 0.4),  # set aside
        st.floats(0, 1),  # part of it that was really spent
        st.booleans(),  # critical
    ),
    max_size=25,
)


@given(_CALLS, st.floats(0.1, 50), st.floats(0.5, 5), st.floats(0, 1))
def test_never_spends_more_than_burst_and_refill(calls, per_day, burst, reserve):
    """Whatever is asked, all that was spent is at most the burst plus what flowed in; plain calls leave the reserve."""
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    clock = [0.0]
    settings = BudgetSettings(dollars_per_day=per_day, burst_dollars=burst, critical_reserve=reserve)
    budget = Budget(settings, database, Telemetry(), clock=lambda: clock[0])
    spent = 0.0
    for after, dollars, part, critical in calls:
        clock[0] += after
        before = budget.remaining()
        try:
            budget.admit("claude", dollars, critical=critical)
        except BudgetSpent:
            continue
        if not critical:
            assert before - min(dollars, burst * (1 - reserve)) >= burst * reserve - 1e-6
        budget.settle(dollars, dollars * part)
        spent += dollars * part
    assert spent <= burst + clock[0] * per_day / 86_400.0 + 1e-6
    database.close()
