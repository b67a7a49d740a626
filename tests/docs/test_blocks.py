"""What the documentation tells a user to type, or to write into a file, works."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from lens_exporter.wiring.configuration import load
from tests.docs.blocks import LANGUAGES, ROOT, blocks, to_run
from tests.docs.site import Site
from tests.servers.prometheus import PrometheusServer

pytestmark = [pytest.mark.integration]


def test_what_is_not_run_says_why():
    """A reason is a sentence; and most blocks are run."""
    left_out = [block for block in blocks(*LANGUAGES) if block.not_run]
    assert [str(block) for block in left_out if len(block.not_run.split()) < 4] == []
    assert len(left_out) < len(to_run(*LANGUAGES)) / 4


@pytest.mark.timeout(600)
def test_commands(tmp_path):
    """Each command of each page ends with success, beside the servers and the configuration that its page speaks of."""
    failed, done = [], set()
    with Site(tmp_path) as site:
        for block in to_run("sh"):
            if block.text not in done:
                done.add(block.text)
                wrong = site.run(block)
                failed += [f"{block}: {wrong}"] if wrong else []
    assert not failed, "\n".join(failed)
    assert len(done) > 20


def test_configuration(tmp_path):
    """lens-exporter, promtool and amtool take what stands in a file's block under that file's name."""
    failed = []
    seen = set()
    for block in to_run("yaml"):
        reader = READERS.get(block.file)
        wrong = reader(block.text, tmp_path) if reader else "its first line names no file that somebody here reads"
        failed += [f"{block}: {wrong}"] if wrong else []
        seen.add(block.file)
    assert not failed, "\n".join(failed)
    assert seen >= {"lens.yml", "prometheus.yml", "alertmanager.yml"}


def test_what_a_newcomer_copies_is_a_whole_file(tmp_path):
    """Alertmanager starts with what the first two pages show, and nothing else."""
    shown = [
        block for block in to_run("yaml") if block.file == "alertmanager.yml" and block.page in ("README.md", "docs/quick-start.md")
    ]
    assert len(shown) == 2
    for block in shown:
        (tmp_path / block.file).write_text(block.text, encoding="utf-8")
        assert _asked("amtool", "check-config", tmp_path / block.file) == "", block


@pytest.mark.parametrize("block", to_run("python"), ids=str)
def test_programs(block, tmp_path):
    """A program, or a file that another reads, runs to its end."""
    program = tmp_path / (block.file or "program.py")
    program.write_text(block.text.replace("port=9000", "port=0"), encoding="utf-8")
    ran = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr


def test_queries(tmp_path):
    """Prometheus takes every query."""
    refused = []
    with PrometheusServer(tmp_path) as server:
        for block in to_run("promql"):
            for query in block.text.strip().split("\n\n"):
                answer = requests.post(f"{server.url}/api/v1/query", data={"query": query}, timeout=10).json()
                refused += [f"{block}: {query}: {answer['error']}"] if answer["status"] != "success" else []
    assert not refused, "\n".join(refused)


def _lens(text: str, folder: Path) -> str:
    """Read it as lens-exporter does; the files it names are there."""
    (folder / "lens.yml").write_text(text, encoding="utf-8")
    try:
        load(folder / "lens.yml")
    except Exception as error:
        return str(error)
    return ""


def _prometheus(text: str, folder: Path) -> str:
    (folder / "prometheus.yml").write_text(text, encoding="utf-8")
    return _asked("promtool", "check", "config", folder / "prometheus.yml")


def _alertmanager(text: str, folder: Path) -> str:
    """Check a whole file; a part of one, as a page may show it, with the least that makes it whole."""
    whole = {"route": {"receiver": "lens"}, "receivers": [{"name": "lens"}], **yaml.safe_load(text)}
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    return _asked("amtool", "check-config", folder / "alertmanager.yml")


def _web(text: str, folder: Path) -> str:
    (folder / "web.yml").write_text(text, encoding="utf-8")
    return _asked("promtool", "check", "web-config", folder / "web.yml")


def _values(text: str, _folder: Path) -> str:
    """Check the chart's values, on top of its own, by its schema."""
    jsonschema = pytest.importorskip("jsonschema")  # comes with what the chart's tests need
    chart = ROOT / "helm" / "lens-exporter"
    schema = json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))
    whole = _merged(yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8")), yaml.safe_load(text))
    return "; ".join(error.message for error in jsonschema.Draft7Validator(schema).iter_errors(whole))


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {
        name: _merged(below[name], above[name])
        for name in above
        if isinstance(below.get(name), dict) and isinstance(above[name], dict)
    }
    return {**below, **above, **both}


def _asked(*command: object) -> str:
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


READERS = {
    "lens.yml": _lens,
    "prometheus.yml": _prometheus,
    "alertmanager.yml": _alertmanager,
    "web.yml": _web,
    "values.yaml": _values,
}
