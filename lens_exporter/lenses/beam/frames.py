"""Takes apart what a node sends: ticks, answers that somebody waits for, and the rest, which is let go by unkept."""

from collections.abc import Callable
from typing import Protocol

from lens_exporter.errors import BadTerm
from lens_exporter.lenses.beam.decode import Bounds, decode_at
from lens_exporter.lenses.beam.stream import Wrong

_HEAD = 4096  # holds the control message and the reference of any answer: their longest parts are two names of at most 1020 bytes
_PASS_THROUGH = 112
_SEND = 2
_SMALL = Bounds(depth=8, parts=64, inflated=0)


class Sink(Protocol):
    """Where one answer goes."""

    limit: int  # most bytes it takes

    def put(self, answer: bytes) -> None:
        """Take the answer, a term with its version."""

    def refuse(self) -> None:
        """Hear that the answer is beyond the limit; its bytes are not kept."""


class Frames:
    """Fed with bytes as they come. Keeps at most one answer at a time, within what the one who waits for it takes.

    claim gives who waits for the answer with this reference (its encoded bytes, `size` of them), once; None if nobody does.
    tick is called for each tick.
    """

    def __init__(self, claim: Callable[[bytes], Sink | None], size: int, *, tick: Callable[[], None]) -> None:
        self._claim = claim
        self._size = size
        self._tick = tick
        self._waiting = bytearray()  # not yet enough to know what it is
        self._frame: int | None = None  # bytes of the present frame that are still to come
        self._sink: Sink | None = None
        self._kept: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Take what has come.

        Raises:
            Wrong: the node does not speak the protocol; nothing that follows can be understood.

        """
        position = 0
        while position < len(data):
            if self._frame is not None:
                position += self._pass(data[position : position + self._frame] if position or len(data) > self._frame else data)
                continue
            needed = self._needed()
            part = data[position : position + needed - len(self._waiting)]
            self._waiting += part
            position += len(part)
            self._look()

    def _needed(self) -> int:
        if len(self._waiting) < 4:
            return 4
        return 4 + min(int.from_bytes(self._waiting[:4], "big"), _HEAD)

    def _look(self) -> None:
        """Decide about the present frame as soon as its head is there."""
        if len(self._waiting) < self._needed():
            return
        length, head = int.from_bytes(self._waiting[:4], "big"), bytes(self._waiting[4:])
        self._waiting.clear()
        if not length:
            self._tick()
            return
        self._frame = length - len(head)
        start = self._answer(head)
        if self._sink is not None and length - start > self._sink.limit:
            self._sink.refuse()
            self._sink = None
        if self._sink is not None:
            self._kept = [b"\x83", head[start:]]
        self._end_frame()

    def _answer(self, head: bytes) -> int:
        """Find who waits for this frame, and where in it the answer begins."""
        if head[0] != _PASS_THROUGH:
            raise Wrong(f"a message that begins with {head[0]}")
        try:
            control, end = decode_at(head, 1, bounds=_SMALL)
        except BadTerm as error:
            raise Wrong(f"a control message that is none: {error.reason}") from None
        # Only what is sent to our one process is an answer: {Reference, Answer}.
        if type(control) is tuple and control and control[0] == _SEND and head[end : end + 3] == b"\x83h\x02":
            start = end + 3 + self._size
            self._sink = self._claim(head[end + 3 : start])
            return start
        return len(head)

    def _pass(self, part: bytes) -> int:
        assert self._frame is not None  # noqa: S101 - only called within a frame
        self._frame -= len(part)
        if self._sink is not None:
            self._kept.append(part)
        self._end_frame()
        return len(part)

    def _end_frame(self) -> None:
        if self._frame:
            return
        self._frame = None
        if self._sink is not None:
            sink, self._sink = self._sink, None
            answer, self._kept = b"".join(self._kept), []
            sink.put(answer)
