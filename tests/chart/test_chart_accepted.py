"""What the chart renders, in the hands of those it is for: lens-exporter itself, Prometheus and Alertmanager."""

import subprocess
import textwrap
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from lens_exporter import cli
from lens_exporter.demo.servers import find
from lens_exporter.wiring.configuration import load
from tests.servers.helm_chart import CASES, CHART, GUARDED, Rendered, render
from tests.servers.missing import skip_or_fail

FULL = CHART / "ci/full-values.yaml"
WEB = {"listen_address", "telemetry_path", "external_url", "web_config_file", "allow_unauthenticated"}

each_case = pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)


def tool(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    with skip_or_fail():
        program = find(name)
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)


def parsed(rendered: Rendered) -> dict[str, Any]:
    """Parse the container's arguments as the command line does; an unknown flag raises."""
    command, *arguments = rendered.container["args"]
    found = cli.main.commands[command]
    with click.Context(found) as context:
        found.parse_args(context, list(arguments))
        return context.params


def notes_snippet(notes: str) -> str:
    """Cut out of the notes what is to be put into Alertmanager's configuration."""
    begin = notes.index("  route:\n")
    lines = notes[begin:].splitlines()
    end = next((index for index, line in enumerate(lines) if line and not line.startswith("  ")), None)
    return textwrap.dedent("\n".join(lines[:end]))


@each_case
def test_every_flag_exists(case):
    """The command line takes the container's arguments, and they mean the port and the file that the pod has."""
    rendered = render(case)
    flags = parsed(rendered)
    (port,) = rendered.container["ports"]
    assert flags["listen_address"] == f":{port['containerPort']}"
    mounted = [Path(mount["mountPath"]) for mount in rendered.container["volumeMounts"]]
    assert flags["config_file"].parent in mounted
    assert flags["web_config_file"] is None or flags["web_config_file"].parent in mounted


def test_a_flag_that_does_not_exist_is_found():
    """So that the test above means something."""
    with pytest.raises(click.NoSuchOption):
        parsed(render({**GUARDED, "extraArgs": ["--web.nonsense"]}))


@each_case
def test_lens_exporter_takes_the_configuration(case, tmp_path):
    """The rendered lens.yml loads, with the flags on top; each file it names lies in a mounted folder, and the database too."""
    rendered = render(case)
    texts = [each["data"]["lens.yml"] for each in rendered.all("ConfigMap") if "lens.yml" in each.get("data", {})]
    if "existing-configmap" in case.name:
        assert texts == []
        return
    (text,) = texts
    (tmp_path / "lens.yml").write_text(text, "utf-8")
    flags = {key: value for key, value in parsed(rendered).items() if key in WEB and value}
    flags["config_file"] = flags.pop("web_config_file", None)
    config = load(tmp_path / "lens.yml", {key: value for key, value in flags.items() if value is not None})
    mounted = tuple(f"{mount['mountPath']}/" for mount in rendered.container["volumeMounts"])
    named = [word.strip("'\"") for word in text.split() if word.strip("'\"").startswith("/etc/")]
    assert all(name.startswith(mounted) for name in named)
    if config.database_url.startswith("sqlite"):
        assert config.database_url == "sqlite:////var/lib/lens-exporter/lens.db"
    assert config.web.allow_unauthenticated == (not config.web.tokens and config.web.config_file is None)


def test_promtool_takes_the_rules(tmp_path):
    """The content of each PrometheusRule, as an operator writes it into a rule file, and it is the repository's but for the runbooks."""
    rules = render(FULL).all("PrometheusRule")
    assert len(rules) == len(list((CHART / "files/rules").glob("*.yml")))
    for each in rules:
        (tmp_path / "rules.yml").write_text(yaml.safe_dump(each["spec"]), "utf-8")
        checked = tool("promtool", "check", "rules", "--lint=all", "--lint-fatal", tmp_path / "rules.yml")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        name = each["metadata"]["name"].removeprefix("lens-lens-exporter-")
        shipped = (CHART.parents[1] / "rules" / f"{name}.yml").read_text("utf-8")
        moved = shipped.replace("https://lens-exporter.example/runbooks", "https://runbooks.example.org/lens")
        assert each["spec"] == yaml.safe_load(moved)


@each_case
def test_alertmanager_takes_the_snippet_of_the_notes(case, tmp_path):
    """As it is printed; with a token or TLS where the values have them."""
    rendered = render(case)
    snippet = notes_snippet(rendered.notes)
    (tmp_path / "alertmanager.yml").write_text(snippet, "utf-8")
    checked = tool("amtool", "check-config", tmp_path / "alertmanager.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    _, receiver = yaml.safe_load(snippet)["receivers"]
    (webhook,) = receiver["webhook_configs"]
    service = rendered.one("Service")
    where = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc:{service['spec']['ports'][0]['port']}"
    scheme = "https" if "tls" in case.name else "http"
    assert webhook["url"] == f"{scheme}://{where}/webhook"
    assert ("authorization" in webhook.get("http_config", {})) == ("bare" not in case.name and "existing" not in case.name)
