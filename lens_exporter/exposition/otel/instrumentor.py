"""What `opentelemetry-instrument` turns on in a program that has lens-exporter installed: its runtime as observable instruments.

It runs inside other people's programs and imports nothing heavy. The process' own attributes are the resource's, as everywhere in
OpenTelemetry; `process` is the service's name, as with `lens_exporter.instrument()`.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]
from opentelemetry.metrics import CallbackOptions, Meter, Observation, get_meter
from prometheus_client.metrics_core import Metric as Family

from lens_exporter.errors import LensUnavailable
from lens_exporter.exposition.otel.naming import named
from lens_exporter.foundation.catalogue import Kind, MetricSpec
from lens_exporter.lenses.python.collect import PythonProcess
from lens_exporter.lenses.python.families import FAMILIES
from lens_exporter.lenses.python.instrument import program

# opentelemetry-instrumentation-system-metrics has them as cpython.gc.*, and no histogram can be observed.
_LEFT_OUT = {"lens_python_gc_collections_total", "lens_python_gc_uncollectable_total", "lens_python_gc_pause_seconds"}
_PAUSES = MetricSpec("lens_python_gc_pause_time_seconds_total", Kind.COUNTER, "Time spent in pauses by the garbage collector.")
_FRESH = 0.5  # seconds: the instruments of one export are read within that, and share one look

Observe = Callable[[CallbackOptions], Iterable[Observation]]


class LensInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # upstream has no types
    """Observes this process through the meter provider there is. `uninstrument` ends it."""

    _lens: PythonProcess | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Name the packages it instruments: none, the interpreter is always there."""
        return ()

    def _instrument(self, **options: Any) -> None:
        name = str(options.get("service") or _service(options.get("meter_provider")) or program())
        # With its pid: workers that are forked later share the name, and the resource too.
        lens = PythonProcess(name, several=True)
        lens.start()
        observe(get_meter("lens_exporter", version("lens-exporter"), options.get("meter_provider")), lens)
        self._lens = lens

    def _uninstrument(self, **options: Any) -> None:
        del options
        if self._lens is not None:
            self._lens.close()  # what is observed by a meter cannot be taken back: it gives nothing from now on
            self._lens = None


def observe(meter: Meter, lens: PythonProcess) -> None:
    """Make an instrument of every family of the lens that upstream does not have."""
    look = _Look(lens)
    for spec in FAMILIES:
        if spec.name not in _LEFT_OUT:
            _make(meter, spec, partial(look.observations, spec.name.removesuffix("_total")))
    _make(meter, _PAUSES, look.pauses)


def _make(meter: Meter, spec: MetricSpec, callback: Observe) -> None:
    known = named(spec.name.removesuffix("_total"))
    make = meter.create_observable_counter if spec.kind is Kind.COUNTER else meter.create_observable_gauge
    make(known.name, [callback], known.unit, spec.help)


class _Look:
    """One reading of the process for all instruments of an export."""

    def __init__(self, lens: PythonProcess, clock: Callable[[], float] = time.monotonic) -> None:
        self._lens = lens
        self._clock = clock
        self._lock = threading.Lock()
        self._families: Mapping[str, Family] = {}
        self._read_at = float("-inf")
        os.register_at_fork(after_in_child=self._begin_anew)

    def observations(self, family: str, _options: CallbackOptions) -> Iterable[Observation]:
        """Give the samples of a family; none while the kernel does not answer."""
        found = self._seen().get(family)
        return [Observation(sample.value, sample.labels) for sample in found.samples] if found is not None else []

    def pauses(self, _options: CallbackOptions) -> Iterable[Observation]:
        found = self._seen().get("lens_python_gc_pause_seconds")
        sums = [sample for sample in found.samples if sample.name.endswith("_sum")] if found is not None else []
        return [Observation(sample.value, sample.labels) for sample in sums]

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()  # a thread that does not exist here may have held it
        self._read_at = float("-inf")

    def _seen(self) -> Mapping[str, Family]:
        if not self._lens.pauses.installed:
            return {}  # it was closed
        with self._lock:
            if self._clock() - self._read_at > _FRESH:
                self._families = self._read()
                self._read_at = self._clock()
            return self._families

    def _read(self) -> Mapping[str, Family]:
        try:
            return {family.name: family for family in self._lens.collect()}
        except LensUnavailable:
            return {}


def _service(provider: Any) -> str:
    """Read the service's name from the resource of the provider, where it has one that somebody chose."""
    from opentelemetry.metrics import get_meter_provider  # noqa: PLC0415

    config = getattr(provider or get_meter_provider(), "_sdk_config", None)
    name = config.resource.attributes.get("service.name", "") if config is not None else ""
    return "" if str(name).startswith("unknown_service") else str(name)
