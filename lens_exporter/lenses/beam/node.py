"""A client of one Erlang node, as a hidden node of its own: one connection, kept, over which the allowed calls are made."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from lens_exporter.errors import AnswerTooLarge, CallFailed, CallTimeout, LensError, NodeBusy, NodeUnavailable, NotThere
from lens_exporter.foundation.clock import Clock
from lens_exporter.lenses.beam.asks import Call, Cause
from lens_exporter.lenses.beam.backoff import Backoff
from lens_exporter.lenses.beam.calls import SECONDS, Planned, Weight, plan
from lens_exporter.lenses.beam.decode import Bounds, decode
from lens_exporter.lenses.beam.heavy import HeavyPlace
from lens_exporter.lenses.beam.link import Crowded, Link, Pending
from lens_exporter.lenses.beam.opening import Address, Opener
from lens_exporter.lenses.beam.show import show
from lens_exporter.lenses.beam.terms import Atom, Pid, Reference, Term

_TOGETHER = 32  # light calls that are sent before the first answer is waited for
_REX = "rex"  # the node's own server for remote calls


class NodeClient:
    """Asks one node. Thread-safe. Connects at the first call, and again whenever the connection is gone."""

    def __init__(
        self,
        address: Address,
        cookie: Callable[[], str],
        *,
        connect_seconds: float = 5.0,
        seconds: Mapping[Weight, float] = SECONDS,
        bounds: Bounds = Bounds(),  # noqa: B008 - frozen
        clock: Clock = time.monotonic,
        opener: Opener | None = None,
    ) -> None:
        self.name = address.node
        self._opener = opener or Opener(address, cookie, seconds=connect_seconds, clock=clock)
        self._seconds = seconds
        self._connect_seconds = connect_seconds
        self._bounds = bounds
        self._clock = clock
        self._connecting = threading.Lock()
        self._link: Link | None = None
        self._backoff = Backoff(clock)
        self._failure: NodeUnavailable | None = None  # of the last attempt to connect
        self._heavy = HeavyPlace(clock)
        self._closed = False

    def call(self, module: str, function: str, *arguments: Term) -> Term:
        """Make one call; as Asks.call says."""
        (answer,) = self.calls([(module, function, arguments)])
        if isinstance(answer, LensError):
            raise answer
        return answer

    def calls(self, several: Sequence[Call]) -> list[Term | LensError]:
        """Make several calls; as Asks.calls says. The light ones go together, the heavy ones one after another."""
        planned = [plan(module, function, arguments, self._seconds) for module, function, arguments in several]
        answers: dict[int, Term | LensError] = {}
        light = [(at, each) for at, each in enumerate(planned) if each.weight is Weight.LIGHT]
        for start in range(0, len(light), _TOGETHER):
            batch = light[start : start + _TOGETHER]
            sent = [(at, each, _caught(partial(self._send, each))) for at, each in batch]
            for at, each, pending in sent:
                answers[at] = pending if isinstance(pending, LensError) else _caught(partial(self._answer, each, *pending))
        for at, each in enumerate(planned):
            if each.weight is Weight.HEAVY:
                answers[at] = _caught(partial(self._heavily, each))
        return [answers[at] for at in range(len(planned))]

    def close(self) -> None:
        """Hang up; further calls fail. Waits for nobody: a connection that is being opened is closed by whoever opens it."""
        self._closed = True
        link = self._link
        if link is not None:
            link.close()

    # --- one call ---

    def _send(self, call: Planned) -> tuple[Link, Pending, float]:
        link = self._linked(call)
        # What rpc:call of OTP 22 and older sends to that server, as a gen_server:call; all later ones still serve it.
        request = (Atom("call"), call.module, call.function, call.arguments, Atom("user"))

        def message(own: Pid, reference: Reference) -> Term:
            return (Atom("$gen_call"), (own, reference), request)

        since = self._clock()  # before it is sent: what is heard after that may be the answer
        try:
            return link, link.send(message, _REX, call.limit), since
        except Crowded as crowded:
            raise NodeBusy(node=self.name, call=call.name, why=str(crowded)) from None

    def _answer(self, call: Planned, link: Link, pending: Pending, since: float) -> Term:
        if not pending.wait(since + call.seconds - self._clock()):
            pending.forget(self._clock())
            if call.weight is Weight.LIGHT and link.heard < since:
                # Not even a tick meanwhile: half of the connection may be gone, and a new one is cheap.
                link.give_up("the node said nothing at all in the time of a call")
            raise CallTimeout(node=self.name, call=call.name, seconds=f"{call.seconds:g}")
        if pending.too_large:
            raise AnswerTooLarge(service=call.name, url=self.name, limit=call.limit)
        if pending.answer is None:
            raise NodeUnavailable(node=self.name, cause=link.cause, reason=link.lost)
        self._backoff.succeeded()
        answer = decode(pending.answer, node=self.name, bounds=self._bounds)
        if type(answer) is tuple and len(answer) == 2 and answer[0] == "badrpc":
            raise _failure(answer[1])(node=self.name, call=call.name, reason=_words(answer[1]))
        return answer

    def _heavily(self, call: Planned) -> Term:
        if not self._heavy.take(call.seconds, self._linked(call).peers.node_creation):
            why = f"an earlier call as heavy has not been answered for {call.seconds:g} s"
            raise NodeBusy(node=self.name, call=call.name, why=why)
        pending, creation = None, 0
        try:
            # The connection may be another one by now: whose node works on the call is told by the one it is sent over.
            link, pending, since = self._send(call)
            creation = link.peers.node_creation
            return self._answer(call, link, pending, since)
        finally:
            self._heavy.leave(behind=pending, creation=creation)

    # --- the connection ---

    def _linked(self, call: Planned) -> Link:
        """Give the connection, opened if need be; only one thread at a time opens it, and the others wait for that."""
        if not self._connecting.acquire(timeout=self._connect_seconds + call.seconds):
            raise CallTimeout(node=self.name, call=call.name, seconds=f"{self._connect_seconds + call.seconds:g}")
        try:
            if not self._closed and (self._link is None or self._link.lost):
                self._link = self._opened()
            link = self._link
            # Looked at after the connection is known: close() looks for it after it has said that it is closed.
            if link is None or self._closed:
                if link is not None:
                    link.close()
                raise NodeUnavailable(node=self.name, cause=Cause.CLOSED, reason="the lens is not used any more")
            return link
        finally:
            self._connecting.release()

    def _opened(self) -> Link:
        if self._failure is not None and self._backoff.left:
            reason = f"{self._failure.reason}; the next attempt is made in {self._backoff.left:.0f} s"
            raise NodeUnavailable(node=self.name, cause=self._failure.cause, reason=reason)
        try:
            return self._opener.open()
        except NodeUnavailable as failure:
            self._failure = failure
            self._backoff.failed()
            raise


def _caught(work: Callable[[], Any]) -> Any:
    """Give what it gives, or the error it fails with: errors of one call stand where its answer would."""
    try:
        return work()
    except LensError as error:
        return error


def _failure(reason: Term) -> type[CallFailed]:
    match reason:
        case ("EXIT", (("undef" | "noproc"), _)):
            return NotThere
        case _:
            return CallFailed


def _words(reason: Term) -> str:
    """Write the reason of a {badrpc, Reason}, without the stack of the process that ran on the node."""
    match reason:
        case ("EXIT", (cause, [*_])):
            return show(cause)
        case _:
            return show(reason)
