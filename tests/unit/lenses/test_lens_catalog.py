"""The lenses there are, what they track, and what they are made of."""

import gc

import pytest

from lens_exporter.config.settings import Lenses
from lens_exporter.errors import UnknownLens
from lens_exporter.lenses.beam.families import DISCOVERY
from lens_exporter.lenses.beam.families import FAMILIES as BEAM
from lens_exporter.lenses.catalog import build, close, kind, kinds, lens_options
from lens_exporter.lenses.emission import Emission
from lens_exporter.lenses.host.families import FAMILIES as HOST
from lens_exporter.lenses.python.families import FAMILIES as PYTHON

CATEGORIES = {"memory", "files", "threads", "latency", "cpu", "disk", "swap", "load"}


def test_unknown_lens():
    """A lens that is not there is named together with those that are."""
    with pytest.raises(UnknownLens, match="'hosts'; known: beam, host, promql, python"):
        kind("hosts")
    assert set(lens_options()) == set(kinds())


def test_build():
    """The settings say which lenses there are, and closing them leaves no callback in the interpreter."""
    before = len(gc.callbacks)
    assert [lens.name for lens in build(Lenses(host=False, python=False))] == []
    settings = Lenses.model_validate({"python_processes": [{"name": "api", "match": "app.py"}]})
    lenses = build(settings)
    assert [lens.name for lens in lenses] == ["host", "python", "python:api"]
    assert len(gc.callbacks) == before + 1
    close(lenses)
    assert len(gc.callbacks) == before


@pytest.mark.parametrize("name", ["host", "python"])
def test_tracked_metrics(name):
    """Each tracked metric asks for a published series, takes the watcher's selector, and has a known category."""
    published = {spec.name for spec in (*HOST, *PYTHON)} | {f"{spec.name}_sum" for spec in PYTHON}
    tracked = kind(name).baseline_metrics
    assert len({metric.name for metric in tracked}) == len(tracked)
    for metric in tracked:
        assert metric.query.count("$selector") == 1
        assert any(family in metric.query for family in published)
        assert metric.kind in CATEGORIES
        assert metric.words
        assert metric.min_change > 0
        assert (metric.ceiling is None) or metric.full == 1.0


def test_the_examples_of_the_python_watcher():
    """The metrics users are shown first keep their names."""
    names = [metric.name for metric in kind("python").baseline_metrics]
    assert {"memory_utilization", "open_fds_utilization", "threads_utilization", "event_loop_lag_seconds"} <= set(names)


def test_nothing_undocumented_is_published():
    """A family, a label or a missing label that the table does not have is refused."""
    emission = Emission(HOST)
    with pytest.raises(KeyError):
        emission.add("lens_host_made_up", 1)
    with pytest.raises(KeyError):
        emission.add("lens_host_memory_used_bytes", 1)
    with pytest.raises(KeyError):
        emission.add("lens_host_memory_used_bytes", 1, flavour="x")


def test_names_of_families():
    """Every family follows the naming that watchers, dashboards and rules rely on."""
    for spec in (*HOST, *PYTHON, *BEAM, *DISCOVERY):
        assert spec.name.startswith(("lens_beam_", "lens_host_", "lens_python_"))
        assert spec.name.endswith("_total") == (spec.kind.value == "counter")
        assert spec.help.endswith(".")
    for spec in PYTHON:
        assert "process" in spec.labels
    for spec in BEAM:
        assert "node" in spec.labels
