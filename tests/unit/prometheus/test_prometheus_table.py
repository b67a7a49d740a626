"""Which answers are read from their bytes, and which only by a JSON parser."""

import math

import orjson
import pytest

from lens_exporter.prometheus import table

SERIES = b'{"metric":{"pod":"a"},"value":[1700000000,"1.5"]}'


def answer(*series: bytes, kind: bytes = b"vector", tail: bytes = b"") -> bytes:
    return b'{"status":"success","data":{"resultType":"%b","result":[%b]}%b}' % (kind, b",".join(series), tail)


def matrix(*samples: bytes) -> bytes:
    return answer(b'{"metric":{},"values":[%b]}' % b",".join(samples), kind=b"matrix")


def test_a_vector_is_columns():
    """Labels stay text, each series has its sample, and what stands around the series is kept."""
    document = table.read(answer(SERIES, SERIES.replace(b'"a"', b'"b"'), tail=b',"warnings":["slow"]'))
    assert document is not None
    read = document["data"]
    assert (document["status"], document["warnings"], read.kind) == ("success", ["slow"], "vector")
    assert read.labels == (b'{"pod":"a"}', b'{"pod":"b"}')
    assert (read.counts.tolist(), read.times.tolist(), read.values.tolist()) == ([1, 1], [1.7e9, 1.7e9], [1.5, 1.5])


def test_a_matrix_with_gaps_keeps_each_samples_own_time():
    """Nothing is taken for granted about times: they are read."""
    document = table.read(matrix(b'[1700000000,"1"]', b'[1700000180,"NaN"]', b'[1700000240,"-Inf"]'))
    assert document is not None
    read = document["data"]
    assert (read.counts.tolist(), read.times.tolist()) == ([3], [1_700_000_000, 1_700_000_180, 1_700_000_240])
    assert read.values[[0, 2]].tolist() == [1.0, -math.inf]
    assert math.isnan(read.values[1])


def test_zero_keeps_its_sign():
    """JSON knows no negative integer zero; Prometheus writes one."""
    document = table.read(matrix(b'[1700000000,"-0"]', b'[1700000060,"0"]', b'[1700000120,"-0.5"]'))
    assert document is not None
    assert [math.copysign(1, value) for value in document["data"].values] == [-1, 1, -1]


@pytest.mark.parametrize(
    "body",
    [
        answer(),
        answer(SERIES.replace(b",", b", ")),
        answer(SERIES.replace(b"1700000000", b"1700000000.5")),
        answer(SERIES.replace(b"1700000000", b"170000000")),
        answer(SERIES, SERIES.replace(b"1700000000", b"1800000000")),
        answer(SERIES.replace(b"1.5", b"1_5")),
        answer(SERIES.replace(b"1.5", b"1e999")),
        answer(SERIES.replace(b'"1.5"', b"1.5")),
        answer(SERIES.replace(b',"value"', b',"step":60,"value"')),
        answer(SERIES, b'{"metric":{},"histogram":[1700000000,{"count":"3"}]}'),
        answer(b'{"metric":{},"histogram":[1700000000,{"count":"3"}]}', SERIES),
        answer(SERIES, kind=b"streams"),
        answer(SERIES, kind=b"matrix"),
        b" " * 5000 + answer(SERIES),
    ],
)
def test_other_layouts_are_left_to_a_json_parser(body):
    """What is right but not laid out as Prometheus does it is not guessed at."""
    orjson.loads(body)
    assert table.read(body) is None


@pytest.mark.parametrize(
    "body",
    [
        answer(SERIES).replace(b"1.5", b"1\n"),
        answer(SERIES).replace(b'0,"1', b'0;"1'),
        answer(SERIES).replace(b"1700000000", b"0700000000"),
        answer(SERIES).replace(b"1700000000", b"17000000a0"),
        answer(SERIES).replace(b"1.5", b'1"5'),
        answer(SERIES).replace(b"1.5", b"true"),
        answer(SERIES).replace(b"1.5", b""),
        answer(SERIES, SERIES).replace(b"1.5", b"[1", 1).replace(b"1.5", b"1]"),
        answer(SERIES) + b"}",
        answer(SERIES)[:-2],
        answer(SERIES, b'{"metric":'),
    ],
)
def test_what_is_no_such_answer_is_not_read(body):
    """Neither damage inside of a sample nor around the series passes."""
    assert table.read(body) is None


@pytest.mark.parametrize("block", [1, 100, 10**6])
def test_an_end_in_the_middle_of_a_series_is_seen_wherever_blocks_end(block, monkeypatch):
    """A last entry that is cut short is no series less."""
    monkeypatch.setattr(table, "_BLOCK_BYTES", block)
    whole = answer(SERIES, SERIES)
    assert table.read(whole) is not None
    assert table.read(whole.replace(b'"]}]', b'"]},{"metric":"]}]')) is None
