"""Where a replay reads, writes and shows how far it is: files, standard input and output, the terminal."""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lens_exporter.errors import LensError, TableUnreadable, TableUnwritable
from lens_exporter.foundation.output import Output, output
from lens_exporter.foundation.signals import ended_by_signals
from lens_exporter.replay.detect import Request, detect, told
from lens_exporter.replay.table import Table

_CLOSED = "it is closed"  # a standard stream that whoever began us gave none of: Python has None for it


def detect_files(source: Path | None, target: Path | None, request: Request) -> None:
    """Write the scores of one table to a file; None stands for the standard streams.

    A file is there, or takes the place of an earlier one, when all is scored. What does not come so far says how far it came.

    Raises:
        TableInvalid, TableUnreadable, TableUnwritable: as the names say. BrokenPipeError: nobody reads on.
        KeyboardInterrupt, SystemExit: it was told to end.

    """
    name = "<stdin>" if source is None else str(source)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    say = partial(console.print, markup=False)
    if target is None and sys.stdout is None:
        raise TableUnwritable(where="<stdout>", reason=_CLOSED)
    garbled = target is None and sys.stdout.isatty()  # the scores themselves run over the screen
    shows = console.is_terminal and not garbled
    with ended_by_signals(), _reading(source, name) as descriptor, _progress(console, descriptor, shown=shows) as seen:
        scored = 0

        def counted(rows: int) -> None:
            nonlocal scored
            scored = rows
            seen(rows)

        pieces = detect(Table(name, partial(os.read, descriptor)), request, say, counted)
        header = next(pieces)
        replaces = False
        try:
            with _writing(target) as file:
                replaces = file.replaces
                for piece in chain((header,), pieces):
                    file.stream.write(piece)
                    file.stream.flush()  # whoever reads the other end has it at once
        except (KeyboardInterrupt, SystemExit):
            say(f"{name}: interrupted, {told(scored, 'row')} scored{_left(target) if replaces else ''}")
            raise
        except LensError:
            if replaces:
                say(f"{name}: {told(scored, 'row')} scored{_left(target)}")
            raise


def _left(target: Path | None) -> str:
    return f"; {target} stands as it was" if target and target.exists() else f"; {target} is not written"


@contextmanager
def _reading(source: Path | None, name: str) -> Iterator[int]:
    """Give a file descriptor: reading from it gives what has arrived, where a buffered stream would wait for more."""
    if source is None:
        if sys.stdin is None:
            raise TableUnreadable(where=name, reason=_CLOSED)
        yield sys.stdin.fileno()
        return
    try:
        stream = source.open("rb", buffering=0)
    except OSError as error:
        raise TableUnreadable(where=name, reason=error.strerror) from error
    with stream:
        yield stream.fileno()


@contextmanager
def _writing(target: Path | None) -> Iterator[Output]:
    if target is not None:
        with output(target) as file:
            yield file
        return
    try:
        yield Output(sys.stdout.buffer, replaces=False)
    except BrokenPipeError:
        raise  # as of a file
    except OSError as error:
        raise TableUnwritable(where="<stdout>", reason=error.strerror or error) from error


@contextmanager
def _progress(console: Console, descriptor: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """Give what is told how many rows are done. Of a file the share read is known, of a pipe only the rows."""
    if not shown:
        yield lambda _rows: None
        return
    status = os.fstat(descriptor)
    size = status.st_size if stat.S_ISREG(status.st_mode) else None
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading", total=size)

        def seen(rows: int) -> None:
            place = None if size is None else os.lseek(descriptor, 0, os.SEEK_CUR)
            progress.update(task, description=f"{rows:,} row{'' if rows == 1 else 's'}", completed=place)

        yield seen
