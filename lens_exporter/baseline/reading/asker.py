"""Puts questions to a model, at once and for a limited time: whatever goes wrong is an answer too, and nobody waits longer."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial

from lens_exporter.baseline.evidence import Seen
from lens_exporter.baseline.notes import WatcherNotes
from lens_exporter.baseline.reading import contract, prompt
from lens_exporter.baseline.reading.bounds import Bounds, Hold, ReadingOutcome
from lens_exporter.baseline.reading.contract import Said
from lens_exporter.baseline.reading.course import Past, course
from lens_exporter.baseline.reading.facts import Facts, flagged, unflagged
from lens_exporter.errors import BreakerOpen, BudgetSpent, LensError, ModelTimeout
from lens_exporter.foundation.clock import Clock, monotonic, rfc3339
from lens_exporter.foundation.threads import begin
from lens_exporter.foundation.tracing import span
from lens_exporter.llm.client import READER, ModelClient
from lens_exporter.model.conversation import Answered, Instruction, Step
from lens_exporter.model.decision import Anomaly, Observation
from lens_exporter.model.tool import ToolResult, ToolStatus

_TRIES = 2  # an answer that is none is sent back once


@dataclass(frozen=True, slots=True)
class Question:
    """About one new anomaly, or about a whole look in which nothing is flagged."""

    story: str
    at: float
    subject: Anomaly | tuple[Observation, ...]
    kept: WatcherNotes | None
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """A valid answer, and the numbers that were shown for it."""

    said: Said
    numbers: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """No valid answer, and why."""

    outcome: ReadingOutcome
    error: str


class Asker:
    """One watcher's way to its model. `client` gives one that takes at most so many seconds for a call."""

    def __init__(
        self,
        name: str,
        client: Callable[[float], ModelClient],
        past: Past,
        bounds: Bounds,
        *,
        step: float,
        seconds: float = 10.0,
        stopwatch: Clock = monotonic,
    ) -> None:
        self.name = name
        self.seconds = seconds
        self._client = client
        self._past = past
        self._bounds = bounds
        self._step = step
        self._stopwatch = stopwatch

    def ask(self, questions: Sequence[Question]) -> list[Read | Unread]:
        """Ask all questions at once, and give an outcome for each after at most `seconds` in all."""
        ends = self._stopwatch() + self.seconds
        try:
            asked = [begin(f"reading-{place}", partial(self._answer, one, ends)) for place, one in enumerate(questions)]
        except RuntimeError as error:  # too many threads run already
            return [Unread(ReadingOutcome.FAILED, str(error))] * len(questions)
        wait(asked, timeout=self.seconds)
        return [self._outcome(one) for one in asked]

    def _outcome(self, asked: "Future[Read | Unread]") -> Read | Unread:
        if not asked.done():
            return Unread(ReadingOutcome.TIMEOUT, f"no answer within {self.seconds:g} s")
        error = asked.exception()
        # A fault in here must not cost the alert it was about; it is told with the reading.
        return asked.result() if error is None else Unread(ReadingOutcome.FAILED, f"{type(error).__name__}: {error}")

    def _answer(self, question: Question, ends: float) -> Read | Unread:
        with span("read window", correlation=question.story):
            subject = question.subject
            if isinstance(subject, Anomaly):
                facts, wanted = flagged(subject, course(self._past, subject, self._step), self._step), subject.anomaly_type
            else:
                facts, wanted = unflagged(subject), ""
            try:
                return self._converse(question, facts, wanted, ends)
            except BudgetSpent as error:
                return Unread(ReadingOutcome.BUDGET, str(error))
            except BreakerOpen as error:
                return Unread(ReadingOutcome.BREAKER, str(error))
            except ModelTimeout as error:
                return Unread(ReadingOutcome.TIMEOUT, str(error))
            except LensError as error:
                return Unread(ReadingOutcome.FAILED, str(error))

    def _converse(self, question: Question, facts: Facts, wanted: str, ends: float) -> Read | Unread:
        system = prompt.FLAGGED if wanted else prompt.UNFLAGGED
        text = prompt.task(facts, question.kept, rfc3339(question.at), hold=question.hold, bounds=self._bounds)
        conversation: tuple[Step, ...] = (Instruction(text),)
        problem = ""
        for _ in range(_TRIES):
            left = ends - self._stopwatch()
            if left <= 0:
                return Unread(ReadingOutcome.TIMEOUT, problem or "no time was left to ask")
            reply = self._client(left).ask(system, conversation, contract.specs(wanted), role=READER)
            said = contract.read(reply, wanted)
            if not isinstance(said, str):
                return Read(said, facts.numbers)
            problem = said
            refused = tuple(Answered(call, ToolResult(ToolStatus.ERROR, note=problem)) for call in reply.calls)
            conversation += (reply, *(refused or (Instruction(problem),)))
        return Unread(ReadingOutcome.INVALID, f"no valid answer: {problem}")
