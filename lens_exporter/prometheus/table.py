"""Answers of /query and /query_range column by column: from bytes where they are laid out as Prometheus does it, else from JSON."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from lens_exporter.model.window import FloatArray
from lens_exporter.prometheus import samples
from lens_exporter.prometheus.answers import Table
from lens_exporter.prometheus.samples import Integers

_RESULT = b'"result":['
_ENTRY = b'{"metric":'
_HEAD_BYTES = 4096  # what may stand before the first series
_BLOCK_BYTES = 512 * 1024  # read at once: more would leave the processor's cache
# How each kind of result goes on after the labels, and how an entry ends after its last value.
_LAYOUTS = {"matrix": (b',"values":[[', b'"]]}'), "vector": (b',"value":[', b'"]}')}


def read(body: bytes) -> dict[str, Any] | None:
    """Read a whole answer without making an object of each sample; its "data" is a Table.

    None: it is laid out differently (white space, native histograms, times that are no whole seconds, no series), or is no
    matrix or vector, or is not right at all. A JSON parser and `of` read those. Labels are not looked at here: their text is kept.
    """
    found = body.find(_RESULT + _ENTRY, 0, _HEAD_BYTES)
    if found < 0:
        return None
    begin = found + len(_RESULT)
    kind = next((kind for kind in _LAYOUTS if b'"resultType":"%b"' % kind.encode() in body[:found]), None)
    if kind is None:
        return None
    samples_begin, entry_end = _LAYOUTS[kind]
    end = body.rfind(entry_end + b"]") + len(entry_end)
    frame = _frame(body, begin, end, kind) if end > begin else None
    if frame is None:
        return None
    columns = _columns(body, begin + len(_ENTRY), end - len(entry_end), samples_begin, entry_end + b"," + _ENTRY)
    return None if columns is None else {**frame, "data": Table(kind, *columns)}


def _columns(
    body: bytes, begin: int, end: int, samples_begin: bytes, seam: bytes
) -> tuple[tuple[bytes, ...], Integers, FloatArray, FloatArray] | None:
    """Read the series between begin and end, where `seam` stands between two of them and `samples_begin` after the labels."""
    labels: list[bytes] = []
    blocks: list[tuple[Integers, FloatArray, FloatArray]] = []
    while begin <= end:
        cut = body.find(seam, min(begin + _BLOCK_BYTES, end), end)
        cut = end if cut < 0 else cut
        texts = []
        for series in body[begin:cut].split(seam):
            label, _, text = series.partition(samples_begin)
            labels.append(label)
            texts.append(text)
        block = samples.read(texts) if blocks or _is_object(labels[0]) else None
        if block is None:
            return None
        blocks.append(block)
        begin = cut + len(seam)
    counts, times, values = (np.concatenate(column) for column in zip(*blocks, strict=True))
    return tuple(labels), counts, times, values


def _is_object(text: bytes) -> bool:
    # Of the first series only: a server that puts more than the labels there does so with every one.
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


def _frame(body: bytes, begin: int, end: int, kind: str) -> dict[str, Any] | None:
    """Parse what stands around the series, the bytes from begin to end; None where it is not an answer around them."""
    try:
        frame = orjson.loads(b"".join((body[:begin], b"null", body[end:])))
    except orjson.JSONDecodeError:
        return None
    data = frame.get("data") if isinstance(frame, dict) else None
    # The null is found where the series belong: so this is where they were.
    right = isinstance(data, dict) and data.get("resultType") == kind and data.get("result") == [None]
    return frame if right else None


def of(data: Any) -> Table:
    """Read the decoded data of an answer. Other shapes than the API's raise KeyError, TypeError or ValueError."""
    kind, result = data["resultType"], data["result"]
    if kind == "string":
        return _table(kind, [], [])
    if kind == "scalar":
        return _table(kind, [{}], [[result]])
    if kind == "vector":
        rows = [(entry["metric"], [entry["value"]]) for entry in result if "value" in entry]
    elif kind == "matrix":
        rows = [(entry["metric"], entry["values"]) for entry in result if "values" in entry]
    else:
        raise ValueError(f"resultType {kind!r}")
    histograms = sum("histogram" in entry or "histograms" in entry for entry in result)
    return _table(kind, [labels for labels, _ in rows], [list(series) for _, series in rows], histograms)


def _table(kind: str, labels: Sequence[Any], series: Sequence[Sequence[Any]], histograms: int = 0) -> Table:
    return Table(
        kind,
        tuple(map(orjson.dumps, labels)),
        np.array([len(each) for each in series], dtype=np.int64),
        np.array([sample[0] for each in series for sample in each], dtype=np.float64),
        # Values are text: "1.5", "NaN", "+Inf"; float() reads all of them.
        np.array([float(sample[1]) for each in series for sample in each], dtype=np.float64),
        histograms,
    )
