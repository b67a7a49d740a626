"""From a configuration file to a rule file."""

import pytest
import yaml

from lens_exporter.errors import ConfigInvalid, TableUnwritable, UnknownWord
from lens_exporter.rules.alerts import When
from lens_exporter.rules.command import baseline
from lens_exporter.rules.document import Ruler

CONFIG = """
datasources: {far: {url: "http://far:9090", tenant: "a|b"}}
watchers:
  - host: "* * * * *"
  - name: checkout
    schedule: "* * * * *"
    datasource: far
    metrics: {errors: {query: errors}}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "lens.yml"
    path.write_text(CONFIG, "utf-8")
    return path


def write(config, name="checkout", **changes):
    said = []
    how = {"engine": Ruler.PROMETHEUS, "when": When.LENS_IS_DOWN, "output": None, **changes}
    baseline(config, name, write=said.append, **how)
    return said


def test_to_standard_output_or_into_a_file(config, tmp_path):
    """The same text, and with a file nothing else is said; the header names the configuration."""
    (text,) = write(config)
    assert write(config, output=tmp_path / "rules.yml") == []
    assert (tmp_path / "rules.yml").read_text("utf-8") == text
    assert "--watcher checkout --for prometheus --config.file lens.yml\n" in text
    assert [group["name"] for group in yaml.safe_load(text)["groups"]] == ["lens-checkout", "lens-checkout-band"]


def test_the_tenants_are_those_of_the_watchers_own_source(config):
    """Not those of the default one."""
    (text,) = write(config, engine=Ruler.MIMIR)
    assert yaml.safe_load(text)["groups"][0]["source_tenants"] == ["a", "b"]


def test_who_is_not_there_is_named(config, tmp_path):
    """With those that are; and a folder that is not there is no place to write."""
    with pytest.raises(UnknownWord, match=r"'checkin' .*; known: host, checkout"):
        write(config, "checkin")
    with pytest.raises(TableUnwritable, match="No such file"):
        write(config, output=tmp_path / "nowhere" / "rules.yml")


def test_a_query_that_is_no_promql_makes_no_rules(config, tmp_path):
    """An earlier file stands, and the line of the query is named."""
    (tmp_path / "rules.yml").write_text("precious", "utf-8")
    config.write_text(CONFIG.replace("query: errors", "query: sum(("), "utf-8")
    with pytest.raises(ConfigInvalid, match=r"lens.yml:8: watchers\[1\].metrics.errors.query: the \( at character 5 is not closed"):
        write(config, output=tmp_path / "rules.yml")
    assert (tmp_path / "rules.yml").read_text("utf-8") == "precious"


def test_without_a_configuration_the_built_in_lenses_are_there():
    """As for every other command."""
    (text,) = write(None, "python")
    assert "lens_python_memory_utilization_ratio{}" in text
    assert "--config.file" not in text
