"""One generation: every part that follows the configuration. A reload builds the next one and throws this one away."""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from concurrent.futures import Future
from urllib.parse import urlsplit

from lens_exporter.baseline import said
from lens_exporter.baseline.bands import BandCollector
from lens_exporter.baseline.expected import Declaration, Declarations
from lens_exporter.config.settings import Config
from lens_exporter.errors import RemoteError, UnknownWatcher
from lens_exporter.exposition.ports import Document, WatcherView
from lens_exporter.foundation.threads import begin
from lens_exporter.investigate import document, webhook
from lens_exporter.investigate.inquiry import Inquiry
from lens_exporter.investigate.intake import Intake
from lens_exporter.investigate.store import Store
from lens_exporter.investigate.vanished import Vanished
from lens_exporter.lenses import catalog
from lens_exporter.lenses.python.lens import PythonLens
from lens_exporter.lenses.runner import LensCollector
from lens_exporter.model.alert import Alert, AlertGroup
from lens_exporter.model.labels import Labels
from lens_exporter.prometheus.history import History
from lens_exporter.publish.alertmanager import held_alerts
from lens_exporter.publish.companion import Sender
from lens_exporter.publish.findings import Publisher
from lens_exporter.publish.lifecycle import AlertLifecycle
from lens_exporter.watch.orphans import resolve_orphans
from lens_exporter.watch.runner import Started, WatcherRunner
from lens_exporter.wiring import views
from lens_exporter.wiring.expecting import Expecting
from lens_exporter.wiring.ground import Ground
from lens_exporter.wiring.investigation import Investigation
from lens_exporter.wiring.reading import reader
from lens_exporter.wiring.remotes import Remotes
from lens_exporter.wiring.watching import covered, learns_alike, own_labels, watcher


