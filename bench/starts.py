"""How long a start takes, next to what its libraries alone take."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from program import Lens, Process, folder

_LIBRARIES = """
import fastapi, numpy, prometheus_client, pydantic, requests, sqlalchemy.orm, structlog, uvicorn
import os, sys
print(sum(os.times()[:2]), flush=True)
sys.stdin.read()
"""

Start = tuple[float, float]  # wall and CPU seconds since exec


@dataclass(slots=True)
class Starts:
    """first: on an empty database; later: on the same one; libraries: their import alone, in a fresh interpreter."""

    first: list[Start] = field(default_factory=list)
    later: list[Start] = field(default_factory=list)
    libraries: list[Start] = field(default_factory=list)


def starts(rounds: int) -> Starts:
    """Measure each kind so often, in turns, so that a busy moment of the machine meets all of them."""
    seen = Starts()
    for _ in range(rounds):
        with folder() as path:
            for times in (seen.first, seen.later):
                with Lens(path) as lens:
                    times.append(lens.first_page())
            seen.libraries.append(_libraries(path / "libraries.log"))
    return seen


def _libraries(log: Path) -> Start:
    with Process("-c", _LIBRARIES, log=log) as process:
        while not log.read_text():
            time.sleep(0.01)
        return time.monotonic() - process.begun, float(log.read_text())
