"""Every setting, with its default. Unknown keys are errors; secrets are files or environment names, never values in this file."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lens_exporter.model.metric import BaselineMetric, Direction

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_SECONDS = (86400.0, 3600.0, 60.0, 1.0, 0.001)


def seconds(value: object) -> float:
    """Read a Prometheus duration (1h30m, 15s, 500ms) or a number of seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _DURATION.fullmatch(str(value).strip())
    if match is None or not any(match.groups()):
        raise ValueError(f'expected a duration like "30s", "5m" or "1h30m", got {value!r}')
    return sum(float(part) * unit for part, unit in zip(match.groups(), _SECONDS, strict=True) if part)


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", value):
        raise ValueError(f'expected an address like "http://localhost:9090", got {value!r}')
    return value.rstrip("/")


Duration = Annotated[float, BeforeValidator(seconds), Field(gt=0)]
Url = Annotated[str, AfterValidator(_url)]


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=False)


class Tls(Settings):
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    insecure_skip_verify: bool = False


class BasicAuth(Settings):
    username: str
    password_file: Path


class Server(Settings):
    """A server we call, and how we show who we are."""

    timeout: Duration = 30.0
    headers: dict[str, str] = Field(default_factory=dict, description="sent with each request")
    basic_auth: BasicAuth | None = None
    bearer_token_file: Path | None = None
    bearer_token_env: str | None = None
    tls: Tls = Tls()


class Prometheus(Server):
    """Any engine that speaks the Prometheus HTTP API."""

    url: Url = "http://localhost:9090"
    tenant: str | None = Field(None, description="sent as X-Scope-OrgID")
    max_samples: int = Field(5_000_000, gt=0, description="a query estimated to read more samples is refused before it is sent")
    max_series: int = Field(10_000, gt=0, description="more series in an answer make it truncated")
    max_range: Duration = Field(seconds("35d"), description="longest range one query may cover")
    concurrency: int = Field(1, ge=1, le=16, description="queries in flight at once")


class Alertmanager(Server):
    urls: tuple[Url, ...] = Field((), description="every one gets every alert; none: anomalies stay on the page and in metrics")
    resend_interval: Duration = 60.0
    resolved_for: Duration = Field(seconds("15m"), description="how long a resolved alert is still re-sent")
    timeout: Duration = 10.0


class Grafana(Server):
    url: Url
    token_file: Path | None = None
    token_env: str | None = None
    dashboard_uid: str | None = Field(None, description="annotate this dashboard only; default: the organisation")
    timeout: Duration = 10.0


class LlmOptions(Settings):
    model: str | None = None
    base_url: Url | None = None
    api_key_file: Path | None = None
    api_key_env: str | None = None
    max_tokens: int = Field(4096, gt=0)
    timeout: Duration = 60.0
    input_price: float | None = Field(
        None, ge=0, description="dollars per million input tokens; default: the published price, 0 when unknown"
    )
    output_price: float | None = Field(None, ge=0, description="dollars per million output tokens")


class LlmClient(Settings):
    name: str = Field(min_length=1)
    provider: Literal["anthropic", "openai", "offline"]
    options: LlmOptions = LlmOptions()


class Budget(Settings):
    """Money as a refill rate, so that a bad night cannot spend tomorrow's."""

    dollars_per_day: float = Field(5.0, ge=0)
    burst_dollars: float = Field(1.0, ge=0, description="most that can be saved up")
    critical_reserve: float = Field(0.3, ge=0, le=1, description="part of the burst kept for critical alerts")


class Llm(Settings):
    primary: str = "offline"
    reviewer: str | None = Field(None, description="client that reviews analyses; default: primary")
    clients: tuple[LlmClient, ...] = ()
    budget: Budget = Budget()
    redact: tuple[str, ...] = Field((), description="more regular expressions whose matches never leave, beside the built-in ones")

    @model_validator(mode="after")
    def _names(self) -> "Llm":
        names = [client.name for client in self.clients]
        for name in {n for n in names if names.count(n) > 1}:
            raise ValueError(f"clients: the name {name!r} is used twice")
        for key, chosen in (("primary", self.primary), ("reviewer", self.reviewer)):
            if chosen is not None and chosen not in {*names, "offline"}:
                raise ValueError(f"{key}: there is no client {chosen!r}; known: {', '.join([*names, 'offline'])}")
        return self


