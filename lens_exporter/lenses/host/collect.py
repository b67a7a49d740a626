"""Reads one host and emits how full it is."""

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import Metric

from lens_exporter.errors import LensUnavailable
from lens_exporter.lenses import mounts
from lens_exporter.lenses.cgroup import Cgroup, fullest
from lens_exporter.lenses.emission import Emission, Usage
from lens_exporter.lenses.host import kernel
from lens_exporter.lenses.host.baseline import BASELINE
from lens_exporter.lenses.host.disks import Disks, Measure, Space, real
from lens_exporter.lenses.host.families import FAMILIES
from lens_exporter.lenses.rate import Rates
from lens_exporter.lenses.reading import number, read
from lens_exporter.model.metric import BaselineMetric

if TYPE_CHECKING:
    from lens_exporter.model.tool import Tool

log = logging.getLogger("lens_exporter.lenses")

_WINDOW = 60.0  # as the kernel's own avg60 of pressure


class HostLens:
    """The machine, and the container or service limit around lens-exporter. A scrape reads a fixed number of small files."""

    name = "host"

    def __init__(
        self,
        *,
        proc: Path = Path("/proc"),
        sys: Path = Path("/sys"),
        measure: Measure | None = None,
        clock: Callable[[], float] = time.monotonic,
        ticks: int | None = None,
        loopback_is_here: bool = True,
    ) -> None:
        self.proc = proc
        self.sys = sys
        self._disks = Disks(measure)
        self._rates = Rates(_WINDOW, clock=clock)
        self._ticks = ticks or os.sysconf("SC_CLK_TCK")
        self._down: dict[str, str] = {}
        self._loopback_is_here = loopback_is_here

    def collect(self) -> Iterable[Metric]:
        """Give the families; a part that cannot be read costs its own families only, and shows in lens_host_part_up.

        Raises:
            LensUnavailable: nothing can be read.

        """
        emission = Emission(FAMILIES)
        down: dict[str, str] = {}
        parts = self._parts()
        for part, emit in parts.items():
            try:
                emit(emission)
            except (LensUnavailable, OSError, ValueError) as error:
                down[part] = str(error)
        self._report(down)
        if down and not emission.families():
            raise LensUnavailable(lens=self.name, reason=next(iter(down.values())))
        for part in parts:
            emission.add("lens_host_part_up", 0.0 if part in down else 1.0, part=part)
        return emission.families()

    def baseline_metrics(self) -> Sequence[BaselineMetric]:
        return BASELINE

    def tools(self) -> "Sequence[Tool]":
        # psutil is not needed by a scrape.
        from lens_exporter.lenses.host.tools import HostTools  # noqa: PLC0415
        from lens_exporter.lenses.locality import locality  # noqa: PLC0415

        return HostTools(self, where=partial(locality, loopback_is_here=self._loopback_is_here)).all()

    def _parts(self) -> dict[str, Callable[[Emission], None]]:
        return {
            "memory": self._memory,
            "cpu": self._cpu,
            "open_files": self._open_files,
            "threads": self._threads,
            "disks": self._disk_space,
            "load": self._load,
            "pressure": self._pressure,
        }

    def _report(self, down: dict[str, str]) -> None:
        for part in down.keys() - self._down.keys():
            log.warning("lens host: part %s cannot be read: %s", part, down[part])
        self._down = down

    def text(self, path: str) -> str:
        """Read a file under /proc.

        Raises:
            LensUnavailable: there is none.
            OSError: it cannot be read.

        """
        found = read(self.proc / path)
        if found is None:
            raise LensUnavailable(lens=self.name, reason=f"{self.proc / path} does not exist")
        return found

    def cgroup(self) -> Cgroup:
        return Cgroup.of(proc=self.proc, sys=self.sys)

    def cores(self) -> int:
        return kernel.cpu(self.text("stat"), self._ticks).cores

    def disks(self) -> list[tuple[mounts.Mount, Space | None]]:
        """Give each file system that can fill up, with its space; None where it does not answer."""
        found = real(mounts.parse(self.text("self/mountinfo")))
        told = self._disks.ask([mount.mountpoint for mount in found])
        return [(mount, told[mount.mountpoint]) for mount in found if mount.mountpoint in told]

    def _memory(self, emission: Emission) -> None:
        host = kernel.memory(self.text("meminfo"))
        cgroup = self.cgroup()
        emission.usage("lens_host_memory", host.usage, "_bytes", source="host")
        if host.swap.limit:
            emission.usage("lens_host_swap", host.swap, "_bytes", source="host")
        for name, levels, total in (
            ("lens_host_memory", cgroup.memory(), host.usage.limit),
            ("lens_host_swap", cgroup.swap(), host.swap.limit),
        ):
            # A limit above what the machine has limits nothing.
            level = fullest([level for level in levels if (level.limit or 0) < (total or 0)])
            if level is not None:
                emission.usage(name, level, "_bytes", source="cgroup")

    def _cpu(self, emission: Emission) -> None:
        host = kernel.cpu(self.text("stat"), self._ticks)
        self._cpu_of(emission, "host", host.busy_seconds, host.cores)
        quota = self.cgroup().cpu()
        if quota is not None:
            self._cpu_of(emission, "cgroup", quota.seconds, quota.cores)
            emission.add("lens_host_cpu_throttled_seconds_total", quota.throttled_seconds, source="cgroup")

    def _cpu_of(self, emission: Emission, source: str, seconds: float | None, cores: float) -> None:
        used = Usage(self._rates.per_second(source, seconds), cores)
        emission.add("lens_host_cpu_utilization_ratio", used.ratio, source=source)
        emission.add("lens_host_cpu_seconds_total", seconds, source=source)
        emission.add("lens_host_cpu_limit_cores", cores, source=source)

    def _open_files(self, emission: Emission) -> None:
        emission.usage("lens_host_open_files", kernel.open_files(self.text("sys/fs/file-nr"), self.text("sys/fs/file-max")))

    def _threads(self, emission: Emission) -> None:
        most = min(number(self.text("sys/kernel/pid_max")), number(self.text("sys/kernel/threads-max")))
        emission.usage("lens_host_threads", Usage(kernel.load(self.text("loadavg")).threads, most), source="host")
        level = fullest(self.cgroup().pids())
        if level is not None:
            emission.usage("lens_host_threads", level, source="cgroup")

    def _disk_space(self, emission: Emission) -> None:
        for mount, space in self.disks():
            labels = {"device": mount.source, "fstype": mount.fstype, "mountpoint": mount.mountpoint}
            emission.add("lens_host_disk_readable", 0.0 if space is None else 1.0, **labels)
            if space is not None:
                emission.usage("lens_host_disk", space.space, "_bytes", **labels)
                emission.usage("lens_host_inodes", space.inodes, **labels)

    def _load(self, emission: Emission) -> None:
        cores = self.cores()
        averages = kernel.load(self.text("loadavg")).averages
        for window, average in zip(("1m", "5m", "15m"), averages, strict=True):
            emission.add("lens_host_load_per_cpu", average / cores, window=window)

    def _pressure(self, emission: Emission) -> None:
        cgroup = self.cgroup()
        for resource in ("cpu", "io", "memory"):
            # Older kernels have no pressure files, and some keep them switched off: nothing to publish, nothing wrong.
            for source, text in (("host", read(self.proc / "pressure" / resource)), ("cgroup", cgroup.pressure(resource))):
                for kind, ratio in (kernel.pressure(text) if text else {}).items():
                    if (resource, source, kind) != ("cpu", "host", "full"):  # the kernel defines none and writes 0
                        emission.add("lens_host_pressure_ratio", ratio, kind=kind, resource=resource, source=source)
