"""A signal ends a command in order, even where Python drops what its handler raises."""

import os
import signal

import pytest

from lens_exporter.foundation.signals import ended_by_signals


class Told:
    """Is told to end while it is finalized."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        os.kill(os.getpid(), self.number)
        for _ in range(1000):  # a handler runs between two instructions: it shall be these
            pass


def told_to_end(number):
    with ended_by_signals():
        os.kill(os.getpid(), number)
        signal.pause()


def told_where_it_is_dropped(number, rounds):
    with ended_by_signals() as raise_again:
        raise_again()
        told = Told(number)
        del told
        rounds.append("went on")
        raise_again()


@pytest.fixture
def as_at_a_terminal():
    """Whoever runs these tests in a shell's background has SIGINT ignored, and under nohup SIGHUP."""
    heard = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in heard.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "raised", "code"),
    [(signal.SIGINT, KeyboardInterrupt, None), (signal.SIGTERM, SystemExit, 143), (signal.SIGHUP, SystemExit, 129)],
)
def test_a_signal_is_raised_where_it_is_heard(as_at_a_terminal, number, raised, code):
    with pytest.raises(raised) as ended:
        told_to_end(number)
    assert getattr(ended.value, "code", None) == code


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_what_python_drops_is_raised_in_the_next_round(as_at_a_terminal, number, raised):
    rounds = []
    with pytest.raises(raised):
        told_where_it_is_dropped(number, rounds)
    assert rounds == ["went on"]


def test_one_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signals() as raise_again:
            os.kill(os.getpid(), signal.SIGHUP)
            raise_again()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_are_as_they_were_before():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with ended_by_signals():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
