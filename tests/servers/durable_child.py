"""A process that takes in one webhook and investigates it durably, to be killed by a test at a chosen moment.

`python -m tests.servers.durable_child --folder F --model URL [--body FILE] [--hold POINT]`

It investigates one group at a time, so that nothing else is under way when it is killed. Every point it passes leaves a line in
F/passed; at POINT it waits for ever, for the test to kill it. It ends by itself when nothing is left to do.
"""

import argparse
import os
import threading
import urllib.request
from pathlib import Path

from lens_exporter.config.settings import Investigate
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.investigate import webhook
from lens_exporter.investigate.dispatcher import Dispatcher
from lens_exporter.investigate.inquiry import Inquiry
from lens_exporter.investigate.intake import Intake
from lens_exporter.investigate.steps import StepRunner
from lens_exporter.investigate.store import Store
from lens_exporter.investigate.unit import State
from lens_exporter.investigate.workflow import Workflows, durable_url
from lens_exporter.model.alert import AlertGroup
from lens_exporter.model.analysis import (
    Cost,
    Delivery,
    DeliveryState,
    Health,
    HealthAnalysis,
    Investigated,
    Outcome,
    ReviewVerdict,
    Verdict,
)
from tests.servers.waiting import until


class Points:
    """Remembers in a file which points were passed, and holds at one of them."""

    def __init__(self, folder: Path, hold: str) -> None:
        self._file = (folder / "passed").open("a", buffering=1)
        self._hold = hold

    def passed(self, point: str) -> None:
        self._file.write(f"{os.getpid()} {point}\n")
        if point == self._hold:
            threading.Event().wait()


class ScriptedInvestigator:
    """Two model calls with three tool calls between them and a judge, each a step; the same every time."""

    def __init__(self, model: str, points: Points) -> None:
        self._model = model
        self._points = points

    def run(self, investigation: str, correlation: str, group: AlertGroup, step: StepRunner) -> Investigated:
        plan = step("model plan", lambda: self._ask(f"plan/{investigation}"))
        seen = [step(f"tool {number}", lambda number=number: self._tool(number)) for number in (1, 2, 3)]
        answer = step("model answer", lambda: self._ask(f"answer/{investigation}"))
        verdict = step("judge", lambda: Verdict(ReviewVerdict.ACCEPT))
        self._points.passed("judged")
        analysis = HealthAnalysis(Health.WARNING, Outcome.CAUSE_FOUND, f"{plan} {seen} {answer} {len(group.alerts)} alerts")
        return Investigated(investigation, correlation, analysis, verdict, (), Cost(model_calls=2, tool_calls=3), "scripted")

    def _ask(self, question: str) -> str:
        with urllib.request.urlopen(f"{self._model}/{question}", data=b"") as answer:
            said: str = answer.read().decode()
        self._points.passed(f"asked {question.split('/', maxsplit=1)[0]}")
        return said

    def _tool(self, number: int) -> int:
        self._points.passed(f"tool {number}")
        return number


class OncePublisher:
    """Publishes to a folder, one file for each investigation; publishing again changes nothing."""

    def __init__(self, folder: Path, points: Points) -> None:
        self._folder = folder / "published"
        self._folder.mkdir(exist_ok=True)
        self._points = points

    def publish(self, investigated: Investigated, group: AlertGroup) -> tuple[Delivery, ...]:
        self._points.passed("publishing")
        try:
            with (self._folder / investigated.id).open("x") as file:
                file.write(investigated.analysis.summary)
        except FileExistsError:
            pass
        self._points.passed("published")
        return (Delivery("folder", DeliveryState.DELIVERED, 0.0),)


def main(folder: Path, model: str, body: Path | None, hold: str) -> None:
    points = Points(folder, hold)
    database = Database(f"sqlite:///{folder / 'lens.db'}")
    metadata.create_all(database.engine)
    telemetry, store, wake = Telemetry(), Store(database), threading.Event()
    events = Events(database, telemetry)
    intake = Intake(store, events, telemetry, Investigate(debounce=0.1), wake=wake.set)
    if body is not None:
        intake.accept(webhook.parse(body.read_bytes()))
        points.passed("stored")
    inquiry = Inquiry(store, ScriptedInvestigator(model, points), OncePublisher(folder, points).publish, events, telemetry)
    workflows = Workflows(durable_url(database), inquiry.conduct, telemetry, concurrency=1, polling_seconds=0.05)
    dispatcher = Dispatcher(
        store,
        workflows,
        telemetry,
        abandon=inquiry.abandon,
        source_resolved=lambda _fingerprint, _at: None,
        wake=wake,
        pause=0.1,
        reconcile_every=0.5,
    )
    stop = threading.Event()
    loop = threading.Thread(target=dispatcher.run, args=(stop,))
    loop.start()
    until(lambda: not _open(store), 60.0, what="everything investigated")
    stop.set()
    loop.join()
    workflows.close()
    points.passed("ended")


def _open(store: Store) -> bool:
    return any(unit.state not in (State.DONE, State.CANCELLED) for unit in store.briefs())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--body", type=Path)
    parser.add_argument("--hold", default="")
    given = parser.parse_args()
    main(given.folder, given.model, given.body, given.hold)
