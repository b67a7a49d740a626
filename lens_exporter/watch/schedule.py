"""When a watcher is due: cron in UTC, five fields and an optional sixth, seconds, last."""

from croniter import croniter


def next_due(cron: str, after: float) -> float:
    """Give the first moment of the schedule later than `after`; both are Unix seconds.

    It depends on nothing else, so however long a process slept or its clock was wrong, one moment is due and not a burst of
    missed ones. There is no daylight saving time in UTC.

    Raises:
        ValueError: this is no cron expression (croniter's errors are ValueErrors); configuration refuses such a thing first.

    """
    return float(croniter(cron, after).get_next(float))
