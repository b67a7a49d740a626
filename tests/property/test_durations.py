"""Durations, for every number and every text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lens_exporter.config.values import Pause
from lens_exporter.model.duration import duration_text, seconds


@given(st.integers(min_value=0, max_value=10**13))
def test_whole_milliseconds_read_back_as_written(milliseconds):
    """Writing a duration and reading it again gives the same number."""
    assert seconds(duration_text(milliseconds / 1000)) == milliseconds / 1000


@given(st.floats(min_value=0, max_value=1e9, allow_nan=False))
def test_any_number_of_seconds_reads_back_as_written(length):
    """Also what is finer than a millisecond."""
    assert seconds(duration_text(length)) == length


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from("ywdhms")), unique_by=lambda part: part[1], min_size=1))
def test_parts_add_up_in_the_order_of_units(parts):
    """A text in falling units is the sum of its parts."""
    ordered = sorted(parts, key=lambda part: "ywdhms".index(part[1]))
    size = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
    assert seconds("".join(f"{count}{unit}" for count, unit in ordered)) == sum(count * size[unit] for count, unit in ordered)


@given(st.text(max_size=12) | st.none() | st.booleans() | st.floats() | st.lists(st.integers()))
def test_any_other_setting_is_a_named_error_or_a_finite_number(value):
    """Reading never raises anything but ValueError, and never gives infinity."""
    try:
        length, problem = TypeAdapter(Pause).validate_python(value), ""
    except ValidationError as error:
        length, problem = 0.0, error.errors()[0]["msg"]
    assert 0.0 <= length < float("inf")
    assert problem == "" or "expected a duration" in problem or problem.endswith("equal to 0")


@pytest.mark.parametrize("text", ["", "5", "m5", "1m1h", "1.5h", "-5s", "5 m", "٣s", "9" * 400 + "d"])
def test_near_misses_are_refused(text):
    """Prometheus' own order and units, and nothing that only looks like them."""
    with pytest.raises(ValueError, match="expected a duration"):
        seconds(text)


@pytest.mark.parametrize(("length", "text"), [(0, "0s"), (90, "1m30s"), (2_592_000, "30d"), (0.5, "500ms"), (86_400, "1d")])
def test_durations_are_written_as_a_person_would(length, text):
    """The generated documentation shows 5m, not 300."""
    assert duration_text(length) == text
