"""An investigation of the example in the documentation, and variations of it."""

from dataclasses import replace

from lens_exporter.model.alert import Alert, AlertGroup
from lens_exporter.model.analysis import (
    Cost,
    Finding,
    Health,
    HealthAnalysis,
    Hypothesis,
    HypothesisState,
    Investigated,
    Outcome,
    Receipt,
    Recheck,
    ReviewVerdict,
    Verdict,
)
from lens_exporter.model.tool import ToolStatus
from tests.unit.publish.timeline import CORRELATION, NOON

ID = "01JD11111111111111111111AA"


QUERY = 'process_open_fds{instance="api-7:9000"}'


def receipt(identity, tool="promql_range", recheck=Recheck.CONFIRMED, query=QUERY):
    return Receipt(
        identity,
        tool,
        {"query": query} if query else {},
        ToolStatus.DATA,
        {"first": 61.0, "last": 1480.0},
        NOON,
        0.1,
        recheck=recheck,
    )


def investigated(**changes):
    analysis = HealthAnalysis(
        Health.WARNING,
        Outcome.CAUSE_FOUND,
        "Open files leak and carry memory with them: /export keeps every result file open.",
        findings=(
            Finding("open files 61 -> 1,480 from 14:01", ("r2",), holds=True),
            Finding("1,402 of 1,480 are /tmp/export-*.csv", ("r4", "r2"), holds=True),
            Finding("the moon is full", ("r9",), holds=False, struck="no such receipt"),
        ),
        hypotheses=(
            Hypothesis("traffic (212 -> 214 req/s)", HypothesisState.RULED_OUT, ("r6",)),
            Hypothesis("GC (no uncollectable objects)", HypothesisState.RULED_OUT, ("r7",)),
            Hypothesis("a slow disk", HypothesisState.OPEN),
        ),
        recommendations=("lsof -p 4211 | grep export", "roll back 2026-11-20.3 (deployed 13:58, r8)."),
    )
    analysis = replace(analysis, **{key: changes.pop(key) for key in list(changes) if hasattr(analysis, key)})
    whole = Investigated(
        ID,
        CORRELATION,
        analysis,
        Verdict(ReviewVerdict.ACCEPT, by=("receipts", "claude"), confidence="high"),
        (receipt("r2"), receipt("r4", "get_open_files", Recheck.RECORDED), receipt("r6"), receipt("r7", "get_gc_stats")),
        Cost(4120, 610, 0.004, 4, 5, 11.2),
        "claude",
    )
    return replace(whole, **changes)


def source(name="LensMemory", starts_at=NOON - 120, ends_at=None, **labels):
    known = {"alertname": name, "severity": "warning", "watcher": "python", "category": "memory"}
    return Alert(known | {"instance": "api-7:9000", "job": "api"} | labels, {"summary": "full"}, starts_at, ends_at)


def group(*alerts):
    return AlertGroup('{}:{alertname="LensMemory"}', alerts or (source(),))
