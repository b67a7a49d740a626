"""What a page costs over HTTP, as Prometheus asks for it: one connection, kept open, gzip."""

import http.client
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from program import Process

from lens_exporter.demo.servers import free_port

_HEADERS = {"Accept": "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "Accept-Encoding": "gzip"}
_BARE = """
import sys, uvicorn
from prometheus_client import CollectorRegistry, Gauge, make_asgi_app
registry = CollectorRegistry()
gauge = Gauge("bare", "As many series as the other page.", ["number"], registry=registry)
for number in range(int(sys.argv[2])):
    gauge.labels(str(number)).set(number * 1.1)
uvicorn.run(make_asgi_app(registry), port=int(sys.argv[1]), http="h11", loop="asyncio", lifespan="off", log_level="warning")
"""


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds; cpu is the server's, for one scrape."""

    median: float
    high: float  # 99th percentile
    cpu: float


@dataclass(frozen=True, slots=True)
class Size:
    """A page: series and bytes, plain and as sent."""

    series: int
    plain: int
    gzip: int


def latency(process: Process, port: int, path: str, count: int = 200) -> Latency:
    """Scrape so often, one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    seconds = []
    cpu = process.cpu()
    for _ in range(count):
        begun = time.perf_counter()
        connection.request("GET", path, headers=_HEADERS)
        connection.getresponse().read()
        seconds.append(time.perf_counter() - begun)
    spent = process.cpu() - cpu
    connection.close()
    return Latency(statistics.median(seconds), sorted(seconds)[int(count * 0.99)], spent / count)


def size(port: int) -> Size:
    """Measure a page in both encodings."""
    found = []
    for headers in ({}, _HEADERS):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/metrics", headers=headers)
        found.append(connection.getresponse().read())
        connection.close()
    series = sum(not line.startswith(b"#") for line in found[0].splitlines())
    return Size(series, len(found[0]), len(found[1]))


def bare(folder: Path, series: int) -> Latency:
    """Scrape a page of prometheus_client alone with so many gauges, behind the same HTTP server: what no exporter can be under."""
    port = free_port()
    with Process("-c", _BARE, str(port), str(series), log=folder / "bare.log") as process:
        process.wait_for(port, "/", b"bare{")
        return latency(process, port, "/")
