"""Sends requests made from the OpenAPI document to a lens-exporter it starts, and counts the answers; the first wrong one ends it.

`make fuzz`, or `python bench/api_fuzz.py 20000 [seed]`. Wrong is a 5xx, or a status, a type or a shape that the document does
not have.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the servers are those of the tests

from tests.servers.openapi_fuzz import Fuzz, running


def main(count: int, seed: int) -> None:
    """Run and print."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as lens:
        began = time.monotonic()
        answers = Fuzz(lens, seed).send(count)
        took = time.monotonic() - began
    for answer, times in sorted(answers.items()):
        print(f"{times:6}  {answer}")
    print(f"{sum(answers.values()):6}  requests in {took:.0f} s, seed {seed}: no 5xx, no answer that is not documented")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time()))