class Metric(Settings):
    """One tracked quantity of a watcher."""

    query: str = Field(min_length=1)
    unit: str = ""
    category: str = ""
    direction: Direction = Direction.BOTH
    min_change: float = Field(0.0, ge=0)
    ceiling: float | None = None
    full: float | None = None
    words: str = ""

    def named(self, name: str) -> BaselineMetric:
        return BaselineMetric(name=name, **self.model_dump())


class Cooldown(Settings):
    default: Duration = 300.0
    minimum: Duration = 60.0
    maximum: Duration = 86_400.0


class Watcher(Settings):
    """name defaults to the lens; schedule is cron in UTC, five fields and an optional sixth, seconds, last."""

    name: str = Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_-]*$")
    lens: str
    schedule: str
    datasource: str | None = Field(None, description="a name under datasources; default: prometheus")
    window: Duration = Field(86_400.0, description="how much history a baseline is learnt from")
    step: Duration = 60.0
    selector: str = Field("", description='PromQL matchers put into every query of the lens, like job="api"')
    metrics: dict[str, Metric] = Field(default_factory=dict, description="replaces the lens' own list")
    min_observations: int = Field(10, ge=3)
    sensitivity: float = Field(6.0, gt=0, description="half-width of the band in robust standard deviations")
    exhaustion_horizon: Duration = Field(3600.0, description="a trend that reaches the limit within this time is an anomaly")
    cooldown: Cooldown | None = None
    target_labels: tuple[str, ...] | None = Field(None, description="labels that identify a target; default: all of a series")
    timeout: Duration = 60.0
    options: dict[str, Any] = Field(default_factory=dict, description="what the lens itself needs (nodes, cookie_file)")


class PythonProcess(Settings):
    """A Python process to look at from outside."""

    name: str = Field(min_length=1)
    pid: int | None = Field(None, gt=0)
    match: str | None = Field(None, description="regular expression searched in the command line")

    @model_validator(mode="after")
    def _one(self) -> "PythonProcess":
        if (self.pid is None) == (self.match is None):
            raise ValueError("give either pid or match")
        return self


class Lenses(Settings):
    host: bool = True
    python: bool = Field(True, description="publish lens-exporter's own process")
    python_processes: tuple[PythonProcess, ...] = ()


class Web(Settings):
    listen_address: str = "127.0.0.1:10077"
    telemetry_path: str = "/metrics"
    external_url: Url | None = None
    max_body_bytes: int = Field(10 * 1024 * 1024, gt=0, description="a larger webhook body is answered with 413")


class Investigate(Settings):
    enabled: bool = True
    concurrency: int = Field(2, ge=1, le=32)
    iterations: int = Field(10, ge=1, le=50, description="model calls before the best answer so far is taken")
    tool_timeout: Duration = 30.0
    total_timeout: Duration = Field(300.0, description="wall time of one investigation's agent")
    max_tokens: int = Field(200_000, gt=0, description="input and output tokens of one investigation")
    max_dollars: float = Field(0.25, ge=0, description="money one investigation may cost")
    review_retries: int = Field(2, ge=0, le=5)
    debounce: Duration = Field(30.0, description="how long a new group waits; critical ones never wait")
    webhook_grace: Duration = Field(
        60.0, description="how long an own alert waits for Alertmanager's webhook before it is investigated anyway"
    )
    max_queue: int = Field(1000, gt=0, description="more waiting investigations are answered with 503")


class Config(Settings):
    """The whole configuration. With none given it watches its own host and process."""

    origin: str = Field("lens", pattern=r"^[a-zA-Z0-9_.-]+$", description="label lens_origin: which lens-exporter said it")
    prometheus: Prometheus = Prometheus()
    datasources: dict[str, Prometheus] = Field(default_factory=dict)
    alertmanager: Alertmanager = Alertmanager()
    grafana: Grafana | None = None
    llm: Llm = Llm()
    lenses: Lenses = Lenses()
    watchers: tuple[Watcher, ...] = (
        Watcher(name="host", lens="host", schedule="*/1 * * * *"),
        Watcher(name="python", lens="python", schedule="*/1 * * * *"),
    )
    cooldown: Cooldown = Cooldown()
    investigate: Investigate = Investigate()
    web: Web = Web()
    database_url: str = "sqlite:///data/lens.db"
    events_retention: Duration = seconds("30d")
    otlp_endpoint: Url | None = Field(None, description="spans go there (extra: otlp)")
