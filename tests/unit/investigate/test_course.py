"""Whether a course moved and went back: what a firing alert is called over for."""

import numpy as np
import pytest

from lens_exporter.investigate.course import courses
from lens_exporter.model.conversation import Answered, ToolCall
from tests.unit.investigate.fleet import Fleet
from tests.unit.investigate.scripted import AT, toolbox

SPAN = 1800.0


def course(values, span=SPAN):
    """The course of half an hour, as the tool answers it; `values` gives them for times from 0 to 1."""
    fleet = Fleet(({"__name__": "m"}, lambda times: values((times - AT + span) / span)))
    asked = ToolCall("one", "promql_range", {"query": "m", "start": f"{AT - span:.0f}", "end": f"{AT:.0f}"})
    (only,) = courses(Answered(asked, toolbox(fleet).call(asked.name, asked.arguments), "r1"))
    return only


def noisy(level, seed, noise=0.15):
    return lambda part: level * (1 + noise * np.random.default_rng(seed).standard_normal(part.size))


def test_noise_that_never_moved_has_not_come_back():
    """Its ends are near one another as often as not. Of fifty, the odd one looks as if it had moved."""
    back = [course(noisy(100, seed)).came_back(AT - SPAN / 2) for seed in range(50)]
    assert sum(back) <= 3


@pytest.mark.parametrize("end", [0.8, 0.9])
@pytest.mark.parametrize("lasts", [0.1, 0.3, 0.6])
def test_what_went_away_and_is_back_came_back(lasts, end):
    """For a tenth of the time or for most of it, at the noise's own size and at once or slowly."""
    for seed in range(10):
        level = noisy(100, seed, 0.05)
        alerting = AT - SPAN * (1 - end + lasts)
        assert course(lambda part, level=level: level(part) + 100 * ((part > end - lasts) & (part < end))).came_back(alerting)


def test_what_went_along_a_line_and_back_came_back():
    assert course(lambda part: 100 + 60 * np.clip(np.minimum(part / 0.4, (0.9 - part) / 0.4), 0, 1)).came_back(AT - SPAN / 2)


def test_a_day_brings_back_what_was_a_day_before():
    """It alerts since half a day and is five times what it was then: that it was as much a day ago is no sign of an end."""
    day = course(lambda part: 100 + 80 * np.cos(2 * np.pi * part), 86_400.0)
    assert not day.came_back(AT - 43_200.0)
    assert day.came_back(AT - 86_000.0)


@pytest.mark.parametrize(
    "values",
    [
        lambda part: 100 + 0 * part,
        lambda part: 100 + 100 * (part > 0.5),
        lambda part: 100 + 100 * part,
        lambda part: np.where(part < 0.3, np.nan, 100 + 100 * ((part > 0.5) & (part < 0.8))),
        lambda part: np.where(part > 0.8, np.nan, 100 + 100 * ((part > 0.3) & (part < 0.6))),
    ],
    ids=["flat", "a step", "a line", "begun late", "ended"],
)
def test_what_is_not_back_or_not_known_whole_has_not_come_back(values):
    assert not course(values).came_back(AT - SPAN / 2)
