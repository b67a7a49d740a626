"""The chart's files agree with one another, and with the rest of the repository."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from scripts import chart as generated
from tests.servers.helm_chart import CASES, CHART, ROOT

VALUES = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
SCHEMA = json.loads((CHART / "values.schema.json").read_text("utf-8"))
META = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return SCHEMA["definitions"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def closed(schema: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Name every value for which the schema has a type, down to where it leaves things open."""
    schema = resolved(schema)
    if schema.get("additionalProperties") is False and schema.get("type") == "object":
        for key, inner in schema["properties"].items():
            yield from closed(inner, f"{above}.{key}")
    else:
        yield above


def given(values: object, schema: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Name every value of values.yaml, down to where the schema leaves things open."""
    schema = resolved(schema)
    if isinstance(values, dict) and schema.get("additionalProperties") is False:
        for key, inner in values.items():
            yield from given(inner, schema["properties"].get(key, {}), f"{above}.{key}")
    else:
        yield above


def test_what_is_generated_is_up_to_date():
    """`make chart` would change nothing: the README's table, and the copies of rules and dashboards, are what they are made from."""
    wanted = generated.files()
    assert generated.forgotten(wanted) == []
    stale = [str(path.relative_to(ROOT)) for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    assert stale == [], "run make chart"


def test_the_schema_knows_every_value_and_no_other():
    """values.yaml and values.schema.json name the same values; only Helm's own `global` is in one of them."""
    assert sorted(given(VALUES, SCHEMA)) == sorted(set(closed(SCHEMA)) - {".global"})


def test_the_schema_says_which_rules_there_are():
    """prometheusRule.rules takes the names of the files that the chart carries."""
    names = SCHEMA["properties"]["prometheusRule"]["properties"]["rules"]["items"]["enum"]
    assert sorted(names) == sorted(path.stem for path in (CHART / "files/rules").glob("*.yml"))


def test_every_value_has_a_row_with_a_meaning():
    """The table has one row for each documented value, and a key without a comment is refused."""
    table = list(generated.rows((CHART / "values.yaml").read_text("utf-8")))
    assert len({row.key for row in table}) == len(table)
    assert all(row.meaning for row in table)
    with pytest.raises(ValueError, match=r"a\.b has no comment"):
        list(generated.rows("a:\n  # no dashes\n  b: 1\n"))


def test_a_row_is_read_off_its_comment():
    """The comment may have several lines; @default replaces what the table shows."""
    text = '# -- One\n# two\n# @default -- shown\na: 1\nb:\n  # not this\n  # -- Three\n  c: "|"\n'
    assert list(generated.rows(text)) == [("a", "shown", "One two"), ("b.c", '`"|"`', "Three")]


def test_it_installs_this_version():
    """appVersion is the program's, so the default image is the one built from the same commit."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert META["appVersion"] == project["version"]


def test_the_user_is_the_images():
    """The pod runs as the user that the Dockerfile makes."""
    pod = VALUES["podSecurityContext"]
    made = re.search(r"--uid (\d+)", (ROOT / "Dockerfile").read_text("utf-8"))
    assert made is not None
    assert {pod["runAsUser"], pod["runAsGroup"], pod["fsGroup"]} == {int(made[1])}


def test_each_case_says_what_it_is_for():
    """Every values file under ci/ begins with a comment."""
    assert len(CASES) >= 6
    assert [path.name for path in CASES if not path.read_text("utf-8").startswith("# ")] == []
