"""Answers read from their bytes are what a JSON parser and float() make of them, to the last bit, or are not read at all."""

import math
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lens_exporter.errors import LensError
from lens_exporter.prometheus import parse, table
from lens_exporter.prometheus.answers import Table
from lens_exporter.prometheus.roster import AnswerRoster


def go(value: float) -> str:
    """Write a number as Prometheus does: shortest digits that read back, no exponent from 1e-6 to 1e21."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    shortest = repr(value)
    if value and not 1e-6 <= abs(value) < 1e21:
        return shortest
    return f"{value:.{max(0, decimals(shortest))}f}"


def decimals(shortest: str) -> int:
    mantissa, _, exponent = shortest.partition("e")
    fraction = mantissa.partition(".")[2]
    return (0 if fraction == "0" else len(fraction)) - int(exponent or 0)


seconds = st.integers(1_700_000_000, 1_799_999_999)
numbers = st.floats() | st.integers(-(2**70), 2**70).map(float) | st.floats(-1, 1) | st.sampled_from([0.0, -0.0, 5e-324, 2.0**53])
usual = numbers.map(go) | numbers.map(lambda value: f"{value:.17g}").filter(lambda text: text not in {"inf", "-inf", "nan"})
unusual = st.sampled_from(
    [
        "",
        "-",
        "1_0",
        "inf",
        "Inf",
        "nan",
        " 1",
        "1 ",
        "1\n",
        "01",
        "-01",
        "1.",
        ".5",
        "+1",
        "1e999",
        "0x1",
        "1,2",
        "[1",
        "true",
        "null",
        "2]",
    ]
)
names = st.sampled_from(["__name__", "pod", "path", "le"]) | st.text(min_size=1, max_size=4)
texts = st.text(max_size=8) | st.sampled_from(['"]]},{"metric":', ',"values":[[', '"],[1700000000,"', "}", "\\", '"', "é", "\0"])
label_sets = st.dictionaries(names, texts, max_size=4)


@st.composite
def answers(draw: st.DrawFn, values: st.SearchStrategy[str] = usual, times: st.SearchStrategy[Any] = seconds) -> bytes:
    """Draw an answer laid out as Prometheus does it; with warnings, or what other engines add."""
    samples = st.tuples(times, values)
    kind, key, part = draw(
        st.sampled_from([("matrix", "values", st.lists(samples, min_size=1, max_size=6)), ("vector", "value", samples)])
    )
    series = draw(st.lists(st.tuples(label_sets, part), min_size=1, max_size=8))
    data = {"resultType": kind, "result": [{"metric": labels, key: each} for labels, each in series]}
    more = draw(st.dictionaries(st.sampled_from(["warnings", "infos"]), st.lists(texts, max_size=2)))
    before = draw(st.sampled_from([{}, {"isPartial": False}]))
    return orjson.dumps({"status": "success", **before, "data": data, **more})


def known_way(body: bytes) -> tuple[dict[str, Any], Table]:
    document = orjson.loads(body)
    read = table.of(document["data"])
    return document, read


def same(body: bytes, document: dict[str, Any]) -> None:
    expected_document, expected = known_way(body)
    read = document["data"]
    assert {**document, "data": None} == {**expected_document, "data": None}
    assert read.kind == expected.kind
    assert [parse.labels(text) for text in read.labels] == [parse.labels(text) for text in expected.labels]
    assert read.counts.tolist() == expected.counts.tolist()
    assert read.times.tolist() == expected.times.tolist()
    assert bits(read.values) == bits(expected.values)


def bits(values: np.ndarray[Any, Any]) -> list[int]:
    # One NaN is as good as another, whatever its sign.
    quiet = np.where(np.isnan(values), math.nan, values)
    return [int(each) for each in quiet.view(np.uint64)]


@settings(max_examples=500, deadline=None)
@given(body=answers())
def test_what_prometheus_writes_is_read_from_its_bytes(body: bytes) -> None:
    """Every answer in Prometheus' own layout takes the short way, and what it gives is what float() and a JSON parser give."""
    document = table.read(body)
    assert document is not None
    same(body, document)


