"""Runbook pages: one for each alert, and nothing in them, in the rules or in the dashboards that does not exist."""

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from lens_exporter.cli import main
from lens_exporter.foundation.catalogue import EVENTS
from lens_exporter.rules.runbooks import RUNBOOKS, built_in, runbook
from tests.unit.rules.named_metrics import misnamed

ROOT = Path(__file__).parents[3]
RULES = sorted((ROOT / "rules").glob("*.yml"))
PAGES = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
ALERTS = [
    rule
    for path in RULES
    for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
]


def test_every_alert_has_its_page_and_every_page_its_alert():
    """By name, in both directions; the built-in lenses raise no others."""
    names = {alert["alert"] for alert in ALERTS}
    assert {page.stem for page in PAGES} == names
    assert built_in() == {name for name in names if not name.startswith("LensExporter")}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert['alert']}-{alert['labels'].get('metric', 'own')}")
def test_every_alert_says_what_is_wrong_how_bad_it_is_and_where_to_read_on(alert):
    """Severity, a summary of one line that names the target, a description that ends in a sentence, and its own page."""
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    said = alert["annotations"]
    assert said["runbook_url"] == runbook(alert["alert"])
    assert said["description"].strip()
    if alert["alert"].startswith("LensExporter"):
        assert len(said["summary"]) < 120
        assert alert["alert"] == "LensExporterAbsent" or "{{ $labels.instance }}" in said["summary"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_answers_the_four_questions_in_order(page):
    """What it means, what it does to people, how to find out, how to mend it; none of them empty."""
    parts = re.split(r"^## (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    assert parts[0].strip() == f"# {page.stem}"
    assert parts[1::2] == ["Meaning", "Impact", "Diagnose", "Mend"]
    assert all(len(text.strip()) > 20 for text in parts[2::2])


def commands(text: str) -> list[list[str]]:
    """Find every call of lens-exporter in a page's code."""
    code = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL) + re.findall(r"`(lens-exporter check-config [^`\n]+)`", text))
    found = (part.strip() for line in code.splitlines() for part in line.split(";"))
    return [shlex.split(line)[1:] for line in found if line.startswith("lens-exporter ")]


@pytest.mark.parametrize("page", [*PAGES, *RULES], ids=lambda page: page.name)
def test_its_commands_exist(page):
    """Each with its options and arguments, and events are asked for by a type that there is."""
    text = page.read_text("utf-8")
    types = re.findall(r"--type\s+([a-z_]+\.[a-z_]+)", text)
    assert set(types) <= {event.type for event in EVENTS}
    for words in commands(text):
        command: click.Command = main
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]
        # A file that a page names need not be here.
        for option in command.params:
            option.type = click.STRING if isinstance(option.type, click.Path) else option.type
        command.make_context(command.name, words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_links_lead_somewhere(page):
    """To other pages and how-tos of this repository."""
    for link in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / link).resolve().is_file(), link


def test_every_metric_that_is_named_exists():
    """In rules, pages and dashboards: with its suffix, and with labels that it has."""
    dashboards = (ROOT / "dashboards").glob("*.json")
    assert {path.name: wrong for path in (*RULES, *PAGES, *dashboards) if (wrong := misnamed(path.read_text("utf-8")))} == {}


def test_a_metric_that_does_not_exist_is_found():
    """A wrong name, a wrong suffix and a wrong label; what is recorded, and what labels are called, is none."""
    assert misnamed("rate(lens_ticks[5m]) + lens_up_total + lens_queue_depth_bucket") == [
        "lens_queue_depth_bucket",
        "lens_ticks",
        "lens_up_total",
    ]
    assert misnamed('lens_up{lense="host"} or lens_up{lens="host",job=~"x"}') == ["lens_up{lense}"]
    assert misnamed('lens:value:last{lens_source="rules"} instance_verdict:lens_investigations:increase1d') == []
    assert misnamed("instance_verdict:lens_investigation:increase1d") == ["instance_verdict:lens_investigation:increase1d"]


def test_the_address_of_the_pages_stands_in_one_place():
    """Who replaces it in the rules, as docs/how-to/rules.md says, replaces all of it; and nobody else's name is in it."""
    text = "".join(path.read_text("utf-8") for path in RULES)
    assert set(re.findall(r"https?://[^/\s]+/runbooks", text)) == {RUNBOOKS}
    assert RUNBOOKS.split("/")[2].endswith(".example")
    assert RUNBOOKS in (ROOT / "docs/how-to/rules.md").read_text("utf-8")
