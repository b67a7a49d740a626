"""A tool's answer made small enough to read: rows are left out and long texts cut, the structure stays."""

from typing import Any

import orjson

_LONGEST_TEXT = 300
_NOTHING = 2  # bytes of an empty list


def shrunk(data: Any, most: int) -> tuple[Any, str]:
    """Give JSON data of at most `most` bytes and say what was left out, "" when nothing was.

    Texts are cut first: one label of a hostile target must not cost the rows of all others. Then the longest list loses its
    last rows, again and again; tools put what matters first. What is too large without any list is given as text, cut.
    """
    if len(orjson.dumps(data)) <= most:
        return data, ""
    whole, data = data, _cut(data)
    texts_cut, left_out = data != whole, 0
    while (size := len(orjson.dumps(data))) > most:
        rows = max(_lists(data), key=lambda one: len(orjson.dumps(one)), default=None)
        if rows is None or len(orjson.dumps(rows)) <= _NOTHING:
            return orjson.dumps(data)[:most].decode(errors="ignore"), f"only the first {most:,} of {size:,} bytes are shown"
        keep = len(rows) // 2
        left_out += len(rows) - keep
        del rows[keep:]
    parts = [f"{left_out:,} rows left out"] if left_out else []
    parts += [f"texts cut to {_LONGEST_TEXT} characters"] if texts_cut else []
    return data, "; ".join(parts)


def _cut(data: Any) -> Any:
    """Copy, so that rows can be dropped from it."""
    match data:
        case dict():
            return {_cut(key): _cut(value) for key, value in data.items()}
        case list():
            return [_cut(value) for value in data]
        case str() if len(data) > _LONGEST_TEXT:
            return data[:_LONGEST_TEXT] + "…"
    return data


def _lists(data: Any) -> list[list[Any]]:
    if isinstance(data, list):
        return [data, *(found for value in data for found in _lists(value))]
    return [found for value in data.values() for found in _lists(value)] if isinstance(data, dict) else []
