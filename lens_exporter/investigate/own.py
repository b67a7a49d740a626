"""What the alerts themselves are about: their resources, their series, the courses of their queries, and what is missing."""

import re
from collections.abc import Iterator
from functools import lru_cache

from lens_exporter.investigate.course import Course
from lens_exporter.investigate.families import TRAFFIC, family_of
from lens_exporter.investigate.limits import resource_of
from lens_exporter.investigate.notebook import Notebook, Noted
from lens_exporter.investigate.selectors import Selector, selectors
from lens_exporter.investigate.task import filters

_NAME = re.compile(r"[a-zA-Z_:][\w:]*")
_TIMED = ("_sum", "_count", "_bucket")


def own_families(notes: Notebook) -> list[str]:
    """Name what the alerts are about: by their queries, then by their names."""
    return list(_families((*notes.task.queries, *notes.task.names)))


def is_own(one: Noted, notes: Notebook) -> bool:
    """Say whether a series is of what alerts: of its family or read by its query, save the traffic that failures are part of."""
    families, family = own_families(notes), family_of(one.metric, one.labels)
    if family is not None and family.name in families:
        return True
    return is_read(one, notes) and not (families and family is not None and family.name == TRAFFIC)


def is_read(one: Noted, notes: Notebook) -> bool:
    """Say whether a query of the alerts reads a series."""
    return any(True for _ in reading(one, notes))


def place(one: Noted, notes: Notebook) -> int:
    """Give the place, among the queries of the alerts, of the first that reads a series; behind them all where none does."""
    return next((index for index, _ in reading(one, notes)), len(notes.task.queries))


def reading(one: Noted, notes: Notebook) -> Iterator[tuple[int, Selector]]:
    """Give the selectors of the alerts' queries that select a series, or another one that counts its resource, with their place."""
    resources = {resource_of(one.metric), *(f"{one.metric}{part}" for part in _TIMED if one.mean)}
    for index, query in enumerate(notes.task.queries):
        for selector in _selectors(query):
            if selector.metric and resource_of(selector.metric) in resources and selector.takes(one.labels):
                yield index, selector


def is_named(metric: str, notes: Notebook) -> bool:
    """Say whether a query of the alerts names a metric."""
    return any(metric in _NAME.findall(query) for query in notes.task.queries)


def own_courses(notes: Notebook) -> list[Course]:
    """Give the courses of the alerts' own queries, of the target's series where the query has those of others too."""
    asked = [query for pair in notes.task.asked_queries() for query in pair]
    own = [one for one in notes.courses if one.query in asked]
    target = notes.task.target
    return [one for one in own if all(target.get(name, value) == value for name, value in one.labels.items())] or own


def missing(notes: Notebook) -> Iterator[Course]:
    """Give, of each query of the alerts whose series have all ended, the one that was there last.

    A query that compares or subtracts sets ends when its condition does; it says nothing about what it reads. Nobody can say what
    is missing where nothing is sampled.
    """
    if notes.ranking.unseen_since is not None:
        return
    courses = own_courses(notes)
    for forms in notes.task.asked_queries():
        own = [one for one in courses if one.query in forms]
        if own and all(one.ended for one in own) and not filters(own[0].query):
            yield max(own, key=lambda one: one.until)


# Asked for each series, of the same few texts of strangers, each of which may hold some hundred expressions to compile.
@lru_cache(maxsize=4)
def _families(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(family.name for text in texts if (family := family_of(text))))


@lru_cache(maxsize=12)  # three queries of each of four investigations
def _selectors(query: str) -> tuple[Selector, ...]:
    return tuple(selectors(query))
