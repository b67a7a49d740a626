"""Keep helm/lens-exporter in step with the rest: rules and dashboards are copied into it, the table of its README is written.

`make chart` runs it; a test fails when it was forgotten.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parents[1]
CHART = ROOT / "helm/lens-exporter"
_MARKS = ("<!-- values: written by `make chart` -->\n", "<!-- end of values -->\n")
_LONGEST = 60  # characters of a default that still fits a table


class Row(NamedTuple):
    """One value: its dotted key, what stands there, and what the comment above it says."""

    key: str
    default: str
    meaning: str


def rows(text: str) -> Iterator[Row]:
    """Read the values of a values.yaml, in its order: each key with a comment "# -- ..." is one, whatever stands under it.

    A further comment line "# @default -- ..." says what the table shows instead of the default.

    Raises:
        ValueError: a key has neither a comment nor keys under it that have.

    """
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)  # noqa: S101 - else there is no chart
    yield from _rows(root, text.splitlines(), yaml.safe_load(text), "")


def _rows(node: yaml.MappingNode, lines: list[str], values: Mapping[str, object], above: str) -> Iterator[Row]:
    for key_node, value_node in node.value:
        name, value = str(key_node.value), values[key_node.value]
        meaning, shown = _comment(lines, key_node.start_mark.line)
        if meaning:
            yield Row(above + name, shown or _default(value), meaning)
        elif isinstance(value_node, yaml.MappingNode) and value_node.value and isinstance(value, Mapping):
            yield from _rows(value_node, lines, value, f"{above}{name}.")
        else:
            raise ValueError(f"{above}{name} has no comment")


def _comment(lines: list[str], line: int) -> tuple[str, str]:
    """Give what the comment block right above a line says after its last "-- ", and the default it wants shown."""
    said: list[str] = []
    shown = ""
    while line > 0 and (match := re.fullmatch(r"\s*# ?(.*)", lines[line - 1])):
        line -= 1
        if (begin := match[1].removeprefix("-- ")) != match[1]:
            return " ".join([begin, *reversed(said)]), shown
        if (default := match[1].removeprefix("@default -- ")) != match[1]:
            shown = default
        else:
            said.append(match[1])
    return "", ""


def _default(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= _LONGEST else "see values.yaml"


def readme(text: str, values: str) -> str:
    """Give a README with the table of these values between its marks."""
    begin, end = _MARKS
    before, rest = text.split(begin)
    cells = ([f"`{row.key}`", row.default, row.meaning] for row in rows(values))
    table = "".join("| {} |\n".format(" | ".join(cell.replace("|", "\\|") for cell in line)) for line in cells)
    return f"{before}{begin}\n| Key | Default | Meaning |\n| --- | --- | --- |\n{table}\n{end}{rest.split(end)[1]}"


def files() -> dict[Path, str]:
    """Give every generated file of the chart with its right content."""
    values = (CHART / "values.yaml").read_text("utf-8")
    copied = {
        **{CHART / "files/rules" / path.name: path for path in (ROOT / "rules").glob("*.yml")},
        **{CHART / "files/dashboards" / path.name: path for path in (ROOT / "dashboards").glob("*.json")},
    }
    page = CHART / "README.md"
    return {page: readme(page.read_text("utf-8"), values), **{to: path.read_text("utf-8") for to, path in copied.items()}}


def forgotten(wanted: Mapping[Path, str]) -> list[Path]:
    """Give the copies in the chart of what is no longer there."""
    return [path for path in (CHART / "files").rglob("*.*") if path not in wanted]


def main() -> None:
    wanted = files()
    for path in forgotten(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
