"""Rule files as each ruler takes them, with a header that says what they are and what they cost."""

import textwrap
from enum import StrEnum
from typing import Any

import yaml

from lens_exporter.model.duration import duration_text
from lens_exporter.rules import band
from lens_exporter.rules.alerts import AlertingRule, When, alerts
from lens_exporter.rules.plan import Plan
from lens_exporter.rules.trend import trends

Group = dict[str, Any]

SERIES = 7  # recorded for each series of a watcher
_WIDTH = 118  # of the header's text


class Ruler(StrEnum):
    """Whose ruler evaluates the rules."""

    PROMETHEUS = "prometheus"
    MIMIR = "mimir"
    THANOS = "thanos"
    VICTORIAMETRICS = "victoriametrics"


_LOADING = {
    Ruler.PROMETHEUS: "Needs Prometheus 2.42 or newer. Name the file under rule_files, then reload.",
    Ruler.MIMIR: "Load it with: mimirtool rules load FILE. The namespace is in the file.",
    Ruler.THANOS: "For Thanos Rule 0.31 or newer (--rule-file). Its queriers must read what it records (they do, as a store).",
    Ruler.VICTORIAMETRICS: (
        "For vmalert 1.95 or newer (-rule), which needs -remoteWrite.url and -remoteRead.url. It writes what it records with a "
        "delay, so each stage of the band is a group of its own, a minute after the one it reads."
    ),
}


def document(plan: Plan, engine: Ruler, when: When, *, config: str = "") -> str:
    """Write the rules of one watcher as a YAML file. `config` is the name of the configuration they are made from."""
    body: dict[str, Any] = {"groups": _groups(plan, engine, when)}
    if engine is Ruler.MIMIR:
        body = {"namespace": f"lens-{plan.watcher}", **body}
    text: str = yaml.dump(body, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return _header(plan, engine, when, config) + text


def _groups(plan: Plan, engine: Ruler, when: When) -> list[Group]:
    name = f"lens-{plan.watcher}"
    # In one group: there an alert is evaluated after the reading it is about.
    now = [*map(_recording, [*band.values(plan), *trends(plan)]), *map(_alerting, alerts(plan, when))]
    groups = [_group(name, plan.step, now)]
    stages = [[_recording(rule) for rule in stage] for stage in band.stages(plan)]
    if engine is Ruler.VICTORIAMETRICS:
        for number, stage in enumerate(stages):
            groups.append(_group(f"{name}-band-{number + 1}", plan.every, stage))
            groups[-1]["eval_offset"] = duration_text(number * 60.0)
    else:
        groups.append(_group(f"{name}-band", plan.every, [rule for stage in stages for rule in stage]))
    if engine is Ruler.MIMIR and plan.tenants:
        for group in groups:
            group["source_tenants"] = list(plan.tenants)
    return groups


def _group(name: str, interval: float, rules: list[dict[str, Any]]) -> Group:
    return {"name": name, "interval": duration_text(interval), "rules": rules}


def _recording(rule: band.RecordingRule) -> dict[str, Any]:
    return {"record": rule.record, "expr": rule.expr} | ({"labels": rule.labels} if rule.labels else {})


def _alerting(alert: AlertingRule) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": duration_text(alert.pending),
        "keep_firing_for": duration_text(alert.kept),
        "labels": alert.labels,
        "annotations": alert.annotations,
    }


def _header(plan: Plan, engine: Ruler, when: When, config: str) -> str:
    call = f"lens-exporter rules baseline --watcher {plan.watcher} --for {engine}"
    call += f" --alerts {when}" if when is not When.LENS_IS_DOWN else ""
    call += f" --config.file {' '.join(config.split())}" if config else ""
    paragraphs = (
        f"What the watcher {plan.watcher} of lens-exporter takes for normal, as recording rules, and alerts on it.",
        f"Written by: {call}",
        _LOADING[engine],
        _cost(plan),
        _WHEN[when].format(silent=duration_text(plan.silent)),
    )
    lines = [line for text in paragraphs for line in textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)]
    return "".join(f"# {line}\n" for line in lines)


def _cost(plan: Plan) -> str:
    step, every = duration_text(plan.step), duration_text(plan.every)
    samples = 60 / plan.step + 6 * 60 / plan.every
    return (
        f"Cost: {SERIES} recorded series for each series of the watcher ({samples:.1f} samples a minute): lens:value:last every "
        f"{step}; lens:value:sampled, three lens:residual:sampled, lens:expected:band and lens:width:band every {every}. One more, "
        "lens:until_full:trend, while a series clearly heads for its limit. The band is expected - width to expected + width; it "
        "begins after a day and is complete after eight."
    )


_WHEN = {
    When.LENS_IS_DOWN: (
        "The alerts are silent while the watcher ticks: they fire only when lens_watcher_last_run_timestamp_seconds of it is older "
        "than {silent} or absent, so this ruler must see the metrics of lens-exporter itself. With --alerts always they do not ask."
    ),
    When.ALWAYS: (
        "The alerts fire beside those of the watcher. They carry lens_source=rules: inhibit them in Alertmanager, or people are "
        "paged twice (docs/how-to/rules.md)."
    ),
    When.NEVER: "No alerts.",
}


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, so that a person can read it; the library decides where that cannot be."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - PyYAML's name
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
