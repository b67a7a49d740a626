"""Whatever usual format shows a seen number proves it, and a number that is off by more than its rounding proves nothing."""

import math
from datetime import UTC, datetime

from hypothesis import assume, given
from hypothesis import strategies as st

from lens_exporter.baseline import evidence
from lens_exporter.baseline import numbers as words
from lens_exporter.baseline.quoted import quoted

values = st.floats(min_value=1e-3, max_value=1e12, allow_nan=False)
large = st.floats(min_value=1e3, max_value=1e12, allow_nan=False)
moments = st.integers(min_value=1_600_000_000, max_value=1_900_000_000)
_FORMATS = (
    lambda v: f"{v:.2f}",
    lambda v: f"{v:,.0f}",
    lambda v: f"{v:,.1f}",
    lambda v: f"{v:g}",
    lambda v: f"{v:.3e}",
    lambda v: f"{v!r}",
    lambda v: f"{v / 1e9:.2f} GB",
    lambda v: f"{v / 2**20:.1f} MiB",
    lambda v: f"{v / 1e3:.1f}k",
    lambda v: f"{v * 100:.1f} %",
    lambda v: f"{v * 100:.0f}%",
    lambda v: f"{v * 1000:.0f} ms",
    lambda v: f"{v / 60:.1f} minutes",
    lambda v: f"{v / 3600:.2f} h",
    lambda v: f"{v:.2f}/s",
    lambda v: f"{v * 60:,.1f} a minute",
    lambda v: words.number(v),
    lambda v: words.number(v, "bytes"),
    lambda v: words.number(v, "ratio"),
    lambda v: words.number(v, "seconds"),
    lambda v: words.number(v, "per_second"),
    lambda v: words.rate(v, "bytes", 600.0),
    lambda v: words.rate(v, "ratio", 600.0),
)


def seen(**numbers):
    return evidence.seen({"r1": numbers})


@given(values, st.sampled_from(_FORMATS), st.sampled_from(["{}", "It is {}.", "about {} now", "({})", "x -> {}, then"]))
def test_any_usual_format_of_a_seen_number_is_proved(value, shown, sentence):
    """Scaling, rounding, grouping and a sentence around it do not turn a true number into a wrong one."""
    text = sentence.format(shown(value))
    assert quoted(text), text
    assert evidence.unproved(text, seen(value=value)) == []


@given(values, st.floats(min_value=1.02, max_value=1.9), st.booleans(), st.sampled_from(_FORMATS[:6]))
def test_a_number_off_by_more_than_its_rounding_is_not_proved(value, factor, up, shown):
    """Two percent off is off, in each format that shows it."""
    wrong = value * factor if up else value / factor
    (number,) = quoted(shown(wrong))
    assume(abs(wrong - value) > 2.1 * number.half)
    assert evidence.unproved(shown(wrong), seen(value=value)) == [shown(wrong)]


@given(large, st.integers(min_value=2, max_value=500), st.booleans())
def test_a_digit_of_a_whole_number_counts(value, off, up):
    """1,999 is not 1,480, and 1,482 is not either."""
    value = float(round(value))
    wrong = value + off if up else value - off
    assert evidence.unproved(f"{wrong:,.0f} files", seen(last=value)) != []


@given(moments, st.integers(min_value=2, max_value=700), st.booleans())
def test_times_agree_to_the_minute(at, minutes, later):
    """A moment is proved by its minute, cut or rounded, and by no other."""
    moment = datetime.fromtimestamp(at, UTC)
    assert evidence.unproved(f"from {moment:%H:%M}", seen(onset_at=at)) == []
    assert evidence.unproved(f"at {moment.isoformat()}", seen(onset_at=at)) == []
    assert evidence.unproved(f"on {moment.day} {moment:%b %H:%M}", seen(onset_at=at)) == []
    wrong = datetime.fromtimestamp(at + (minutes if later else -minutes) * 60, UTC)
    assert evidence.unproved(f"from {wrong:%H:%M}", seen(onset_at=at)) == [f"{wrong:%H:%M}"]


@given(values, values)
def test_a_difference_of_two_numbers_of_one_series_is_proved(first, last):
    """Grew by so much is a number one may derive."""
    assume(abs(last - first) >= 10)
    assert evidence.unproved(f"grew by {abs(last - first):.2f}", seen(first=first, last=last)) == []


@given(st.text(max_size=200))
def test_any_text_can_be_read(text):
    """A claim may be anything; its numbers are finite and in it."""
    for number in quoted(text):
        assert math.isfinite(number.value) or "e" in number.text.lower()
        assert number.half >= 0
