"""The Helm chart in the hands of Helm's own engine: rendered, linted, and read again as objects."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.servers.deploy import ROOT, installed

CHART = ROOT / "helm/lens-exporter"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the rules are long
GUARDED = yaml.safe_load((CHART / "ci/default-values.yaml").read_text("utf-8"))  # who may call: without it nothing is rendered
RELEASE = {"name": "lens", "namespace": "watching"}


def engine() -> Any:
    """Give the Python module that is Helm's engine."""
    return installed("helm_python")


def schemas() -> Any:
    """Give the Python module that holds the schemas of Kubernetes' own kinds."""
    return installed("kubernetes_validate")


@dataclass(frozen=True)
class Rendered:
    """The objects of a release, and the notes that Helm prints."""

    objects: list[dict[str, Any]]
    notes: str

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str) -> dict[str, Any]:
        (only,) = self.all(kind)
        return only

    @property
    def pod(self) -> dict[str, Any]:
        return self.one("Deployment")["spec"]["template"]["spec"]

    @property
    def container(self) -> dict[str, Any]:
        return next(each for each in self.pod["containers"] if each["name"] == "lens-exporter")


def render(values: dict[str, Any] | Path) -> Rendered:
    """Render the chart with these values, or with those of a file."""
    return _case(values) if isinstance(values, Path) else _render(values)


@cache
def _case(path: Path) -> Rendered:
    return _render(yaml.safe_load(path.read_text("utf-8")))


def _render(values: dict[str, Any]) -> Rendered:
    with engine().Chart.load(CHART) as chart:
        texts = chart.render(values, **RELEASE)
    notes = texts.pop("lens-exporter/templates/NOTES.txt")
    read = [each for text in texts.values() for each in yaml.load_all(text, _LOADER) if each]
    return Rendered(read, notes)


def refusal(values: dict[str, Any]) -> str:
    """Give what Helm says instead of rendering these values."""
    errors = engine().errors
    try:
        render(values)
    except (errors.HelmRenderError, errors.HelmValuesError) as error:
        return str(error)
    raise AssertionError("it was rendered")
