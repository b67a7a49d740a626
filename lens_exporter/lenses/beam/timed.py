"""The time of a whole question, which may be hundreds of calls: a node is not asked on when nobody waits any more."""

import time
from collections.abc import Sequence

from lens_exporter.config.settings import Investigate
from lens_exporter.errors import LensError, QuestionTooLong
from lens_exporter.foundation.clock import Clock
from lens_exporter.lenses.beam.asks import Asks, Call
from lens_exporter.lenses.beam.terms import Term

# Seconds that a tool is waited for, unless configured otherwise.
TOOL_TIMEOUT: float = Investigate.model_fields["tool_timeout"].default


class TimedAsks:
    """Asks of one question. Its time begins now; a call under way when it ends is waited for."""

    def __init__(self, asks: Asks, seconds: float, clock: Clock = time.monotonic) -> None:
        self.name = asks.name
        self._asks = asks
        self._seconds = seconds
        self._clock = clock
        self._until = clock() + seconds

    def call(self, module: str, function: str, *arguments: Term) -> Term:
        """Make one call; as Asks.call says. Raises QuestionTooLong, a kind of CallTimeout, where it is too late for it."""
        if self._over:
            raise self._late((module, function, arguments))
        return self._asks.call(module, function, *arguments)

    def calls(self, several: Sequence[Call]) -> list[Term | LensError]:
        """Make several calls; as Asks.calls says."""
        return [self._late(each) for each in several] if self._over else self._asks.calls(several)

    @property
    def _over(self) -> bool:
        return self._clock() >= self._until

    def _late(self, call: Call) -> QuestionTooLong:
        module, function, arguments = call
        return QuestionTooLong(node=self.name, call=f"{module}:{function}/{len(arguments)}", seconds=f"{self._seconds:g}")
