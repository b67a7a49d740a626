"""The dashboards: as they would be written now, and by the rules of Grafana's dashboard-linter and some of our own."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dashboards.generate.__main__ import FOLDER, documents, main

FILES = sorted(FOLDER.glob("*.json"))
BOARDS = {path.stem: json.loads(path.read_text("utf-8")) for path in FILES}
BUILT_IN = {"__rate_interval", "__range"}
# A panel of these types has no series: nothing to query, nothing to measure.
EMPTY = {"row", "text"}


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Give all panels but rows."""
    return [panel for panel in board["panels"] if panel["type"] not in EMPTY]


def expressions(board: dict[str, Any]) -> list[str]:
    """Give every PromQL expression: of panels and of annotations."""
    drawn = [query["expr"] for query in board["annotations"]["list"] if "expr" in query]
    return [target["expr"] for panel in panels(board) for target in panel["targets"]] + drawn


def variables(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {variable["name"]: variable for variable in board["templating"]["list"]}


every_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())


def test_the_files_are_what_would_be_written(capsys):
    """Whoever changes the generator runs `make dashboards`; a file that nobody writes is none."""
    assert main(["--check"]) == 0, capsys.readouterr().err
    assert {path.name for path in FILES} == documents().keys()


def test_a_file_that_drifted_is_named(monkeypatch, tmp_path, capsys):
    """--check changes nothing; without it the file is written."""
    monkeypatch.setattr("dashboards.generate.__main__.FOLDER", tmp_path)
    assert main(["--check"]) == 1
    assert "dashboards/overview.json is not up to date: run make dashboards\n" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert main([]) == 0
    assert main(["--check"]) == 0


def test_uids_and_titles_are_each_used_once_and_stay():
    """Annotations, links and bookmarks of users go by the uid."""
    names = ("beam", "health", "host", "investigations", "overview", "python")
    assert {name: board["uid"] for name, board in BOARDS.items()} == {name: f"lens-{name}" for name in names}
    assert max(Counter(board["title"] for board in BOARDS.values()).values()) == 1


@every_board
def test_it_can_be_provisioned_anywhere(board):
    """No id of one Grafana, not to be edited there, a schema version, the common tag, and a link to the others that keeps the choice."""
    assert "id" not in board
    assert board["editable"] is False
    assert board["schemaVersion"] >= 36
    assert board["tags"] == ["lens-exporter"]
    assert board["description"]
    (link,) = board["links"]
    assert (link["type"], link["tags"], link["includeVars"], link["keepTime"]) == ("dashboards", board["tags"], True, True)


@every_board
def test_its_data_source_is_a_variable(board):
    """template-datasource-rule, panel-datasource-rule: of type prometheus, called datasource, and used everywhere."""
    source = variables(board)["datasource"]
    assert (source["type"], source["query"], source["label"]) == ("datasource", "prometheus", "Data source")
    used = {"type": "prometheus", "uid": "${datasource}"}
    asked = [panel["datasource"] for panel in panels(board)] + [
        t["datasource"] for panel in panels(board) for t in panel["targets"]
    ]
    asked += [variable["datasource"] for variable in variables(board).values() if variable["type"] == "query"]
    asked += [query["datasource"] for query in board["annotations"]["list"] if "expr" in query]
    assert all(source == used for source in asked)
    # Grafana's own annotations come from Grafana, by the name that every Grafana has for itself.
    (findings,) = [query for query in board["annotations"]["list"] if "expr" not in query]
    assert findings["datasource"] == {"type": "grafana", "uid": "-- Grafana --"}
    assert findings["target"]["tags"] == ["lens"]


