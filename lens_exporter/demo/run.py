"""`lens-exporter demo`: the whole loop on this machine, every hop shown as it is seen in the servers' own APIs."""

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lens_exporter.demo.display import Display, Row
from lens_exporter.demo.hops import Hop
from lens_exporter.demo.observe import Observer, Snapshot
from lens_exporter.demo.servers import LocalServer
from lens_exporter.demo.stack import Stack
from lens_exporter.demo.story import Act, acts, play
from lens_exporter.errors import ServerGone, ServerMissing, ServerNotReady
from lens_exporter.foundation.signals import ended_by_signals

_AT_MOST = 225.0  # seconds in all; stopping the servers comes on top
_TAIL = 8  # lines of each log when something is missing


def run_demo(*, keep: bool = False) -> int:
    """Run the demo; give 0 only when every hop was seen. Nothing is left running, unless `keep`.

    The folder with configurations, data and logs stays when something was missing, or with `keep`.
    """
    folder = Path(tempfile.mkdtemp(prefix="lens-demo-"))
    story = acts()
    worth_keeping = False
    try:
        with ended_by_signals() as raise_again, Display(sum(len(act.hops) for act in story)) as display, Stack(folder) as stack:
            try:
                complete = _run(stack, story, display, raise_again)
            except (ServerMissing, ServerNotReady, ServerGone) as error:
                for line in f"lens-exporter: {error}\nConfigurations and logs are in {folder}".splitlines():
                    display.line(line, "red")
                complete = False
            worth_keeping = keep or not complete
            if keep and stack.servers:
                _keep(stack, display)
    finally:
        if not worth_keeping:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if complete else 1


def _run(stack: Stack, story: Sequence[Act], display: Display, raise_again: Callable[[], None]) -> bool:
    begun = time.monotonic()
    display.line("Starting Prometheus, Alertmanager, a small service and lens-exporter on this machine.", "bold")
    stack.start()
    for server in stack.servers:
        display.line(f"             {server.name:<14} {server.url}", "dim")
    observer = Observer(stack.prometheus.url, stack.alertmanager.url, stack.lens.url)
    rows: list[Row] = []
    for act in story:
        display.act(act.title)

        def waiting(look: Snapshot, hop: Hop, name: str = act.name) -> None:
            raise_again()
            silent = f"; no answer from {', '.join(look.silent)}" if look.silent else ""
            display.waiting(f"{name}: waiting for {hop.name} in {hop.where}; {look.samples} samples{silent}")

        seen = play(act, stack, observer, until=begun + _AT_MOST, on_seen=display.seen, on_look=waiting)
        rows += [Row(act.name, hop, seen.get(hop)) for hop in act.hops]
        if len(seen) < len(act.hops):
            break
    display.summary(rows)
    missing = [row for row in rows if row.seconds is None]
    if missing:
        _explain(missing, stack.servers, display)
        return False
    display.line(f"\nEvery hop was seen, in {time.monotonic() - begun:.0f} s.", "bold green")
    return True


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
