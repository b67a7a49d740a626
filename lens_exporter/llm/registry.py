"""The configured model clients by name, each behind its guards."""

from collections.abc import Callable
from time import sleep as pause

from lens_exporter.config.settings import Llm, LlmClient, LlmOptions
from lens_exporter.errors import UnknownClient
from lens_exporter.foundation.breaker import BreakerChange, CircuitBreaker
from lens_exporter.foundation.clock import Clock, monotonic, wall
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.llm.budget import Budget
from lens_exporter.llm.client import ModelClient
from lens_exporter.llm.guard import GuardedClient, Hurried, Shared
from lens_exporter.llm.loop import BackgroundLoop
from lens_exporter.llm.pricing import Prices
from lens_exporter.llm.redaction import Redactor
from lens_exporter.llm.wire import Wire

OFFLINE = "offline"


class ClientRegistry:
    """Clients share one event loop, one budget and one redactor; each has its own breaker. Nothing is imported or opened yet."""

    def __init__(
        self,
        settings: Llm,
        *,
        read_secret: Callable[[LlmOptions], str],
        database: Database,
        telemetry: Telemetry,
        events: Events,
        on_breaker: Callable[[BreakerChange], None] = lambda _change: None,
        clock: Clock = wall,
        elapsed: Clock = monotonic,
        sleep: Callable[[float], None] = pause,
    ) -> None:
        """`read_secret` gives a client's key, "" when it has none; it is called for each call, so keys may be rotated.

        Raises:
            ConfigError: a pattern in `redact` is not a regular expression.

        """
        self.budget = Budget(settings.budget, database, telemetry, clock=clock)
        self._settings = settings
        self._read_secret = read_secret
        self._shared = Shared(self.budget, Redactor(settings.redact), telemetry, events, sleep, elapsed)
        self._on_breaker = on_breaker
        self._clock = clock
        self._loop = BackgroundLoop()
        self._clients: dict[str, ModelClient] = {}
        self._offline_names = {OFFLINE} | {client.name for client in settings.clients if client.provider == OFFLINE}
        for client in settings.clients:
            if client.provider != OFFLINE:
                self._clients[client.name] = self._guarded(client)

    def register(self, name: str, client: ModelClient) -> None:
        """Add a client made elsewhere: the offline analyst, which also answers to every name configured as offline."""
        for known_as in self._offline_names if name == OFFLINE else {name}:
            self._clients[known_as] = client

    def get(self, name: str) -> ModelClient:
        """Give a client.

        Raises:
            UnknownClient: there is none of this name.

        """
        try:
            return self._clients[name]
        except KeyError:
            raise UnknownClient(name=name, known=", ".join(self.names)) from None

    def within(self, name: str, seconds: float) -> ModelClient:
        """Give a client for a caller who waits at most `seconds` for an answer, retries included.

        Raises:
            UnknownClient: there is none of this name.

        """
        client = self.get(name)
        return Hurried(client, seconds) if isinstance(client, GuardedClient) else client

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._clients))

    @property
    def primary(self) -> ModelClient:
        """The client that investigates."""
        return self.get(self._settings.primary)

    @property
    def reviewer(self) -> ModelClient:
        """The client that reviews: the primary one unless configured."""
        return self.get(self._settings.reviewer or self._settings.primary)

    def close(self) -> None:
        """Cancel calls under way and end the loop's thread."""
        self._loop.close()

    def _guarded(self, client: LlmClient) -> GuardedClient:
        options = client.options
        prices = Prices(options, client.provider, options.model or "")
        self._shared.telemetry.set("lens_breaker_state", 0, client=client.name)
        return GuardedClient(
            client.name,
            options,
            Wire(client, prices, self._loop),
            self._shared,
            prices=prices,
            breaker=CircuitBreaker(client.name, options.base_url or "", clock=self._clock, on_change=self._breaker_changed),
            read_key=lambda: self._read_secret(options),
        )

    def _breaker_changed(self, change: BreakerChange) -> None:
        self._shared.telemetry.set("lens_breaker_state", change.state, client=change.service)
        self._on_breaker(change)
