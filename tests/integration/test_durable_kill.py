"""kill -9 at the worst moments: every accepted alert ends in exactly one published result, and no model call is paid twice."""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lens_exporter.foundation.database import Database
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.investigate.store import Store
from lens_exporter.investigate.unit import State
from tests.servers.waiting import until

pytestmark = pytest.mark.integration


class CountingModel:
    """Answers any question and counts how often each was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.asked[self.path] += 1
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"because")

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def model() -> Iterator[CountingModel]:
    model = CountingModel()
    yield model
    model.server.shutdown()
    model.server.server_close()


def webhook(groups: int, folder: Path) -> Path:
    entries = [
        {
            "status": "firing",
            "labels": {"alertname": f"A{number}", "group": str(groups)},
            "startsAt": "2026-11-20T14:02:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
        }
        for number in range(3)
    ]
    body = folder / f"body-{groups}.json"
    body.write_text(json.dumps({"version": "4", "groupKey": f"group {groups}", "alerts": entries}))
    return body


def child(folder: Path, model: CountingModel, *, hold: str = "", body: Path | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.servers.durable_child", "--folder", folder, "--model", model.url, "--hold", hold]
    return subprocess.Popen([*map(str, command), *(["--body", str(body)] if body else [])])


def passed(folder: Path) -> list[str]:
    file = folder / "passed"
    return [line.split(" ", 1)[1] for line in file.read_text().splitlines()] if file.exists() else []


def kill_at(point: str, folder: Path, model: CountingModel, **more: Path) -> None:
    process = child(folder, model, hold=point, **more)
    try:
        until(lambda: point in passed(folder) or process.poll() is not None, 60.0, what=point)
        assert process.poll() is None, "it ended before it could be killed"
    finally:
        process.kill()
        process.wait()


def finish(folder: Path, model: CountingModel) -> None:
    assert child(folder, model).wait(90) == 0


@pytest.mark.parametrize("point", ["stored", "asked plan", "tool 2", "asked answer", "judged", "publishing", "published"])
def test_a_killed_process_goes_on_where_it_stopped(point, tmp_path, model):
    """One result, published once, whatever the moment of death; only a call in flight at that moment may be made again."""
    kill_at(point, tmp_path, model, body=webhook(1, tmp_path))
    finish(tmp_path, model)
    database = Database(f"sqlite:///{tmp_path / 'lens.db'}")
    [unit] = Store(database).briefs()
    assert (unit.state, unit.verdict) == (State.DONE, "cause_found")
    [published] = (tmp_path / "published").iterdir()
    assert published.name == unit.id
    assert published.read_text() == "because [1, 2, 3] because 3 alerts"
    in_flight = f"/{point.removeprefix('asked ')}/{unit.id}"
    assert {question for question, times in model.asked.items() if times > 1} <= {in_flight}
    assert len(model.asked) == 2
    tools = Counter(one for one in passed(tmp_path) if one.startswith("tool"))
    assert {tool for tool, times in tools.items() if times > 1} <= {point}
    finished = Events(database, Telemetry()).query(correlation=unit.correlation, kind="investigation.finished")
    assert len(finished) == 1


def test_dying_again_and_again_loses_nothing(tmp_path, model):
    """Three groups, four deaths, each at another moment: three results and six model calls."""
    kill_at("stored", tmp_path, model, body=webhook(1, tmp_path))
    kill_at("tool 2", tmp_path, model, body=webhook(2, tmp_path))
    kill_at("judged", tmp_path, model, body=webhook(3, tmp_path))
    kill_at("published", tmp_path, model)
    finish(tmp_path, model)
    assert len(list((tmp_path / "published").iterdir())) == 3
    assert sorted(model.asked.values()) == [1] * 6


def test_what_kills_the_process_each_time_is_given_up(tmp_path, model):
    """Work that lens-exporter dies of is published as not investigated instead of being tried for ever."""
    kill_at("tool 1", tmp_path, model, body=webhook(1, tmp_path))
    for _ in range(6):
        (tmp_path / "passed").unlink()
        if "published" in _until_killed_or_published(tmp_path, model):
            break
    [unit] = Store(Database(f"sqlite:///{tmp_path / 'lens.db'}")).briefs()
    assert (unit.state, unit.verdict) == (State.DONE, "not_investigated")
    assert "died 5 times" in unit.summary
    assert len(list((tmp_path / "published").iterdir())) == 1


def _until_killed_or_published(folder: Path, model: CountingModel) -> list[str]:
    process = child(folder, model, hold="tool 1")
    try:
        until(lambda: {"tool 1", "ended"} & set(passed(folder)), 60.0)
    finally:
        process.kill()
        process.wait()
    return passed(folder)
