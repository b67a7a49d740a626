"""What the BEAM lens asks of a node, whatever carries the question."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol, TypeAlias

from lens_exporter.errors import LensError
from lens_exporter.lenses.beam.terms import Term

Call: TypeAlias = tuple[str, str, tuple[Term, ...]]  # module, function, arguments


class Cause(StrEnum):
    """Why a node is not available, as NodeUnavailable.cause says it."""

    EPMD_UNREACHABLE = "epmd cannot be reached"
    EPMD_NONSENSE = "epmd answered nonsense"
    NOT_REGISTERED = "epmd does not know the name"
    UNREACHABLE = "the node cannot be reached"
    TIMED_OUT = "the node did not answer in time"
    COOKIE_UNREADABLE = "our cookie cannot be read"
    COOKIE_WRONG = "the cookies differ"
    REFUSED = "the node refused us"
    TOO_OLD = "the node is older than OTP 23"
    TLS_FAILED = "TLS failed"
    NONSENSE = "the peer does not speak Erlang distribution"
    LOST = "the connection was lost"
    CLOSED = "this client is closed"


class Asks(Protocol):
    """Read-only calls to one node."""

    name: str  # rabbit@mq1

    def call(self, module: str, function: str, *arguments: Term) -> Term:
        """Call module:function(arguments...) on the node.

        Raises:
            CallRefused: not in calls.py; nothing was sent.
            NodeUnavailable: there is no connection; .cause says why.
            CallTimeout: no answer in time; NodeBusy, a kind of it: earlier calls have not been answered yet.
            AnswerTooLarge: the answer had more bytes than the call may have.
            CallFailed: the node could not do it; .reason has its words. NotThere, a kind of it: it has no such function or process.
            BadTerm: the answer is no term, or is nested too deeply, or has too many parts.

        """

    def calls(self, several: Sequence[Call]) -> list[Term | LensError]:
        """Send several calls together; give answers in their order. One that fails fails alone: its error stands in its place.

        Raises:
            CallRefused: one of them is not in calls.py; nothing was sent.

        """