class Generation:
    """Holds the parts; nothing runs by itself. The app supervises `runners`, `keep_alive` and the dispatcher."""

    def __init__(
        self,
        config: Config,
        ground: Ground,
        store: Store,
        wake: Callable[[], None] = lambda: None,
        *,
        tells: bool = True,
        declared: Declarations | None = None,
    ) -> None:
        """Build all parts; `wake` tells the dispatcher of work. Without `tells` it asks everybody and posts to nobody.

        declared is what its watchers take to be expected; None: what its own database has, which `expecting` keeps.

        Raises:
            LensError: a part cannot be built.

        """
        remotes = self._remotes = Remotes(ground)
        self.config = config
        self._clock = ground.clock
        self._store = store
        self._lenses = catalog.build(
            config.lenses,
            beam=catalog.nodes(config),
            secrets=ground.secrets,
            loopback_is_here=_is_here(config.prometheus.url),
            tool_timeout=config.investigate.tool_timeout,
        )
        self.published = LensCollector(self._lenses, more=lambda: catalog.members(self._lenses))
        self.bands = BandCollector(config.published_series)
        self.alertmanagers = tuple(remotes.alertmanagers(config.alertmanager))
        self.lifecycle = AlertLifecycle(
            ground.database,
            self.alertmanagers if tells else (),
            events=ground.events,
            telemetry=ground.telemetry,
            resend_interval=config.alertmanager.resend_interval,
            resolved_for=config.alertmanager.resolved_for,
            clock=ground.clock,
        )
        self.publisher = Publisher(
            ground.database,
            self.lifecycle,
            remotes.grafana(config.grafana) if config.grafana and tells else None,
            Sender(
                config.origin,
                config.web.external_url or "",
                config.external_labels,
                traced=config.otlp_endpoint is not None,
            ),
            events=ground.events,
            telemetry=ground.telemetry,
            clock=ground.clock,
        )
        self.intake = Intake(
            store,
            ground.events,
            ground.telemetry,
            config.investigate,
            correlation_of=self._correlation_of,
            fetch_rest=self._fetch_rest if self.alertmanagers else None,
            wake=wake,
            clock=ground.clock,
        )
        self._vanished = Vanished(store, self._held, clock=ground.clock)
        tools = catalog.toolbox(self._lenses, watched=[watcher.lens for watcher in config.watchers])
        self.investigation = Investigation(config, ground, remotes, tools, self.alertmanagers)
        self.inquiry = Inquiry(
            store,
            self.investigation.investigator,
            self.publisher.publish,
            ground.events,
            ground.telemetry,
            analyst=lambda: self.investigation.clients.primary.name,
            away=self.investigation.away,
            patience=config.investigate.source_patience,
            finished=wake,
            clock=ground.clock,
        )
        self.expecting = Expecting(ground, self.alertmanagers, self._own_labels, kept=_remembered(config))
        self.runners = self._runners(ground, declared or self.expecting.declarations)

    def _runners(self, ground: Ground, declared: Declarations) -> dict[str, WatcherRunner]:
        histories = {name: History(client) for name, client in self.investigation.sources.items()}
        return {
            settings.name: WatcherRunner(
                watcher(
                    settings,
                    self.config,
                    ground,
                    histories=histories,
                    lifecycle=self.lifecycle,
                    announce=self._announce,
                    over=self._over,
                    bands=self.bands,
                    reader=reader(settings, self.config, ground, self.investigation),
                    declared=declared,
                ),
                settings.schedule,
                events=ground.events,
                telemetry=ground.telemetry,
                timeout=settings.timeout,
                clock=ground.clock,
            )
            for settings in self.config.watchers
        }

    def take_over(self, before: "Generation") -> list[str]:
        """Go on with what watchers of another generation have learnt, where these learn the same. Its runners begin no more ticks.

        Gives the names of those that need not learn anew.
        """
        taken = []
        for name in self.runners.keys() & before.runners.keys():
            if learns_alike(name, before.config, self.config) and (learnt := before.runners[name].let_go()) is not None:
                self.runners[name].watcher.go_on(learnt)
                taken.append(name)
        return sorted(taken)

    def watchers(self) -> list[WatcherView]:
        """Show every watcher. Answers at once."""
        return [views.watcher(settings, self.runners[settings.name]) for settings in self.config.watchers]

    def keep_alive(self) -> None:
        """Make one round: end what nobody watches any more, resend alerts, settle companions, retry annotations, show the budget.

        Raises:
            DatabaseError: the rest is done in the next round.

        """
        self._remotes.show()  # the generation before took away the series of servers that both know
        try:
            resolve_orphans(self.lifecycle, self.runners.keys(), self._clock(), over=self._over)
        finally:
            self.lifecycle.resend()  # an end that cannot be stored must not let every other alert lapse
        self.publisher.settle()
        self.publisher.retry_pending()
        self.investigation.clients.budget.remaining()  # shown: it refills between calls, and another replica may spend it

    def end_vanished(self) -> None:
        """Make one round over alerts that Alertmanager may have dropped without telling us. Raises DatabaseError."""
        if self.alertmanagers and self.config.investigate.enabled:
            self._vanished.end_vanished()

    def webhook(self, body: bytes) -> Document:
        """Take a webhook's body. Raises BadWebhook, IntakeFull, DatabaseError; returning means stored."""
        group = webhook.parse(body)
        if not self.config.investigate.enabled:
            return {"outcome": "investigations are off", "investigation": None, "alerts": {}}
        return self.intake.accept(group).document()

    def trigger(self, name: str) -> str:
        """Ask a watcher for a tick now, and say what became of it. Raises UnknownWatcher."""
        if name not in self.runners:
            raise UnknownWatcher(name=name, known=", ".join(self.runners) or "none")
        return "started" if isinstance(self.runners[name].trigger(), Started) else "already_running"

    def covered(self, declaration: Declaration) -> int | None:
        """Count the series whose alerts a declaration speaks of, as of their watchers' last looks; None: that is not known.

        A watcher that has not looked yet knows none of them, and of a large metric not every series is listed.
        """
        counts = [
            covered(declaration, settings, self.config.external_labels, self.runners[settings.name].status().last)
            for settings in self.config.watchers
            if said.concerns(declaration.matchers, own_labels(settings))
        ]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def investigations(self, limit: int, state: str | None) -> list[Document]:
        """List investigations, newest first. Raises DatabaseError."""
        return [document.brief(one) for one in self._store.briefs(limit, state)]

    def result(self, investigation: str) -> Document:
        """Give one investigation whole. Raises UnknownInvestigation, DatabaseError."""
        return document.document(self._store.unit(investigation), self.publisher.deliveries(investigation))

    def monitor_event_loop(self, loop: AbstractEventLoop) -> None:
        """Measure how late the loop runs that serves scrapes and webhooks."""
        for lens in self._lenses:
            if isinstance(lens, PythonLens):
                lens.monitor_event_loop(loop)

    def keep(self) -> dict[str, Future[None]]:
        """Write down what watchers have learnt, for the next process: one thread each, by watcher. Its runners have stopped."""
        return {name: begin(f"keep-{name}", runner.keep) for name, runner in self.runners.items()}

    def close(self) -> None:
        """Let go of what this generation alone published. Its investigations may still be under way: close_clients() ends them."""
        for runner in self.runners.values():
            runner.close()
        self.expecting.close()
        self._remotes.forget()
        catalog.retire(self._lenses)

    def close_clients(self) -> None:
        """Cancel model calls under way, and hang up at Erlang nodes. Idempotent."""
        self.investigation.close()
        catalog.close(self._lenses)

    def _own_labels(self) -> list[Labels]:
        """Give the labels that are ours on every alert that any watcher may raise."""
        return [labels for settings in self.config.watchers for labels in own_labels(settings)]

    def _announce(self, alert: Alert, correlation: str) -> object:
        return self.intake.announce(alert, correlation) if self.config.investigate.enabled else None

    def _over(self, alert: Alert) -> object:
        return self.intake.ended(alert) if self.config.investigate.enabled else None

    def _correlation_of(self, fingerprint: str) -> str | None:
        stored = self.lifecycle.find(fingerprint)
        return stored.correlation if stored else None

    def _held(self) -> set[str] | None:
        """List what fires by fingerprint; None while any Alertmanager does not answer, for it may be the one that holds more."""
        try:
            holdings = held_alerts(self.alertmanagers)
        except RemoteError:
            return None
        return None if holdings.failures else {held.alert.fingerprint for held in holdings.alerts}

    def _fetch_rest(self, group: AlertGroup) -> list[Alert]:
        """Ask for the alerts that a webhook left out: those of its group and receiver that are notified about.

        Without group labels nothing tells whose alerts they are; then the next webhook has to bring them.

        Raises:
            RemoteError: nobody answers.

        """
        if not group.labels:
            return []
        held = held_alerts(self.alertmanagers, group.labels).alerts
        return [one.alert for one in held if one.state == "active" and group.receiver in one.receivers]


def _remembered(config: Config) -> float:
    """Give for how many seconds back any watcher remembers anything."""
    return max((settings.window for settings in config.watchers), default=0.0)


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}