@settings(max_examples=500, deadline=None)
@given(
    body=answers(usual | unusual, seconds | st.integers(1_000_000_000, 9_999_999_999) | st.integers(0, 10**11) | st.floats(0, 1e10))
)
def test_what_looks_different_is_read_the_same_or_not_at_all(body: bytes) -> None:
    """Times with fractions, values only float() reads, values that are none: the short way never says anything else."""
    document = table.read(body)
    if document is not None:
        same(body, document)


@settings(max_examples=1000, deadline=None)
@given(body=answers(), data=st.data())
@example(body=b'{"data":{"resultType":"matrix","result":[{"metric":{},"values":[[1700000000,"1"]]},{"metric":"]]}]}}', data=None)
@example(body=b'{"data":{"resultType":"vector","result":[{"metric":{},"step":1,"value":[1700000000,"1"]}]}}', data=None)
@example(body=b'{"data":{"resultType":"vector","result":[{"metric":{},"value":[0700000000,"1"]}]}}', data=None)
@example(body=b'{"data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"1"]}],"result":[]}}', data=None)
@example(
    body=b'{"a":{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"1"]}]},"data":{"resultType":"vector"}}',
    data=None,
)
def test_a_damaged_answer_is_never_misread(body: bytes, data: st.DataObject | None) -> None:
    """Bytes lost, doubled or changed: the short way gives what the bytes say as JSON, or leaves them alone."""
    if data is not None:
        begin = data.draw(st.integers(0, len(body)))
        end = data.draw(st.integers(begin, min(len(body), begin + 20)))
        patch = data.draw(
            st.sampled_from([b"", body[begin:end] * 2, b'"', b"]", b"[", b"{", b"}", b",", b"0", b"\\", b" ", b"\xff"])
        )
        body = body[:begin] + patch + body[end:]
    document = table.read(body)
    if document is None:
        return
    try:
        for text in document["data"].labels:
            parse.labels(text)
    except (ValueError, TypeError, AttributeError):
        return  # refused when the labels are looked at
    same(body, document)


@settings(max_examples=300, deadline=None)
@given(
    rounds=st.lists(
        st.lists(st.dictionaries(st.sampled_from(["__name__", "a", "b"]), st.sampled_from(["x", "y", "z"]))), max_size=5
    )
)
def test_a_roster_carried_on_is_one_made_anew(rounds: list[list[dict[str, str]]]) -> None:
    """Whoever came and went before, the rows are those of the newest answer alone; the same refusals too."""
    carried = AnswerRoster()
    for labels in rounds:
        texts = tuple(map(orjson.dumps, labels))
        outcome, anew = made(carried, texts), made(AnswerRoster(), texts)
        if not isinstance(anew, AnswerRoster):
            assert outcome == anew
            continue
        assert isinstance(outcome, AnswerRoster)
        assert (outcome.labels, outcome.names, outcome.row_of) == (anew.labels, anew.names, anew.row_of)
        assert outcome.rows.tolist() == anew.rows.tolist()
        assert list(outcome.labels) == sorted(outcome.labels, key=lambda row: sorted(row.items()))
        if set(texts) == set(carried.texts):
            assert outcome.labels is carried.labels
        carried = outcome


def made(roster: AnswerRoster, texts: tuple[bytes, ...]) -> AnswerRoster | str:
    try:
        return roster.of(texts, "up")
    except (LensError, ValueError) as error:
        return type(error).__name__


@pytest.mark.parametrize("block", [1, 40, 100, 10**6])
def test_blocks_do_not_show(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer read in many pieces is the answer read in one."""
    result = [
        {"metric": {"pod": f"p{number}"}, "values": [[1_700_000_000 + at, str(number / (at + 1))] for at in range(number % 4 + 1)]}
        for number in range(50)
    ]
    body = orjson.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})
    monkeypatch.setattr(table, "_BLOCK_BYTES", block)
    document = table.read(body)
    assert document is not None
    same(body, document)
