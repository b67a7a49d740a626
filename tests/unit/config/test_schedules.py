"""What an error says of a schedule: which field is wrong, and what it takes."""

import pytest
from pydantic import TypeAdapter, ValidationError

from lens_exporter.config.values import Schedule

SCHEDULE = TypeAdapter(Schedule)


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("61 * * * *", '"61" is no minute: 0 to 59'),
        ("1-70 * * * *", '"1-70" is no minute: 0 to 59'),
        ("*/0 * * * *", '"*/0" is no minute: 0 to 59'),
        ("1,,2 * * * *", '"1,,2" is no minute: 0 to 59'),
        ("*/5 24 * * *", '"24" is no hour: 0 to 23'),
        ("0 0 0 * *", '"0" is no day of the month: 1 to 31'),
        ("0 0 1 13 *", '"13" is no month: 1 to 12, jan to dec'),
        ("0 0 * * 8", '"8" is no day of the week: 0 to 7, sun to sat'),
        ("0 0 * * mon-foo", '"mon-foo" is no day of the week: 0 to 7, sun to sat'),
        ("* * * * * 60", '"60" is no second: 0 to 59'),
        ("99 99 * * *", '"99" is no minute: 0 to 59'),
    ],
)
def test_an_error_names_the_field_and_its_range(schedule, said):
    """The first that is wrong, with what may stand in its place."""
    with pytest.raises(ValidationError) as refused:
        SCHEDULE.validate_python(schedule)
    (error,) = refused.value.errors()
    expected = f"expected five cron fields (UTC), or six with the seconds last: {said}, or a list, range or step of them"
    assert error["msg"].removeprefix("Value error, ") == expected


@pytest.mark.parametrize("schedule", ["* * * * *", "*/5 * * * *", "0 8-18 * * mon-fri", "0 0 1 jan,jul 7", "* * * * * */15"])
def test_what_the_words_allow_is_taken(schedule):
    """Lists, ranges, steps and names."""
    assert SCHEDULE.validate_python(schedule) == schedule
