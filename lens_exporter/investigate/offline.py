"""The offline analyst: what answers where no model is configured or none can be reached. Deterministic, costs nothing, says so.

It speaks the same protocol as a model. It asks for the ranking of what left its normal, for the alert's own query, for live tools
that show what alerts, then for those that show what moved first, and hands in only what these answers say.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from lens_exporter.foundation.clock import rfc3339
from lens_exporter.investigate import live, nodes, released
from lens_exporter.investigate.analysis_schema import SUBMIT
from lens_exporter.investigate.causes import movement
from lens_exporter.investigate.conclusions import BY_CODE, MODEL_AWAY, OFFLINE, conclude
from lens_exporter.investigate.families import family_of, of_host
from lens_exporter.investigate.notebook import HEAP, PROCESS_INFO, Notebook, Noted, key, notebook
from lens_exporter.investigate.own import own_courses, own_families
from lens_exporter.investigate.task import narrow
from lens_exporter.model import labels as label_sets
from lens_exporter.model.analysis import HealthAnalysis
from lens_exporter.model.conversation import Reply, ToolCall, ToolSpec, Trail

ANALYST = "offline analyst"

_AT_ONCE = 6  # calls in one reply; the agent refuses more than eight
_LOOKED_AT = 3  # suspects whose course is asked for
_OWN_TOOLS, _OTHER_TOOLS = 2, 1
_LONG_HISTORY = 6 * 3600.0  # where nothing stands out against the near past, the change may be slow
_SHORT_AGE = 600.0
_PYTHON = "lens_python_"
_LONGEST_COURSE = 14 * 86_400.0


class OfflineAnalyst:
    """A ModelClient that is code."""

    name = "offline"

    def ask(self, system: str, trail: Trail, tools: Sequence[ToolSpec], *, role: str, critical: bool = False) -> Reply:
        """Ask what is still to be asked, else hand in the conclusion.

        Raises:
            ValueError: the trail does not begin with a task.

        """
        del system, role, critical  # the protocol's; code needs no persuasion and no budget
        notes = notebook(trail)
        specs = {spec.name: spec for spec in tools}
        new = ((name, arguments) for name, arguments in _wanted(notes, specs) if key(name, arguments) not in notes.asked)
        calls = list(islice(new, _AT_ONCE))
        if not calls:
            model_was_here = any(isinstance(one, Reply) and one.model != ANALYST for one in trail)
            calls = [(SUBMIT, submission(conclude(notes, MODEL_AWAY if model_was_here else OFFLINE)))]
        named = (ToolCall(f"offline-{len(trail)}-{place}", name, arguments) for place, (name, arguments) in enumerate(calls))
        return Reply(tuple(named), model=ANALYST)


def best_so_far(trail: Trail) -> HealthAnalysis:
    """Say by code what the receipts of a trail show, for an investigation that ended without an answer."""
    return conclude(notebook(trail), signed=BY_CODE)


def _wanted(notes: Notebook, specs: dict[str, ToolSpec]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every call worth making with what is known so far."""
    wanted = [
        *_rankings(notes),
        *_courses(notes),
        *released.questions(notes),
        *_about(notes),
        *_live(notes, specs),
        *_alerts(notes),
    ]
    yield from ((name, arguments) for name, arguments in wanted if name in specs)


def _rankings(notes: Notebook) -> Iterator[tuple[str, dict[str, Any]]]:
    task = notes.task
    # Where no label is of the usual kind, those there are may still be on the series that matter.
    for labels in (narrow(task.target) or [task.target])[:3] if task.target else ():
        asked = {"labels": labels, "start": rfc3339(task.start), "at": rfc3339(task.at)}
        yield "rank_suspects", asked
        if key("rank_suspects", asked) not in notes.asked:
            return
        if notes.ranking.receipt:
            if not any(not one.over for one in notes.ranking.suspects):
                yield "rank_suspects", asked | {"history": _LONG_HISTORY}
            return


def _courses(notes: Notebook) -> Iterator[tuple[str, dict[str, Any]]]:
    task = notes.task
    age = task.at - task.start
    begin = max(task.start - max(_SHORT_AGE, age), task.at - _LONGEST_COURSE)
    window = {"start": rfc3339(begin), "end": rfc3339(task.at)}
    for forms in task.asked_queries():
        for query in forms:
            yield "promql_range", {"query": query, **window}
            if key("promql_range", {"query": query, **window}) not in notes.asked or any(
                one.query == query for one in notes.courses
            ):
                break
    if task.long_look():
        yield "promql_range", task.long_look()
    for suspect in leading(notes):
        query = _shown_by(suspect, "2m" if age < _SHORT_AGE else "5m")
        if not any(one.labels == {"__name__": suspect.metric, **suspect.labels} for one in own_courses(notes)):
            yield "promql_range", {"query": query, **window}


def _shown_by(one: Noted, over: str) -> str:
    """Write the query that shows a series as it was judged."""
    if one.mean:
        total, count = (label_sets.selector(one.labels, metric=f"{one.metric}{part}") for part in ("_sum", "_count"))
        return f"rate({total}[{over}]) / rate({count}[{over}])"
    series = label_sets.selector(one.labels, metric=one.metric)
    return f"rate({series}[{over}])" if one.per_second else series


