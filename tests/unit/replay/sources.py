"""Tables for tests: bytes that arrive in pieces, as from a pipe."""

import io
from collections.abc import Iterable

from lens_exporter.replay.table import Rows, Table


class Pipe:
    """Gives one piece a read, and the end after the last; counts the reads."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]
        self.reads = 0

    def __call__(self, size: int) -> bytes:
        self.reads += 1
        if not self._pieces:
            return b""
        piece = self._pieces.pop(0)
        if len(piece) > size:
            self._pieces.insert(0, piece[size:])
        return piece[:size]


def table(text: str | bytes, **options: int) -> Table:
    return Table("t.csv", io.BytesIO(text.encode() if isinstance(text, str) else text).read1, **options)


def rows(text: str | bytes, **options: int) -> list[Rows]:
    return list(table(text, **options).blocks())
