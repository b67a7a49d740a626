"""The cooldown of a watcher."""

import math
from dataclasses import replace

import pytest

from lens_exporter.foundation.database import Database, metadata
from lens_exporter.model.decision import Anomaly, Rule, Severity
from lens_exporter.watch.cooldown import Admitted, Cooldown, CooldownLimits, Suppressed, SuppressionReason, cooldowns_table

NOON = 1_795_176_000.0


def anomaly(minutes: float = 5.0, *, kind: str = "memory_high", instance: str = "a") -> Anomaly:
    return Anomaly(kind, Severity.WARNING, "", "", "", {"instance": instance}, Rule.JUMP, NOON, (), cooldown_minutes=minutes)


@pytest.fixture
def database() -> Database:
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    return database


def test_the_second_one_within_the_cooldown_is_suppressed_and_says_until_when(database: Database) -> None:
    """Admitted at noon: suppressed a minute later and a second before the end, admitted at the end."""
    cooldown = Cooldown(database, "python")
    assert cooldown.admit(anomaly(), NOON) == Admitted(NOON + 300)
    assert cooldown.admit(anomaly(), NOON + 60) == Suppressed(NOON + 300, SuppressionReason.COOLING_DOWN)
    assert cooldown.admit(anomaly(), NOON + 299) == Suppressed(NOON + 300)
    assert cooldown.admit(anomaly(), NOON + 300) == Admitted(NOON + 600)


def test_asking_whether_it_cools_down_changes_nothing(database: Database) -> None:
    """None before an admission and from its end on; the moment of its end in between; no row of its own."""
    cooldown = Cooldown(database, "python")
    assert cooldown.cooling_until(anomaly(), NOON) is None
    assert isinstance(cooldown.admit(anomaly(), NOON), Admitted)
    assert cooldown.cooling_until(anomaly(kind="memory_low"), NOON + 299) == NOON + 300
    assert cooldown.cooling_until(anomaly(instance="b"), NOON + 1) is None
    assert cooldown.cooling_until(anomaly(), NOON + 300) is None
    assert Cooldown(Database("sqlite://"), "python").cooling_until(anomaly(), NOON) is None, "a database without a schema"


def test_a_suppressed_one_extends_nothing(database: Database) -> None:
    """However long a cooldown the suppressed anomaly asks for."""
    cooldown = Cooldown(database, "python")
    cooldown.admit(anomaly(), NOON)
    cooldown.admit(anomaly(600), NOON + 60)
    assert isinstance(cooldown.admit(anomaly(), NOON + 300), Admitted)


def test_watcher_category_and_target_each_have_their_own(database: Database) -> None:
    """Another target, another category or another watcher is admitted; another type of the same category is not."""
    cooldown = Cooldown(database, "python")
    cooldown.admit(anomaly(), NOON)
    assert isinstance(cooldown.admit(anomaly(instance="b"), NOON), Admitted)
    assert isinstance(cooldown.admit(anomaly(kind="threads_high"), NOON), Admitted)
    assert isinstance(Cooldown(database, "host").admit(anomaly(), NOON), Admitted)
    assert isinstance(cooldown.admit(anomaly(kind="memory_low"), NOON), Suppressed)


def test_what_was_told_as_info_keeps_no_warning_back(database: Database) -> None:
    """Nor the other way round; each has a cooldown of its own."""
    cooldown = Cooldown(database, "python")
    info = replace(anomaly(), severity=Severity.INFO)
    assert isinstance(cooldown.admit(info, NOON), Admitted)
    assert isinstance(cooldown.admit(anomaly(), NOON + 1), Admitted)
    assert [isinstance(cooldown.admit(one, NOON + 2), Suppressed) for one in (info, anomaly())] == [True, True]