@every_board
def test_its_variables_offer_all_and_follow_the_time(board):
    """template-job-rule, template-instance-rule, template-on-time-change-reload-rule: multi, All, loaded anew as the range changes."""
    found = variables(board)
    assert list(found)[:3] == ["datasource", "job", "instance"]
    for name, variable in found.items():
        if variable["type"] == "query":
            assert (variable["multi"], variable["includeAll"], variable["refresh"]) == (True, True, 2), name
            assert variable["allValue"] == (".+" if name in {"job", "instance"} else ".*"), name
            assert re.fullmatch(r"label_values\(lens_\w+(\{.*\})?, \w+\)", variable["query"]), name
    used = {name for text in expressions(board) for name in re.findall(r"\$\{?(\w+)", text)}
    assert used - BUILT_IN <= found.keys()
    assert found.keys() - {"datasource"} <= used, "a variable that changes nothing"


@every_board
def test_every_panel_says_what_it_is_and_in_which_unit(board):
    """panel-title-description-rule, panel-units-rule, panel-no-targets-rule."""
    for panel in panels(board):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in {
            "short",
            "percentunit",
            "bytes",
            "Bps",
            "s",
            "ops",
            "reqps",
            "currencyUSD",
        }
        assert panel["targets"], panel["title"]
        assert [target["refId"] for target in panel["targets"]] == list("ABCDEFG"[: len(panel["targets"])])
        for target in panel["targets"]:
            assert panel["type"] == "table" or target["legendFormat"], panel["title"]


@every_board
def test_processes_of_one_name_are_told_apart(board):
    """By their pid, which is empty where the name alone identifies the process: in legends and in the texts of annotations."""
    said = [target.get("legendFormat", "") for panel in panels(board) for target in panel["targets"]]
    said += [query.get("textFormat", "") for query in board["annotations"]["list"]]
    assert [text for text in said if "{{process}}" in text and "{{process}} {{pid}}" not in text] == []


@every_board
def test_every_query_is_of_the_chosen_jobs_and_instances(board):
    """target-job-rule, target-instance-rule: each selector of ours has both, be it those of the series that a band is about."""
    for text in expressions(board):
        selectors = re.findall(r"\b(lens_\w+|up|ALERTS)\b(\{[^}]*\})?", text)
        assert selectors, text
        for name, matchers in selectors:
            if (name, matchers) == ("lens_build_info", ""):
                continue  # says which of the chosen targets is a lens-exporter
            assert re.search(r'(exported_)?job=~"\$job"', matchers), text
            assert re.search(r'(exported_)?instance=~"\$instance"', matchers), text


@every_board
def test_counters_are_rated_over_an_interval_that_grafana_chooses(board):
    """target-counter-agg-rule, target-rate-interval-rule."""
    for text in expressions(board):
        for match in re.finditer(r"lens_\w+?(_total|_bucket|_sum|_count)\{[^}]*\}(\[[^\]]*\])?", text):
            assert match[2] in {"[$__rate_interval]", "[$__range]"}, text
            assert re.search(r"(rate|increase)\($", text[: match.start()]), text


@every_board
def test_panels_have_their_own_number_and_place(board):
    """No id twice, nothing over another, nothing beyond the right edge."""
    ids = [panel["id"] for panel in board["panels"]]
    assert ids == list(range(1, len(ids) + 1))
    taken: Counter[tuple[int, int]] = Counter()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        taken.update((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"]))
    assert max(taken.values()) == 1


def test_a_variable_of_another_board_does_not_narrow_this_one_by_accident():
    """Links take variables along by name, so that one name means one thing."""
    asked: dict[str, set[str]] = {}
    for board in BOARDS.values():
        for name, variable in variables(board).items():
            asked.setdefault(name, set()).add(variable.get("query", "").rpartition(", ")[2])
    assert {name: len(labels) for name, labels in asked.items()} == dict.fromkeys(asked, 1)


def test_nothing_of_it_is_in_the_package():
    """The generator needs an SDK that is there for development only."""
    package = Path(__file__).parents[2] / "lens_exporter"
    assert [str(path) for path in package.rglob("*.py") if "grafana_foundation_sdk" in path.read_text("utf-8")] == []
