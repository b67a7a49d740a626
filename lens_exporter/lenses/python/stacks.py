"""Where the threads of this process stand."""

import sys
import threading
import traceback
from dataclasses import dataclass
from pathlib import PurePath

_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Stack:
    """Threads that stand at the same place."""

    frames: tuple[str, ...]  # innermost first: file:line function
    threads: tuple[str, ...]  # names


def read_stacks(deepest: int = _DEEPEST) -> list[Stack]:
    """Read the stack of every thread, equal ones together, the most threads first."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    found: dict[tuple[str, ...], list[str]] = {}
    for identity, frame in sys._current_frames().items():  # noqa: SLF001 - the documented way (sys module)
        # Without source lines: nothing is read from disk, and no text of the program leaves.
        summary = traceback.StackSummary.extract(traceback.walk_stack(frame), limit=deepest, lookup_lines=False)
        frames = tuple(f"{'/'.join(PurePath(f.filename).parts[-3:])}:{f.lineno} {f.name}" for f in summary)
        found.setdefault(frames, []).append(names.get(identity, str(identity)))
    stacks = [Stack(frames, tuple(threads)) for frames, threads in found.items()]
    return sorted(stacks, key=lambda stack: (-len(stack.threads), stack.frames))
