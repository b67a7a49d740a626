"""Which metrics of ours a text names that do not exist, by docs/metrics.md, which is generated from the code."""

import re
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
# Labels and annotations, and what else begins alike.
_OTHERS = {"lens_source", "lens_origin", "lens_query", "lens_story", "lens_baseline", "lens_reading", "lens_exporter", "lens_k"}
_ADDED = {"instance", "job", "le", "alertname", "watcher", "metric"}  # by the scrape, by a histogram, to what a watcher judges
_NAME = re.compile(r"(?<![\w:/.@-])(?:[a-z_]+:)?lens_[a-z0-9_]+(?::[a-z0-9_]+)?(?![\w:/-])")
_SELECTOR = re.compile(r"\b(lens_[a-z0-9_]+)\{([^}]*)\}")
_VARIABLE_LABELS = ("lens_baseline_", "lens_anomaly_", "lens_group_")  # and those of the series they are about


@cache
def _documented() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    text = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    for name, kind, labels in re.findall(r"^\| `(lens_\w+)` \| (\w+) \| ([^|]*) \|", text, re.MULTILINE):
        names = [f"{name}_{part}" for part in ("bucket", "sum", "count")] if kind == "histogram" else [name]
        found |= {each: set(re.findall(r"`(\w+)`", labels)) for each in names}
    assert len(found) > 100
    return found


@cache
def _recorded() -> set[str]:
    groups = (group for path in (ROOT / "rules").glob("*.yml") for group in yaml.safe_load(path.read_text("utf-8"))["groups"])
    return {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}


def misnamed(text: str) -> list[str]:
    """List names of metrics that nobody publishes or records, and selectors by labels that the metric does not have."""
    known = _documented()
    wrong = {name for name in _NAME.findall(text) if name not in known.keys() | _recorded() | _OTHERS}
    for name, matchers in _SELECTOR.findall(text.replace('\\"', '"')):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', "", matchers)))
        if name in known and not name.startswith(_VARIABLE_LABELS):
            wrong |= {f"{name}{{{label}}}" for label in labels - known[name] - _ADDED}
    return sorted(wrong)
