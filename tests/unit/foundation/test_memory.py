"""Heaps of the C library."""

import platform
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROGRAM = """
    import ctypes, sys, threading
    from lens_exporter.foundation.memory import few_arenas

    if sys.argv[1] == "few":
        print(few_arenas(2))
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    all_there = threading.Barrier(8)

    def allocate():
        all_there.wait()  # an arena of a thread that has ended is used again
        libc.malloc(1000)
        all_there.wait()

    threads = [threading.Thread(target=allocate) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    libc.fopen.restype = ctypes.c_void_p
    file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
    libc.malloc_info(0, file)
    libc.fclose(file)
"""


def arenas(path: Path, which: str) -> int:
    """Count the heaps of a program with eight threads."""
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), which, str(path)]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    return path.read_text().count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such heaps")
def test_threads_share_two_heaps(tmp_path) -> None:
    """Eight threads use two heaps after the call, and more of them without it."""
    assert arenas(tmp_path / "few.xml", "few") == 2
    assert arenas(tmp_path / "plain.xml", "plain") > 2
