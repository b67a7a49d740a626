"""What DBOS repeats is told once."""

import logging
from collections.abc import Iterator

import pytest

from lens_exporter.investigate.repeats import Repeats


class Shown(logging.Handler):
    """Keeps what gets through."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.getMessage()}")


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def dbos(shown, now, request) -> logging.Logger:
    logger = logging.getLogger(request.node.name)
    logger.addFilter(Repeats(clock=lambda: now[0]))
    logger.addHandler(shown)
    return logger


def test_each_kind_is_told_once_until_there_was_quiet(dbos, shown, now):
    """A minute without a warning ends it: the next outage is news."""
    for second in range(300):
        now[0] = 1000.0 + second
        dbos.warning("Exception listing queues: refused, attempt %d", second)
        dbos.warning("Notification listener error: refused")
    assert shown.lines == ["WARNING Exception listing queues: refused, attempt 0", "WARNING Notification listener error: refused"]
    now[0] += 61.0
    dbos.warning("Notification listener error: refused")
    assert len(shown.lines) == 3


def test_errors_all_pass(dbos, shown):
    """They are about one workflow each."""
    dbos.error("Exception encountered when recovering workflow A: x")
    dbos.error("Exception encountered when recovering workflow A: x")
    assert len(shown.lines) == 2


def test_what_is_raised_as_well_is_not_told_by_dbos(dbos, shown):
    """A launch that fails is tried again each second, and each one has a traceback of a hundred lines."""
    dbos.error("DBOS failed to launch:", exc_info=ValueError("file is not a database"))
    assert shown.lines == []


@pytest.fixture
def looking_closely() -> Iterator[None]:
    """The log's level is debug."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    yield
    root.setLevel(before)


@pytest.mark.usefixtures("looking_closely")
def test_at_debug_all_is_shown_and_repeats_are_debug(dbos, shown):
    """Whoever looks closely sees each trial."""
    dbos.warning("Exception listing queues: refused")
    dbos.warning("Exception listing queues: refused")
    assert shown.lines == ["WARNING Exception listing queues: refused", "DEBUG Exception listing queues: refused"]
