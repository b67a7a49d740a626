"""The instrumentor in a program of its own: what its meters see, what a fork changes, and what is left after it."""

import subprocess
import sys
import textwrap

HEAD = """
import os
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from lens_exporter.exposition.otel.instrumentor import LensInstrumentor

reader = InMemoryMetricReader()
provider = MeterProvider([reader], resource=Resource({"service.name": "shop"}))
lens = LensInstrumentor()
lens.instrument(meter_provider=provider)

def points(name):
    data = reader.get_metrics_data()
    metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []
    return [point for metric in metrics if metric.name == name for point in metric.data.data_points]
"""


def run(program: str) -> str:
    source = HEAD + textwrap.dedent(program)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_observed_ends_with_it():
    """The service's name is the process' name; once uninstrumented nothing is observed and no callback of the collector is left."""
    out = run(
        """
        import gc
        print([dict(point.attributes) == {"process": "shop", "pid": str(os.getpid())} for point in points("lens.python.memory_used")])
        gc.collect()
        print(sum(point.value for point in points("lens.python.gc_pause_time")) > 0)
        lens.uninstrument()
        print(points("lens.python.memory_used"), [each for each in gc.callbacks if "lens" in type(each).__module__])
        """
    )
    assert out == "[True]\nTrue\n[] []\n"


def test_a_forked_worker_observes_itself():
    """Though it was instrumented before the fork, and a thread of the parent may just have been reading."""
    out = run(
        """
        from lens_exporter.exposition.otel import instrumentor
        looks = [c for c in __import__("gc").get_objects() if isinstance(c, instrumentor._Look)]
        points("lens.python.memory_used")
        looks[0]._lock.acquire()  # as that thread would
        worker = os.fork()
        if worker == 0:
            seen = {point.attributes["pid"] for point in points("lens.python.memory_used")}
            os._exit(0 if seen == {str(os.getpid())} else 1)
        print(os.waitpid(worker, 0)[1])
        """
    )
    assert out == "0\n"
