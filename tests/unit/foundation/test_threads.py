"""Calls made one ahead of whoever works on what they give."""

import threading
from collections.abc import Callable

import pytest

from lens_exporter.foundation.threads import one_ahead


def test_the_next_call_is_made_while_what_one_gave_is_worked_on() -> None:
    """And the one after it is not, nor are two made at once."""
    begun = [threading.Event() for _ in range(4)]

    def call(number: int) -> Callable[[], int]:
        def made() -> int:
            begun[number].set()
            return number

        return made

    given = one_ahead("numbers", map(call, range(4)))
    for number in range(4):
        assert next(given) == number
        assert all(one.wait(30.0) for one in begun[: number + 2])
        assert not any(one.is_set() for one in begun[number + 2 :])
    assert next(given, None) is None


def test_nothing_to_call_gives_nothing() -> None:
    """An empty list is no special case."""
    assert list(one_ahead("nobody", [])) == []


def test_what_fails_is_told_after_what_was_given_before_it_and_ends_it() -> None:
    """No call is made after it."""
    made: list[int] = []

    def call(number: int) -> int:
        made.append(number)
        if number == 2:
            raise ValueError("two")
        return number

    seen: list[int] = []
    with pytest.raises(ValueError, match="two"):
        seen.extend(one_ahead("fails", [lambda number=number: call(number) for number in range(4)]))
    assert seen == [0, 1]
    assert made == [0, 1, 2]
