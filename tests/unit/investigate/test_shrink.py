"""Answers that are too large lose rows and long texts, never their structure."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from lens_exporter.investigate.shrink import shrunk

ROWS = [{"name": f"metric_{index}", "labels": {"pod": f"api-{index}"}, "score": 100 - index} for index in range(400)]


def test_what_fits_stays_as_it_is() -> None:
    """Nothing is cut without need, also no long text."""
    data = {"suspects": ROWS[:3], "note": "x" * 1000}
    assert shrunk(data, 16_000) == (data, "")


def test_the_first_rows_stay_and_the_others_are_counted() -> None:
    """A ranking keeps its top, and says how many rows are gone."""
    data, note = shrunk({"suspects": ROWS, "judged": 400}, 4_000)
    assert data["judged"] == 400
    assert data["suspects"] == ROWS[: len(data["suspects"])]
    assert 10 <= len(data["suspects"]) < 100
    assert note.startswith(f"{400 - len(data['suspects'])} rows left out")


def test_one_long_label_costs_no_rows() -> None:
    """A scraped target cannot blind the analyst to all others by one huge label value."""
    rows = [*ROWS[:20], {"name": "hostile", "labels": {"query": "x" * 20_000}, "score": 1}]
    data, note = shrunk({"suspects": rows}, 16_000)
    assert [row["name"] for row in data["suspects"]] == [row["name"] for row in rows]
    assert len(data["suspects"][-1]["labels"]["query"]) == 301
    assert note == "texts cut to 300 characters"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=20), inner, max_size=6),
    max_leaves=60,
)


@given(JSON, st.integers(64, 2_000))
def test_it_always_fits_and_always_ends(data: Any, most: int) -> None:
    """Whatever the answer is, what is shown is within the bound (a cut text may gain its quotes), and the original is untouched."""
    before = orjson.dumps(data)
    small, note = shrunk(data, most)
    assert orjson.dumps(data) == before
    if isinstance(small, str) and note:
        assert len(small.encode()) <= most
    else:
        assert len(orjson.dumps(small)) <= most
    assert bool(note) == (len(before) > most)
