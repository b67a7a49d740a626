"""Incidents read from files: CSV, YAML, JSON; whatever is wrong is told with file and line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_exporter.errors import TableInvalid, TableUnreadable
from lens_exporter.model.matcher import Matcher
from lens_exporter.replay.backtest.incidents import read_incidents
from lens_exporter.replay.backtest.matchers import matchers_of

TEN = 1_795_168_800.0  # 2026-11-20T10:00:00Z


def written(tmp_path, text, name="incidents.csv"):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def read(tmp_path, text, name="incidents.csv"):
    return read_incidents(written(tmp_path, text, name))


def test_a_table_of_incidents(tmp_path):
    """Columns in any order, times of both kinds, matchers with and without quotes; the earliest comes first."""
    text = (
        "name,end,start,matchers\n"
        'second,1795176000,1795172400,"instance=""api-7:9000"",job=~""api|web"""\n'
        "\n"
        "first,2026-11-20T10:30:00Z,2026-11-20 10:00,instance=api-7:9000;job!=web\n"
    )
    first, second = read(tmp_path, text)
    assert (first.name, first.start, first.end) == ("first", TEN, TEN + 1800)
    assert first.matchers == (Matcher("instance", "api-7:9000"), Matcher("job", "web", equal=False))
    assert second.matchers == (Matcher("instance", "api-7:9000"), Matcher("job", "api|web", regex=True))


def test_name_and_matchers_may_be_left_out(tmp_path):
    """Start and end are enough, and any alert may be about it."""
    (only,) = read(tmp_path, "start,end\n1795168800,1795170600\n")
    assert (only.start, only.name, only.matchers) == (TEN, "", ())


@pytest.mark.parametrize("name", ["incidents.yaml", "incidents.yml", "incidents.json"])
def test_yaml_and_json_say_the_same(name, tmp_path):
    """Times as text, as YAML's own and as numbers; matchers as text, list or labels; a list alone or under incidents."""
    given_ = [
        {"start": "2026-11-20T10:00:00Z", "end": 1795170600, "matchers": {"instance": "api-7:9000"}},
        {"start": TEN + 3600, "end": TEN + 7200, "name": "second", "matchers": ['job="api"', "pod=~a.*"]},
    ]
    for value in (given_, {"incidents": given_}):
        first, second = read(tmp_path, json.dumps(value, indent="\t" if name.endswith("json") else None), name)
        assert (first.start, first.end, first.matchers) == (TEN, TEN + 1800, (Matcher("instance", "api-7:9000"),))
        assert second.matchers == (Matcher("job", "api"), Matcher("pod", "a.*", regex=True))
    if not name.endswith("json"):
        (own,) = read(tmp_path, "- {start: 2026-11-20T10:00:00Z, end: 2026-11-20 10:30:00}\n", name)
        assert (own.start, own.end) == (TEN, TEN + 1800)


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("start\n1\n", ":1", "no column end"),
        ("start,end,what\n", ":1", 'an unknown column "what"'),
        ("start,end\n1,2\nsoon,3\n", ":3", 'start: expected an ISO 8601 time or Unix seconds, got "soon"'),
        ("start,end\n1,\n", ":2", 'end: expected an ISO 8601 time or Unix seconds, got ""'),
        ("start,end\n9,3\n", ":2", "the incident ends before it starts"),
        ("start,end,matchers\n1,2,job\n", ":2", "expected matchers like"),
        ("start,end,matchers\n1,2,job=~(\n", ":2", "expected a regular expression for job: "),
        ("start,end\n1,2,3\n", ":2", "3 cells, the header has 2"),
        ("", ":1", "no column start"),
    ],
)
def test_what_is_wrong_with_a_table_is_told_with_its_line(text, where, problem, tmp_path):
    """Nothing is left out in silence: the first wrong line ends the reading."""
    path = written(tmp_path, text)
    with pytest.raises(TableInvalid) as raised:
        read_incidents(path)
    assert str(raised.value).startswith(f"{path}{where}: {problem}")


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("- start: 1\n  end: 2\n- start: 3\n", ":3", "no column end"),
        ("- 5\n", ":1", "expected an incident with start and end"),
        ("incidents: 5\n", "", "expected a list of incidents"),
        ("- {start: 1, end: 2\n", ":2", "column 1: not YAML"),
        ("- {start: 1, end: 2, matchers: 7}\n", ":1", "expected matchers like"),
        ("- {start: 1, start: 2, end: 3}\n", ":1", "the key is used twice"),
    ],
)
def test_what_is_wrong_with_a_document_is_told_with_its_line(text, where, problem, tmp_path):
    """YAML's own errors and ours look alike."""
    path = written(tmp_path, text, "incidents.yaml")
    with pytest.raises(TableInvalid) as raised:
        read_incidents(path)
    assert str(raised.value).startswith(f"{path}{where}: {problem}")


def test_a_file_of_another_kind_or_none_is_named(tmp_path):
    """What a name may end in; what the system says of one that is not there; bytes that are no text."""
    with pytest.raises(TableInvalid, match=r"incidents.txt: expected a file whose name ends in \.csv"):
        read(tmp_path, "", "incidents.txt")
    with pytest.raises(TableUnreadable, match="No such file"):
        read_incidents(tmp_path / "none.csv")
    (tmp_path / "bad.csv").write_bytes(b"start,end\n\xff")
    with pytest.raises(TableInvalid, match="not UTF-8 text: byte 10"):
        read_incidents(tmp_path / "bad.csv")


def test_matchers_are_read_as_alertmanager_reads_them():
    """Braces, spaces and a last comma do not matter; only quotes, backslashes and line ends are escaped."""
    assert matchers_of("") == matchers_of("{}") == ()
    assert matchers_of('{ job = "a b" , pod!~"x\\d+" , }') == (
        Matcher("job", "a b"),
        Matcher("pod", "x\\d+", regex=True, equal=False),
    )
    assert matchers_of('a="\\"\\\\\\n"') == (Matcher("a", '"\\\n'),)


@given(st.lists(st.tuples(st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True), st.text(max_size=8)), max_size=4))
def test_what_is_quoted_is_read_back(pairs):
    """Any value survives being quoted with its quotes, backslashes and line ends escaped."""

    def quoted(value):
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    text = ",".join(f'{name}="{quoted(value)}"' for name, value in pairs)
    assert matchers_of(text) == tuple(Matcher(name, value) for name, value in pairs)
