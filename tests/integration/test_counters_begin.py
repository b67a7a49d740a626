"""The counters that the rules about lens-exporter take increases of, on the first page of a lens-exporter nobody has asked for anything."""

import re
from pathlib import Path

import pytest

from lens_exporter.foundation.catalogue import METRICS
from tests.servers.lens_process import LensProcess, Samples

pytestmark = pytest.mark.integration

RULES = Path(__file__).parents[2] / "rules" / "lens-exporter.yml"
NEVER = "0 0 1 1 *"
AWAY = "http://127.0.0.1:1"  # nobody listens there
# Labels whose values follow from the configuration below, or from the process itself.
CONFIGURED = {"watcher": {"host"}, "alertmanager": {AWAY}, "client": {"claude"}, "role": {"investigator", "reviewer", "reader"}}


def asked() -> dict[str, str]:
    """Give the labelled counters under increase() or rate() in the rules, by name, each with its help."""
    names = set(re.findall(r"\b(?:increase|rate)\((\w+_total)\b", RULES.read_text("utf-8")))
    return {spec.name: spec.help for spec in METRICS if spec.name in names and spec.labels}


def known(name: str, text: str, page: Samples) -> dict[str, set[str]]:
    """Give the values that each label of a counter will have: configured, named by its help, or of what runs."""
    (labels,) = (spec.labels for spec in METRICS if spec.name == name)
    listed = {label: set(values.split(", ")) for label, values in re.findall(r"by (\w+) \(([^)]+)\)", text)}
    running = {"child": {sample.labels["child"] for sample in page.all("lens_child_up")}}
    found = {**CONFIGURED, **listed, **running}
    return {label: found[label] for label in labels if label in found}


def test_they_begin_at_zero(tmp_path):
    """increase() does not see what a counter begins with: each value of a label that can be known is there before it is counted."""
    lens = LensProcess(
        tmp_path,
        {
            "prometheus": {"url": AWAY},
            "alertmanager": {"urls": [AWAY]},
            "llm": {"clients": [{"name": "claude", "provider": "anthropic", "options": {"api_key_env": "NO_KEY"}}]},
            "watchers": [{"host": {"schedule": NEVER}}],
        },
    )
    with lens.start():
        page = lens.metrics()
    counters = asked()
    assert len(counters) >= 11
    wrong = {}
    for name, text in counters.items():
        samples = page.all(name)
        missing = {
            label: lacking
            for label, values in known(name, text, page).items()
            if (lacking := values - {sample.labels[label] for sample in samples})
        }
        if missing or not samples or any(sample.value for sample in samples):
            wrong[name] = missing or samples
    assert wrong == {}
