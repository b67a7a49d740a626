"""How long it takes to read a node's large answers, and to write a page of pids.

`python bench/beam_terms.py`; where erlang-py can be imported it reads the same bytes in between.
"""

import random
import statistics
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from lens_exporter.lenses.beam.decode import decode
from lens_exporter.lenses.beam.encode import encode
from lens_exporter.lenses.beam.terms import Atom, Pid

_COUNT, _ROUNDS = 100_000, 15


def answers(count: int) -> dict[str, Any]:
    """Make what a node with so many processes answers."""
    choice = random.Random(1)
    node = Atom("rabbit@mq1.example.com")
    reductions = Atom("reductions")
    return {
        "pids": [Pid(node, number & 0x7FFF, number >> 15, 1_700_000_000) for number in range(count)],
        "{reductions, N}": [(reductions, int(10 ** choice.uniform(1, 11))) for _ in range(count)],
    }


def times(work: Callable[[], object]) -> float:
    """Give milliseconds of this process's own time: other work on the machine does not count."""
    begun = time.process_time()
    work()
    return (time.process_time() - begun) * 1000


def main() -> None:
    try:
        other: Callable[[bytes], Any] | None = import_module("erlang").binary_to_term
    except ImportError:
        other = None
    for name, term in answers(_COUNT).items():
        encoded = encode(term)
        found: dict[str, list[float]] = {"decode": [], "encode": [], "erlang-py": []}
        for _ in range(_ROUNDS):
            found["decode"].append(times(lambda: decode(encoded)))  # noqa: B023 - called at once
            found["encode"].append(times(lambda: encode(term)))  # noqa: B023 - as above
            if other is not None:
                found["erlang-py"].append(times(lambda: other(encoded)))  # noqa: B023 - as above
        words = ", ".join(f"{what} {statistics.median(each):.0f} ms (best {min(each):.0f})" for what, each in found.items() if each)
        print(f"{_COUNT} {name}, {len(encoded) / 1e6:.1f} MB: {words}")


if __name__ == "__main__":
    main()
