"""How work becomes durable: each model call and each round of tool work runs through one of these."""

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class StepRunner(Protocol):
    """Run a function once and record what it returned, as `records` writes it; after a restart give the recorded result back."""

    def __call__(self, name: str, work: Callable[[], T], /) -> T: ...
