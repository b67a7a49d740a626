"""Which row each series of an answer has. A fleet that answers as before costs one comparison; who comes or goes, little more."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from lens_exporter.errors import QueryError
from lens_exporter.model.labels import Labels
from lens_exporter.prometheus import parse
from lens_exporter.prometheus.samples import Integers

_Identity = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Seat:
    labels: Labels
    name: str  # its `__name__`, or ""


@dataclass(frozen=True, slots=True, eq=False)
class AnswerRoster:
    """The series of one query's newest answer, known and ordered by their labels without `__name__`.

    `labels` is the same tuple as before as long as the series are the same.
    """

    texts: tuple[bytes, ...] = ()  # labels as answered, JSON
    rows: Integers = field(default_factory=lambda: np.empty(0, np.int64))  # of each text
    labels: tuple[Labels, ...] = ()  # of each row
    names: tuple[str, ...] = ()  # of each row
    row_of: dict[bytes, int] = field(default_factory=dict)

    def of(self, texts: tuple[bytes, ...], query: str) -> "AnswerRoster":
        """Give the roster of the next answer. Only labels not seen in this one are parsed.

        Raises:
            QueryError: two series differ by their metric name only.
            ValueError, TypeError, AttributeError: a text is no JSON object of texts.

        """
        if texts == self.texts:
            return self
        known = self.row_of
        staying = sorted({known[text] for text in texts if text in known})
        coming, seats = _parsed(dict.fromkeys(text for text in texts if text not in known), query)
        order, same = self._merged(staying, seats, query)
        labels, names = self.labels, self.names
        if order != list(range(len(labels))):
            new = [_Seat(labels[one], names[one]) if isinstance(one, int) else seats[one] for one in order]
            labels, names = tuple(seat.labels for seat in new), tuple(seat.name for seat in new)
        place = {one: row for row, one in enumerate(order)}
        place |= {identity: place[row] for identity, row in same.items()}
        row_of = {text: place[known[text] if text in known else coming[text]] for text in texts}
        return AnswerRoster(texts, np.fromiter(map(row_of.__getitem__, texts), np.int64, len(texts)), labels, names, row_of)

    def rows_of(self, texts: tuple[bytes, ...]) -> Integers:
        """Give the rows of texts that are in it."""
        if texts == self.texts:
            return self.rows
        return np.fromiter(map(self.row_of.__getitem__, texts), np.int64, len(texts))

    def _merged(
        self, staying: Sequence[int], seats: dict[_Identity, _Seat], query: str
    ) -> tuple[list[int | _Identity], dict[_Identity, int]]:
        """Order rows that stay and series that come; give also which of these are a row's, in other words than before."""
        order: list[int | _Identity] = []
        same: dict[_Identity, int] = {}
        begin = 0
        for identity in sorted(seats):
            at = bisect_left(staying, identity, lo=begin, key=lambda row: _identity(self.labels[row]))
            order += staying[begin:at]
            begin = at
            if at < len(staying) and _identity(self.labels[staying[at]]) == identity:
                same[identity] = staying[at]
                _check_names(seats[identity], self.names[staying[at]], query)
            else:
                order.append(identity)
        return order + list(staying[begin:]), same


def _parsed(texts: Iterable[bytes], query: str) -> tuple[dict[bytes, _Identity], dict[_Identity, _Seat]]:
    identities: dict[bytes, _Identity] = {}
    seats: dict[_Identity, _Seat] = {}
    for text in texts:
        labels = parse.labels(text)
        name = labels.pop("__name__", "")
        identity = _identity(labels)
        _check_names(seats.setdefault(identity, _Seat(labels, name)), name, query)
        identities[text] = identity
    return identities, seats


def _check_names(seat: _Seat, name: str, query: str) -> None:
    if seat.name != name:
        reason = (
            f'series of "{seat.name}" and "{name}" with the labels {dict(seat.labels)} differ by their metric name only: select '
            "one, or use label_replace"
        )
        raise QueryError(kind="duplicate series", reason=reason, query=query)


def _identity(labels: Labels) -> _Identity:
    return tuple(sorted(labels.items()))
