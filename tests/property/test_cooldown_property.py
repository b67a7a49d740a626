"""What must hold of a cooldown for any story of anomalies."""

from hypothesis import given, settings
from hypothesis import strategies as st

from lens_exporter.foundation.database import Database, metadata
from lens_exporter.model.decision import Anomaly, Rule, Severity
from lens_exporter.watch.cooldown import Admitted, Cooldown, CooldownLimits

LIMITS = CooldownLimits(default=300.0, minimum=60.0, maximum=3600.0)
STEPS = st.lists(
    st.tuples(
        st.floats(0, 1000, allow_nan=False),  # seconds since the one before
        st.sampled_from(["a", "b"]),  # target
        st.floats(allow_nan=True, allow_infinity=True),  # minutes proposed
        st.booleans(),  # tidied up in between
    ),
    max_size=30,
)


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_never_twice_within_the_time_it_gave(steps: list[tuple[float, str, float, bool]]) -> None:
    """Per target: admitted exactly when the cooldown of the last admission is over, which lasts between its bounds."""
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    cooldown = Cooldown(database, "python", LIMITS)
    until: dict[str, float] = {}
    at = 1_795_176_000.0
    for pause, target, minutes, tidy in steps:
        at += pause
        anomaly = Anomaly(
            "memory_high", Severity.WARNING, "", "", "", {"instance": target}, Rule.JUMP, at, (), cooldown_minutes=minutes
        )
        fate = cooldown.admit(anomaly, at)
        assert isinstance(fate, Admitted) == (at >= until.get(target, 0.0))
        if isinstance(fate, Admitted):
            assert LIMITS.minimum <= fate.until - at + 1e-6
            assert fate.until - at <= LIMITS.maximum + 1e-6
            until[target] = fate.until
        assert fate.until == until[target]
        if tidy:
            cooldown.forget_over(at)
    database.close()
