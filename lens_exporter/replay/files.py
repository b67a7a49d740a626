"""Where a replay reads, writes and shows how far it is: files, standard input and output, the terminal."""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lens_exporter.errors import TableUnreadable, TableUnwritable
from lens_exporter.replay.detect import Request, detect
from lens_exporter.replay.table import Table


def detect_files(source: Path | None, target: Path | None, request: Request) -> None:
    """Write the scores of one table to a file; None stands for the standard streams.

    Nothing is created before the header of the table was found right.

    Raises:
        TableInvalid, TableUnreadable, TableUnwritable: as the names say. BrokenPipeError: nobody reads on.

    """
    name = "<stdin>" if source is None else str(source)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    garbled = target is None and sys.stdout.isatty()  # the scores themselves run over the screen
    with _reading(source, name) as descriptor, _progress(console, descriptor, shown=console.is_terminal and not garbled) as seen:
        table = Table(name, partial(os.read, descriptor))
        pieces = detect(table, request, partial(console.print, markup=False), seen)
        header = next(pieces)
        with _writing(target) as write:
            write(header)
            for piece in pieces:
                write(piece)


@contextmanager
def _reading(source: Path | None, name: str) -> Iterator[int]:
    """Give a file descriptor: reading from it gives what has arrived, where a buffered stream would wait for more."""
    if source is None:
        yield sys.stdin.fileno()
        return
    try:
        stream = source.open("rb", buffering=0)
    except OSError as error:
        raise TableUnreadable(where=name, reason=error.strerror) from error
    with stream:
        yield stream.fileno()


@contextmanager
def _writing(target: Path | None) -> Iterator[Callable[[bytes], None]]:
    """Give what writes a piece so that whoever reads the other end has it at once."""
    try:
        with nullcontext(sys.stdout.buffer) if target is None else target.open("wb") as stream:

            def write(piece: bytes) -> None:
                stream.write(piece)
                stream.flush()

            yield write
    except BrokenPipeError:
        raise  # head and its like have seen enough: the command line ends without a word
    except OSError as error:
        raise TableUnwritable(where=target or "<stdout>", reason=error.strerror) from error


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
            progress.update(task, description=f"{rows:,} rows", completed=place)

        yield seen
