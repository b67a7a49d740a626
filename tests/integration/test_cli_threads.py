"""Threads of the command line."""

import os
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
    import os, sys
    from lens_exporter.cli import main

    if sys.argv[1] == "cli":
        main(["detect", "--help"], standalone_mode=False)
    import numpy as np

    np.linalg.eigh(np.eye(64))
    print(len(os.listdir("/proc/self/task")))
"""


def threads(which: str) -> int:
    """Count the threads of a program that has done linear algebra, below a command or without one."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), which]
    done = subprocess.run(command, check=True, timeout=60, capture_output=True, text=True, env=environment)
    return int(done.stdout.splitlines()[-1])


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or (os.cpu_count() or 1) < 2, reason="counts threads where there are several"
)
def test_linear_algebra_of_a_command_stays_on_its_thread():
    """Under the command line numpy starts no threads of its own; without it, one for each core."""
    assert threads("cli") == 1
    assert threads("plain") > 1
