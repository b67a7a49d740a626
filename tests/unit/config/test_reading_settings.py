"""The settings of a model's reading."""

from pathlib import Path

import pytest

from lens_exporter.config.file import NoOptions, read
from lens_exporter.errors import ConfigInvalid

LLM = "llm: {clients: [{name: claude, provider: anthropic, options: {api_key_env: KEY}}, {name: desk, provider: offline}]}\n"


def watcher(reading, schedule="* * * * *", llm=LLM):
    text = f'{llm}watchers:\n  - host: {{schedule: "{schedule}", reading: {reading}}}\n'
    return read(text, Path("lens.yml"), {"host": NoOptions}).watchers[0]


def test_by_default_no_model_reads():
    """No key, no call."""
    text = 'watchers:\n  - host: "* * * * *"\n'
    assert read(text, Path("lens.yml"), {"host": NoOptions}).watchers[0].reading is None


def test_a_reading_has_bounds_without_being_told():
    """A client's name is enough, and the primary one needs none."""
    reading = watcher("{client: claude}").reading
    assert (reading.when, reading.timeout, reading.times, reading.within, reading.far) == ("flagged", 10.0, 3, 900.0, 3.0)
    assert watcher("{}", llm=LLM.replace("{clients", "{primary: claude, clients")).reading.client is None
    assert watcher('{client: claude, when: "0 * * * *"}').reading.when == "0 * * * *"


@pytest.mark.parametrize(
    ("reading", "problem"),
    [
        ("{}", 'reading: "offline" is no language model; known: claude'),
        ("{client: desk}", 'reading.client: "desk" is no language model; known: claude'),
        ("{client: gpt}", 'reading.client: "gpt" is no language model; known: claude'),
        ("{client: claude, timeout: 31s}", "reading.timeout: expected at most 30"),
        ("{client: claude, within: 31m}", "reading.within: expected at most 1800"),
        ("{client: claude, times: 6}", "reading.times: expected at most 5"),
        ("{client: claude, far: 1}", "reading.far: expected"),
        ("{client: claude, far: 6}", "reading.far: expected at most 5"),
        ("{client: claude, when: always}", 'reading.when: expected "flagged", or five cron fields'),
        ("{client: claude, within: 30s}", "reading.within: expected at least the time between two ticks"),
    ],
)
def test_what_goes_beyond_the_hard_limits_or_cannot_work_is_an_error(reading, problem):
    """The bounds may be moved within limits; a reading without a model, or one no tick could end in time, is refused."""
    with pytest.raises(ConfigInvalid) as caught:
        watcher(reading)
    assert str(caught.value).startswith("lens.yml:3: watchers[0].host." + problem)
