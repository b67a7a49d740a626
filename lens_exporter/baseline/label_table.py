"""Labels of many series by name, each distinct value once: a matcher is tried on values, not on series."""

from collections.abc import Sequence

import numpy as np

from lens_exporter.model.labels import Labels
from lens_exporter.model.matcher import Matcher
from lens_exporter.model.window import BoolArray, IntArray


class LabelTable:
    """A column of numbers for each label name; 0 is the value of a label that is not there."""

    def __init__(self) -> None:
        self._rows = 0
        self._columns: dict[str, IntArray] = {}
        self._values: dict[str, dict[str, int]] = {}

    def __len__(self) -> int:
        return self._rows

    def extend(self, labels: Sequence[Labels]) -> None:
        """Add series behind those that are there."""
        rows = self._rows + len(labels)
        for name, column in self._columns.items():
            self._columns[name] = np.concatenate([column, np.zeros(len(labels), dtype=np.int64)])
        for row, pairs in enumerate(labels, start=self._rows):
            for name, value in pairs.items():
                if name not in self._columns:
                    self._columns[name], self._values[name] = np.zeros(rows, dtype=np.int64), {"": 0}
                known = self._values[name]
                self._columns[name][row] = known.setdefault(value, len(known))
        self._rows = rows

    def matching(self, matchers: Sequence[Matcher]) -> BoolArray:
        """Tell which series [series] every matcher matches."""
        found = np.ones(self._rows, dtype=np.bool_)
        for matcher in matchers:
            column = self._columns.get(matcher.name)
            if column is None:
                found &= matcher.matches({})
                continue
            values = self._values[matcher.name]
            met = np.fromiter((matcher.matches({matcher.name: value}) for value in values), np.bool_, len(values))
            found &= met[column]
        return found
