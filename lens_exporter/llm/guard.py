"""What stands around every model call: budget, breaker, redaction, retry, telemetry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import sleep as pause

from lens_exporter.config.settings import LlmOptions
from lens_exporter.errors import BreakerOpen, BudgetSpent, LensError, ModelError, ModelRefused, ModelTimeout, SecretUnreadable
from lens_exporter.foundation.breaker import CircuitBreaker
from lens_exporter.foundation.clock import Clock, monotonic
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.retry import retrying
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.foundation.tracing import current_correlation
from lens_exporter.llm import messages
from lens_exporter.llm.budget import Budget
from lens_exporter.llm.client import ROLES
from lens_exporter.llm.pricing import Prices, Tokens
from lens_exporter.llm.redaction import Redactor
from lens_exporter.llm.wire import Wire
from lens_exporter.model.analysis import Cost
from lens_exporter.model.conversation import Reply, ToolSpec, Trail

ATTEMPTS = 3
_LONGEST_WAIT = 20.0  # seconds between two attempts
_LEAST = 1.0  # seconds an attempt needs to make sense
_OUR_FAULT = {400, 413, 422}  # the request was wrong, which says nothing about the server's health


@dataclass(frozen=True, slots=True)
class Shared:
    """What all clients have in common."""

    budget: Budget
    redactor: Redactor
    telemetry: Telemetry
    events: Events
    sleep: Callable[[float], None] = pause
    elapsed: Clock = monotonic


class GuardedClient:
    """A configured client as the rest of lens-exporter sees it (llm.client.ModelClient)."""

    def __init__(
        self,
        name: str,
        options: LlmOptions,
        wire: Wire,
        shared: Shared,
        *,
        prices: Prices,
        breaker: CircuitBreaker,
        read_key: Callable[[], str],
    ) -> None:
        self.name = name
        self._options = options
        self._wire = wire
        self._prices = prices
        self._redactor = shared.redactor
        self._budget = shared.budget
        self._breaker = breaker
        self._read_key = read_key
        self._telemetry = shared.telemetry
        self._events = shared.events
        self._sleep = shared.sleep
        self._elapsed = shared.elapsed
        for role in ROLES:  # from zero on, so that increase() sees the first one
            self._telemetry.inc("lens_llm_cost_dollars_total", 0, client=name, role=role)
            for reason in ("budget", "breaker"):
                self._telemetry.inc("lens_llm_calls_skipped_total", 0, client=name, role=role, reason=reason)

    def ask(
        self,
        system: str,
        trail: Trail,
        tools: Sequence[ToolSpec],
        *,
        role: str,
        critical: bool = False,
        seconds: float | None = None,
    ) -> Reply:
        """See ModelClient. The whole of it, retries and pauses included, takes about `options.timeout` seconds at most.

        A caller may wait for fewer `seconds`. That it gave up then says nothing about the service: the breaker does not count it.
        """
        hurried = seconds is not None and seconds < self._options.timeout
        limit = seconds if seconds is not None and hurried else self._options.timeout
        key = self._key(role)
        system, trail, specs = self._redactor.outgoing(system, trail, tools, known=(key,))
        # Money first: a breaker that is asked must also be told how the call went, and a call that is held back went nowhere.
        set_aside = self._admit(system, trail, specs, role, critical=critical)
        try:
            with self._breaker.call(counts=_counts_in_a_hurry if hurried else _counts):
                reply = self._retried(system, trail, specs, key, role, limit)
        except BreakerOpen:
            self._settle(set_aside, 0.0)
            self._skipped(role, "breaker")
            raise
        except ModelError as error:
            self._settle(set_aside, _spent_by(error, set_aside))
            self._failed(role, error)
            raise
        self._settle(set_aside, reply.cost.dollars)
        self._answered(role, reply)
        return reply

    def _retried(self, system: str, trail: Trail, tools: Sequence[ToolSpec], key: str, role: str, timeout: float) -> Reply:
        started = self._elapsed()

        def clean(text: str) -> str:
            return self._redactor.text(text, known=(key,))

        def attempt() -> Reply:
            left = max(_LEAST, timeout - (self._elapsed() - started))
            return self._wire.send(system, trail, tools, key=key, seconds=min(left, timeout), clean=clean)

        return retrying(
            attempt,
            attempts=ATTEMPTS,
            max_wait=min(_LONGEST_WAIT, timeout / 2),
            total=timeout,
            sleep=self._sleep,
            on_retry=lambda retry: self._failed(role, retry.error),
        )

    def _key(self, role: str) -> str:
        try:
            return self._read_key()
        except SecretUnreadable as error:
            failure = ModelError(client=self.name, reason=str(error))
            self._failed(role, failure)
            raise failure from error

    def _admit(self, system: str, trail: Trail, tools: tuple[ToolSpec, ...], role: str, *, critical: bool) -> float:
        worst = Tokens(messages.estimated_tokens(system, trail, tools), self._options.max_tokens)
        dollars = self._prices.dollars(worst) or 0.0
        if dollars <= 0.0:
            return 0.0  # a model that costs nothing is never held back by money
        try:
            self._budget.admit(self.name, dollars, critical=critical)
        except BudgetSpent:
            self._skipped(role, "budget")
            raise
        except ModelError as error:
            self._failed(role, error)
            raise
        return dollars

    def _settle(self, set_aside: float, spent: float) -> None:
        if set_aside or spent:
            self._budget.settle(set_aside, spent)

    def _answered(self, role: str, reply: Reply) -> None:
        self._telemetry.inc("lens_llm_calls_total", client=self.name, role=role)
        self._telemetry.observe("lens_llm_call_duration_seconds", reply.cost.seconds, client=self.name, role=role)
        self._paid(role, reply.cost)
        self._event(
            "llm.called",
            role=role,
            model=reply.model,
            input_tokens=reply.cost.input_tokens,
            output_tokens=reply.cost.output_tokens,
            dollars=reply.cost.dollars,
            priced=self._prices.dollars(Tokens(1, 1), reply.model) is not None,
            seconds=reply.cost.seconds,
        )

    def _paid(self, role: str, cost: Cost) -> None:
        self._telemetry.inc("lens_llm_input_tokens_total", cost.input_tokens, client=self.name, role=role)
        self._telemetry.inc("lens_llm_output_tokens_total", cost.output_tokens, client=self.name, role=role)
        self._telemetry.inc("lens_llm_cost_dollars_total", cost.dollars, client=self.name, role=role)

    def _failed(self, role: str, error: LensError) -> None:
        kind = type(error).__name__
        self._telemetry.inc("lens_llm_calls_failed_total", client=self.name, role=role, error=kind)
        cost = error.fields.get("cost")
        if isinstance(cost, Cost):
            self._paid(role, cost)
        status = error.fields.get("status")
        # The reason stays out: it may quote the request.
        self._event("llm.failed", role=role, error=f"{kind} {status}" if status else kind)

    def _skipped(self, role: str, reason: str) -> None:
        self._telemetry.inc("lens_llm_calls_skipped_total", client=self.name, role=role, reason=reason)
        self._event("llm.skipped", role=role, reason=reason)

    def _event(self, kind: str, **data: object) -> None:
        self._events.append(kind, correlation=current_correlation(), subject=self.name, client=self.name, **data)


class Hurried:
    """A guarded client for a caller who waits at most so many seconds for an answer."""

    def __init__(self, client: GuardedClient, seconds: float) -> None:
        self.name = client.name
        self._client = client
        self._seconds = seconds

    def ask(self, system: str, trail: Trail, tools: Sequence[ToolSpec], *, role: str, critical: bool = False) -> Reply:
        """See ModelClient."""
        return self._client.ask(system, trail, tools, role=role, critical=critical, seconds=self._seconds)


def _counts(error: BaseException) -> bool:
    return isinstance(error, ModelError) and not isinstance(error, ModelRefused) and error.fields.get("status") not in _OUR_FAULT


def _counts_in_a_hurry(error: BaseException) -> bool | None:
    return None if isinstance(error, ModelTimeout) else _counts(error)


def _spent_by(error: ModelError, set_aside: float) -> float:
    cost = error.fields.get("cost")
    if isinstance(cost, Cost):
        return cost.dollars
    # A server that was given up on may still work, and bill, to the end.
    return set_aside if isinstance(error, ModelTimeout) else 0.0
