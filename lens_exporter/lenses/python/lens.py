"""The python lens of lens-exporter itself: the process it runs in, and the tools for every process on this host."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from lens_exporter.lenses.here import Here, here
from lens_exporter.lenses.python.baseline import BASELINE
from lens_exporter.lenses.python.collect import PythonProcess
from lens_exporter.lenses.python.process import Process
from lens_exporter.model.metric import BaselineMetric

if TYPE_CHECKING:
    from lens_exporter.model.tool import Tool


class PythonLens(PythonProcess):
    """Its own process, with what a watcher tracks and an investigator may ask.

    named gives the pids of processes that are known by a configured name.
    """

    def __init__(
        self,
        process: str,
        *,
        named: Mapping[str, Callable[[], Sequence[int]]] | None = None,
        read: Callable[[], Process] | None = None,
        where: Callable[[], Here] = here,
        loopback_is_here: bool = True,
    ) -> None:
        super().__init__(process, read=read, where=where)
        self._named = dict(named or {})
        self._loopback_is_here = loopback_is_here

    def baseline_metrics(self) -> Sequence[BaselineMetric]:
        return BASELINE

    def tools(self) -> "Sequence[Tool]":
        # psutil is not needed by a scrape.
        from lens_exporter.lenses.locality import locality  # noqa: PLC0415
        from lens_exporter.lenses.python.tools import PythonTools  # noqa: PLC0415

        return PythonTools(self, self._named, where=partial(locality, loopback_is_here=self._loopback_is_here)).all()
