"""A real Prometheus that holds a fleet: 10,000 series over 14 days at 5 minutes, and 100,000 more in its newest quarter of an hour.

Every series is a pod's: ten of them are a deployment, forty run on a node. Values are random numbers of 16 or 17 digits, the
longest answers there are. Blocks are written once into the folder and found there by later runs.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import requests

from lens_exporter.demo.servers import LocalServer, find, start_prometheus
from lens_exporter.model.labels import selector

SERIES, LARGE = 10_000, 100_000
DEPLOYMENT, NODE = 10, 40  # pods
STEP = 300
DAYS = 14
_BLOCK = 7200  # seconds; promtool reads its input once for each block it writes, so each gets a file of its own
_SETTLED_BLOCKS = 24  # compaction is over when no more are left
_PATIENCE = 600.0


@contextmanager
def fleet(folder: Path) -> Iterator[tuple[LocalServer, int]]:
    """Start the server when its blocks are compacted; give it and the time of its newest sample (Unix seconds)."""
    ending = folder / "end"
    if not ending.exists():
        _write(folder)
    with start_prometheus(folder, scrape_interval="1m") as server:
        deadline = time.monotonic() + _PATIENCE
        while _blocks(server) > _SETTLED_BLOCKS and time.monotonic() < deadline:
            time.sleep(1.0)
        yield server, int(ending.read_text()) - STEP


def labels(number: int) -> str:
    """Give the labels of a pod, as many and as long as usual."""
    address = f"10.{number // 65536}.{number // 256 % 256}.{number % 256}:9100"
    deployment, node = f"checkout-{number // DEPLOYMENT:05}", f"worker-{number // NODE:04}"
    names = {"deployment": deployment, "instance": address, "namespace": f"shop-{number // NODE % 37:02}", "node": node}
    return selector({"container": "app", "job": "node", **names, "pod": f"{deployment}-{number % DEPLOYMENT}"})


def _write(folder: Path) -> None:
    shutil.rmtree(folder / "data", ignore_errors=True)  # of a run that was broken off: blocks must not overlap
    (folder / "data").mkdir(parents=True)
    # The newest block ends hours ago: the running head would reject what overlaps with it.
    end = int(time.time()) // _BLOCK * _BLOCK - 2 * _BLOCK
    _block(folder, "fleet_large", LARGE, range(end - 3 * STEP, end, STEP))
    for start in range(end - DAYS * 86_400, end, _BLOCK):
        _block(folder, "fleet", SERIES, range(start, start + _BLOCK, STEP))
    (folder / "end").write_text(str(end))


def _block(folder: Path, name: str, series: int, times: Sequence[int]) -> None:
    values = np.random.default_rng(times[0]).random((series, len(times)))
    tails = [f" {at}\n" for at in times]
    file = folder / "block.om"
    with file.open("w") as output:
        output.write(f"# TYPE {name} gauge\n")
        for number, row in enumerate(values.tolist()):
            head = f"{name}{labels(number)} "
            output.writelines([f"{head}{value!r}{tail}" for value, tail in zip(row, tails, strict=True)])
        output.write("# EOF\n")
    subprocess.run(
        [find("promtool"), "tsdb", "create-blocks-from", "openmetrics", "-q", str(file), str(folder / "data")], check=True
    )
    file.unlink()


def _blocks(server: LocalServer) -> float:
    page = requests.get(f"{server.url}/metrics", timeout=10).text
    return next(float(line.split()[1]) for line in page.splitlines() if line.startswith("prometheus_tsdb_blocks_loaded "))
