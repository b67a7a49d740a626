"""The Prometheus source: what a node's own exporter already publishes, found by whichever of its names exist.

Exporters name one quantity differently from generation to generation. The names are data (exporters.toml); a query here selects all
of them, and those that exist answer. Nothing is published a second time.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

_STEP = "1m"  # between the values a rate is taken of, where they are worked out first


@dataclass(frozen=True, slots=True)
class Alias:
    """One exporter's name for a quantity. metric has "*" for what users choose; where is a matcher, drop and sum are labels."""

    metric: str
    where: str = ""
    drop: str = ""
    sum: str = ""

    def promql(self, over: str = "") -> str:
        """Write what selects it, one series for each node; with `over`, of a counter, how fast it grew over such a time.

        The watcher's own matchers go where it says $selector.
        """
        inside = ",".join(filter(None, (self.where, "$selector")))
        chosen = "*" in self.metric
        named = f'{{__name__=~"{self.metric.replace("*", ".+")}",{inside}}}' if chosen else f"{self.metric}{{{inside}}}"
        if self.sum:
            named = f"sum without ({self.sum}) ({named})"
        elif self.drop or chosen:
            # Series found by a pattern lose their name: two applications on one node tell the same and must not stand there twice.
            named = f"max without ({self.drop}) ({named})"
        if not over:
            return named
        return f"rate({named}[{over}:{_STEP}])" if named.endswith(")") else f"rate({named}[{over}])"


@dataclass(frozen=True, slots=True)
class Exporter:
    name: str
    aliases: Mapping[str, Alias]


@cache
def exporters() -> tuple[Exporter, ...]:
    """Read the table, the oldest generation first.

    Raises:
        ValueError: it is not of its form.

    """
    table = tomllib.loads(files(__package__).joinpath("exporters.toml").read_text(encoding="utf-8"))
    return tuple(_exporter(dict(row)) for row in table["exporter"])


def _exporter(row: dict[str, Any]) -> Exporter:
    name = row.pop("name")
    return Exporter(name, {quantity: Alias(**given) for quantity, given in row.items()})


def quantity(name: str, over: str = "") -> list[str]:
    """Give a query for each way in which exporters tell a quantity, as Alias.promql; empty where none does."""
    return _once(each.aliases[name].promql(over) for each in exporters() if name in each.aliases)


def share(used: str, limit: str) -> list[str]:
    """Give a query for each way in which exporters tell a quantity and its limit, of the one by the other."""
    return _once(
        f"{each.aliases[used].promql()} / {each.aliases[limit].promql()}"
        for each in exporters()
        if used in each.aliases and limit in each.aliases
    )


def _once(queries: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(queries))
