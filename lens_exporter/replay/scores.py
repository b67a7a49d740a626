"""Scores as long CSV: one line per row and series, in row order."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import orjson

from lens_exporter.baseline.detection.scored import Scored
from lens_exporter.model.window import FloatArray
from lens_exporter.replay.table import Rows

_COLUMNS = ("timestamp", "series", "value", "expected", "lower", "upper", "score", "anomaly")
_DIGITS = 10  # significant ones; more would show how binary fractions are written, not what was measured
_MOST_CONTRIBUTORS = 10
_SPECIAL = re.compile(r'[,"\r\n]').search
_FLAGS = ("0", "1")


class ScoresCsv:
    """Writes what an engine said about blocks of rows. group names the line of all series together; None: no such line."""

    def __init__(self, series: Sequence[str], group: str | None) -> None:
        self._names = [_cell(name) for name in series]
        self._group = None if group is None else _cell(group)
        # Each name as it stands in a JSON list in a quoted cell, made once: ten of them stand in a group's line.
        self._listed = [orjson.dumps(name).decode().replace('"', '""') for name in series]

    def header(self) -> bytes:
        columns = _COLUMNS if self._group is None else (*_COLUMNS, "contributors")
        return (",".join(columns) + "\n").encode()

    def lines(self, rows: Rows, scored: Scored) -> bytes:
        """Write a block: for each row its series in the order of the table, then the group's line."""
        stamps, count = [_cell(stamp) for stamp in rows.stamps], len(self._names)
        lines = list(
            map(
                ",".join,
                zip(
                    (stamp for stamp in stamps for _ in range(count)),
                    self._names * len(stamps),
                    (cell for cells in rows.cells for cell in cells),
                    _texts(scored.expected),
                    _texts(scored.lower),
                    _texts(scored.upper),
                    _scores(scored.score),
                    (_FLAGS[flag] for flag in scored.anomaly.T.ravel().tolist()),
                    strict=True,
                ),
            )
        )
        if self._group is None:
            return ("\n".join(lines) + "\n").encode()
        group = scored.groups
        rest = zip(stamps, _scores(group.score), group.anomaly[0].tolist(), self._contributors(scored.score), strict=True)
        written = []
        for index, (stamp, score, flag, contributors) in enumerate(rest):
            written += [f"{line},\n" for line in lines[index * count : (index + 1) * count]]
            written.append(f"{stamp},{self._group},,,,,{score},{_FLAGS[flag]},{contributors}\n")
        return "".join(written).encode()

    def _contributors(self, scores: FloatArray) -> Iterator[str]:
        """Give for each row the JSON list of the series that carry the group's score, strongest first, as a quoted cell."""
        order = np.argsort(-scores, axis=0, kind="stable")[:_MOST_CONTRIBUTORS].T.tolist()  # gaps last
        carrying = (scores > 0).sum(axis=0).tolist()
        for ranked, count in zip(order, carrying, strict=True):
            yield '"[' + ",".join(self._listed[series] for series in ranked[:count]) + ']"'


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _SPECIAL(text) else text


def _scores(values: FloatArray) -> list[str]:
    """Write scores; where none is known, as in a gap, it is 0."""
    return _texts(np.nan_to_num(values))


def _texts(values: FloatArray) -> list[str]:
    """Write values [series, time] row by row of the table, NaN as nothing."""
    written = orjson.dumps(_rounded(values.T).ravel(), option=orjson.OPT_SERIALIZE_NUMPY).decode()
    return written[1:-1].replace("null", "").split(",")


@np.errstate(all="ignore")  # zero, NaN and numbers at the ends of the range stay as they are
def _rounded(values: FloatArray) -> FloatArray:
    places = _DIGITS - 1 - np.floor(np.log10(np.abs(values)))
    power = 10.0 ** np.abs(places)  # never a negative power: those are not exact
    rounded = np.where(places >= 0, np.round(values * power) / power, np.round(values / power) * power)
    found = np.where(np.isfinite(rounded), rounded, values)
    tiny = ~np.isfinite(rounded) & (values != 0) & (np.abs(values) < 1)  # so small that no power of ten makes it whole
    found[tiny] = [float(f"{value:.{_DIGITS - 1}e}") for value in values[tiny].tolist()]
    return found
