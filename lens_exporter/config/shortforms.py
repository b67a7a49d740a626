"""The ways to write a watcher, brought to one: `host: CRON`, `beam: {schedule: CRON, nodes: [...]}`, and the long form."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from lens_exporter.config.settings import Watcher
from lens_exporter.config.values import Key

_SETTINGS = frozenset(Watcher.model_fields)


@dataclass(frozen=True, slots=True)
class Entry:
    """One watcher in the long form, and how its keys were written in the file."""

    value: Any
    short: str = ""  # the lens whose name was the key
    scalar: bool = False  # its value was the schedule alone
    misplaced: str = ""  # what is wrong with how it is written, though what is meant is clear

    def written(self, key: Key) -> Key:
        """Give the path, inside this entry, under which the user wrote the setting `key` of the long form."""
        if not self.short:
            return key
        if self.scalar or not key or key[0] == "lens":
            return (self.short,)
        return (self.short, *(key[1:] if key[0] == "options" else key))


def expand(entry: Any, lenses: Collection[str]) -> Entry:
    """Bring one item of `watchers` to the long form. What is neither form is left for the settings to refuse."""
    if not isinstance(entry, dict):
        return Entry(entry)
    if len(entry) == 1 and not entry.keys() & _SETTINGS:
        ((lens, body),) = entry.items()
        if isinstance(body, dict):
            return Entry(_long(lens, body), short=lens)
        return Entry({"name": lens, "lens": lens, "schedule": body}, short=lens, scalar=True)
    if "lens" not in entry and (named := [key for key in entry if key in lenses]):
        return _beside(named[0], entry)
    if "lens" not in entry and entry.keys() & {"metrics", "query"}:
        return Entry({"lens": "promql", **entry})
    if "name" not in entry and isinstance(entry.get("lens"), str):
        return Entry({"name": entry["lens"], **entry})
    return Entry(entry)


def _beside(lens: str, entry: dict[str, Any]) -> Entry:
    """Read a short form with keys on its own level, as if they stood in it, so that nothing else is said to be missing."""
    body = entry[lens] if isinstance(entry[lens], dict) else {"schedule": entry[lens]}
    inside = {key: value for key, value in entry.items() if key != lens}
    keys = ", ".join(f"{key}: ..." for key in {**body, **inside})
    problem = f"the short form takes nothing beside it: write {lens}: {{{keys}}}, and every other watcher as an item of its own"
    return Entry(_long(lens, {**body, **inside}), short=lens, misplaced=problem)


def _long(lens: str, body: dict[str, Any]) -> dict[str, Any]:
    taken = _SETTINGS - {"lens", "options"}
    settings = {key: value for key, value in body.items() if key in taken}
    options = {key: value for key, value in body.items() if key not in taken}
    return {"name": lens, "lens": lens, **settings, "options": options}