def test_a_warning_keeps_no_critical_back_and_a_critical_keeps_a_warning(database: Database) -> None:
    """A disk at 17 % that fills was told; that it is full is told at once, once, and that it is at 90 % afterwards is not."""
    cooldown, critical = Cooldown(database, "python"), replace(anomaly(), severity=Severity.CRITICAL)
    assert isinstance(cooldown.admit(anomaly(), NOON), Admitted)
    assert cooldown.cooling_until(critical, NOON + 60) is None
    assert cooldown.admit(critical, NOON + 60) == Admitted(NOON + 360)
    assert cooldown.admit(critical, NOON + 120) == Suppressed(NOON + 360)
    assert cooldown.admit(anomaly(), NOON + 310) == Suppressed(NOON + 360), "since the critical, not since the warning"
    assert isinstance(cooldown.admit(anomaly(), NOON + 360), Admitted)


def test_a_critical_does_not_shorten_the_cooldown_of_a_warning(database: Database) -> None:
    """Each anomaly proposes its own: the longer one holds."""
    cooldown = Cooldown(database, "python")
    cooldown.admit(anomaly(60), NOON)
    assert isinstance(cooldown.admit(replace(anomaly(5), severity=Severity.CRITICAL), NOON + 60), Admitted)
    assert cooldown.admit(anomaly(60), NOON + 400) == Suppressed(NOON + 3600)


@pytest.mark.parametrize(
    ("minutes", "seconds"),
    [(5.0, 300.0), (0.1, 60.0), (0.0, 240.0), (-3.0, 240.0), (math.nan, 240.0), (math.inf, 240.0), (1e9, 3600.0)],
)
def test_a_proposed_duration_is_clamped(database: Database, minutes: float, seconds: float) -> None:
    """Too short, too long and nonsense all end between the configured bounds; nonsense at the default."""
    cooldown = Cooldown(database, "python", CooldownLimits(default=240.0, minimum=60.0, maximum=3600.0))
    assert cooldown.admit(anomaly(minutes), NOON) == Admitted(NOON + seconds)


def test_it_survives_a_restart(tmp_path) -> None:
    """A new process over the same file still suppresses."""
    url = f"sqlite:///{tmp_path}/lens.db"
    first = Database(url)
    metadata.create_all(first.engine)
    Cooldown(first, "python").admit(anomaly(), NOON)
    first.close()
    assert isinstance(Cooldown(Database(url), "python").admit(anomaly(), NOON + 10), Suppressed)


def test_cooldowns_that_ended_leave_nothing_behind(database: Database) -> None:
    """Only those of this watcher that are over are dropped."""
    cooldown = Cooldown(database, "python")
    cooldown.admit(anomaly(), NOON)
    cooldown.admit(anomaly(instance="b"), NOON + 200)
    Cooldown(database, "host").admit(anomaly(), NOON)
    cooldown.forget_over(NOON + 400)
    with database.transaction() as connection:
        left = connection.execute(cooldowns_table.select()).all()
    assert sorted((row.watcher, row.admitted_at) for row in left) == [("host", NOON), ("python", NOON + 200)]


def test_a_cooldown_kept_while_the_clock_was_ahead_ends_with_that(database: Database) -> None:
    """An admission dated in a year suppresses nothing today, is not shown as standing, and leaves nothing behind."""
    cooldown = Cooldown(database, "python", CooldownLimits(maximum=86_400))
    ahead = NOON + 365 * 86_400
    cooldown.admit(anomaly(), ahead)
    cooldown.admit(anomaly(instance="b"), ahead)
    assert cooldown.cooling_until(anomaly(), NOON) is None
    assert cooldown.admit(anomaly(), NOON) == Admitted(NOON + 300)
    assert cooldown.admit(anomaly(), NOON + 60) == Suppressed(NOON + 300)
    cooldown.forget_over(NOON)
    with database.reading() as connection:
        assert connection.execute(cooldowns_table.select()).all()[0].until == NOON + 300
        assert len(connection.execute(cooldowns_table.select()).all()) == 1


def test_the_longest_cooldown_is_kept(database: Database) -> None:
    """One of exactly the maximum is a cooldown like any other."""
    cooldown = Cooldown(database, "python", CooldownLimits(maximum=600))
    assert cooldown.admit(anomaly(10), NOON) == Admitted(NOON + 600)
    assert cooldown.admit(anomaly(10), NOON) == Suppressed(NOON + 600)
