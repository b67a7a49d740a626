"""The lens of the process it runs in: garbage collector, event loop, tracemalloc."""

import asyncio
import gc
import threading
import tracemalloc

import pytest

from lens_exporter.errors import LensUnavailable
from lens_exporter.lenses.emission import Usage
from lens_exporter.lenses.here import Here
from lens_exporter.lenses.python.collect import PythonProcess
from lens_exporter.lenses.python.gc_pauses import GcPauses
from lens_exporter.lenses.python.loop_lag import LoopLag
from lens_exporter.lenses.python.process import Process
from lens_exporter.lenses.python.traces import Traces
from tests.servers.waiting import until
from tests.unit.lenses.samples import values
from tests.unit.lenses.trees import Hand

SEEN = Process(Usage(50.0, 100.0), "cgroup", Usage(10, 40), Usage(3, 30), 1.5, 100.0)


def lens(**options) -> PythonProcess:
    return PythonProcess("api", read=lambda: SEEN, where=lambda: Here("api-7", "pid:[1]"), **options)


def test_every_sample_carries_the_process():
    """Each family has the label process, and utilizations come with the two numbers they are made of."""
    seen = values(lens().collect())
    assert all('process="api"' in name for name in seen)
    assert seen['lens_python_memory_utilization_ratio{process="api"}'] == 0.5
    assert seen['lens_python_open_fds_used{process="api"}'] == 10
    assert seen['lens_python_threads_limit{process="api"}'] == 30
    assert seen['lens_python_allocated_blocks{process="api"}'] > 0
    assert any('hostname="api-7"' in name for name in seen)


def test_gc_pauses():
    """While started, each collection is timed under its generation; closed, nothing is left in gc.callbacks."""
    watched = lens(pauses=GcPauses(clock=iter([1.0, 1.03, 5.0, 5.0002]).__next__))
    before = list(gc.callbacks)
    assert not [name for name in values(watched.collect()) if "gc_pause" in name]
    gc.disable()
    try:
        watched.start()
        watched.start()
        assert len(gc.callbacks) == len(before) + 1
        gc.collect(2)
        gc.collect(0)
        seen = values(watched.collect())
    finally:
        watched.close()
        gc.enable()
    assert gc.callbacks == before
    assert seen['lens_python_gc_pause_seconds_count{generation="2",process="api"}'] == 1
    assert seen['lens_python_gc_pause_seconds_sum{generation="2",process="api"}'] == pytest.approx(0.03)
    assert seen['lens_python_gc_pause_seconds_bucket{generation="2",le="0.025",process="api"}'] == 0
    assert seen['lens_python_gc_pause_seconds_bucket{generation="2",le="0.05",process="api"}'] == 1
    assert seen['lens_python_gc_pause_seconds_bucket{generation="2",le="+Inf",process="api"}'] == 1
    assert seen['lens_python_gc_pause_seconds_bucket{generation="0",le="0.0005",process="api"}'] == 1
    assert seen['lens_python_gc_pause_seconds_count{generation="1",process="api"}'] == 0


def test_a_pause_begun_before_the_lens():
    """A lens started inside a collection ignores its end: the start was never seen."""
    pauses = GcPauses()
    pauses("stop", {"generation": 0})
    assert sum(pauses.counts[0]) == 0


@pytest.mark.parametrize("error", [OSError(13, "Permission denied"), ValueError("stat has fewer fields")])
def test_unreadable_process(error):
    """A process that cannot be read is named as such."""

    def fail():
        raise error

    with pytest.raises(LensUnavailable, match="python"):
        list(PythonProcess("api", read=fail).collect())


class Loop:
    """An event loop of which a test owns the time; not asyncio's, whose time cannot be owned."""

    def __init__(self) -> None:
        self.now = 100.0
        self.running = True
        self.closed = False
        self.timers = []

    def time(self):
        return self.now

    def is_running(self):
        return self.running

    def is_closed(self):
        return self.closed

    def call_soon_threadsafe(self, callback):
        if self.closed:
            raise RuntimeError("Event loop is closed")
        callback()

    def call_at(self, due, callback):
        timer = Timer(due, callback)
        self.timers.append(timer)
        return timer

    def go_on(self, seconds):
        """Move the time and run, late, what is due."""
        self.now += seconds
        due, self.timers = self.timers, []
        for timer in due:
            if not timer.cancelled:
                timer.callback()


class Timer:
    def __init__(self, due, callback) -> None:
        self.due = due
        self.callback = callback
        self.cancelled = False

    def cancel(self):
        self.cancelled = True


def test_event_loop_lag():
    """The longest delay of the last minute is shown, a blocked loop by its delay so far, and an old one is forgotten."""
    loop = Loop()
    lag = LoopLag(loop, every=0.25, window=60)
    assert lag.seconds() is None
    lag.start()
    loop.go_on(0.25)
    assert lag.seconds() == pytest.approx(0.0)
    loop.now += 3.25  # nothing runs: blocked for 3 s
    assert lag.seconds() == pytest.approx(3.0)
    loop.go_on(0)
    for _ in range(100):
        loop.go_on(0.25)
    assert lag.seconds() == pytest.approx(3.0)  # still the longest of the last minute
    for _ in range(480):
        loop.go_on(0.25)
    assert lag.seconds() == pytest.approx(0.0)


def test_event_loop_that_stops():
    """A loop that does not run has no lag, and a closed one can be left without complaint."""
    loop = Loop()
    lag = LoopLag(loop)
    lag.start()
    loop.running = False
    assert lag.seconds() is None
    lag.close()
    assert all(timer.cancelled for timer in loop.timers)
    loop.closed = True
    lag.close()


def test_a_real_event_loop():
    """The lag of a real loop is measured from another thread while it runs, and closing leaves it no timer."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    watched = lens()
    try:
        watched.monitor_event_loop(loop)
        name = 'lens_python_event_loop_lag_seconds{process="api"}'
        assert until(lambda: values(watched.collect()).get(name, -1) >= 0)
        watched.close()
        assert name not in values(watched.collect())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_tracemalloc():
    """While tracing is on its totals and top lines are shown; the top is read again only after a minute."""
    clock = Hand()
    traces = Traces(clock=clock)
    assert traces.read() is None
    tracemalloc.start()
    try:
        first = traces.read()
        kept = [bytes(100_000) for _ in range(20)]
        assert first is not None
        assert traces.read().top == first.top
        clock.now += 61
        later = traces.read()
        assert later.size > 1_900_000
        assert later.top[0].size > 1_900_000
        assert "test_python_lens.py:" in later.top[0].location
        assert len(kept) == 20
        assert len(later.top) <= 10
        seen = values(lens().collect())
        assert seen['lens_python_tracemalloc_traced_bytes{process="api"}'] > 1_900_000
        assert any(name.startswith("lens_python_tracemalloc_top_bytes") for name in seen)
    finally:
        tracemalloc.stop()
    assert traces.read() is None


def test_too_many_traces():
    """With more traces than can be sorted in time only the totals are read, and it is said."""
    traces = Traces(most_overhead=0)
    tracemalloc.start()
    try:
        traced = traces.read()
        assert traced.top == ()
        assert "too long" in traced.skipped
    finally:
        tracemalloc.stop()
