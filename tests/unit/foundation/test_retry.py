"""Retrying."""

import pytest

from lens_exporter.errors import BreakerOpen, ModelOverloaded, ModelRefused, ModelTimeout
from lens_exporter.foundation.retry import Retry, retrying


class Script:
    """A call that raises what it was given, in order, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0
        self.slept: list[float] = []
        self.heard: list[Retry] = []

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"

    def run(self, attempts: int = 3, **keywords) -> str:
        return retrying(self, attempts=attempts, sleep=self.slept.append, on_retry=self.heard.append, **keywords)


def overloaded(**fields) -> ModelOverloaded:
    return ModelOverloaded(client="claude", status=529, reason="overloaded", **fields)


def test_a_retryable_error_is_tried_again_after_doubling_pauses():
    """Two failures are followed by the answer; the pauses double and carry the jitter."""
    script = Script(overloaded(), overloaded())
    assert script.run(first_wait=1.0, jitter=lambda: 0.5) == "answer"
    assert script.slept == [1.25, 2.5]
    assert [(retry.attempt, retry.wait) for retry in script.heard] == [(1, 1.25), (2, 2.5)]


def test_pauses_never_exceed_the_longest_one():
    """However many attempts, no pause is longer than max_wait, jitter included."""
    script = Script(*(overloaded() for _ in range(7)))
    script.run(attempts=8, first_wait=1.0, max_wait=10.0, jitter=lambda: 1.0)
    assert max(script.slept) == 10.0


def test_retry_after_is_obeyed():
    """The server's own word on when to come back replaces the computed pause."""
    script = Script(overloaded(retry_after=7))
    assert script.run() == "answer"
    assert script.slept == [7.0]


def test_a_retry_after_beyond_the_longest_pause_gives_up_at_once():
    """Nobody waits an hour inside a call."""
    script = Script(overloaded(retry_after=3600))
    with pytest.raises(ModelOverloaded):
        script.run(max_wait=30.0)
    assert (script.calls, script.slept) == (1, [])


def test_the_last_error_itself_is_raised_when_attempts_are_spent():
    """The caller sees the error of the last attempt, not a wrapper around it."""
    last = ModelTimeout(client="claude", seconds=60)
    script = Script(overloaded(), overloaded(), last)
    with pytest.raises(ModelTimeout) as caught:
        script.run()
    assert caught.value is last
    assert script.calls == 3


@pytest.mark.parametrize(
    "error",
    [
        ModelRefused(client="claude", reason="policy"),
        BreakerOpen(service="claude", url="", until="12:00:00 UTC", failures=5, reason="down"),
        ValueError("a bug"),
    ],
)
def test_what_cannot_be_helped_is_not_tried_again(error):
    """An error that is not retryable, an open breaker and a bug in our own code come out after one call."""
    script = Script(error)
    with pytest.raises(type(error)):
        script.run()
    assert (script.calls, script.slept) == (1, [])
