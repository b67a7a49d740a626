"""From settings of servers to clients of them: credentials, limits and one breaker each."""

from collections.abc import Callable, Iterator
from typing import Any

from lens_exporter.config.settings import Alertmanager as AlertmanagerSettings
from lens_exporter.config.settings import Config, LlmOptions, Server
from lens_exporter.config.settings import Grafana as GrafanaSettings
from lens_exporter.config.settings import Prometheus as PrometheusSettings
from lens_exporter.foundation.breaker import CircuitBreaker
from lens_exporter.foundation.http import Credentials, Endpoint
from lens_exporter.prometheus.client import Prometheus
from lens_exporter.prometheus.cost import QueryLimits
from lens_exporter.publish.alertmanager import Alertmanager
from lens_exporter.publish.grafana import Grafana
from lens_exporter.wiring.ground import Ground

_ANSWER_BYTES = 64 * 1024 * 1024  # most that is read of one answer
_BYTES_PER_SERIES = 2048  # a Prometheus may answer more where it may have that many series, each with all its labels


class Remotes:
    """Builds clients of the servers a configuration names."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._breakers: list[CircuitBreaker] = []

    def show(self) -> None:
        """Set the metric of every server's breaker."""
        for breaker in self._breakers:
            self._ground.telemetry.set("lens_breaker_state", breaker.state, client=breaker.service)

    def forget(self) -> None:
        """Drop these series: a server that is no longer configured has no breaker, least of all an open one."""
        for breaker in self._breakers:
            self._ground.telemetry.forget("lens_breaker_state", client=breaker.service)

    def prometheus(self, key: str, settings: PrometheusSettings) -> Prometheus:
        """Give the client of a data source; `key` is its setting: prometheus, or datasources.NAME."""
        headers = {"X-Scope-OrgID": settings.tenant} if settings.tenant else {}
        if not any(name.lower() == "accept-encoding" for name in settings.headers):
            # A compressed answer costs a Prometheus up to four times what finding it does; who is far away may ask for one.
            headers["Accept-Encoding"] = "identity"
        max_bytes = max(_ANSWER_BYTES, settings.max_series * _BYTES_PER_SERIES)
        endpoint = self._endpoint(key, "prometheus", settings.url, settings, headers=headers, max_bytes=max_bytes)
        limits = QueryLimits(
            max_samples=settings.max_samples,
            max_series=settings.max_series,
            max_range=settings.max_range,
            concurrency=settings.concurrency,
            timeout=settings.timeout,
        )
        return Prometheus(endpoint, limits, clock=self._ground.clock)

    def alertmanagers(self, settings: AlertmanagerSettings) -> Iterator[Alertmanager]:
        """Give one client for each Alertmanager."""
        for url in settings.urls:
            yield Alertmanager(self._endpoint("alertmanager", "alertmanager", url, settings))

    def grafana(self, settings: GrafanaSettings) -> Grafana:
        """Give the client of Grafana; its own token setting is a bearer token like any other."""
        token = self._ground.secrets.reader("grafana.token_file", file=settings.token_file, env=settings.token_env)
        return Grafana(
            self._endpoint("grafana", "grafana", settings.url, settings, bearer=token), dashboard_uid=settings.dashboard_uid
        )

    def llm_key(self, config: Config) -> Callable[[LlmOptions], str]:
        """Give the function that reads a model client's key, "" where it has none."""
        readers = {
            client.options: self._ground.secrets.reader(
                f"llm.clients[{index}].options.api_key_file", file=client.options.api_key_file, env=client.options.api_key_env
            )
            for index, client in enumerate(config.llm.clients)
        }

        def read(options: LlmOptions) -> str:
            reader = readers.get(options)
            return reader() if reader else ""

        return read

    def _endpoint(
        self,
        key: str,
        service: str,
        url: str,
        server: Server,
        *,
        headers: dict[str, str] | None = None,
        bearer: Callable[[], str] | None = None,
        max_bytes: int = _ANSWER_BYTES,
    ) -> Endpoint:
        breaker = CircuitBreaker(f"{service} {url}", url, clock=self._ground.clock, on_change=self._ground.breaker_changed)
        self._breakers.append(breaker)
        self._ground.telemetry.set("lens_breaker_state", breaker.state, client=breaker.service)
        return Endpoint(
            service,
            url,
            telemetry=self._ground.telemetry,
            breaker=breaker,
            credentials=self._credentials(key, server, headers or {}, bearer),
            timeout=server.timeout,
            max_bytes=max_bytes,
        )

    def _credentials(self, key: str, server: Server, headers: dict[str, str], bearer: Callable[[], str] | None) -> Credentials:
        secrets, tls = self._ground.secrets, server.tls
        token = secrets.reader(f"{key}.bearer_token_file", file=server.bearer_token_file, env=server.bearer_token_env)
        options: dict[str, Any] = {"headers": {**server.headers, **headers}, "bearer": bearer or token}
        if server.basic_auth is not None:
            username = server.basic_auth.username
            password = secrets.reader(f"{key}.basic_auth.password_file", file=server.basic_auth.password_file)
            options["basic"] = lambda: (username, password() if password else "")
        if tls.cert_file is not None and tls.key_file is not None:
            options["client_cert"] = (str(tls.cert_file), str(tls.key_file))
        return Credentials(ca_file=str(tls.ca_file) if tls.ca_file else None, verify=not tls.insecure_skip_verify, **options)
