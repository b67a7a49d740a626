"""The largest part of a whole, as a live tool has named it."""

from dataclasses import dataclass

_MOST = 0.5


@dataclass(frozen=True, slots=True)
class Part:
    """The largest part of what a family counts. unit is "count", "bytes" or "cores"; total is None where nobody says."""

    family: str
    claim: str  # "384 of 388 open files are /tmp/export-*.csv"
    meaning: str  # what it means where most of a rise is this part: "they are not closed"
    value: float
    total: float | None
    unit: str
    receipt: str
    step: str = ""  # what a person does with it
    kind: str = ""  # where one metric tells several kinds apart, the kind it is part of: "ets" of an Erlang node's memory

    def explains(self, before: float, after: float) -> bool:
        """Whether most of the rise from `before` must be this part, even if all there was before was this part too."""
        risen = max(after, self.total or 0.0) - before
        return risen > 0 and self.value - before >= _MOST * risen
