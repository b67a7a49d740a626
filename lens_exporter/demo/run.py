"""`lens-exporter demo`: the whole loop on this machine, every hop shown as it is seen in the servers' own APIs."""

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lens_exporter.demo import hops
from lens_exporter.demo.display import Display, Row
from lens_exporter.demo.hops import Hop
from lens_exporter.demo.observe import Observer, Snapshot
from lens_exporter.demo.servers import LocalServer
from lens_exporter.demo.stack import OWN_FILES, OWN_MEMORY, THEIRS, Stack
from lens_exporter.errors import ServerMissing, ServerNotReady

_LOOK_EVERY = 0.5
_AT_MOST = 225.0  # seconds for everything after the start
_READINGS = 20  # before the first leak: a baseline needs 15
_TAIL = 8  # lines of each log when something is missing


@dataclass(frozen=True, slots=True)
class Act:
    """Something that is done to the service, and the hops it must cause."""

    title: str
    name: str
    do: Callable[[Stack], None]
    hops: tuple[Hop, ...]
    seconds: float


def acts() -> tuple[Act, ...]:
    """Give the demo's chapters in order."""
    return (
        Act(
            "The service runs normally; lens-exporter learns what that looks like.",
            "normal",
            lambda _stack: None,
            (hops.baseline(_READINGS),),
            60,
        ),
        Act("Now it leaks memory.", "memory leak", lambda stack: stack.leak("memory"), _own("memory", OWN_MEMORY), 60),
        Act(
            "Now it leaks files too. Prometheus has an alert rule of its own for that; it is looked into as well.",
            "file leak",
            lambda stack: stack.leak("files"),
            (*_own("files", OWN_FILES), *_theirs(THEIRS)),
            75,
        ),
        Act("It recovers.", "recovery", Stack.recover, (hops.over((OWN_MEMORY, OWN_FILES, THEIRS)),), 90),
    )


def _own(category: str, name: str) -> tuple[Hop, ...]:
    return (hops.decided(category), *_theirs(name))


def _theirs(name: str) -> tuple[Hop, ...]:
    return (hops.held(name), hops.brought(name), hops.investigated(name), hops.companion(name))


def run_demo(*, keep: bool = False) -> int:
    """Run the demo; give 0 only when every hop was seen. Nothing is left running, unless `keep`."""
    folder = Path(tempfile.mkdtemp(prefix="lens-demo-"))
    chapters = acts()
    with _ended_by_signals(), Display(sum(len(act.hops) for act in chapters)) as display, Stack(folder) as stack:
        try:
            complete = _run(stack, chapters, display)
        except (ServerMissing, ServerNotReady) as error:
            for line in f"lens-exporter: {error}\nLogs are in {folder}".splitlines():
                display.line(line, "red")
            return 1
        if keep:
            _keep(stack, display)
    if complete and not keep:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if complete else 1


def _run(stack: Stack, chapters: Sequence[Act], display: Display) -> bool:
    begun = time.monotonic()
    display.line("Starting Prometheus, Alertmanager, a small service and lens-exporter on this machine.", "bold")
    stack.start()
    display.line(
        f"  {time.monotonic() - begun:6.1f} s  " + "   ".join(f"{server.name} {server.url}" for server in stack.servers), "dim"
    )
    observer = Observer(stack.prometheus.url, stack.alertmanager.url, stack.lens.url)
    deadline = time.monotonic() + _AT_MOST
    rows: list[Row] = []
    for act in chapters:
        display.act(act.title)
        rows += _play(act, stack, observer, display, deadline)
        if any(row.seconds is None for row in rows):
            break
    display.summary(rows)
    missing = [row for row in rows if row.seconds is None]
    if missing:
        _explain(missing, stack.servers, display)
        return False
    display.line(f"\nEvery hop was seen, in {time.monotonic() - begun:.0f} s.", "bold green")
    return True


def _play(act: Act, stack: Stack, observer: Observer, display: Display, deadline: float) -> list[Row]:
    """Do it, then look until every hop is seen or the time is up."""
    act.do(stack)
    begun = time.monotonic()
    deadline = min(deadline, begun + act.seconds)
    seen: dict[Hop, float] = {}
    while len(seen) < len(act.hops) and time.monotonic() < deadline:
        look = observer.look()
        for hop in act.hops:
            if hop in seen:
                continue
            sighting = hop.find(look)
            if sighting is None:
                break  # the servers are asked one after the other: what comes later is shown later
            seen[hop] = time.monotonic() - begun
            display.seen(hop, sighting, seen[hop])
        display.waiting(_wait(act, seen, look))
        time.sleep(_LOOK_EVERY)
    return [Row(act.name, hop, seen.get(hop)) for hop in act.hops]


def _wait(act: Act, seen: Mapping[Hop, float], look: Snapshot) -> str:
    waited = next((hop for hop in act.hops if hop not in seen), None)
    if waited is None:
        return act.name
    silent = f"; no answer from {', '.join(look.silent)}" if look.silent else ""
    return f"{act.name}: waiting for {waited.name} in {waited.where}; {look.samples} samples{silent}"


def _explain(missing: Sequence[Row], servers: Sequence[LocalServer], display: Display) -> None:
    names = ", ".join(f"{row.hop.name} in {row.hop.where} ({row.act})" for row in missing)
    display.line(f"\nNot seen: {names}", "bold red")
    for server in servers:
        state = "" if server.running else " (it has ended)"
        display.line(f"\n{server.log}{state}", "bold")
        for line in server.tail().splitlines()[-_TAIL:]:
            display.line(f"  {line}")


def _keep(stack: Stack, display: Display) -> None:
    stack.leave_running()
    display.line("\nLeft running:", "bold")
    for server in stack.servers:
        display.line(f"  {server.name:<14} {server.url}   log {server.log}")
    display.line(f"Stop them with: kill {' '.join(str(server.pid) for server in stack.servers)}")


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    # A terminated demo must leave the block below and stop its servers, as Ctrl-C does.
    def end(number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    # One that is ignored stays so: under nohup the demo outlives its terminal.
    ended = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in ended}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
