"""Which numbers a sentence claims, and whether the numbers seen prove them."""

import pytest

from lens_exporter.baseline import evidence
from lens_exporter.baseline.quoted import Unit, quoted
from tests.unit.investigate.scripted import AT


def unproved(text, **numbers):
    """Numbers of r1, with __ for a dot."""
    return evidence.unproved(text, evidence.seen({"r1": {name.replace("__", "."): value for name, value in numbers.items()}}))


@pytest.mark.parametrize(
    "text",
    [
        "api-7 and p99 over http2, see r2 and r14",
        "api-7:9000 on 10.0.0.1:9100 runs v2.42.0 or 2.42.0",
        "/tmp/export-17.csv is held by pid 4211, port 9090",
        'rate(http_requests_total{code=~"5.."}[5m]) answered 5xx for the 3rd time',
        "commit 9f2c31 of release 2026-11-20.3, HTTP 503, exit code 137",
        "two of the three pods",
        "process_open_fds went up",
    ],
)
def test_names_claim_nothing(text):
    """Digits that belong to a name are no numbers of the claim."""
    assert quoted(text) == []


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("open files 61 -> 1,480", [61, 1480]),
        ("61→1480", [61, 1480]),
        ("1,402 of 1,480 (95 %)", [1402, 1480, 95]),
        ("rss=2.31GB, 3-5 ms", [2.31, 3, 5]),
        ("a 1,999-file leak", [1999]),
        ("1.2e9 B and .5", [1.2e9, 0.5]),
        ("3/5 pods, 7, 8 and 9.", [3, 5, 7, 8, 9]),
        ("-4 then \u22127", [-4, -7]),
        ("1\u202f480 files", [1480]),
        ("fell by 0.3.", [0.3]),
    ],
)
def test_numbers_are_found_as_written(text, values):
    """Thousands separators, arrows, glued units and lists of numbers are read as a person would."""
    assert [number.value for number in quoted(text)] == values


def test_units_and_rates_are_read():
    """A unit may be glued, stand apart, belong to the pair, and be an amount per time or per thing."""
    (grows,) = quoted("grows 38 MB a minute")
    assert (grows.unit, grows.rate) == (Unit.BYTES, 60.0)
    assert [number.unit for number in quoted("0.9 -> 2.31 GB")] == [Unit.BYTES, Unit.BYTES]
    assert quoted("0.9 MB per open file")[0].per
    assert quoted("212 req/s")[0].rate == 1.0
    assert quoted("at 14:02 UTC")[0].unit is Unit.CLOCK
    assert quoted("on 20 Nov 14:02")[0].date == "-11-20"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,480 open files", {"last": 1480}),
        ("2.31 GB", {"last": 2.3144e9}),
        ("2.16 GiB", {"last": 2.3144e9}),
        ("92 %", {"last": 0.9213}),
        ("92 %", {"cpu_percent": 92.4}),
        ("4 ms", {"lag_seconds": 0.004}),
        ("12 min", {"age_seconds": 719.0}),
        ("full at 14:15", {"until_at": AT + 20}),
        ("full at 14:15", {"until_at": AT - 20}),
        ("on 20 Nov 14:15", {"until_at": AT}),
        ("on 2026-11-20T14:15:00Z", {"until_at": AT}),
        ("about 1,500 files", {"last": 1484}),
        ("grew by 1,419", {"first": 61, "last": 1480}),
        ("grew 24.3x", {"first": 61, "last": 1480}),
        ("0.25 % of them", {"1__count": 4, "2__count": 1600}),
        ("up 50 %", {"first": 2, "last": 3}),
        ("38 MB a minute", {"first": 0, "first_at": AT - 600, "last": 380e6, "last_at": AT}),
        ("96 a minute", {"per_minute": 96.2}),
        ("212 req/s", {"value": 212.3}),
        ("0.9 MB per open file", {"bytes": 1332e6, "open_files": 1480}),
        ("over 10 minutes", {"start_at": AT - 600, "end_at": AT}),
        ("lag is 40 ms", {"lag_ms": 40}),
        ("-3 degrees", {"value": -3}),
    ],
)
def test_what_was_seen_proves_the_claim(text, numbers):
    """Other units, rounding to the digits shown, and simple derivations of two numbers are the same number."""
    assert unproved(text, **numbers) == []


@pytest.mark.parametrize(
    ("text", "numbers", "missing"),
    [
        ("1,999 open files", {"last": 1480}, ["1,999"]),
        ("1,500 open files", {"last": 1480}, ["1,500"]),
        ("2.32 GB", {"last": 2.3144e9}, ["2.32 GB"]),
        ("0.92 %", {"last": 0.9213}, ["0.92 %"]),
        ("2.31 GB", {"last": 2.31}, ["2.31 GB"]),
        ("at 14:17", {"until_at": AT}, ["14:17"]),
        ("at 14:15", {"last": AT}, ["14:15"]),
        ("on 21 Nov", {"until_at": AT}, ["21 Nov"]),
        ("7 pods", {"1__count": 10, "2__count": 3}, ["7"]),
        ("1 of 3 pods", {"up": 1, "pods": 4}, ["3"]),
        ("-3 degrees", {"value": 3}, ["-3"]),
        ("38 MB a minute", {"first": 0, "first_at": AT - 600, "last": 760e6, "last_at": AT}, ["38 MB"]),
        ("grew 3x", {"first": 61, "last": 1480}, ["3x"]),
    ],
)
def test_what_was_not_seen_is_named(text, numbers, missing):
    """A number that no seen or derived number reads as is given back as it was written."""
    assert unproved(text, **numbers) == missing


def test_numbers_of_unlike_series_are_not_mixed():
    """The first value of one series and the last of another have no difference that one may claim."""
    assert unproved("grew by 1,419", **{"1__first": 61, "2__last": 1480}) == ["1,419"]
