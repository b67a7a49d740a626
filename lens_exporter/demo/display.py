"""The demo on a terminal: each hop as it is seen, a progress bar below; plain lines where there is no terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from lens_exporter.demo.hops import Hop, Sighting

_PLAIN_WIDTH = 140
_LONGEST = 400  # characters of a line: a finding is read, not scrolled through
_DETAILS = 12  # lines


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the summary. seconds count from what caused it; None when it was not seen."""

    act: str
    hop: Hop
    seconds: float | None


class Display:
    """Writes what happens. A context manager: the progress bar is gone at the end."""

    def __init__(self, hops: int, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        if not self.console.is_terminal:
            self.console = Console(highlight=False, width=_PLAIN_WIDTH, file=self.console.file)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task = self._progress.add_task("starting", total=hops)

    def line(self, text: str, style: str = "") -> None:
        self.console.print(Text(text[:_LONGEST], style=style), soft_wrap=not self.console.is_terminal)

    def act(self, title: str) -> None:
        """Begin a chapter."""
        self.console.print()
        self.line(title, "bold")

    def seen(self, hop: Hop, sighting: Sighting, seconds: float) -> None:
        """Show a hop with what a person would read about it."""
        head = Text.assemble(
            (f"{seconds:6.1f} s  ", "dim"),
            ("ok ", "green"),
            (f"{hop.name:<14}", "bold"),
            (f"{hop.where}: ", "dim"),
            sighting.line[:_LONGEST],
        )
        self.console.print(head, soft_wrap=not self.console.is_terminal)
        for detail in sighting.detail[:_DETAILS]:
            self.line(f"             {detail}", "cyan")
        self._progress.advance(self._task)

    def waiting(self, text: str) -> None:
        """Say below what is waited for."""
        self._progress.update(self._task, description=text)

    def summary(self, rows: Sequence[Row]) -> None:
        """Show all hops with their times."""
        table = Table(box=None, pad_edge=False, header_style="dim", title_justify="left")
        for title in ("what happened", "hop", "seen in", "after"):
            table.add_column(title, justify="right" if title == "after" else "left")
        for row in rows:
            missing = row.seconds is None
            when = Text("not seen", style="bold red") if missing else Text(f"{row.seconds:.1f} s")
            table.add_row(row.act, row.hop.name, row.hop.where, when)
        self.console.print()
        self.console.print(table)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()
