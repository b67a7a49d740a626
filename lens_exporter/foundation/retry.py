"""The one place where a failed call is tried again. Whether it helps is the error's word: LensError.retryable, and its retry_after.

(foundation.http alone tries again by itself: to connect, before a request has left, and once where a kept connection has ended.)
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import random
from typing import TypeVar

import tenacity

from lens_exporter.errors import BreakerOpen, LensError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Retry:
    """What a listener hears before each pause."""

    attempt: int  # the one that failed, from 1
    wait: float  # seconds until the next
    error: LensError


def retrying(
    call: Callable[[], T],
    *,
    attempts: int = 3,
    first_wait: float = 0.5,
    max_wait: float = 30.0,
    total: float = math.inf,
    sleep: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = random,
    on_retry: Callable[[Retry], None] = lambda _retry: None,
) -> T:
    """Call until it succeeds, fails for good, or has been tried `attempts` times; then its own last error is raised.

    Pauses double from `first_wait` to `max_wait` seconds, with up to half of it again as jitter (0..1 from `jitter`). An error's
    field `retry_after` (seconds, from a Retry-After header) is obeyed instead; one longer than `max_wait` ends the attempts. No
    attempt begins later than `total` seconds after the first. An open breaker is never waited for: it says itself when it may be
    called again.
    """

    def pause(state: tenacity.RetryCallState) -> float:
        asked = _retry_after(_error(state))
        if asked is not None:
            return asked
        doubled: float = first_wait * 2 ** (state.attempt_number - 1)
        return min(max_wait, doubled * (1.0 + jitter() / 2.0))

    def worth_it(error: BaseException) -> bool:
        if not isinstance(error, LensError) or isinstance(error, BreakerOpen):
            return False
        return error.retryable and (_retry_after(error) or 0.0) <= max_wait

    def tell(state: tenacity.RetryCallState) -> None:
        on_retry(Retry(state.attempt_number, state.upcoming_sleep, _error(state)))

    # tenacity, not stamina above it: stamina's sleep and clock are process-wide.
    attempt = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(attempts) | tenacity.stop_before_delay(total),
        wait=pause,
        retry=tenacity.retry_if_exception(worth_it),
        sleep=sleep,
        before_sleep=tell,
        reraise=True,
    )
    return attempt(call)


def _error(state: tenacity.RetryCallState) -> LensError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, LensError):
        raise TypeError("only LensErrors are retried")
    return error


def _retry_after(error: BaseException) -> float | None:
    value = error.fields.get("retry_after") if isinstance(error, LensError) else None
    return float(value) if isinstance(value, int | float) and value >= 0 else None
