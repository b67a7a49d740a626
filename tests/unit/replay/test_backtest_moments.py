"""Moments of a command line, and the ticks of a span."""

import pytest

from lens_exporter.replay.moments import moment_at, span_of
from lens_exporter.replay.span import Span, moments

NOW = 1_795_168_800.0  # 2026-11-20T10:00:00Z


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("now", 0),
        ("-14d", 14 * 86_400),
        ("now-1h30m", 5400),
        (" now - 90s ", 90),
        ("+1h", -3600),
        ("2026-11-20T09:00:00Z", 3600),
        ("2026-11-20T10:00:00+01:00", 3600),
        ("2026-11-20", 36_000),
        ("2026-11-20 09:59", 60),
        ("1795168740", 60),
        ("1795168740.5", 59.5),
    ],
)
def test_a_moment_is_read(text, ago):
    """Dates and times are UTC without a zone; what is relative counts from now."""
    assert moment_at(text, NOW) == NOW - ago


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "-", "-14", "-1parsec", "now-", "14d", "2026-13-01", "1795168740000", "nan"),
        *("-99999999d", "+99999999d", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59.9999Z"),
    ],
)
def test_what_is_no_moment_is_refused(text):
    """The error says what would have been one."""
    with pytest.raises(ValueError, match="expected a time like"):
        moment_at(text, NOW)


@pytest.mark.parametrize(
    ("begin", "end", "every", "problem"),
    [
        ("soon", "now", None, '--from: expected a time like .*, got "soon"'),
        ("-99999999d", "now", None, '--from: expected a time like .*, in the years 1970 to 9999, got "-99999999d"'),
        ("-1d", "later", None, '--to: expected a time like .*, got "later"'),
        ("-1h", "-2h", None, "--from 2026-11-20T09:00:00Z is not before --to 2026-11-20T08:00:00Z"),
        ("now", "now", None, "is not before"),
        ("-1h", "+1h", None, "--to: 2026-11-20T11:00:00Z is still to come"),
        ("-1h", "now", "0s", '--every: expected a duration above zero, got "0s"'),
        ("-1h", "now", "often", '--every: expected a duration like .*, got "often"'),
    ],
)
def test_a_span_that_is_none_names_the_flag(begin, end, every, problem):
    """Which flag, what it takes and what it got; both moments where they do not fit."""
    with pytest.raises(ValueError, match=problem):
        span_of(begin, end, every, NOW)


def test_a_span_is_read():
    """Unless told otherwise every tick of the schedule is made."""
    assert span_of("-2h", "-1h", None, NOW) == Span(NOW - 7200, NOW - 3600, 0.0)
    assert span_of("-2h", "now", "5m", NOW) == Span(NOW - 7200, NOW, 300.0)


def test_both_ends_of_a_span_belong_to_it():
    """A tick at its first and its last moment is made, as the live one was."""
    assert list(moments("*/20 * * * *", Span(NOW, NOW + 3600))) == [NOW, NOW + 1200, NOW + 2400, NOW + 3600]
    assert list(moments("*/20 * * * *", Span(NOW + 1, NOW + 2399))) == [NOW + 1200]


def test_ticks_further_apart_than_the_span_leave_its_first():
    """However far: the next one would be in a year that no schedule knows."""
    assert list(moments("* * * * *", Span(NOW, NOW + 900, every=1e14))) == [NOW]


def test_ticks_that_are_too_close_are_left_out():
    """Ticks are at least so far apart, and still moments of the schedule."""
    assert list(moments("* * * * *", Span(NOW, NOW + 900, every=300))) == [NOW, NOW + 300, NOW + 600, NOW + 900]
    assert list(moments("*/2 * * * *", Span(NOW, NOW + 900, every=300))) == [NOW, NOW + 360, NOW + 720]
    assert list(moments("0 * * * *", Span(NOW, NOW + 7200, every=300))) == [NOW, NOW + 3600, NOW + 7200]
