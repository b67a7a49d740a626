"""Cron in UTC."""

import os
import time
from datetime import UTC, datetime

import pytest

from lens_exporter.watch.schedule import next_due

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()


def due(cron: str, after: str) -> str:
    moment = next_due(cron, datetime.fromisoformat(after).replace(tzinfo=UTC).timestamp())
    return datetime.fromtimestamp(moment, UTC).isoformat(sep=" ").removesuffix("+00:00")


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("*/5 * * * *", "2026-11-20 12:00:00", "2026-11-20 12:05:00"),
        ("*/5 * * * *", "2026-11-20 12:04:59.5", "2026-11-20 12:05:00"),
        ("0 3 * * mon", "2026-11-20 12:00:00", "2026-11-23 03:00:00"),
        ("* * * * * */10", "2026-11-20 12:00:00", "2026-11-20 12:00:10"),
        ("*/2 * * * * 30", "2026-11-20 12:00:31", "2026-11-20 12:02:30"),
        ("59 23 31 12 *", "2026-11-20 12:00:00", "2026-12-31 23:59:00"),
    ],
)
def test_the_next_moment_is_strictly_later(cron: str, after: str, expected: str) -> None:
    """Five fields, or six with the seconds last; the moment asked about is not its own next."""
    assert due(cron, after) == expected


def test_the_clock_change_of_the_machine_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 3 a.m. UTC is once a day, also where the clocks are changed that night."""
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert due("30 2 * * *", "2026-03-29 00:00:00") == "2026-03-29 02:30:00"
        assert due("30 1 * * *", "2026-10-25 01:30:00") == "2026-10-26 01:30:00"
    finally:
        monkeypatch.setenv("TZ", before) if before else monkeypatch.delenv("TZ")
        time.tzset()


def test_a_long_sleep_makes_one_moment_due_and_not_a_burst() -> None:
    """Eight hours asleep: what is due next is the next minute, not the first missed one."""
    assert next_due("* * * * *", NOON + 8 * 3600) == NOON + 8 * 3600 + 60
