"""Rule files: what each ruler takes, and that nothing a user writes gets out of its place."""

from pathlib import Path

import pytest
import yaml

from lens_exporter.rules.alerts import When
from lens_exporter.rules.document import SERIES, Ruler, document
from lens_exporter.rules.plan import Plan
from tests.unit.rules.rule_plans import one_metric, plan

SHIPPED = Path(__file__).parents[3] / "rules"
HOSTILE = {
    "query": 'errors{path=~"/a\'b|c\\\\\\\\d", code!=`5`} # ends in a comment',
    "words": 'what {{ "they" }} call: it\n- 100 %',
    "unit": 'req "%d" }}',
}


def groups(plan_: Plan, engine: Ruler = Ruler.PROMETHEUS, when: When = When.LENS_IS_DOWN) -> dict[str, dict]:
    return {group["name"]: group for group in yaml.safe_load(document(plan_, engine, when))["groups"]}


@pytest.mark.parametrize("lens", ["beam", "host", "python"])
def test_the_shipped_rules_are_those_of_the_built_in_lenses(lens):
    """After a change: lens-exporter rules baseline --watcher host --output rules/host.yml, the others likewise."""
    written = document(plan(lens, lens=lens), Ruler.PROMETHEUS, When.LENS_IS_DOWN)
    assert (SHIPPED / f"{lens}.yml").read_text("utf-8") == written


def test_prometheus_and_thanos_take_the_same_groups():
    """Readings and alerts at the watcher's step, the band every five minutes."""
    found = groups(plan(step="30s"))
    assert {name: group["interval"] for name, group in found.items()} == {"lens-checkout": "30s", "lens-checkout-band": "5m"}
    assert groups(plan(step="30s"), Ruler.THANOS) == found


def test_mimir_has_a_namespace_and_names_several_tenants():
    """As mimirtool loads it; one tenant needs no naming."""
    text = document(plan(tenant="a|b"), Ruler.MIMIR, When.NEVER)
    assert yaml.safe_load(text)["namespace"] == "lens-checkout"
    assert [group["source_tenants"] for group in yaml.safe_load(text)["groups"]] == [["a", "b"], ["a", "b"]]
    assert "source_tenants" not in document(plan(tenant="a"), Ruler.MIMIR, When.NEVER)
    assert "source_tenants" not in document(plan(tenant="a|b"), Ruler.PROMETHEUS, When.NEVER)


def test_victoriametrics_evaluates_each_stage_a_minute_after_the_one_it_reads():
    """The same rules in the same order, in more groups."""
    staged, plain = groups(plan(), Ruler.VICTORIAMETRICS), groups(plan())
    bands = [group for name, group in staged.items() if "-band" in name]
    assert [group["eval_offset"] for group in bands] == ["0s", "1m", "2m"]
    assert [rule for group in bands for rule in group["rules"]] == plain["lens-checkout-band"]["rules"]
    assert staged["lens-checkout"] == plain["lens-checkout"]


def test_without_alerts_only_records_are_left():
    """And the header says so."""
    text = document(plan("host", lens="host"), Ruler.PROMETHEUS, When.NEVER)
    assert all("record" in rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"])
    assert "# No alerts.\n" in text


def test_what_a_user_writes_stays_what_it_is():
    """Quotes, braces, percent signs and line ends of a query or of words are neither YAML nor a template."""
    found = groups(plan(metrics={"load": HOSTILE}))["lens-checkout"]["rules"]
    assert f"(\n{HOSTILE['query']}\n)" in found[0]["expr"]
    summary = found[1]["annotations"]["summary"]
    assert '\nwhat {{ "{{" }} "they" }} call: it - 100 % at {{ $n := $value }}' in summary
    assert '{{ end }} req "%d" }};\n' in summary


def test_a_runbook_goes_into_the_annotations():
    """The watcher's own, as in its alerts."""
    alert = groups(plan(runbook_url="https://wiki.example/x"))["lens-checkout"]["rules"][1]
    assert alert["annotations"]["runbook_url"] == "https://wiki.example/x"


@pytest.mark.parametrize("engine", list(Ruler))
@pytest.mark.parametrize("when", list(When))
def test_the_header_is_a_comment_and_says_how_to_write_the_file_again(engine, when):
    """Whatever the configuration's name holds."""
    text = document(plan(), engine, when, config="my\nlens.yml")
    header = text[: text.index("\nnamespace:" if engine is Ruler.MIMIR else "\ngroups:")].splitlines()
    assert all(line.startswith("# ") for line in header)
    said = " ".join(line.removeprefix("# ") for line in header)
    assert f"lens-exporter rules baseline --watcher checkout --for {engine}" in said
    assert (f"--alerts {when}" in said.partition("Cost")[0]) == (when is not When.LENS_IS_DOWN)
    assert "--config.file my lens.yml" in said


def test_the_cost_that_is_stated_is_the_cost():
    """One record a series for each name, three for the residuals; the trend is there only while there is one."""
    records = [
        (rule["record"], rule.get("labels", {}).get("lens_baseline"))
        for group in groups(one_metric(full=1)).values()
        for rule in group["rules"]
        if "record" in rule
    ]
    assert len(set(records)) == len(records)
    assert len([name for name, _ in records if name != "lens:until_full:trend"]) == SERIES