def leading(notes: Notebook) -> list[Noted]:
    """Pick whose course is worth a look: what alerts, then what moved first, one of each family."""
    moved = movement(notes)
    by_family: dict[str, Noted] = {}
    for one in (*moved.effects, *moved.others):
        family = family_of(one.metric, one.labels)
        by_family.setdefault(family.name if family else one.metric, one)
    return list(by_family.values())[:_LOOKED_AT]


def _about(notes: Notebook) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ask once each: as which process the target runs, whether its rules still alert, which lines of code hold its memory."""
    at = rfc3339(notes.task.at)
    where = {name: notes.task.target[name] for name in ("instance", "job") if notes.task.target.get(name)}
    if where:
        yield "promql_instant", {"query": label_sets.selector(where, metric=PROCESS_INFO), "at": at}
    for condition in notes.task.asked_conditions():
        yield "promql_instant", {"query": condition, "at": at}
    own = movement(notes).effects
    if "memory" in own_families(notes) and any(one.metric.startswith(_PYTHON) for one in own):
        where |= {name: own[0].labels[name] for name in ("process",) if name in own[0].labels}
        yield "promql_instant", {"query": f"{HEAP}{label_sets.selector(where)[1:]})", "at": at}


def _live(notes: Notebook, specs: dict[str, ToolSpec]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give live tools once it is known on which host and as which process the target runs: first what shows what alerts, always."""
    where = _whereabouts(notes)
    moved = movement(notes)
    # The name of an alert says no more than its query does, which tells whether it is about an Erlang node.
    names = () if any(map(nodes.of_node, notes.task.queries)) else notes.task.names
    own_texts = (*notes.task.queries, *names, *(one.metric for one in moved.effects))
    on_host = any(map(of_host, own_texts))
    yield from nodes.questions(notes.task.queries, (*moved.effects, *moved.others), notes.task.target)
    # Of an Erlang node the instance is its exporter: what is true of that process explains nothing.
    own = _best_first([list(_fitting(text, where, specs, on_host=on_host)) for text in own_texts if not nodes.of_node(text)])
    rest = [one.metric for one in moved.others if not nodes.of_node(one.metric)]
    others = _best_first([list(_fitting(metric, where, specs, on_host=of_host(metric))) for metric in rest])
    asked = [*own[:_OWN_TOOLS], *[found for found in others if found not in own][:_OTHER_TOOLS]]
    # Sockets are open files too: where they are most of them, their peers tell more.
    if any(part.family == "open files" and " sockets" in part.claim for part in live.parts(notes)):
        asked += [found for found in _fitting("sockets", where, specs, on_host=False) if found not in asked]
    yield from asked


def _fitting(
    text: str, where: dict[str, Any], specs: dict[str, ToolSpec], *, on_host: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    family = family_of(text)
    for question in (family.host if on_host else family.process) if family else ():
        spec = specs.get(question.tool)
        arguments = _filled(spec, where) if spec else None
        if arguments is not None:
            yield question.tool, arguments | ({"sort_by": question.sort_by} if question.sort_by else {})


def _best_first(fitting: Sequence[Sequence[tuple[str, dict[str, Any]]]]) -> list[tuple[str, dict[str, Any]]]:
    """Take the best tool for everything, then the second best, each once."""
    ranked = sorted(((place, call) for calls in fitting for place, call in enumerate(calls)), key=lambda pair: pair[0])
    return list({key(*call): call for _, call in ranked}.values())


def _whereabouts(notes: Notebook) -> dict[str, Any]:
    """Give host and process of the target: the one that what moved names, the only one, or the host alone."""
    moved = movement(notes)
    speaking = moved.effects or moved.others
    named = {one.labels["process"] for one in speaking if "process" in one.labels} or {notes.task.target.get("process", "")}
    fitting = [one for one in notes.processes if one.get("process") in named] or list(notes.processes)
    hosts = {one.get("hostname", "") for one in fitting}
    if len(hosts) != 1 or hosts == {""}:
        return {}
    if len(fitting) > 1:
        return {"hostname": hosts.pop()}
    known = {name: fitting[0][name] for name in ("hostname", "pid_namespace") if fitting[0].get(name)}
    pid = fitting[0].get("pid", "")
    return known | ({"pid": int(pid)} if pid.isdigit() else {})


def _filled(spec: ToolSpec, where: dict[str, Any]) -> dict[str, Any] | None:
    """Fill a tool's arguments. One that could look at the wrong host or process is not used."""
    properties = spec.parameters.get("properties", {})
    needed = {name for name in ("hostname", "pid") if name in properties} | set(spec.parameters.get("required", ()))
    return {name: where[name] for name in properties if name in where} if needed and needed <= where.keys() else None


def _alerts(notes: Notebook) -> Iterator[tuple[str, dict[str, Any]]]:
    tries = narrow(notes.task.target)
    yield "list_active_alerts", {"labels": tries[0] if tries else {}}


def submission(analysis: HealthAnalysis) -> dict[str, Any]:
    """Write an analysis as the arguments of a final answer."""
    return {
        "status": analysis.status.value,
        "outcome": analysis.outcome.value,
        "summary": analysis.summary,
        "findings": [{"claim": one.claim, "receipts": list(one.receipts), "kind": one.kind.value} for one in analysis.findings],
        "hypotheses": [
            {"claim": one.claim, "state": one.state.value, "receipts": list(one.receipts)} for one in analysis.hypotheses
        ],
        "concerns": list(analysis.concerns),
        "recommendations": list(analysis.recommendations),
        "reasoning": analysis.reasoning,
    }
