"""Lines of text from a file or a pipe, and whether asking for the next one would mean to wait."""

import codecs
import io
from collections.abc import Callable

from lens_exporter.errors import TableInvalid, TableUnreadable

_CHUNK = 1 << 18  # bytes asked for at once
_LONGEST = 1 << 26  # bytes of a line; 100,000 series with long names stay below


# Gives what is there, at most so many bytes; waits only when there is nothing; gives none at the end. os.read is one.
Source = Callable[[int], bytes]


class Lines:
    """An iterator over the lines of UTF-8 text, each with its end of line; a byte order mark is skipped.

    Raises:
        TableInvalid: the bytes are not UTF-8, or a line does not end. TableUnreadable: reading failed.

    """

    def __init__(self, name: str, source: Source) -> None:
        self.latest = ""  # the line that was given last
        self._name = name
        self._source = source
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._whole = io.StringIO()
        self._left = 0  # whole lines not yet given
        self._given = 0
        self._begun: list[str] = []  # pieces of the line that has not ended
        self._begun_size = 0
        self._ended = False

    @property
    def drained(self) -> bool:
        """Whether the next line has not arrived yet."""
        return self._left == 0

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        while self._left == 0:
            if self._ended:
                raise StopIteration
            self._read()
        self._left -= 1
        self._given += 1
        self.latest = self._whole.readline()
        return self.latest

    def _read(self) -> None:
        try:
            chunk = self._source(_CHUNK)
        except OSError as error:
            raise TableUnreadable(where=self._name, reason=error.strerror or str(error)) from error
        self._ended = not chunk
        try:
            text = self._decoder.decode(chunk, final=self._ended)
        except UnicodeDecodeError as error:
            line = self._given + 1 + chunk[: error.start].count(b"\n")
            raise TableInvalid(where=f"{self._name}:{line}", problem="not UTF-8 text") from error
        self._take(text)

    def _take(self, text: str) -> None:
        whole, newline, rest = text.rpartition("\n")
        if newline:
            self._hold("".join((*self._begun, whole, newline)), whole.count("\n") + 1)
            self._begun, self._begun_size = [], 0
        if rest:
            self._begun.append(rest)
            self._begun_size += len(rest)
        if self._begun_size > _LONGEST:
            raise TableInvalid(
                where=f"{self._name}:{self._given + self._left + 1}", problem=f"a line of more than {_LONGEST} characters"
            )
        if self._ended and self._begun:
            self._hold("".join(self._begun), 1)
            self._begun = []

    def _hold(self, text: str, lines: int) -> None:
        self._whole, self._left = io.StringIO(text, newline="\n"), lines
