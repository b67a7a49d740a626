"""From the configuration to the investigator: its sources, tools, model clients and limits."""

from collections.abc import Sequence

from lens_exporter.baseline.robust import RobustDetector
from lens_exporter.config.settings import Config
from lens_exporter.errors import (
    BadAnswer,
    BreakerOpen,
    ConcurrencyReached,
    LensError,
    RemoteTimeout,
    RemoteUnavailable,
    Unreachable,
)
from lens_exporter.investigate.agent import AgentLimits
from lens_exporter.investigate.investigator import Investigator
from lens_exporter.investigate.offline import OfflineAnalyst
from lens_exporter.investigate.toolbox import Toolbox
from lens_exporter.investigate.tools_alerts import alert_tools
from lens_exporter.investigate.tools_promql import promql_tools
from lens_exporter.investigate.tools_releases import release_tool
from lens_exporter.investigate.tools_suspects import suspect_tool
from lens_exporter.llm.client import ModelClient
from lens_exporter.llm.registry import OFFLINE, ClientRegistry
from lens_exporter.model.alert import Alert, AlertGroup
from lens_exporter.model.tool import Tool
from lens_exporter.prometheus.client import Prometheus
from lens_exporter.publish.alertmanager import Alertmanager, held_alerts
from lens_exporter.wiring.ground import Ground
from lens_exporter.wiring.remotes import Remotes

_AWAY_SECONDS = 25.0


def _unanswered(source: Prometheus) -> str:
    try:
        source.query("1")
    except (Unreachable, RemoteTimeout, RemoteUnavailable, BadAnswer, BreakerOpen) as error:
        return str(error)
    except ConcurrencyReached as error:  # of queries that are answered, or of a server that hangs
        return str(error) if float(str(error.fields["longest"])) >= float(str(error.fields["seconds"])) else ""
    except LensError:
        return ""
    return ""


class Investigation:
    """Owns the model clients; gives the investigator and the data sources by name ("" is the default one)."""

    def __init__(
        self,
        config: Config,
        ground: Ground,
        remotes: Remotes,
        live_tools: Sequence[Tool],
        alertmanagers: Sequence[Alertmanager],
    ) -> None:
        self.sources = {"": remotes.prometheus("prometheus", config.prometheus)}
        for name, source in config.datasources.items():
            self.sources[name] = remotes.prometheus(f"datasources.{name}", source)
        self.clients = ClientRegistry(
            config.llm,
            read_secret=remotes.llm_key(config),
            database=ground.database,
            telemetry=ground.telemetry,
            events=ground.events,
            on_breaker=ground.breaker_changed,
            clock=ground.clock,
        )
        self.clients.register(OFFLINE, OfflineAnalyst())
        self._config = config
        self._ground = ground
        self._live_tools = tuple(live_tools)
        self._alertmanagers = tuple(alertmanagers)
        self._away: dict[str, tuple[float, str]] = {}  # by address: when a data source was asked last, and why it was in vain
        settings = config.investigate
        self.investigator = Investigator(
            client=lambda: self.clients.primary,
            reviewer=self._reviewer,
            toolbox=self.toolbox,
            events=ground.events,
            telemetry=ground.telemetry,
            limits=AgentLimits(settings.iterations, settings.max_tokens, settings.max_dollars, settings.total_timeout),
            retries=settings.review_retries,
            settle=settings.settle,
            clock=ground.clock,
        )

    def close(self) -> None:
        """Cancel model calls under way."""
        self.clients.close()

    def _reviewer(self) -> ModelClient | None:
        reviewer = self.clients.reviewer
        return None if reviewer.name == OFFLINE else reviewer

    def toolbox(self, group: AlertGroup) -> Toolbox:
        """Give the tools an investigation of these alerts may call."""
        source = self.source_of(group)
        tools = (
            *promql_tools(source),
            suspect_tool(source, RobustDetector()),
            release_tool(source),
            *alert_tools(self._alerts if self._alertmanagers else None, source.rules),
            *self._live_tools,
        )
        return Toolbox(tools, self._ground.clock, timeout=self._config.investigate.tool_timeout)

    def source_of(self, group: AlertGroup) -> Prometheus:
        """Give the data source of the watcher that raised the alerts; those of others are asked about at the default one."""
        own = {watcher.name: watcher.datasource or "" for watcher in self._config.watchers}
        named = {own.get(alert.labels.get("watcher", ""), "") for alert in group.alerts}
        return self.sources[named.pop() if len(named) == 1 else ""]

    def away(self, group: AlertGroup) -> str:
        """Say why the data source of these alerts does not answer; "" where it does, whatever it answers.

        One that did not is not asked again for a while: a server that hangs must not hold up the alerts of others.
        """
        source, now = self.source_of(group), self._ground.clock()
        at, known = self._away.get(source.url, (now, ""))
        if known and 0 <= now - at < _AWAY_SECONDS:
            return known
        self._away[source.url] = self._ground.clock(), (why := _unanswered(source))
        return why

    def _alerts(self) -> list[Alert]:
        return [held.alert for held in held_alerts(self._alertmanagers).alerts]
